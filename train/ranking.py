"""How well scores rank findings: AUROC, its mean over the findings, and intervals over patients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from edge_app.evaluation.metrics import Places, Ranked, interval
from edge_app.evaluation.report import Report
from train.labels import OF_NIH, LabelSet

Floats = NDArray[np.float64]


def rankable(targets: NDArray[np.uint8], labels: LabelSet = OF_NIH, minimum: int = 1) -> list[int]:
    """Channels of the findings with at least `minimum` positive and `minimum` negative images."""
    return [i for i in labels.findings if enough(targets[:, i], minimum)]


def enough(truth: NDArray[Any], minimum: int) -> bool:
    """Whether at least `minimum` of M images (0 or 1) are positive, and as many negative."""
    return bool(minimum <= truth.sum() <= len(truth) - minimum)


def ranking_scores(logits: NDArray[np.float32], labels: LabelSet) -> Floats:
    """M×L scores that images are ranked by: logits, or the softmax of exclusive labels."""
    exact = logits.astype(np.float64)
    return softmax(exact, axis=1) if labels.head == "exclusive" else exact


def reported_scores(report: Report) -> Floats:
    """The same of a report's images, calibrated where its labels are exclusive."""
    logits = report.evaluated.logits
    return report.calibrated(logits) if report.head == "exclusive" else logits.astype(np.float64)


def macro_aurocs(
    targets: NDArray[np.uint8],
    scores: Floats,
    findings: Sequence[int],
    weights: Floats,
    whose: Places | None = None,
) -> Floats:
    """Mean AUROC over some findings under each of B weightings.

    Args:
        targets, scores: M×L.
        findings: their channels, one or more.
        weights, whose: B×M; or those of patients, see `metrics.whole_and_resampled`.
    """
    each = [
        Ranked.of(targets[:, i] > 0, scores[:, i]).areas(weights, whose).auroc for i in findings
    ]
    mean: Floats = np.mean(each, axis=0)
    return mean


def macro_auroc(
    targets: NDArray[np.uint8],
    logits: NDArray[np.float32],
    labels: LabelSet = OF_NIH,
    minimum: int = 1,
) -> float:
    """Mean AUROC over the `rankable` findings; NaN if there is none."""
    findings = rankable(targets, labels, minimum)
    if not findings:
        return float("nan")
    ones = np.ones((1, len(targets)))
    return float(macro_aurocs(targets, ranking_scores(logits, labels), findings, ones)[0])


def with_interval(areas: Floats) -> tuple[float, float, float]:
    """The value under the first weighting, and the 95 % interval from the others."""
    low, high = interval(areas[1:])
    return float(areas[0]), low, high
