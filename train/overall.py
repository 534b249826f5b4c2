"""Fitting the score of an image as a whole, and its thresholds, on validation."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_app.evaluation.metrics import Ranked, interval, patient_weights, whole_and_resampled
from edge_app.evaluation.reference import reference
from edge_app.model.decisions import RAISED_FROM, TIMES, shown
from edge_app.model.labels import Labels
from edge_app.model.overall import Method, OverallScore, log_odds, method_of, probability_of
from train.calibrate import logistic
from train.ranking import enough, with_interval

Floats = NDArray[np.float64]

MIN_IMAGES: Final = 10
"""With fewer normal images, or fewer others, nothing can be fitted honestly."""

FALSE_ALARMS: Final = {
    "one-in-ten": ("1 in 10 normal validation images is flagged", 0.10),
    "one-in-four": ("1 in 4 normal validation images is flagged", 0.25),
}
MET: Final = 0.8
"""Tied scores can leave fewer images flagged than a rule says; below this share the rule says so.
"""

SCREENING: Final = "screening"
SENSITIVITY: Final = 0.90
DEFAULT_POINT: Final = "one-in-ten"
RESAMPLES: Final = 2000


def overall(
    targets: NDArray[np.uint8], scores: Floats, labels: Labels, method: Method, where: str
) -> dict[str, Any] | None:
    """The manifest's `overall`; None if there are too few images, normal or not.

    Args:
        targets: N×L, of images that trained nothing.
        scores: N×L, calibrated.
        labels: the model's.
        method: how the labels' scores become one.
        where: names these images.
    """
    truth = labels.not_normal(targets)
    if not enough(truth, MIN_IMAGES):
        return None
    odds = log_odds(scores, labels, method)
    slope, intercept = logistic(truth, odds)
    if slope <= 0:  # it ranks the wrong way round, so it must not flag anything
        return None
    probability = probability_of(slope * odds + intercept, scores, labels.findings)
    normal, abnormal = probability[~truth], probability[truth]
    points = {
        name: _false_alarms(rule, share, normal, abnormal)
        for name, (rule, share) in FALSE_ALARMS.items()
    }
    lowest = float(np.quantile(abnormal, 1 - SENSITIVITY, method="lower"))
    rule = f"{SENSITIVITY:.0%} of validation images that are not normal are flagged".replace(
        "%", " %"
    )
    points[SCREENING] = _point(rule, lowest, normal, abnormal)
    return {
        "method": method,
        "slope": slope,
        "intercept": intercept,
        "bounded_by": list(labels.findings),
        "usually": round(float(truth.mean()), 4),
        "fitted_on": where,
        "operating_points": points,
        "default_operating_point": DEFAULT_POINT,
        "raised": {
            "least": RAISED_FROM,
            "times": TIMES,
            "validation": marks(targets, scores, labels, prevalence(targets)),
        },
    }


def prevalence(targets: NDArray[np.uint8]) -> Floats:
    """N×L → how frequent each label is, 0 to 1, in the manifest's digits."""
    return np.round(targets.mean(axis=0), 4)


def raised(
    scores: Floats, usually: Floats, times: float = TIMES, minimum: float = RAISED_FROM
) -> NDArray[np.bool_]:
    """Scores (N, F) and usual frequencies (F,) → which are raised (N, F); see `decisions.mark`."""
    probable, usual = map(np.vectorize(shown, otypes=[float]), (scores, usually))
    marked: NDArray[np.bool_] = (usually > 0) & (probable >= minimum) & (probable >= times * usual)
    return marked


def marks(
    targets: NDArray[np.uint8], scores: Floats, labels: Labels, usually: Floats
) -> dict[str, float]:
    """The mean number of raised findings in an image: `manifest_types.Marks`.

    Args:
        targets, scores, labels: see `overall`; some images are normal, and some are not.
        usually: L, the labels' prevalence on validation.
    """
    findings = list(labels.findings)
    marked = raised(scores[:, findings], usually[findings])
    positive, truth = targets[:, findings].astype(bool), labels.not_normal(targets)
    counts = {
        "right": (marked & positive)[truth],
        "wrong": (marked & ~positive)[truth],
        "of_normal": marked[~truth],
    }
    return {name: round(float(each.sum(axis=1).mean()), 4) for name, each in counts.items()}


def _flagging(normal: Floats, share: float) -> float:
    """The lowest threshold that flags at most this share of normal images."""
    allowed = int(share * len(normal))
    return float(np.nextafter(np.sort(normal)[-allowed - 1], 1))


def _false_alarms(rule: str, share: float, normal: Floats, abnormal: Floats) -> dict[str, Any]:
    """A point that flags about this share of normal images; the rule says if it is less."""
    threshold = _flagging(normal, share)
    flagged = int((normal >= threshold).sum())
    allowed = int(share * len(normal))
    if flagged > allowed:
        rule = f"not {rule}: {flagged} of {len(normal)}"
    elif flagged < MET * allowed:
        rule = f"at most {rule}: {flagged} of {len(normal)}"
    return _point(rule, threshold, normal, abnormal)


def _point(rule: str, threshold: float, normal: Floats, abnormal: Floats) -> dict[str, Any]:
    return {
        "rule": rule,
        "threshold": threshold,
        "sensitivity": round(float((abnormal >= threshold).mean()), 4),
        "specificity": round(float((normal < threshold).mean()), 4),
    }


def image_level(
    targets: NDArray[np.uint8], scores: Floats, labels: Labels, head: Any, where: str
) -> dict[str, Any]:
    """A manifest's `prevalence`, and its `overall` and `reference` if these can be fitted.

    Args:
        targets, scores, labels, where: see `overall`.
        head: the model's.
    """
    facts: dict[str, Any] = {"prevalence": prevalence(targets).tolist()}
    method = method_of(labels, head)
    fitted = overall(targets, scores, labels, method, where) if method else None
    if method and fitted:
        probability = OverallScore(labels, method, fitted).probability(scores)  # type: ignore[arg-type]
        normal = ~labels.not_normal(targets)
        images = f"{int(normal.sum())} normal images of {where}"
        facts["overall"] = fitted
        facts["reference"] = reference(scores[normal], probability[normal], images)
    return facts


def reached(
    facts: dict[str, Any],
    targets: NDArray[np.uint8],
    scores: Floats,
    labels: Labels,
    patients: NDArray[np.str_],
    where: str,
    usually: Floats,
) -> dict[str, Any]:
    """`overall` with what its points reach on further images, with intervals over patients.

    Args:
        facts: see `overall`.
        targets, scores, labels: as for `overall`, of images that nothing was fitted on.
        patients: N.
        where: names these images.
        usually: L, the manifest's prevalence.
    """
    method: Method = facts["method"]
    probability = OverallScore(labels, method, facts).probability(scores)  # type: ignore[arg-type]
    truth = labels.not_normal(targets)
    weights = patient_weights(patients, RESAMPLES, seed=0)
    points = {}
    for name, point in facts["operating_points"].items():
        flagged = probability >= point["threshold"]
        points[name] = point | {
            "test": {
                "sensitivity": _share(flagged[truth], weights[:, truth]),
                "specificity": _share(~flagged[~truth], weights[:, ~truth]),
                "on": where,
            }
        }
    tested = {"operating_points": points}
    if "raised" in facts and truth.any() and not truth.all():
        tested["raised"] = facts["raised"] | {"test": marks(targets, scores, labels, usually)}
    return facts | tested


def _share(hits: NDArray[np.bool_], weights: Floats) -> dict[str, float | None]:
    with np.errstate(invalid="ignore"):
        drawn = weights @ hits / weights.sum(axis=1)
    low, high = interval(drawn)
    values = {"value": hits.mean() if len(hits) else np.nan, "low": low, "high": high}
    return {key: round(float(v), 4) if np.isfinite(v) else None for key, v in values.items()}


def ranking(truth: NDArray[np.bool_], odds: Floats, patients: NDArray[np.str_]) -> Floats:
    """AUROC of `odds` for what is not normal, and its 95 % interval over patients (3 values)."""
    resampled = whole_and_resampled(patients, RESAMPLES, seed=0)
    return np.array(with_interval(Ranked.of(truth, odds).areas(*resampled).auroc))
