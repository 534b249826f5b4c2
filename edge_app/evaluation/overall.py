"""How well a model tells normal images from others, and what its image-level points reach."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from edge_app.core.plain_text import rounded
from edge_app.evaluation.metrics import (
    Floats,
    Ranked,
    Resampled,
    calibration_error,
    interval,
    of_several,
    summed,
)
from edge_app.evaluation.proportions import of_all_or_none, of_area
from edge_app.model.overall import OverallScore, method_of

if TYPE_CHECKING:
    from edge_app.evaluation.document import Metric, OverallDocument
    from edge_app.model.labels import Labels
    from edge_app.model.manifest_types import Head, OverallFacts

NAMED = 3
"""Findings that an answer names first."""


def judged(
    targets: NDArray[np.bool_],
    scores: Floats,
    labels: Labels,
    head: Head,
    facts: OverallFacts | None,
    drawn: Resampled,
    patients: NDArray[np.str_],
) -> OverallDocument | None:
    """A report's `overall`; None where the model's labels make no score of the whole image.

    Args:
        targets: N×L.
        scores: N×L, calibrated.
        labels, head: the model's.
        facts: the manifest's `overall`; without it there are no points.
        drawn: weights of the patients.
        patients: N, whose images these are.
    """
    method = method_of(labels, head)
    if method is None:
        return None
    probability = OverallScore(labels, method, facts).probability(scores)
    findings = list(labels.findings)
    truth = labels.not_normal(targets)
    areas = Ranked.of(truth, probability).areas(*drawn)
    auroc, precision = _metric(areas.auroc), _metric(areas.average_precision)
    if not of_several(drawn.whose, truth, ~truth):
        auroc, precision = ({**each, "low": None, "high": None} for each in (auroc, precision))
    named = _named(targets[:, findings], scores[:, findings])
    points = facts["operating_points"] if facts else {}
    whole: Any = {
        "images": len(truth),
        "not_normal": int(truth.sum()),
        "method": method,
        "auroc": of_area(cast("Metric", auroc), truth, patients),
        "average_precision": _without_width(precision),
        "calibration_error": _metric(calibration_error(truth, probability, *drawn)),
        "operating_points": {
            name: {
                "rule": point["rule"],
                "threshold": point["threshold"],
                **_reached(truth, probability >= point["threshold"], named, drawn, patients),
            }
            for name, point in points.items()
        },
    }
    return cast("OverallDocument", whole)


def _named(targets: NDArray[np.bool_], scores: Floats) -> NDArray[np.bool_]:
    """Whether the first, and any of the first `NAMED` findings by score, is right: N×2."""
    order = np.argsort(-scores, axis=1)[:, :NAMED]
    right = np.take_along_axis(targets, order, axis=1)
    return np.stack([right[:, 0], np.asarray(right.any(axis=1))], axis=1)


def _reached(
    truth: NDArray[np.bool_],
    flagged: NDArray[np.bool_],
    named: NDArray[np.bool_],
    drawn: Resampled,
    patients: NDArray[np.str_],
) -> dict[str, Any]:
    shares = {
        "sensitivity": (flagged, truth),
        "specificity": (~flagged, ~truth),
        "predictive_value": (truth, flagged),
        "first_finding_right": (named[:, 0], flagged & truth),
        "one_of_three_right": (named[:, 1], flagged & truth),
    }
    return {name: _share(*each, drawn, patients) for name, each in shares.items()}


def _share(
    hits: NDArray[np.bool_],
    among: NDArray[np.bool_],
    drawn: Resampled,
    patients: NDArray[np.str_],
) -> dict[str, Any]:
    """The share of hits among some of the images, with its interval."""
    with np.errstate(invalid="ignore", divide="ignore"):
        total = summed(drawn.weights, among, drawn.whose)
        found = _metric(summed(drawn.weights, hits & among, drawn.whose) / total)
    if not of_several(drawn.whose, among):
        return {**found, "low": None, "high": None}
    if found["value"] in (0, 1) and found["low"] is not None and found["low"] == found["high"]:
        low, high = of_all_or_none(found["value"], among, patients)
        ends = {"low": low, "high": high}
        found |= {key: rounded(end) if math.isfinite(end) else None for key, end in ends.items()}
    return found


def _without_width(found: dict[str, Any]) -> dict[str, Any]:
    """A metric, without the interval of one that is the same in every sample."""
    return {**found, "low": None, "high": None} if found["low"] == found["high"] else found


def _metric(values: Floats) -> dict[str, Any]:
    """The first of the values, with the interval that the others make."""
    value, drawn = float(values[0]), values[1:]
    low, high = interval(drawn) if math.isfinite(value) else (math.nan, math.nan)
    found = {"value": value, "low": low, "high": high}
    return {key: rounded(each) if math.isfinite(each) else None for key, each in found.items()}
