"""Writers of answers: a table for people, CSV for spreadsheets, JSON for programs.

A writer gets one answer at a time and prints it at once, so that an interrupted batch has printed
all its answers, and memory stays flat.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Protocol, TextIO

from edge_app.core.about import DISCLAIMER
from edge_app.core.errors import EdgeCxrError
from edge_app.core.plain_text import cell, file_cell, is_utf8_stream, percent, rounded
from edge_app.images.radiograph import Radiograph
from edge_app.model.decisions import RAISED_MEANS, mark, marked
from edge_app.model.overall import NONE_ABOVE, NONE_RAISED
from edge_app.model.usual import of_normal, referred_to
from edge_app.pipeline.words import answered_by, promises, right_above, seen_at

if TYPE_CHECKING:
    from edge_app.classifier import Classifier, Findings
    from edge_app.model.decisions import Finding
    from edge_app.model.overall import Overall
    from edge_app.pipeline.answer import Answer, Refusal


class Writer(Protocol):
    """Prints answers in the order in which they come.

    Attributes:
        needs_picture: whether the images must still have their pictures.
    """

    needs_picture: bool

    def answer(self, name: str, image: Radiograph, findings: Findings) -> None: ...

    def refusal(self, name: str, error: EdgeCxrError) -> None: ...

    def close(self) -> None: ...


class TableWriter:
    """Readable lines: the image as a whole first, then its findings, the most probable first."""

    needs_picture = False

    def __init__(self, classifier: Classifier, top: int | None, out: TextIO) -> None:
        self.classifier, self.top, self.out = classifier, top, out
        self.width = max(19, *(len(name) for name in classifier.labels.names))
        self.by_label = classifier.points.image is None

    def answer(self, name: str, image: Radiograph, findings: Findings) -> None:
        facts = image.facts
        described = f"{facts['width']}x{facts['height']} {facts['format']}"
        warnings = [f"  warning: the picture {warning}" for warning in findings.warnings]
        if findings.withheld:
            lines = [f"{name}  ({described})", *warnings]
            lines += [f"  not scored: the picture {findings.withheld}"]
            self.out.write("\n".join(lines) + "\n\n")
            return
        lines = [f"{name}  ({described}, {seen_at(self.classifier.spec)})", *warnings]
        lines.append(f"  {'; '.join(findings.verdict)}")
        if whole := findings.overall:
            lines += [f"  {line}" for line in (whole.in_words(), findings.caution) if line]
        rows = self._by_threshold if self.by_label else self._by_probability
        lines += [f"  {line}" for line in rows(findings.ranked)]
        lines += [f"  {line}" for line in right_above(findings.ranked[: self.top])]
        if findings.heatmap:
            why = NONE_ABOVE if self.by_label else NONE_RAISED
            bare = "" if findings.heatmap["findings"] else f" ({why}: no colours)"
            lines.append(f"  heatmap: {findings.heatmap['file']}{bare}")
        self.out.write("\n".join(lines) + "\n\n")

    def _by_probability(self, ranked: list[Finding]) -> Iterator[str]:
        yield f"{'finding':<{self.width}} probability  usually          higher than"
        for each in ranked[: self.top]:
            usually = "" if each.usually is None else percent(each.usually)
            lower = "" if each.percentile is None else f"{of_normal(each.percentile)} normal"
            word = mark(each.score, each.usually, each.above, self.by_label)
            row = f"{each.name:<{self.width}} {percent(each.score):>11}  {usually:>7}  {lower:>19}"
            yield f"{row}  {word}".rstrip()

    def _by_threshold(self, ranked: list[Finding]) -> Iterator[str]:
        yield f"{'finding':<{self.width}} probability  threshold"
        for each in sorted(ranked, key=lambda finding: not finding.above)[: self.top]:
            threshold = "none" if each.threshold is None else percent(each.threshold)
            word = marked(each.score, each.usually, each.above, self.by_label, each.threshold)
            row = f"{each.name:<{self.width}} {percent(each.score):>11}  {threshold:>9}"
            yield f"{row}  {word}".rstrip()

    def refusal(self, name: str, error: EdgeCxrError) -> None:
        pass  # standard error has it

    def close(self) -> None:
        model = self.classifier.model
        lines = [
            answered_by(self.classifier),
            *promises(self.classifier),
        ]
        usual = not self.by_label or "overall" in model.manifest
        lines += referred_to(model.manifest, self.classifier.site, usual)
        if not self.by_label:
            lines.append(RAISED_MEANS)
        if self.classifier.site:
            lines.append(f"site file {self.classifier.site.digest[:16]}")
        self.out.write("\n".join([*lines, DISCLAIMER]) + "\n")


class CsvWriter:
    """One row an image: the whole, its scores, the labels above and their predictive values at a
    site in the same order, warnings, error; then by what it is flagged, and what that is worth."""

    needs_picture = False

    def __init__(self, classifier: Classifier, out: TextIO) -> None:
        import csv

        self.rows = csv.writer(out, lineterminator="\n")
        self.model, self.point = classifier.model, classifier.points.name
        self.site = classifier.site.digest if classifier.site else ""
        self.digest = classifier.model.digest or ""
        self.blank = [""] * (len(OVERALL_COLUMNS) + len(classifier.labels))
        self.rows.writerow(
            [
                "file",
                *OVERALL_COLUMNS,
                *map(cell, classifier.labels.names),
                "above",
                "above_ppv",
                "raised",
                "operating_point",
                "model_sha256",
                "site",
                "warnings",
                "withheld",
                "error",
                "note",
                *("model_digest", *WORTH_COLUMNS),
            ]
        )

    def answer(self, name: str, image: Radiograph, findings: Findings) -> None:
        scores = [f"{rounded(finding.score):.6f}" for finding in findings.findings]
        whole = [*_overall_cells(findings.overall), *scores] if scores else self.blank
        found = [finding for finding in findings.findings if finding.above]
        above = "|".join(finding.label for finding in found)
        marks = [] if findings.by_label else findings.marked
        raised = "|".join(finding.label for finding in marks)
        known = any(finding.ppv for finding in found)
        ppv = [
            f"{rounded(finding.ppv.value):.6f}" if finding.ppv else "" for finding in found if known
        ]
        warnings, withheld = "; ".join(findings.warnings), str(bool(findings.withheld)).lower()
        self.rows.writerow(
            [
                *(file_cell(name), *whole, cell(above), "|".join(ppv), cell(raised)),
                *(cell(self.point), self.model.sha256),
                *(self.site, cell(warnings), withheld, findings.withheld or "", DISCLAIMER),
                *(self.digest, *_worth_cells(findings)),
            ]
        )

    def refusal(self, name: str, error: EdgeCxrError) -> None:
        self.rows.writerow(
            [
                *(file_cell(name), *self.blank, "", "", "", cell(self.point), self.model.sha256),
                *(self.site, "", "", cell(str(error)), DISCLAIMER, self.digest),
                *[""] * len(WORTH_COLUMNS),
            ]
        )

    def close(self) -> None:
        pass


OVERALL_COLUMNS: Final = ("overall", "percentile", "flagged")
WORTH_COLUMNS: Final = ("threshold", "usually", "caution")


def _overall_cells(overall: Overall | None) -> list[str]:
    if overall is None:
        return [""] * len(OVERALL_COLUMNS)
    percentile = "" if overall.percentile is None else f"{overall.percentile:.3f}"
    flagged = "" if overall.flagged is None else str(overall.flagged).lower()
    return [f"{rounded(overall.probability):.6f}", percentile, flagged]


def _worth_cells(findings: Findings) -> list[str]:
    whole = findings.overall
    if whole is None:
        return [""] * len(WORTH_COLUMNS)
    threshold = "" if whole.threshold is None else f"{rounded(whole.threshold):.6f}"
    usually = "" if whole.usually is None else f"{rounded(whole.usually):.6f}"
    return [threshold, usually, findings.caution or ""]


class JsonWriter:
    """One object an image: indented if there is only one, otherwise one a line.

    The text is UTF-8, or ASCII with escapes if the stream has another encoding.
    """

    needs_picture = False

    def __init__(self, classifier: Classifier, top: int | None, lines: bool, out: TextIO) -> None:
        self.top, self.out = top, out
        self.indent = None if lines else 2
        self.escaped = not is_utf8_stream(out)
        from edge_app.pipeline.json_answer import origin

        self.origin = origin(classifier)

    def answer(self, name: str, image: Radiograph, findings: Findings) -> None:
        from edge_app.pipeline.json_answer import answered

        self._write(answered(name, image, findings, self.origin, self.top))

    def refusal(self, name: str, error: EdgeCxrError) -> None:
        from edge_app.pipeline.json_answer import refused

        self._write(refused(name, error, self.origin))

    def close(self) -> None:
        pass

    def _write(self, answer: Answer | Refusal) -> None:
        self.out.write(json.dumps(answer, indent=self.indent, ensure_ascii=self.escaped) + "\n")
