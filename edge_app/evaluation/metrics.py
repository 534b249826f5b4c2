"""Classification metrics over weighted images, many weightings at once.

The device has no scikit-learn, and a bootstrap needs each metric a thousand times: here every
metric takes B weightings of N images and gives B values. With one weighting of ones they are
scikit-learn's `roc_auc_score` and `average_precision_score` (the tests hold them to that). NaN
stands for "not computable", never 0 or 1; so it does for scores one of which is NaN.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from edge_app.evaluation.document import ConfusionCounts

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

CALIBRATION_BINS = 15

WEIGHTS_AT_ONCE: Final = 1 << 18
"""Weights in memory at once: 2 MB, whatever the number of images and resamples."""


class Areas(NamedTuple):
    """What B weightings of ranked images make, B values each; NaN where not computable.

    Attributes:
        auroc: area under the ROC curve: P(positive scored above negative), ties counting half;
            NaN where a class has no weight.
        average_precision: Σ (recall step) · precision over the distinct scores; NaN where no
            positive has weight.
    """

    auroc: Floats
    average_precision: Floats


@dataclass(frozen=True)
class Ranked:
    """Images in the order of their scores, sorted once for any number of weightings.

    Both areas are sums over the scores of positive images alone, of which there are few, of the
    weights below each of them; sums of whole numbers are exact in any order.

    Attributes:
        images: one a rank, ascending by score.
        runs: the ranks where a run begins: images of a score that a positive one has, or all
            between two such.
        positives: ranks of the positive images.
        scored: of each score that a positive image has, the first place in `positives`.
        holding: of each such score, its place in `runs`.
        known: whether there are scores, and none is NaN.
    """

    images: NDArray[np.intp]
    runs: NDArray[np.intp]
    positives: NDArray[np.intp]
    scored: NDArray[np.intp]
    holding: NDArray[np.intp]
    known: bool

    @classmethod
    def of(cls, targets: NDArray[np.bool_], scores: Floats) -> Ranked:
        """Images with their targets and scores (any monotone scale), N each.

        Of N×L, the images of all labels are one list, as if every image came once for each.
        """
        listed = scores.ravel()
        order = np.argsort(listed, kind="stable")
        ordered = listed[order]
        first = np.r_[True, ordered[1:] != ordered[:-1]][: len(order)]
        bounds = np.r_[np.flatnonzero(first), len(order)]
        positives = np.flatnonzero(targets.ravel()[order])
        places, scored = np.unique((np.cumsum(first) - 1)[positives], return_index=True)
        runs = np.unique(np.r_[0, bounds[places], bounds[places + 1]])
        return cls(
            order // max(1, scores.size // max(1, len(scores))),
            runs[runs < len(order)],
            positives,
            scored,
            np.searchsorted(runs, bounds[places]),
            bool(len(order)) and not np.isnan(listed).any(),
        )

    def areas(self, weights: Floats, whose: Places | None = None) -> Areas:
        """Both areas under B×N weights ≥ 0, or B×P of patients; see `summed`."""
        if not self.known or not len(self.positives):
            nothing = np.full(len(weights), np.nan)
            return Areas(nothing, nothing)
        columns = self.images if whose is None else whose[self.images]
        parts = [self._areas(some, columns) for some in _some_rows(weights, len(columns))]
        return Areas(*map(np.concatenate, zip(*parts, strict=True)))

    def _areas(self, weights: Floats, columns: Places) -> Areas:
        ranked = np.take(weights, columns, axis=1)
        positive = np.add.reduceat(ranked[:, self.positives], self.scored, axis=1)
        found, reached = np.cumsum(positive, axis=1), np.add.reduceat(ranked, self.runs, axis=1)
        here = reached[:, self.holding]
        reached = np.cumsum(reached, axis=1)
        total, everyone = found[:, -1:], reached[:, -1:]
        not_above = reached[:, self.holding] - found
        below = not_above - (here - positive)
        higher = total - found + positive
        claimed = higher + everyone - total - below
        with np.errstate(invalid="ignore", divide="ignore"):
            won = (positive * ((below + not_above) / 2)).sum(axis=1)
            precision = np.where(claimed > 0, higher / claimed, 0.0)
            return Areas(
                won / (total * (everyone - total))[:, 0],
                (positive * precision).sum(axis=1) / total[:, 0],
            )


def summed(weights: Floats, cells: NDArray[Any], whose: Places | None = None) -> Floats:
    """Numbers of images added up under each weighting.

    Args:
        weights: B×N; or, with `whose`, B×P of patients, each of which weighs all its images.
            These are fewer, and stay in the processor's cache.
        cells: N or N×L.
        whose: N, of each image, the place of its patient among the P; each has one at least.

    Returns:
        B or B×L.
    """
    numbers = cells.astype(np.float64)
    if whose is not None:
        order = np.argsort(whose, kind="stable")
        starts = np.searchsorted(whose[order], np.arange(weights.shape[1]))
        numbers = np.add.reduceat(numbers[order], starts, axis=0)
    return weights @ numbers


def _some_rows(weights: Floats, width: int) -> Iterator[Floats]:
    """Weights in parts, so that rows of this width stay in the processor's cache; one at least."""
    rows = max(1, WEIGHTS_AT_ONCE // max(1, width))
    for start in range(0, max(1, len(weights)), rows):
        yield weights[start : start + rows]


def auroc(targets: NDArray[np.bool_], scores: Floats, weights: Floats) -> Floats:
    """`Areas.auroc` of images with their targets (N), scores (N) and weights (B×N)."""
    return Ranked.of(targets, scores).areas(weights).auroc


def roc_curve(targets: NDArray[np.bool_], scores: Floats) -> tuple[Floats, Floats]:
    """False and true positive rates from (0, 0) to (1, 1), one point a distinct score.

    Both classes must be there.
    """
    order = np.argsort(-scores, kind="stable")
    last = np.r_[scores[order[1:]] != scores[order[:-1]], True]
    classes = (np.cumsum(each[order])[last] for each in (~targets, targets))
    false, true = (np.r_[0.0, counts / counts[-1]] for counts in classes)
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


def calibration_error(
    targets: NDArray[np.bool_], scores: Floats, weights: Floats, whose: Places | None = None
) -> Floats:
    """Expected calibration error over 15 equal bins of the score (Guo et al., ICML 2017).

    Args:
        targets: N.
        scores: N probabilities.
        weights, whose: see `summed`.
    """
    if np.isnan(scores).any():
        return np.full(len(weights), np.nan)
    bins = np.minimum((scores * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    order = np.argsort(bins, kind="stable")
    starts = np.searchsorted(bins[order], np.unique(bins))
    excess = (targets - scores)[order]
    # No product of matrices: for one this small, threads of it wait for each other the longest.
    columns = order if whose is None else whose[order]
    parts = [
        np.abs(np.add.reduceat(some[:, columns] * excess, starts, axis=1)).sum(axis=1)
        for some in _some_rows(weights, len(scores))
    ]
    with np.errstate(invalid="ignore"):
        error: Floats = np.concatenate(parts) / summed(weights, np.ones(len(scores)), whose)
    return error


@dataclass(frozen=True)
class Confusion:
    """Weights in the 2×2 table at a threshold, B or B×L values each; ratios are NaN where 0/0."""

    tp: Floats
    fp: Floats
    fn: Floats
    tn: Floats

    @classmethod
    def of(
        cls,
        targets: NDArray[np.bool_],
        predicted: NDArray[np.bool_],
        weights: Floats,
        whose: Places | None = None,
    ) -> Confusion:
        """Of N targets and decisions, or of N×L, a table of each label; see `summed`."""
        cells = (
            targets & predicted,
            ~targets & predicted,
            targets & ~predicted,
            ~targets & ~predicted,
        )
        return cls(*(summed(weights, cell, whose) for cell in cells))

    def over(self, labels: Sequence[int]) -> Confusion:
        """The tables of some labels added up, of B×L values."""
        cells = (self.tp, self.fp, self.fn, self.tn)
        return Confusion(*(cell[:, list(labels)].sum(axis=1) for cell in cells))

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
    _, whose = np.unique(patients, return_inverse=True)
    for draws in _draws(whose, resamples, seed):
        yield draws[:, whose].astype(np.float64)


def _draws(whose: Places, resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """How often each patient is in each sample, in parts whose images would weigh little."""
    count = int(whose.max()) + 1
    generator = np.random.Generator(np.random.PCG64(seed))
    size = max(1, WEIGHTS_AT_ONCE // len(whose))
    for start in range(0, resamples, size):
        samples = min(size, resamples - start)
        yield generator.multinomial(count, np.full(count, 1 / count), size=samples)


def patient_weights(patients: NDArray[np.str_], resamples: int, seed: int) -> Floats:
    """All of `weight_chunks` in one, resamples×N."""
    weights, start = np.empty((resamples, len(patients))), 0
    for some in weight_chunks(patients, resamples, seed):
        weights[start : start + len(some)] = some
        start += len(some)
    return weights


class Resampled(NamedTuple):
    """Weights of patients, B×P, and whose each image is, N; see `summed`."""

    weights: Floats
    whose: Places


def whole_and_resampled(patients: NDArray[np.str_], resamples: int, seed: int) -> Resampled:
    """Each patient once, then as often as in each sample of `weight_chunks`: B = 1 + resamples."""
    _, whose = np.unique(patients, return_inverse=True)
    weights, start = np.empty((1 + resamples, int(whose.max()) + 1)), 1
    weights[0] = 1
    for draws in _draws(whose, resamples, seed):
        weights[start : start + len(draws)] = draws
        start += len(draws)
    return Resampled(weights, whose)


def of_several(whose: NDArray[Any], *kinds: NDArray[np.bool_]) -> bool:
    """Whether the images of each kind (N) are of two patients at least.

    A patient drawn again and again is always himself: he tells nothing of how others differ, and an
    interval would only look narrow.

    Args:
        whose: N, the place of each image's patient, or his name.
        kinds: N each.
    """
    parts = (whose[kind] for kind in kinds)
    return all(len(part) and bool((part != part[0]).any()) for part in parts)


def interval(values: Floats, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of bootstrap values; (NaN, NaN) if fewer than half are computable."""
    finite = values[np.isfinite(values)]
    if len(finite) < max(2, len(values) / 2):
        return float("nan"), float("nan")
    tail = (1 - level) / 2
    low, high = np.quantile(finite, (tail, 1 - tail))
    return float(low), float(high)
