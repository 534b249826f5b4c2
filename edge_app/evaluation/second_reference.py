"""Scores judged by a second reference standard: what others said of some of the same images.

The labels that a model was trained and judged with may be wrong. A CSV holds what somebody else
said, yes or no, of groups of findings; a group's score is the probability that an image bears one
of its labels at least, as if they were independent.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from edge_app.core.errors import DatasetError, UsageError
from edge_app.core.files import UnreadableError, read_bounded
from edge_app.core.plain_text import percent, plain, rounded
from edge_app.evaluation.metrics import auroc, interval, of_several, patient_weights
from edge_app.evaluation.proportions import of_all_or_none, of_area
from edge_app.evaluation.report import Report, interval_text
from edge_app.model.labels import Labels
from edge_app.model.overall import NOISY_OR, OverallScore, log_odds, method_of

if TYPE_CHECKING:
    from edge_app.evaluation.document import Metric, SecondReferenceDocument
    from edge_app.model.manifest_types import OverallFacts

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

IMAGE: Final = "image"
YES, NO = ("yes", "1", "true"), ("no", "0", "false")
MAX_BYTES: Final = 32 << 20
RESAMPLES: Final = 2000
ANY: Final = "any of these"


class SecondReference(NamedTuple):
    """A second reference standard.

    Attributes:
        name: for people.
        columns: what was judged.
        said: of each image, by its name, what was said of each column: yes, no, or None.
        groups: the model's labels that a column stands for; not every column need have some.
    """

    name: str
    columns: list[str]
    said: dict[str, list[bool | None]]
    groups: Mapping[str, Sequence[str]]

    def require(self, labels: Labels) -> None:
        """Raise a UsageError if a group is of no column, or of labels that are not among these."""
        for column, names in self.groups.items():
            if column not in self.columns:
                known = ", ".join(map(plain, self.columns))
                raise UsageError(f"--group {column}: {self.name} has no such column, but {known}")
            for name in names:
                if name not in labels.names:
                    raise UsageError(f"--group {column}: the model has no label {name!r}")

    def judging(self, report: Report, overall: OverallFacts | None = None) -> Report:
        """The report with what this standard says of its scores; `overall` is as of `judged`.

        Raises:
            UsageError: a group is of no column, or of labels that the model has not.
            DatasetError: it judges none of the report's images.
        """
        return Report(
            {**report.content, "second_reference": judged(report, self, overall)}, report.evaluated
        )


def groups_of(options: Sequence[str]) -> dict[str, list[str]]:
    """``COLUMN=LABEL|LABEL`` → the labels by column.

    Raises:
        UsageError: one is not of that form.
    """
    found = {}
    for text in options:
        column, equals, labels = text.partition("=")
        if not (column.strip() and equals and labels.strip()):
            raise UsageError(f"--group {text!r}: give COLUMN=LABEL|LABEL")
        found[column.strip()] = [label.strip() for label in labels.split("|")]
    return found


def read(path: Path, groups: Mapping[str, Sequence[str]]) -> SecondReference:
    """A CSV of ``image`` and further columns of yes and no; an empty cell was not judged.

    Raises:
        DatasetError: it cannot be read; names the line.
    """
    try:
        text = read_bounded(path, MAX_BYTES).decode("utf-8-sig")
    except UnreadableError as error:
        raise DatasetError(f"{path}: {error}") from None
    except UnicodeDecodeError:
        raise DatasetError(f"{path}: is not UTF-8 text") from None
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        heading = [cell.strip() for cell in next(rows, [])]
        if len(heading) < 2 or heading[0].lower() != IMAGE or len(set(heading)) < len(heading):
            raise DatasetError(
                f"{path}, line 1: needs a column {IMAGE!r}, then one of another name for each group"
            )
        said: dict[str, list[bool | None]] = {}
        for cells in filter(None, rows):
            where = f"{path}, line {rows.line_num}"
            if len(cells) != len(heading):
                raise DatasetError(f"{where}: {len(cells)} cells, not {len(heading)}")
            if cells[0] in said:
                raise DatasetError(f"{where}: {plain(cells[0])} is there already")
            said[cells[0]] = [_said(cell, where) for cell in cells[1:]]
    except csv.Error as error:
        raise DatasetError(f"{path}, line {rows.line_num}: is no CSV: {error}") from None
    return SecondReference(path.name, heading[1:], said, groups)


def _said(cell: str, where: str) -> bool | None:
    word = cell.strip().lower()
    if not word:
        return None
    if word in YES or word in NO:
        return word in YES
    raise DatasetError(f"{where}: {cell!r} is neither YES nor NO")


def judged(
    report: Report, second: SecondReference, overall: OverallFacts | None = None
) -> SecondReferenceDocument:
    """A report's `second_reference`: how well scores rank by either standard, on the same images.

    Intervals are over patients (see `metrics.weight_chunks`).

    Args:
        report: of the model's scores.
        second: the standard.
        overall: what the model's manifest states of the image as a whole.

    Raises:
        UsageError: a group is of no column, or of labels that the model has not.
        DatasetError: it judges none of the report's images.
    """
    answers, labels = report.evaluated, report.labels
    second.require(labels)
    inside = np.array([str(image) in second.said for image in answers.images])
    if not inside.any():
        raise DatasetError(f"{second.name}: judges none of the images of the report")
    said = np.array(
        [second.said[str(image)] for image in answers.images[inside]], dtype=np.float64
    )  # NaN where it says nothing
    targets, patients = answers.targets[inside] > 0, answers.patients[inside]
    scores = report.calibrated(answers.logits[inside])
    rows = []
    method = method_of(labels, report.head)
    if method:
        whole = OverallScore(labels, method, overall).probability(scores)
        own = np.asarray(targets[:, labels.findings].any(axis=1))
        rows.append(_row(ANY, [], _any(said), own, whole, patients))
    for column, names in second.groups.items():
        channels = [labels.names.index(name) for name in names]
        part = Labels(labels[channel] for channel in channels)
        score = log_odds(scores[:, channels], part, NOISY_OR)
        own = np.asarray(targets[:, channels].any(axis=1))
        of_column = said[:, second.columns.index(column)]
        rows.append(_row(column, list(names), of_column, own, score, patients))
    found = {
        "name": second.name,
        "images": int(inside.sum()),
        "patients": len(np.unique(patients)),
        "judged": second.columns,
        "groups": rows,
    }
    return cast("SecondReferenceDocument", found)


def _any(said: Floats) -> Floats:
    """Whether any of C groups (N×C) was seen (N): NaN where none was and one was not judged.

    Groups that nobody judged on any image say nothing of that.
    """
    judging = said[:, ~np.isnan(said).all(axis=0)]
    seen = (judging > 0).any(axis=1)
    unknown = np.isnan(judging).any(axis=1) | (not judging.shape[1])
    return np.where(seen, 1.0, np.where(unknown, np.nan, 0.0))


def _row(
    name: str, of: list[str], said: Floats, own: Bools, score: Floats, patients: NDArray[np.str_]
) -> dict[str, Any]:
    known = ~np.isnan(said)
    second, own, score = said[known] > 0, own[known], score[known]
    patients = patients[known]
    weights = np.concatenate(
        [np.ones((1, len(own))), patient_weights(patients, RESAMPLES, seed=0)]
        if known.any()
        else [np.ones((1, 0))]
    )
    return {
        "group": name,
        "labels": of,
        "images": len(own),
        "said": int(second.sum()),
        "labelled": int(own.sum()),
        "agreement": _agreement(second == own, weights, patients),
        **{
            key: _area(truth, score, weights, patients)
            for key, truth in (("auroc", second), ("auroc_by_labels", own))
        },
    }


def _agreement(same: Bools, weights: Floats, patients: NDArray[np.str_]) -> Metric:
    found = _metric(weights @ same / np.maximum(weights.sum(axis=1), 1))
    every = np.ones(len(same), bool)
    if not of_several(patients, every):
        return {**found, "low": None, "high": None}
    if found["value"] in (0, 1):
        ends = of_all_or_none(found["value"], every, patients)
        return {"value": found["value"], "low": rounded(ends[0]), "high": rounded(ends[1])}
    return found


def _area(truth: Bools, score: Floats, weights: Floats, patients: NDArray[np.str_]) -> Metric:
    found = _metric(auroc(truth, score, weights))
    if not of_several(patients, truth, ~truth):
        return {**found, "low": None, "high": None}
    return of_area(found, truth, patients)


def _metric(values: Floats) -> Metric:
    """The first is that of all images, the others are of bootstrap samples."""
    found = [values[0], *(interval(values[1:]) if np.isfinite(values[0]) else (np.nan, np.nan))]
    value, low, high = (rounded(v) if np.isfinite(v) else None for v in found)
    return {"value": value, "low": low, "high": high}


def sentences(content: Mapping[str, Any], judges: str, labels: str) -> list[str]:
    """The same in words.

    Args:
        content: a report's `second_reference`.
        judges: who said it, such as ``radiologists``.
        labels: whose labels the report's are, in the genitive.
    """
    found = []
    for row in content["groups"]:
        if row["auroc"]["value"] is None:
            continue
        whole = row["group"] == ANY
        what = "The image as a whole" if whole else row["group"]
        seen = f"{', '.join(content['judged'][:-1])} or {content['judged'][-1]}" if whole else "it"
        others = f"{labels} labels {'name any finding' if whole else 'name it'}"
        found.append(
            f"**{what}**: {judges} saw {seen} on {row['said']} of {row['images']} images, {others} "
            f"on {row['labelled']}; they agree on {_percent(row['agreement'])} of them. The score "
            f"ranks these images with AUROC {interval_text(row['auroc'])} by the {judges}, and "
            f"{interval_text(row['auroc_by_labels'])} by {labels} labels."
        )
    return found


def _percent(metric: Mapping[str, Any]) -> str:
    if metric["value"] is None:
        return "none"
    low, high = (
        "none" if metric[key] is None else percent(metric[key], 0, "") for key in ("low", "high")
    )
    return f"{percent(metric['value'], 0)} ({low} to {high})"
