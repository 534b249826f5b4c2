"""Validation logits → per-label calibration and operating points for the manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_curve

from edge_app.model.calibration import calibrated

if TYPE_CHECKING:
    from edge_app.model.manifest_types import Head

MIN_IMAGES: Final = 10
"""Fewer with the label, or without it, and neither slope nor threshold is fitted honestly."""

RULES: Final = {
    "balanced": "largest sensitivity + specificity (Youden)",
    "screening": "sensitivity of at least 0.90",
    "rule-in": "specificity of at least 0.95",
}
DEFAULT_POINT: Final = "balanced"


def platt(targets: NDArray[np.uint8], logits: NDArray[np.float32], where: str) -> dict[str, Any]:
    """Slope and intercept per label, as the manifest's `calibration`.

    A label with too few positives, or whose fit would turn its ranking round, keeps slope 1 and
    gets the intercept that makes its mean score its prevalence.

    Args:
        targets, logits: M×15, of images that trained nothing.
        where: names those images.
    """
    slopes, intercepts = [], []
    for truth, logit in zip(targets.T, logits.T.astype(np.float64), strict=True):
        slope, intercept = 0.0, 0.0
        if _enough(truth):
            fitted = LogisticRegression(C=1e4).fit(logit[:, np.newaxis], truth)
            slope, intercept = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
        if slope <= 0:
            slope, intercept = 1.0, _matching_intercept(truth, logit)
        slopes.append(slope)
        intercepts.append(intercept)
    return {"method": "platt", "slope": slopes, "intercept": intercepts, "fitted_on": where}


def _enough(truth: NDArray[np.uint8]) -> bool:
    return bool(MIN_IMAGES <= truth.sum() <= len(truth) - MIN_IMAGES)


def _matching_intercept(truth: NDArray[np.uint8], logit: NDArray[np.float64]) -> float:
    prevalence = (truth.sum() + 0.5) / (len(truth) + 1)
    reach = float(np.abs(logit).max()) + 20
    return float(brentq(lambda shift: expit(logit + shift).mean() - prevalence, -reach, reach))


def operating_points(
    targets: NDArray[np.uint8],
    logits: NDArray[np.float32],
    calibration: dict[str, Any],
    where: str,
    head: Head = "independent",
) -> dict[str, Any]:
    """The manifest's `operating_points`: thresholds on the score by each of `RULES`."""
    scores = calibrated(logits, calibration, head)
    points: dict[str, Any] = {
        name: {
            "rule": rule,
            "fitted_on": where,
            "thresholds": [],
            "sensitivity": [],
            "specificity": [],
        }
        for name, rule in RULES.items()
    }
    for truth, score in zip(targets.T, scores.T, strict=True):
        chosen = _thresholds(truth, score) if _enough(truth) else dict.fromkeys(RULES)
        for name, triple in chosen.items():
            values = triple or (None, None, None)
            for key, value in zip(
                ("thresholds", "sensitivity", "specificity"), values, strict=True
            ):
                points[name][key].append(value)
    return points


def _thresholds(
    truth: NDArray[np.uint8], score: NDArray[np.float64]
) -> dict[str, tuple[float, float, float]]:
    """(threshold, sensitivity, specificity) by rule; score ≥ threshold is what counts."""
    false_positive_rate, sensitivity, thresholds = roc_curve(truth, score, drop_intermediate=False)
    specificity = 1 - false_positive_rate
    thresholds = np.minimum(thresholds, 1.0)  # the first one, above all scores, is infinite
    indices = {
        "balanced": int(np.argmax(sensitivity + specificity)),
        "screening": int(np.argmax(sensitivity >= 0.90)),
        "rule-in": int(np.flatnonzero(specificity >= 0.95)[-1]),
    }
    return {
        name: (float(thresholds[i]), float(sensitivity[i]), float(specificity[i]))
        for name, i in indices.items()
    }
