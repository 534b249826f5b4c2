"""Validation logits → per-label calibration and operating points for the manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import special
from scipy.optimize import brentq, minimize
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_curve

from edge_app.model.calibration import calibrated
from train.ranking import enough

if TYPE_CHECKING:
    from edge_app.model.manifest_types import Head

MIN_IMAGES: Final = 10
"""With fewer positive or negative images, neither slope nor threshold can be fitted honestly."""

STRENGTH: Final = 1e4
"""scikit-learn's `C`: so weak a penalty of the slope that it only keeps logits that hardly differ
from being blown up."""

RULES: Final = {
    "balanced": "largest sensitivity + specificity (Youden)",
    "screening": "sensitivity of at least 0.90",
    "rule-in": "specificity of at least 0.95",
}
DEFAULT_POINT: Final = "balanced"


def fitted(
    targets: NDArray[np.uint8], logits: NDArray[np.float32], where: str, head: Head = "independent"
) -> dict[str, Any]:
    """The manifest's `calibration`: what turns logits into scores; see `platt` and `softmax`."""
    return (softmax if head == "exclusive" else platt)(targets, logits, where)


def softmax(targets: NDArray[np.uint8], logits: NDArray[np.float32], where: str) -> dict[str, Any]:
    """One slope for all exclusive labels, and an intercept for each.

    The slope is temperature scaling (Guo et al., On Calibration of Modern Neural Networks, ICML
    2017); the intercepts make each label's mean score its prevalence, where a label without images
    counts as half an image. With fewer than two labels of enough images, or where the fit would
    reverse the ranking, the slope is 1.

    Labels that separate perfectly are softened as in `platt`: an image with a label of n images
    has it with certainty (n + 1) / (n + L), and the other labels share the rest.

    Args:
        targets, logits: M×L, of images that trained nothing; one label an image.
        where: names those images.
    """
    values = logits.astype(np.float64)
    slope, intercepts = _softmax_fit(targets.astype(np.float64), values, targets)
    odds = slope * values + intercepts
    if slope != 1.0 and (odds.argmax(axis=1) == targets.argmax(axis=1)).all():
        slope, intercepts = _softmax_fit(_softened(targets), values, targets)
    labels = values.shape[1]
    return {
        "method": "platt",
        "slope": [slope] * labels,
        "intercept": (intercepts - intercepts.mean()).tolist(),
        "fitted_on": where,
    }


def _softmax_fit(
    truth: NDArray[np.float64], values: NDArray[np.float64], targets: NDArray[np.uint8]
) -> tuple[float, NDArray[np.float64]]:
    """Slope and intercepts (L) for M×L certainties of each image's labels."""
    count, labels = values.shape
    share = (truth.sum(axis=0) + 0.5) / (count + 0.5 * labels)
    ridge = 1 / (STRENGTH * count)
    mean = (values * truth).sum() / count

    def loss(chosen: NDArray[np.float64], slope: float | None) -> tuple[float, Any]:
        """Mean cross-entropy and its gradient, by intercepts and, where it is free, by slope."""
        free = slope is None
        steep = float(chosen[0]) if free else float(slope or 0)
        odds = steep * values + chosen[free:]
        shares = special.softmax(odds, axis=1)
        value = special.logsumexp(odds, axis=1).mean() - steep * mean - share @ chosen[free:]
        value += steep * steep * ridge / 2
        by_slope = (shares * values).sum() / count - mean + steep * ridge
        by_intercept = shares.mean(axis=0) - share
        return float(value), np.concatenate([[by_slope], by_intercept]) if free else by_intercept

    slope, intercepts = 1.0, np.log(share)
    if (targets.sum(axis=0) >= MIN_IMAGES).sum() >= 2:
        found = minimize(loss, [1.0, *intercepts], (None,), "L-BFGS-B", jac=True).x
        slope, intercepts = float(found[0]), found[1:]
    if slope <= 0 or not np.isfinite(slope):
        slope, intercepts = 1.0, np.log(share)
    if slope == 1.0:
        intercepts = minimize(loss, intercepts, (1.0,), "L-BFGS-B", jac=True).x
    return slope, intercepts


def _softened(targets: NDArray[np.uint8]) -> NDArray[np.float64]:
    """How certain each image's labels are (M×L), by how many images have each label."""
    labels = targets.shape[1]
    counts = targets.sum(axis=0) + labels
    certain = (counts - labels + 1) / counts
    return np.where(
        targets, certain, ((1 - certain) / max(labels - 1, 1))[targets.argmax(axis=1), np.newaxis]
    )


def platt(targets: NDArray[np.uint8], logits: NDArray[np.float32], where: str) -> dict[str, Any]:
    """Slope and intercept per label, as the manifest's `calibration`.

    A label with too few positives, or whose fit would reverse its ranking, keeps slope 1 and gets
    the intercept that makes its mean score its prevalence. For all others see `logistic`.

    Args:
        targets, logits: M×L, of images that trained nothing.
        where: names those images.
    """
    slopes, intercepts = [], []
    for truth, logit in zip(targets.T, logits.T.astype(np.float64), strict=True):
        slope, intercept = 0.0, 0.0
        if enough(truth, MIN_IMAGES):
            slope, intercept = logistic(truth.astype(bool), logit)
        if slope <= 0:
            slope, intercept = 1.0, _matching_intercept(truth, logit)
        slopes.append(slope)
        intercepts.append(intercept)
    return {"method": "platt", "slope": slopes, "intercept": intercepts, "fitted_on": where}


def logistic(truth: NDArray[np.bool_], values: NDArray[np.float64]) -> tuple[float, float]:
    """Slope and intercept of the log-odds of `truth` (M) over `values` (M).

    Where the values separate the images perfectly, no slope would be steep enough. Then each of n
    positives, and each of n negatives, counts as (n + 1) / (n + 2) certain (Platt, Advances in
    Large Margin Classifiers, 1999, section 2.2).
    """
    column, classifier = values[:, np.newaxis], LogisticRegression(C=STRENGTH)
    if values[truth].min() < values[~truth].max() or np.ptp(values) == 0:
        classifier.fit(column, truth)
    else:
        counts = np.where(truth, truth.sum(), (~truth).sum())
        certain = (counts + 1) / (counts + 2)
        classifier.fit(
            *(np.concatenate([column, column]), np.concatenate([truth, ~truth])),
            sample_weight=np.concatenate([certain, 1 - certain]),
        )
    return float(classifier.coef_[0, 0]), float(classifier.intercept_[0])


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
    """The manifest's `operating_points`: thresholds on the score by each of `RULES`.

    Each exclusive label is judged against the rest.
    """
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
        chosen = _thresholds(truth, score) if enough(truth, MIN_IMAGES) else dict.fromkeys(RULES)
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
    """(threshold, sensitivity, specificity) by rule; a score at the threshold is positive."""
    false_positive_rate, sensitivity, thresholds = roc_curve(truth, score, drop_intermediate=False)
    specificity = 1 - false_positive_rate
    thresholds = np.minimum(thresholds, 1.0)  # the first one, above all scores, is infinite
    indices = {
        "balanced": int(np.argmax(sensitivity + specificity)),
        "screening": int(np.argmax(sensitivity >= 0.90)),
        "rule-in": int(np.flatnonzero(specificity >= 0.95)[-1]),
    }
    positive = truth > 0
    return {
        # Counted rather than read off the curve: a threshold above all scores became 1.
        name: (at, float((score[positive] >= at).mean()), float((score[~positive] < at).mean()))
        for name, at in ((name, float(thresholds[i])) for name, i in indices.items())
    }
