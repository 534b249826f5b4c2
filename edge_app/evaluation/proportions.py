"""Shares of images with intervals over patients, and the limits that a promise can rest on.

A share of images that come from patients, several from one, is a ratio of two sums over patients;
its variance is that of its values without one patient at a time (the jackknife: Davison & Hinkley,
Bootstrap Methods, 1997, section 3.8), which holds where some have many more images than others. The
images count as so many independent ones as would have that variance: their effective number,
lessened for the few patients that it was estimated from (Korn & Graubard, Survey Methodology 24,
1998, 193-201).
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_app.core.plain_text import rounded

if TYPE_CHECKING:
    from edge_app.evaluation.document import Metric

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEVEL: Final = 0.95
Z: Final = 1.959964
"""The standard normal's quantile for a two-sided interval of `LEVEL`."""

STEPS: Final = 60
"""Steps of an iteration, at most."""


class Estimate(NamedTuple):
    """A share with its 95 % interval; NaN where it is not computable.

    Attributes:
        value, low, high: 0 to 1.
        effective: as many independent images would tell as much.
    """

    value: float
    low: float
    high: float
    effective: float

    def as_dict(self) -> dict[str, float | None]:
        """For JSON: `value`, `low` and `high`; None where not computable."""
        ends = {"value": self.value, "low": self.low, "high": self.high}
        return {key: rounded(end) if math.isfinite(end) else None for key, end in ends.items()}


NOTHING: Final = Estimate(math.nan, math.nan, math.nan, 0.0)


class Clusters:
    """The patients of N images.

    Attributes:
        count: of patients.
    """

    def __init__(self, patients: NDArray[Any]) -> None:
        _, codes = np.unique(patients, return_inverse=True)
        self._order = np.argsort(codes, kind="stable")
        self._starts = np.flatnonzero(np.diff(codes[self._order], prepend=-1))
        self.count = len(self._starts)

    def sums(self, values: NDArray[Any]) -> Floats:
        """Values (N, …) → their sums over each patient's images, (count, …)."""
        if not self.count:
            return np.zeros((0, *values.shape[1:]))
        ordered = values[self._order].astype(np.float64)
        return np.asarray(np.add.reduceat(ordered, self._starts, axis=0))


def share(hits: Bools, patients: NDArray[Any]) -> Estimate:
    """The share of N images that are hits."""
    if not len(hits):
        return NOTHING
    clusters = Clusters(patients)
    of_each, sizes = clusters.sums(hits[:, np.newaxis]), clusters.sums(np.ones(len(hits)))
    values, effective = _effective(of_each, sizes)
    return wilson(float(values[0]), float(effective[0]))


def of_all_or_none(value: float, among: Bools, patients: NDArray[Any]) -> tuple[float, float]:
    """The interval's ends of a share that is 0 or 1: a bootstrap of its images draws no other.

    Args:
        value: 0 or 1.
        among: N, which images it is a share of.
        patients: N, whose images these are.
    """
    found = share(np.full(int(among.sum()), value > 0), patients[among])
    return found.low, found.high


def of_perfect_order(value: float, truth: Bools, patients: NDArray[Any]) -> tuple[float, float]:
    """The interval's ends of an AUROC that is 0 or 1: every bootstrap sample is ordered as well.

    Newcombe's score interval for it (Statistics in Medicine 25, 2006, 559-573, method 5) with
    patients for images: the area whose variance would just allow what was found.

    Args:
        value: 0 or 1.
        truth: N, which images are positive; some are, and some are not.
        patients: N, whose images these are.
    """
    positive, negative = (len(np.unique(patients[each])) for each in (truth, ~truth))
    others = (positive + negative) / 2 - 1

    def too_low(area: float) -> bool:
        ties = (1 - area) / (2 - area) + area / (1 + area)
        return (1 - area) * positive * negative > Z**2 * area * (1 + others * ties)

    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if too_low(middle) else (low, middle)
    return (low, 1.0) if value > 0 else (0.0, 1 - low)


def of_area(metric: Metric, truth: Bools, patients: NDArray[Any]) -> Metric:
    """An AUROC with its bootstrap interval; where that has no width, `of_perfect_order`'s."""
    value = metric["value"]
    if value not in (0, 1) or metric["low"] is None or metric["low"] != metric["high"]:
        return metric
    low, high = of_perfect_order(value, truth, patients)
    return {"value": value, "low": rounded(low), "high": rounded(high)}


def of_mean_area(ends: tuple[float, float], drawn: Floats, own: Floats) -> tuple[float, float]:
    """The ends of the mean of several labels' AUROC, of which some may be 0 or 1.

    In a bootstrap such a label is certain. What its own interval adds is added to the mean's, as if
    all of these were at their ends at once; for independent labels that is wider than need be (Zou
    & Donner, Statistics in Medicine 27, 2008, 1693-1702). NaN where no end is computable.

    Args:
        ends: of the mean, in the bootstrap.
        drawn: K×2, of each label that the mean is of, in the bootstrap.
        own: K×2, of each, as in `of_area`.
    """
    low, high = (ends + np.nan_to_num(own - drawn).sum(axis=0) / max(1, len(drawn))).tolist()
    return low, high


def unseen(patients: int, labels: int) -> float:
    """The largest share of answers that may differ where none of those seen does, 0 to 1.

    The exact upper end for none of n (Clopper & Pearson, Biometrika 26, 1934): about 3.7 / n, which
    at one end is the rule of three (Hanley & Lippman-Hand, JAMA 249, 1983). n is of patients and
    labels: nothing tells how alike a patient's images are, so they count once, as in `share`. What
    labels have in common is left out: if a patient's answers always differ all together, n is of
    patients alone.
    """
    return 1.0 - ((1 - LEVEL) / 2) ** (1 / (patients * labels))


def weighted_share(
    hits: Bools,
    among: Bools,
    patients: NDArray[Any],
    weights: Floats,
    stratum: Bools,
    unseen: Bools | None = None,
) -> Estimate:
    """The share of hits among some of N images, two kinds of which stand for more or fewer others.

    How frequent either kind is, is known; so only how their images differ among themselves makes
    the share uncertain (post-stratification: Holt & Smith, J. R. Statist. Soc. A 142, 1979).

    Args:
        hits, among: N.
        patients: N, whose images these are.
        weights: N, what each image stands for; the same for all images of a kind.
        stratum: N, which images are of the first kind.
        unseen: N, images like which some may be that a share of all or none has not met: what
            these stand for says how much they would change. Those among which it is if None.
    """
    if not among.any():
        return NOTHING
    clusters = Clusters(patients)
    part = weights * among
    total = float(part.sum())
    value = float((part * hits).sum() / total)
    residuals = part * (hits - value)
    for kind in (stratum, ~stratum):
        residuals[kind] -= residuals[kind].mean() if kind.any() else 0.0
    held = clusters.sums(part) / total
    there = int((held > 0).sum())
    if there < 2:
        return Estimate(value, math.nan, math.nan, 0.0)
    variance = float(jackknifed(clusters.sums(residuals) / total, held))
    if 0 < value < 1 and variance > 0:
        independent = min(value * (1 - value) / variance, float(among.sum()))
    else:  # each patient counts once, at what his images stand for (Kish, Survey Sampling, 1965)
        alone = held[held > 0] / clusters.sums(among)[held > 0]
        independent = float(alone.sum() ** 2 / np.square(alone).sum())
        met = float(part[among].mean())
        independent *= met / weights[among if unseen is None else unseen].max(initial=met)
    return wilson(value, independent * _few(there))


def estimate(value: float, variance: float, images: float, patients: int) -> Estimate:
    """A share that is no plain ratio, with its variance.

    Args:
        value: the share, 0 to 1.
        variance: of it.
        images: that it was estimated from; it tells no more than these.
        patients: whose images these are.
    """
    if not math.isfinite(value) or patients < 2:
        return NOTHING
    spread = value * (1 - value)
    independent = min(spread / variance, images) if variance > 0 < spread else patients
    return wilson(value, independent * _few(patients))


def surely(hits: Bools, patients: NDArray[Any], promised: float, certainty: float) -> Bools:
    """Of which of T shares, by their hits (N×T), it is this certain that they are so high.

    Where Clopper and Pearson's one-sided limit (Biometrika 26, 1934), at the effective number of
    images, is no less than what is promised, 0 to 1.
    """
    clusters = Clusters(patients)
    values, effective = _effective(clusters.sums(hits), clusters.sums(np.ones(len(hits))))
    found = np.maximum(values * effective, 1e-9)
    at = np.full(found.shape, promised)
    return np.asarray(beta_cdf(at, found, effective - found + 1) <= 1 - certainty)


def jackknifed(moves: Floats, held: Floats) -> Floats:
    """The variance of estimates by the delete-one-patient jackknife.

    Args:
        moves: K×…, by how much each patient moves an estimate, to first order.
        held: K, the share of what it rests on that is each patient's.
    """
    without = moves / (1 - held).reshape(-1, *[1] * (moves.ndim - 1))
    return np.asarray((len(moves) - 1) / len(moves) * np.square(without).sum(axis=0))


def _effective(of_each: Floats, sizes: Floats) -> tuple[Floats, Floats]:
    """Hits (K×T) and images (K) of each patient → T shares, and effective numbers of images.

    Where all or none are hits nothing tells how alike a patient's images are: then each patient
    counts once.
    """
    patients, images = len(sizes), float(sizes.sum())
    values = of_each.sum(axis=0) / images
    residuals = of_each - values * sizes[:, np.newaxis]
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = jackknifed(residuals / images, sizes / images)
        independent = np.minimum(values * (1 - values) / variance, images)
    known = (values > 0) & (values < 1) & (variance > 0)
    return values, np.where(known, independent, patients) * _few(patients)


@cache
def _few(patients: int) -> float:
    """How much less a variance says that was estimated from so few patients."""
    return (Z / student_quantile((1 + LEVEL) / 2, patients - 1)) ** 2 if patients > 1 else 0.0


def patients_needed(promised: float, certainty: float) -> int:
    """Fewer patients cannot show, if each of them is a hit, that the share is at least this.

    All of n independent ones are hits with a probability of promised^n (Wilks, Annals of
    Mathematical Statistics 12, 1941); that must be below 1 − certainty, n being effective.
    """
    independent = math.log(1 - certainty) / math.log(promised)
    patients = max(2, math.ceil(independent))
    while patients * _few(patients) < independent:
        patients += 1
    return patients


def wilson(value: float, effective: float) -> Estimate:
    """Wilson's interval (JASA 22, 1927) of a share at an effective number of images.

    In surveys it keeps its level (Franco et al., J. Survey Statistics and Methodology 7, 2019).
    """
    if not effective > 0 or not math.isfinite(value):
        return Estimate(value, math.nan, math.nan, 0.0)
    weight = Z**2 / effective
    middle = (value + weight / 2) / (1 + weight)
    half = math.sqrt(weight * (value * (1 - value) + weight / 4)) / (1 + weight)
    low = 0.0 if value <= 0 else max(0.0, middle - half)  # exactly: no last digit decides
    high = 1.0 if value >= 1 else min(1.0, middle + half)
    return Estimate(value, low, high, effective)


@cache
def student_quantile(probability: float, freedom: int) -> float:
    """The quantile, for a probability ≥ 0.5, of Student's t with so many degrees of freedom."""
    half = np.array([freedom / 2]), np.array([0.5])
    scale = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)
    at = 0.0
    for _ in range(STEPS):  # Newton's method: from below, for the distribution is concave there
        tail = beta_cdf(np.array([freedom / (freedom + at * at)]), *half)[0] / 2 if at else 0.5
        density = math.exp(scale - (freedom + 1) / 2 * math.log1p(at * at / freedom))
        step = (tail - (1 - probability)) * math.sqrt(freedom * math.pi) / density
        at += step
        if abs(step) <= 1e-10 * at:
            break
    return at


_log_gamma = np.vectorize(math.lgamma, otypes=[np.float64])


def beta_cdf(x: Floats, a: Floats, b: Floats) -> Floats:
    """The regularised incomplete beta function I_x(a, b), 0 < x < 1.

    By its continued fraction (DLMF 8.17.22), where that converges fast, and 1 − I_{1−x}(b, a).
    """
    turned = x > (a + 1) / (a + b + 2)
    x, a, b = np.where(turned, 1 - x, x), np.where(turned, b, a), np.where(turned, a, b)
    scale = _log_gamma(a + b) - _log_gamma(a) - _log_gamma(b)
    part = np.exp(a * np.log(x) + b * np.log1p(-x) + scale) * _fraction(x, a, b) / a
    return np.asarray(np.where(turned, 1 - part, part))


def _fraction(x: Floats, a: Floats, b: Floats, terms: int = 200) -> Floats:
    """Lentz's algorithm as modified by Thompson and Barnett (J. Comput. Phys. 64, 1986)."""
    tiny = 1e-300
    c, d = np.ones_like(x), 1 / (1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, terms):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / np.where(np.abs(1 + numerator * d) < tiny, tiny, 1 + numerator * d)
            c = 1 + numerator / c
            c = np.where(np.abs(c) < tiny, tiny, c)
            value = value * c * d
        if np.abs(c * d - 1).max() < 1e-14:
            break
    return np.asarray(value)
