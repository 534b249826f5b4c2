"""Whether a later sample is like an earlier one, and how many images it takes to tell."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BINS: Final = 10
MOVED, SHIFTED = 0.1, 0.25
"""Population stability indices from which a population counts as moved, and as shifted (Siddiqi,
Credit Risk Scorecards, 2006, chapter 8)."""

NOTABLE: Final = 1.25
"""A mean that is larger or smaller by this factor makes a difference to who works with it."""

INDEPENDENT: Final = 100.0
"""Images, if independent, whose mean is about normally distributed however skewed they are."""

FEW: Final = 8.0
"""Fewer independent images have no distribution to speak of."""

NORMAL: Final = NormalDist()


class Mean(NamedTuple):
    """A mean or a share, its images' standard deviation, their effective number."""

    value: float
    spread: float
    effective: float


def stability_index(quantiles: Floats, later: Floats) -> float:
    """Population stability index of later values over ten bins that held a tenth each before.

    Args:
        quantiles: of the earlier values, at evenly spaced shares from 0 to 1.
        later: N ≥ 1.
    """
    edges = np.interp(np.linspace(0, 1, BINS + 1)[1:-1], _shares(quantiles), quantiles)
    counts = np.bincount(np.searchsorted(edges, later), minlength=BINS)
    before = np.diff(np.concatenate([[0.0], _distribution(quantiles, edges), [1.0]]))
    # Half an image more in each bin, so that an empty one is not infinitely far off.
    now = (counts + 0.5) / (len(later) + BINS / 2)
    before = (before * len(later) + 0.5) / (len(later) + BINS / 2)
    return float(((now - before) * np.log(now / before)).sum())


def images_for_index(earlier: float, level: float, design: float) -> float:
    """Images that it takes to tell a shifted population; infinite where the earlier are too few.

    Of populations that are alike the index is about χ² with 9 degrees of freedom times the sum of
    the inverse numbers of images (Yurdakul & Naranjo, J. Risk Model Validation 14, 2020).

    Args:
        earlier: effective number of images of before.
        level: of the test.
        design: how many images tell as much as one independent one.
    """
    freedom = BINS - 1
    spread = 2 / (9 * freedom)  # Wilson & Hilferty's approximation (PNAS 17, 1931)
    chi2 = freedom * (1 - spread + NORMAL.inv_cdf(1 - level) * math.sqrt(spread)) ** 3
    room = SHIFTED / chi2 - 1 / max(earlier, 1e-9)
    return design * max(1 / room, FEW) if room > 0 and earlier >= FEW else math.inf


def kolmogorov(quantiles: Floats, later: Floats, earlier: float, independent: float) -> float:
    """Probability of so large a distance between the distributions if they are the same.

    The two-sample test of Kolmogorov and Smirnov, with Stephens' approximation (J. R. Statist. Soc.
    B 32, 1970).

    Args:
        quantiles, later: as of `stability_index`.
        earlier, independent: effective numbers of images before, and later.
    """
    # A value of many images, as int8 outputs have them, is one step of either distribution; where
    # that begins and ends, two quantiles tell to within their distance.
    values, counts = np.unique(later, return_counts=True)
    reached = np.cumsum(counts) / len(later)
    upto = _distribution(quantiles, values) - reached
    below = 1 - _distribution(-quantiles[::-1], -values) - (reached - counts / len(later))
    known = np.where(counts > 1, 1 / (len(quantiles) - 1), 0.0)
    distance = max(float((np.abs(each) - known).max()) for each in (upto, below))
    size = math.sqrt(earlier * independent / (earlier + independent))
    at = (size + 0.12 + 0.11 / size) * distance
    if at < 0.2:
        return 1.0
    terms = ((-1) ** (k - 1) * math.exp(-2 * k * k * at * at) for k in range(1, 101))
    return min(max(2 * sum(terms), 0.0), 1.0)


def same_mean(before: Mean, now: Mean) -> float:
    """Probability of so large a difference of two means if they are the same, by the normal test.

    Both are taken to spread as the wider one: a share of none does not spread at all.
    """
    spread = max(before.spread, now.spread)
    error = spread * math.sqrt(1 / before.effective + 1 / now.effective)
    if error == 0:
        return 1.0 if before.value == now.value else 0.0
    return 2 * (1 - NORMAL.cdf(abs(now.value - before.value) / error))


def notable(before: float, now: float) -> bool:
    """Whether a mean has become larger or smaller by `NOTABLE` or more."""
    return not before / NOTABLE < now < before * NOTABLE


def images_for_mean(before: Mean, level: float, design: float) -> float:
    """Images that it takes to tell that a mean has doubled; infinite where that cannot be told."""
    needed = before.value / NORMAL.inv_cdf(1 - level / 2)
    room = needed**2 - before.spread**2 / max(before.effective, 1e-9)
    if room <= 0 or before.effective < INDEPENDENT:
        return math.inf
    return design * max(before.spread**2 / room, INDEPENDENT)


def holm(probabilities: list[float], level: float) -> list[bool]:
    """Which of several hypotheses are rejected, so that a true one is with this probability at most

    Holm, Scandinavian J. Statistics 6, 1979.
    """
    order = sorted(range(len(probabilities)), key=probabilities.__getitem__)
    rejected = [False] * len(probabilities)
    for rank, place in enumerate(order):
        if probabilities[place] > level / (len(order) - rank):
            break
        rejected[place] = True
    return rejected


def _shares(quantiles: Floats) -> Floats:
    return np.linspace(0, 1, len(quantiles))


def _distribution(quantiles: Floats, at: Floats) -> Floats:
    """The share of earlier values up to these, in between two quantiles by a straight line."""
    return np.interp(at, quantiles, _shares(quantiles), left=0.0, right=1.0)
