"""What `compare` was given, reports or files of scores → two reports."""

from __future__ import annotations

from pathlib import Path
from typing import Final, cast

from edge_app.core.errors import UsageError
from edge_app.evaluation import report, truth
from edge_app.evaluation.of_scores import Options, report_of, with_patients
from edge_app.evaluation.report import Report

REPORT: Final = ".json"
UNSEEN: Final = 0
"""Resamples: a comparison makes its own intervals, and shows none of either side alone."""


def sides(
    reference: Report | Path,
    candidate: Report | Path,
    labels: Path | None = None,
    options: Options | None = None,
    normal: str | None = None,
) -> tuple[Report, Report]:
    """Reference and candidate as reports.

    A file whose name ends in ``.json`` is a report; any other is one of scores. Scores are judged
    by a file of labels, or by what the other side's report says of the same images, and decide at
    the other side's thresholds; those of two files are the reference's.

    Args:
        reference, candidate: reports, their files, or files of scores.
        labels: of the images, where both are files of scores.
        options, normal: how scores and labels are read; see `of_scores` and `truth`.

    Raises:
        ReportError: a file cannot be used.
        UsageError: there are no labels, or some that nothing is judged by.
    """
    first, second = (_known(side) for side in (reference, candidate))
    if first and second:
        if labels is not None or normal is not None or options not in (None, Options()):
            raise UsageError(
                "--labels, --label, --normal, --scale and --exclusive are for files of scores: "
                "these are reports, which hold all that"
            )
        return first, second
    known = first or second
    if known:
        if labels is not None or normal is not None or (options and options.labels):
            raise UsageError(
                "--labels, --label and --normal are for two files of scores: the report says which "
                "image bears what"
            )
        ground_truth = truth.of_report(known)
        return (
            first or report_of(cast("Path", reference), ground_truth, options, known, UNSEEN),
            second or report_of(cast("Path", candidate), ground_truth, options, known, UNSEEN),
        )
    if labels is None:
        raise UsageError("--labels FILE: which of the scored images bear which labels?")
    ground_truth = truth.read(labels, normal, exclusive=bool(options and options.exclusive))
    first = report_of(cast("Path", reference), ground_truth, options, None, UNSEEN)
    ground_truth = with_patients(ground_truth, first)
    second = report_of(cast("Path", candidate), ground_truth, options, first, UNSEEN)
    return first, second


def _known(side: Report | Path) -> Report | None:
    """The report; None of a file of scores."""
    if isinstance(side, Report):
        return side
    return report.read(side) if side.suffix == REPORT else None
