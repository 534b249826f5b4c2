"""Intervals of times that were measured in several processes.

Samples of one process resemble each other (memory layout, cache, the clock's state), so their
number says nothing about certainty. What is compared is one median a process; times are ratios by
nature, so their logarithms are taken to be normal (Kalibera & Jones, *Rigorous benchmarking in
reasonable time*, ISMM 2013).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, variance
from typing import Final

LEVEL: Final = 0.95
MIN_FREEDOM: Final = 4
"""With less a fitted slope is worth nothing."""


@dataclass(frozen=True)
class Interval:
    """An estimate and its interval; no interval (None) from a single run."""

    value: float
    low: float | None
    high: float | None

    @property
    def half_width(self) -> float:
        """Relative: 0.02 is ± 2 %; infinite where there is no interval."""
        if self.low is None or self.high is None:
            return math.inf
        return math.sqrt(self.high / self.low) - 1


def student_cdf(t: float, freedom: int) -> float:
    """P(|T| ≤ t) of Student's t, t ≥ 0 (Abramowitz & Stegun, 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(freedom))
    cosine, sine = math.cos(angle), math.sin(angle)
    odd = freedom % 2
    term, total = (cosine if odd else 1.0), 0.0
    for k in range(1 if odd else 0, freedom - 1, 2):
        total += term
        term *= cosine * cosine * (k + 1) / (k + 2)
    return (angle + sine * total) * 2 / math.pi if odd else sine * total


def student_quantile(level: float, freedom: int) -> float:
    """t with P(|T| ≤ t) = `level`, 0 ≤ level < 1."""
    low, high = 0.0, 1.0
    while student_cdf(high, freedom) < level:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if student_cdf(middle, freedom) < level else (low, middle)
    return high


def of_runs(runs: Sequence[float], level: float = LEVEL) -> Interval:
    """Geometric mean of one positive number a run, with its interval."""
    logs = [math.log(run) for run in runs]
    middle = fmean(logs)
    if len(logs) < 2:
        return Interval(math.exp(middle), None, None)
    reach = student_quantile(level, len(logs) - 1) * math.sqrt(variance(logs) / len(logs))
    return Interval(math.exp(middle), math.exp(middle - reach), math.exp(middle + reach))


def ratio(these: Sequence[float], those: Sequence[float], level: float = LEVEL) -> Interval:
    """these / those, each one positive number a run; Welch's t interval of independent runs."""
    a, b = ([math.log(run) for run in runs] for runs in (these, those))
    middle = fmean(a) - fmean(b)
    if min(len(a), len(b)) < 2:
        return Interval(math.exp(middle), None, None)
    parts = [variance(logs) / len(logs) for logs in (a, b)]
    error = sum(parts)
    if error == 0:
        return Interval(math.exp(middle), math.exp(middle), math.exp(middle))
    shares = [part**2 / (len(logs) - 1) for part, logs in zip(parts, (a, b), strict=True)]
    freedom = max(1, int(error**2 / sum(shares)))  # rounded down: a little too wide
    reach = student_quantile(level, freedom) * math.sqrt(error)
    return Interval(math.exp(middle), math.exp(middle - reach), math.exp(middle + reach))


def paired_ratio(these: Sequence[float], those: Sequence[float], level: float = LEVEL) -> Interval:
    """these / those, which were measured round by round: what slowed a round slowed both."""
    return of_runs([one / other for one, other in zip(these, those, strict=True)], level)


def adjusted_ratio(
    these: Sequence[float],
    those: Sequence[float],
    paces: tuple[Sequence[Sequence[float]], Sequence[Sequence[float]]],
    level: float = LEVEL,
) -> tuple[Interval, float]:
    """these / those, had the machine been equally fast in all runs: an analysis of covariance.

    How a time follows the machine's pace is estimated within both (W. G. Cochran, *Analysis of
    covariance: its nature and uses*, Biometrics 13, 1957; on logarithms, with a common variance).
    Where too few runs tell, this is `ratio`.

    Args:
        these, those: one positive number a run.
        paces: of each, a positive number a run for every yardstick.

    Returns:
        The ratio with its interval, and the factor that the machine is held to account for.
    """
    import numpy as np

    values = np.log([*these, *those])
    beside = np.log(np.hstack([np.asarray(each, dtype=float) for each in paces]))
    group = np.repeat([1.0, 0.0], [len(these), len(those)])
    design = np.column_stack([np.ones(len(values)), group, *beside])
    freedom = len(values) - design.shape[1]
    if freedom < MIN_FREEDOM or np.linalg.matrix_rank(design) < design.shape[1]:
        return ratio(these, those, level), 1.0
    inverse = np.linalg.inv(design.T @ design)
    fitted = inverse @ design.T @ values
    error = float(((values - design @ fitted) ** 2).sum()) / freedom
    reach = student_quantile(level, freedom) * math.sqrt(error * inverse[1, 1])
    middle, machine = float(fitted[1]), math.exp(math.log(ratio(these, those).value) - fitted[1])
    return Interval(math.exp(middle), math.exp(middle - reach), math.exp(middle + reach)), machine
