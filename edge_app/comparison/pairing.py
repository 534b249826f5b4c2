"""Two evaluation reports → their answers image by image, or why they cannot be compared."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_app.core.errors import ReportError
from edge_app.evaluation.metrics import Floats
from edge_app.evaluation.of_scores import is_of_scores
from edge_app.evaluation.report import Evaluated, Report
from edge_app.model.labels import Labels

if TYPE_CHECKING:
    from edge_app.evaluation.document import ReportDocument

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Answers:
    """What one report's model answered about N images.

    Attributes:
        logits: N×L.
        ranking: N×L, what orders the images of each label: the logits where labels are
            independent, the scores where they are exclusive.
        scores: N×L, calibrated as the report says; NaN where the logit is no finite number.
        thresholds: by operating point, L each; NaN where there is none.
        retest: by perturbation, N×L scores of the same model on perturbed images.
    """

    logits: Floats
    ranking: Floats
    scores: Floats
    thresholds: dict[str, Floats]
    retest: dict[str, Floats]

    def decided(self, point: str) -> Bools:
        """N×L: "yes" at an operating point; never where there is no threshold."""
        return decisions(self.scores, self.thresholds[point])


def decisions(scores: Floats, thresholds: Floats) -> Bools:
    """N×L scores, L thresholds → "yes" where a score reaches its threshold, if there is one."""
    reached: Bools = scores >= thresholds
    return reached


@dataclass(frozen=True)
class Pair:
    """Two reports on the same images, in the reference's order.

    Attributes:
        reference, candidate: the two reports.
        answers: of the reference and of the candidate, in this order.
        targets: N×L.
        labels: the L labels that both answer.
        points: the operating points that both have, the reference's default first.
    """

    reference: Report
    candidate: Report
    answers: tuple[Answers, Answers]
    targets: Bools
    labels: Labels
    points: tuple[str, ...]


class _WrongError(ValueError):
    """What is wrong with a report, in words for people."""


def pair(reference: Report, candidate: Report) -> Pair:
    """Match two reports by image name.

    Raises:
        ReportError: they are of other labels, data, images, patients or targets, have no default
            operating point in common, or one of them is damaged.
    """
    for role, report in (("reference", reference), ("candidate", candidate)):
        try:
            _check(report)
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            reason = f" ({error})"[:200] if isinstance(error, _WrongError) else ""
            raise ReportError(f"the {role} is damaged{reason}: evaluate its model again") from None
    if reference.labels != candidate.labels:
        raise ReportError(
            f"the reports are of different labels ({_named(reference)} and {_named(candidate)}): "
            "compare models of the same labels"
        )
    one, other = (str(r.content["dataset"]["digest"]) for r in (reference, candidate))
    if one != other and not any(
        map(is_of_scores, (reference, candidate))
    ):  # whose files are unseen
        raise ReportError(
            f"the reports are of different data (digests {one[:12]} and {other[:12]}): "
            "evaluate both models on the same images"
        )
    candidate = Report(candidate.content, _in_order_of(reference.evaluated, candidate.evaluated))
    _same_truth(reference.evaluated, candidate.evaluated)
    return Pair(
        reference,
        candidate,
        (_answers(reference), _answers(candidate)),
        reference.evaluated.targets.astype(bool),
        reference.labels,
        _common_points(reference.content, candidate.content),
    )


def _named(report: Report) -> str:
    """Its labels in a few words."""
    names = report.labels.names
    words = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return words[:200]


def _check(report: Report) -> None:
    """Raise KeyError, TypeError or ValueError where a report lacks what a comparison needs."""
    content, evaluated, names = report.content, report.evaluated, report.labels.names
    if not report.labels.findings or len(set(names)) < len(names):
        raise _WrongError("its labels are no model's: none is a finding, or two have one name")
    count, shape = len(evaluated.images), (len(evaluated.images), len(names))
    logits = [evaluated.logits, *evaluated.retest.values()]
    if {evaluated.targets.shape, *(array.shape for array in logits)} != {shape} or len(
        evaluated.patients
    ) != count:
        raise _WrongError("its scores are not of its images and labels")
    if not count or content["dataset"]["images"] != count:
        raise _WrongError(f"it holds {count} images and states another number")
    if len(np.unique(evaluated.images)) != count:
        raise _WrongError("it has an image twice")
    if not isinstance(content["dataset"]["digest"], str):
        raise _WrongError("the digest of its data is no text")
    for key in ("model", "runtime"):
        content[key].items()
    for key in ("slope", "intercept"):
        _numbers(content["calibration"][key], len(names))
    for rows in content["operating_points"].values():
        _thresholds(rows, names)
    if content["operating_point"] not in content["operating_points"]:
        raise _WrongError("its default operating point is not among its operating points")


def _numbers(values: Any, count: int) -> Floats:
    numbers = np.array(values, np.float64)
    if numbers.shape != (count,) or not np.isfinite(numbers).all():
        raise _WrongError(f"its calibration is not {count} finite numbers")
    return numbers


def _thresholds(rows: Any, names: tuple[str, ...]) -> Floats:
    if [row["label"] for row in rows] != list(names):
        raise _WrongError(f"an operating point is not for its {len(names)} labels")
    return np.array(
        [np.nan if row["threshold"] is None else float(row["threshold"]) for row in rows]
    )


def _in_order_of(reference: Evaluated, candidate: Evaluated) -> Evaluated:
    if set(reference.images) != set(candidate.images):
        only = sorted(set(reference.images) ^ set(candidate.images))
        raise ReportError(
            f"{len(only)} images are in one of the reports only, such as {only[0]}: "
            "evaluate both models on the same images"
        )
    place = {image: row for row, image in enumerate(candidate.images)}
    rows = [place[image] for image in reference.images]
    arrays = {
        field.name: getattr(candidate, field.name)[rows]
        for field in fields(candidate)
        if field.name != "retest"
    }
    retest = {key: logits[rows] for key, logits in candidate.retest.items()}
    return replace(candidate, **arrays, retest=retest)


def _same_truth(reference: Evaluated, candidate: Evaluated) -> None:
    for what, same in (
        ("patients", reference.patients == candidate.patients),
        ("labels", (reference.targets == candidate.targets).all(axis=1)),
    ):
        if not same.all():
            raise ReportError(
                f"image {reference.images[~same][0]} has other {what} in the two reports: "
                "evaluate both models on the same data"
            )


def _common_points(reference: ReportDocument, candidate: ReportDocument) -> tuple[str, ...]:
    default, there = reference["operating_point"], candidate["operating_points"]
    if default not in there:
        raise ReportError(
            f"the candidate has no operating point '{default}', the reference's default: "
            "evaluate both with the same operating points"
        )
    others = (name for name in reference["operating_points"] if name in there and name != default)
    return (default, *others)


def _answers(report: Report) -> Answers:
    def scores(logits: NDArray[np.float32]) -> Floats:
        known = np.isfinite(logits)
        with np.errstate(over="ignore", invalid="ignore"):  # a calibration may be absurd
            calibrated = report.calibrated(np.where(known, logits, 0))
        return np.where(known, calibrated, np.nan)

    points = report.content["operating_points"]
    logits, answered = report.evaluated.logits.astype(np.float64), scores(report.evaluated.logits)
    return Answers(
        logits,
        answered if report.head == "exclusive" else logits,
        answered,
        {name: _thresholds(rows, report.labels.names) for name, rows in points.items()},
        {key: scores(logits) for key, logits in report.evaluated.retest.items()},
    )
