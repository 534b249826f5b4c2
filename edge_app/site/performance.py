"""What a threshold is worth at a site: shares, predictive values, what comes of 1,000 images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_app.evaluation.proportions import (
    NOTHING,
    Clusters,
    Estimate,
    Z,
    estimate,
    share,
    weighted_share,
)

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Quantity = Callable[[complex, complex, complex], complex]
"""A function of sensitivity, the share of false alarms, and prevalence."""

PREDICTIVE: Final[dict[str, Quantity]] = {
    "ppv": lambda s, f, p: p * s / (p * s + (1 - p) * f),
    "npv": lambda s, f, p: (1 - p) * (1 - f) / ((1 - p) * (1 - f) + p * (1 - s)),
}
YIELD: Final[dict[str, Quantity]] = {
    "flagged": lambda s, f, p: p * s + (1 - p) * f,
    "found": lambda s, f, p: p * s,
    "false_alarms": lambda s, f, p: (1 - p) * f,
    "missed": lambda s, f, p: p * (1 - s),
}
STEP: Final = 1e-20


def performance(
    flagged: Bools, truth: Bools, patients: NDArray[Any], prevalence: float | None = None
) -> dict[str, Estimate]:
    """Sensitivity, specificity, predictive values, and shares of all images, with intervals.

    Args:
        flagged, truth: N.
        patients: N, whose images these are.
        prevalence: that the predictive values and the yield are for; the images' own if None,
            and then it is no more certain than they make it.

    Returns:
        `sensitivity`, `specificity`, and those of `PREDICTIVE` and `YIELD`, the latter as shares.
    """
    found: dict[str, Estimate] = {
        "sensitivity": share(flagged[truth], patients[truth]),
        "specificity": share(~flagged[~truth], patients[~truth]),
    }
    clusters = Clusters(patients)
    hits, alarms, positives, all_images = clusters.sums(
        np.column_stack([flagged & truth, flagged & ~truth, truth, np.ones(len(truth), bool)])
    ).T
    normal = all_images - positives
    if not positives.sum() or not normal.sum():
        return found | dict.fromkeys((*PREDICTIVE, *YIELD), NOTHING)
    sensitivity, false = hits.sum() / positives.sum(), alarms.sum() / normal.sum()
    at = prevalence if prevalence is not None else positives.sum() / all_images.sum()
    known = prevalence is not None
    moves = np.stack(
        [
            _moves(hits - sensitivity * positives, positives),
            _moves(alarms - false * normal, normal),
            _moves(positives - at * all_images, all_images) * (not known),
        ]
    )
    point = (float(sensitivity), float(false), float(at))
    images = {"ppv": float(flagged.sum()), "npv": float((~flagged).sum())}
    rates = (found["sensitivity"], share(flagged[~truth], patients[~truth])) if known else ()
    for name, quantity in (PREDICTIVE | YIELD).items():
        found[name] = _moved(quantity, point, moves, images.get(name, float(len(truth))), rates)
    for name, among in (("ppv", flagged), ("npv", ~flagged)):
        if found[name].value in (0, 1):  # no more patients tell that than have such images
            right = truth == (name == "ppv")
            found[name] = _wider(found[name], share(right[among], patients[among]))
    return found


def performance_in_routine(
    flagged: Bools, truth: Bools, patients: NDArray[Any], weights: Floats, bearing: Bools
) -> dict[str, Estimate]:
    """The same of one label, where the images were not drawn from routine.

    Images without the label are normal ones and ones with another finding; what is rarer among
    them in routine has a smaller part in what is said of routine.

    Args:
        flagged, truth: N, whether the label is above its threshold, and borne.
        patients: N.
        weights: N, what each image stands for in routine.
        bearing: N, which images bear any finding.
    """
    every = np.ones(len(truth), bool)
    shares = {
        "sensitivity": (flagged, truth, truth),
        "specificity": (~flagged, ~truth, ~truth),
        "ppv": (truth, flagged, truth ^ truth[flagged].all()),
        "npv": (~truth, ~flagged, truth ^ truth[~flagged].any()),
        "flagged": (flagged, every, every),
        "found": (flagged & truth, every, truth),
        "false_alarms": (flagged & ~truth, every, ~truth),
        "missed": (~flagged & truth, every, truth),
    }
    return {
        name: weighted_share(hits, among, patients, weights, bearing, unseen)
        for name, (hits, among, unseen) in shares.items()
    }


def _moves(residuals: Floats, images: Floats) -> Floats:
    """By how much a share moves without each patient, who has so many of its images."""
    others = images.sum() - images
    return np.divide(residuals, others, out=np.zeros_like(residuals), where=others > 0)


def _moved(
    quantity: Quantity,
    point: tuple[float, float, float],
    moves: Floats,
    images: float,
    rates: Sequence[Estimate],
) -> Estimate:
    """A quantity and its interval, by the delta method with derivatives of a complex step.

    A rate of none or all moves with no patient. Where the prevalence is a stated one the quantity
    is no plain share of the set's images, and what such a rate may be else is added.

    Args:
        quantity, point: what it is, and of what.
        moves: 3×K, of each of the three by each patient.
        images: that it is a share of.
        rates: sensitivity and false alarms, where the prevalence is stated; none otherwise.
    """
    if not images:
        return NOTHING
    value = quantity(*point).real
    certain = [each.value in (0, 1) for each in rates]
    if any(certain) and value in (0, 1):
        ends = [
            (each.low, each.high) if still else (each.value,)
            for each, still in zip(rates, certain, strict=True)
        ]
        corners = [quantity(s, f, point[2]).real for s in ends[0] for f in ends[1]]
        return Estimate(value, float(np.min(corners)), float(np.max(corners)), 0.0)
    slopes = [
        quantity(*(x + STEP * 1j * (place == axis) for place, x in enumerate(point))).imag / STEP
        for axis in range(3)
    ]
    patients = moves.shape[1]
    variance = (patients - 1) / patients * float(np.square(np.array(slopes) @ moves).sum())
    for slope, rate, still in zip(slopes, rates, certain, strict=False):
        variance += (slope * (rate.high - rate.low) / Z) ** 2 if still else 0.0
    return estimate(value, variance, images, patients)


def _wider(one: Estimate, other: Estimate) -> Estimate:
    """Both intervals in one; without ends where either has none."""
    low, high = np.minimum(one.low, other.low), np.maximum(one.high, other.high)
    return Estimate(one.value, float(low), float(high), other.effective)


def worth(threshold: float, found: dict[str, Estimate]) -> dict[str, Any]:
    """A threshold and its `performance` as a site file states them; the yield is of 1,000."""
    thousand = {
        name: {end: None if v is None else round(1000 * v, 1) for end, v in ends.items()}
        for name, ends in ((name, found[name].as_dict()) for name in YIELD)
    }
    plain = {name: each.as_dict() for name, each in found.items() if name not in YIELD}
    return {"threshold": threshold, **plain, "per_thousand": thousand}
