"""Classification metrics over weighted images, many weightings at once.

The device has no scikit-learn, and a bootstrap needs each metric a thousand times: here every
metric takes B weightings of N images and gives B values. With one weighting of ones they are
scikit-learn's `roc_auc_score` and `average_precision_score` (the tests hold them to that). NaN
stands for "not computable", never 0 or 1; so it does for scores one of which is NaN.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from edge_app.evaluation.document import ConfusionCounts

Floats = NDArray[np.float64]

CALIBRATION_BINS = 15

WEIGHTS_AT_ONCE: Final = 1 << 18
"""Of all images and resamples together: 2 MB, so that memory does not grow with their number."""


@dataclass(frozen=True)
class Ranked:
    """Images in the order of their scores, under B weightings: what AUROC and precision rest on.

    Images of the same score are one place. Weights are summed at each, and sums of whole numbers
    are exact in any order.

    Attributes:
        scores: G, distinct, ascending.
        positives, negatives: G×B, the weights of either class at each score.
    """

    scores: Floats
    positives: Floats
    negatives: Floats

    @classmethod
    def of(cls, targets: NDArray[np.bool_], scores: Floats, weights: Floats) -> Ranked:
        """Images with their targets (N), scores (N, any monotone scale) and weights (B×N, ≥ 0).

        Fastest where an image's weights lie side by side, as in `numpy.asfortranarray(weights)`.
        """
        columns = np.ascontiguousarray(weights.T)
        order = np.argsort(scores, kind="stable")
        starts, places = _places(scores[order])
        classes = (
            _summed(columns, order[rows], places[rows], len(starts))
            for rows in (targets[order], ~targets[order])
        )
        return cls(scores[order[starts]], *classes)

    @classmethod
    def pooled(cls, parts: Sequence[Ranked]) -> Ranked:
        """The images of several as one list, as if every image came once for each of them."""
        scores = np.concatenate([part.scores for part in parts])
        order = np.argsort(scores, kind="stable")
        starts, places = _places(scores[order])
        classes = (
            _summed(np.concatenate(columns), order, places, len(starts))
            for columns in zip(*((part.positives, part.negatives) for part in parts), strict=True)
        )
        return cls(scores[order[starts]], *classes)

    @property
    def unknown(self) -> bool:
        """Whether there is no score, or one that is NaN."""
        return not self.scores.size or bool(np.isnan(self.scores).any())

    def auroc(self) -> Floats:
        """Area under the ROC curve: P(positive scored above negative), ties counting half.

        B values; NaN where a class has no weight.
        """
        if self.unknown:
            return np.full(self.positives.shape[1], np.nan)
        below = np.cumsum(self.negatives, axis=0) - self.negatives
        won = (self.positives * (below + self.negatives / 2)).sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            area: Floats = won / (self.positives.sum(axis=0) * self.negatives.sum(axis=0))
        return area

    def average_precision(self) -> Floats:
        """Σ (recall step) · precision over the distinct scores; as `auroc` otherwise."""
        if self.unknown:
            return np.full(self.positives.shape[1], np.nan)
        positives, negatives = self.positives[::-1], self.negatives[::-1]
        found = np.cumsum(positives, axis=0)
        claimed = found + np.cumsum(negatives, axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            precision = np.where(claimed > 0, found / claimed, 0.0)
            # Of each weighting in a row: so numpy sums with the least error.
            steps = np.ascontiguousarray((positives * precision).T)
            area: Floats = steps.sum(axis=1) / found[-1]
        return area


def _places(ordered: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where each distinct one of ascending scores begins (G), and which one each of them is."""
    first = np.r_[True, ordered[1:] != ordered[:-1]][: len(ordered)]
    return np.flatnonzero(first), np.cumsum(first) - 1


def _summed(
    columns: Floats, rows: NDArray[np.intp], places: NDArray[np.intp], count: int
) -> Floats:
    """Sums (count×B) of some rows of `columns`, by their places, which ascend."""
    sums = np.zeros((count, columns.shape[1]))
    if len(rows):
        starts, _ = _places(places)
        sums[places[starts]] = np.add.reduceat(columns[rows], starts, axis=0)
    return sums


def auroc(targets: NDArray[np.bool_], scores: Floats, weights: Floats) -> Floats:
    """`Ranked.auroc` of images with their targets (N), scores (N) and weights (B×N)."""
    return Ranked.of(targets, scores, weights).auroc()


def average_precision(targets: NDArray[np.bool_], scores: Floats, weights: Floats) -> Floats:
    """`Ranked.average_precision` of images with their targets (N), scores (N), weights (B×N)."""
    return Ranked.of(targets, scores, weights).average_precision()


def roc_curve(targets: NDArray[np.bool_], scores: Floats) -> tuple[Floats, Floats]:
    """False and true positive rates from (0, 0) to (1, 1), one point a distinct score.

    Both classes must be there.
    """
    ones = np.ones((1, len(targets)))
    ranked = Ranked.of(targets, scores, ones)
    classes = (each[::-1, 0] for each in (ranked.negatives, ranked.positives))
    false, true = (np.r_[0.0, np.cumsum(part)] / part.sum() for part in classes)
    return false, true


def cohen_kappa(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Agreement of two sets of decisions beyond chance (Cohen, Educ. Psychol. Meas., 1960).

    (observed − chance) / (1 − chance); NaN where both always say the same one thing.
    """
    yes = first.mean(), second.mean()
    chance = yes[0] * yes[1] + (1 - yes[0]) * (1 - yes[1])
    if chance == 1:
        return float("nan")
    return float(((first == second).mean() - chance) / (1 - chance))


def calibration_error(targets: NDArray[np.bool_], scores: Floats, weights: Floats) -> Floats:
    """Expected calibration error over 15 equal bins of the score (Guo et al., ICML 2017).

    Args:
        targets: N.
        scores: N probabilities.
        weights: B×N.
    """
    if np.isnan(scores).any():
        return np.full(len(weights), np.nan)
    bins = np.minimum((scores * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    excess = np.zeros((len(scores), CALIBRATION_BINS))
    excess[np.arange(len(scores)), bins] = targets - scores
    with np.errstate(invalid="ignore"):
        error: Floats = np.abs(weights @ excess).sum(axis=1) / weights.sum(axis=1)
    return error


@dataclass(frozen=True)
class Confusion:
    """Weights in the 2×2 table at a threshold, B values each; ratios are NaN where 0/0."""

    tp: Floats
    fp: Floats
    fn: Floats
    tn: Floats

    @classmethod
    def of(
        cls, targets: NDArray[np.bool_], predicted: NDArray[np.bool_], weights: Floats
    ) -> Confusion:
        cells = (targets & predicted, ~targets & predicted, targets & ~predicted)
        tp, fp, fn = (weights @ cell.astype(np.float64) for cell in cells)
        return cls(tp, fp, fn, weights.sum(axis=1) - tp - fp - fn)

    def __add__(self, other: Confusion) -> Confusion:
        return Confusion(
            self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn
        )

    def counts(self) -> ConfusionCounts:
        """The cells under the first weighting, as whole numbers."""
        return {
            "tn": int(self.tn[0]),
            "fp": int(self.fp[0]),
            "fn": int(self.fn[0]),
            "tp": int(self.tp[0]),
        }

    def ratios(self) -> dict[str, Floats]:
        """Precision, recall (sensitivity), F1, accuracy and specificity."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return {
                "precision": self.tp / (self.tp + self.fp),
                "recall": self.tp / (self.tp + self.fn),
                "f1": 2 * self.tp / (2 * self.tp + self.fp + self.fn),
                "accuracy": (self.tp + self.tn) / (self.tp + self.fp + self.fn + self.tn),
                "specificity": self.tn / (self.tn + self.fp),
            }


def weight_chunks(patients: NDArray[np.str_], resamples: int, seed: int) -> Iterator[Floats]:
    """Weights of `resamples` bootstrap samples of *patients*, all images of one together.

    Images of a patient are no independent evidence, so patients are what is drawn, with
    replacement (cluster bootstrap: Davison & Hinkley, 1997, section 3.8).

    Yields:
        B×N, how often each image is in each sample; the B add up to `resamples`.
    """
    _, codes = np.unique(patients, return_inverse=True)
    count = int(codes.max()) + 1
    generator = np.random.Generator(np.random.PCG64(seed))
    size = max(1, WEIGHTS_AT_ONCE // len(codes))
    for start in range(0, resamples, size):
        samples = min(size, resamples - start)
        draws = generator.multinomial(count, np.full(count, 1 / count), size=samples)
        yield draws[:, codes].astype(np.float64)


def patient_weights(patients: NDArray[np.str_], resamples: int, seed: int) -> Floats:
    """All of `weight_chunks` in one, resamples×N."""
    return np.concatenate([np.empty((0, len(patients))), *weight_chunks(patients, resamples, seed)])


def interval(values: Floats, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of bootstrap values; (NaN, NaN) if fewer than half are computable."""
    finite = values[np.isfinite(values)]
    if len(finite) < max(2, len(values) / 2):
        return float("nan"), float("nan")
    tail = (1 - level) / 2
    low, high = np.quantile(finite, (tail, 1 - tail))
    return float(low), float(high)
