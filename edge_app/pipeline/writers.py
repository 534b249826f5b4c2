"""Findings as people, spreadsheets and programs want them: table, CSV, JSON.

A writer is given one answer at a time and prints it at once, so that an interrupted batch has
printed all it has done, and memory stays flat.
"""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Protocol, TextIO

from edge_app.core.about import DISCLAIMER
from edge_app.core.errors import EdgeCxrError
from edge_app.images.radiograph import Radiograph
from edge_app.pipeline.json_answer import answered, origin, refused

if TYPE_CHECKING:
    from edge_app.classifier import Classifier, Findings
    from edge_app.pipeline.answer import Answer, Refusal


class Writer(Protocol):
    """Prints answers in the order in which they come.

    Attributes:
        needs_picture: whether an answer's image must still have it.
    """

    needs_picture: bool

    def answer(self, name: str, image: Radiograph, findings: Findings) -> None: ...

    def refusal(self, name: str, error: EdgeCxrError) -> None: ...

    def close(self) -> None: ...


class TableWriter:
    """Readable columns: labels above their threshold first, then by score."""

    needs_picture = False

    def __init__(self, classifier: Classifier, top: int | None, out: TextIO) -> None:
        self.classifier, self.top, self.out = classifier, top, out
        self.width = max(19, *(len(name) for name in classifier.labels.names))

    def answer(self, name: str, image: Radiograph, findings: Findings) -> None:
        facts = image.facts
        lines = [f"{name}  ({facts['width']}x{facts['height']} {facts['format']})"]
        lines += [f"  warning: {warning}" for warning in findings.warnings]
        if findings.withheld:
            lines += [f"  findings withheld: {findings.withheld}"]
            self.out.write("\n".join(lines) + "\n\n")
            return
        lines += [f"  {'finding':<{self.width}} score  threshold"]
        ranked = sorted(findings.findings, key=lambda f: (not f.above, -f.score))
        for finding in ranked[: self.top]:
            threshold = "none" if finding.threshold is None else f"{finding.threshold:.3f}"
            mark = "  above" if finding.above else ""
            lines.append(
                f"  {finding.label:<{self.width}} {finding.score:.3f}  {threshold:>9}{mark}"
            )
        if findings.heatmap:
            lines.append(f"  heatmap: {findings.heatmap['file']}")
        self.out.write("\n".join(lines) + "\n\n")

    def refusal(self, name: str, error: EdgeCxrError) -> None:
        pass  # standard error has it

    def close(self) -> None:
        model = self.classifier.model
        self.out.write(
            f"{model.name}, {model.manifest['input']['dtype']}; "
            f"thresholds of the operating point '{self.classifier.operating_point}'\n{DISCLAIMER}\n"
        )


class CsvWriter:
    """One row an image: its scores, the labels at or above their thresholds, warnings, error."""

    needs_picture = False

    def __init__(self, classifier: Classifier, out: TextIO) -> None:
        self.rows = csv.writer(out, lineterminator="\n")
        self.model, self.point = classifier.model, classifier.operating_point
        self.blank = [""] * len(classifier.labels)
        self.rows.writerow(
            [
                "file",
                *classifier.labels.names,
                "above",
                "operating_point",
                "model_sha256",
                "warnings",
                "error",
                "note",
            ]
        )

    def answer(self, name: str, image: Radiograph, findings: Findings) -> None:
        scores = [f"{finding.score:.6f}" for finding in findings.findings] or self.blank
        above = "|".join(finding.label for finding in findings.findings if finding.above)
        warnings = "; ".join(findings.warnings)
        self.rows.writerow(
            [
                *(name, *scores, above, self.point, self.model.sha256, warnings),
                *(findings.withheld or "", DISCLAIMER),
            ]
        )

    def refusal(self, name: str, error: EdgeCxrError) -> None:
        self.rows.writerow(
            [name, *self.blank, "", self.point, self.model.sha256, "", str(error), DISCLAIMER]
        )

    def close(self) -> None:
        pass


class JsonWriter:
    """One object an image: indented where it is the only one, otherwise one a line."""

    needs_picture = False

    def __init__(self, classifier: Classifier, top: int | None, lines: bool, out: TextIO) -> None:
        self.top, self.out = top, out
        self.indent = None if lines else 2
        self.origin = origin(classifier)

    def answer(self, name: str, image: Radiograph, findings: Findings) -> None:
        self._write(answered(name, image, findings, self.origin, self.top))

    def refusal(self, name: str, error: EdgeCxrError) -> None:
        self._write(refused(name, error, self.origin))

    def close(self) -> None:
        pass

    def _write(self, answer: Answer | Refusal) -> None:
        self.out.write(json.dumps(answer, indent=self.indent, ensure_ascii=False) + "\n")
