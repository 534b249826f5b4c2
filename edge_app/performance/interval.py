"""Intervals of times that were measured in several processes.

Samples of one process resemble each other (memory layout, cache, the clock's state), so more of
them do not make a result more certain. Therefore each process counts as one number, its median.
Logarithms of times are assumed to be normally distributed (Kalibera & Jones, *Rigorous benchmarking
in reasonable time*, ISMM 2013).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, variance
from typing import Final

LEVEL: Final = 0.95
WIDEST: Final = 46.0
"""Largest magnitude of the logarithm of an interval's end: 1e-20 to 1e20."""

MIN_FREEDOM: Final = 4
"""Fewest degrees of freedom with which a slope is fitted."""


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
    if len(logs) < 2:
        return _interval(fmean(logs), None)
    reach = student_quantile(level, len(logs) - 1) * math.sqrt(variance(logs) / len(logs))
    return _interval(fmean(logs), reach)


def ratio(these: Sequence[float], those: Sequence[float], level: float = LEVEL) -> Interval:
    """these / those, each one positive number a run; Welch's t interval of independent runs."""
    a, b = ([math.log(run) for run in runs] for runs in (these, those))
    middle = fmean(a) - fmean(b)
    if min(len(a), len(b)) < 2:
        return _interval(middle, None)
    parts = [(variance(logs) / len(logs), len(logs) - 1.0) for logs in (a, b)]
    return _interval(middle, _welch(parts, level))


def _welch(parts: Sequence[tuple[float, float]], level: float) -> float:
    """Half an interval's width, from variances and their degrees of freedom (B. L. Welch, 1947)."""
    error = sum(part for part, _ in parts)
    if error == 0:
        return 0.0
    freedom = error**2 / sum(part**2 / free for part, free in parts)
    # Rounded down, which makes the interval a little too wide.
    return student_quantile(level, max(1, int(freedom))) * math.sqrt(error)


def _interval(middle: float, reach: float | None) -> Interval:
    """The interval around `middle`, both logarithms."""
    if reach is None:
        return Interval(_exp(middle), None, None)
    return Interval(_exp(middle), _exp(middle - reach), _exp(middle + reach))


def _exp(value: float) -> float:
    """Bounded, because the interval of two very different runs exceeds any float."""
    return math.exp(min(max(value, -WIDEST), WIDEST))


def paired_ratio(these: Sequence[float], those: Sequence[float], level: float = LEVEL) -> Interval:
    """these / those, paired by round, because what slows a round slows both."""
    return of_runs([one / other for one, other in zip(these, those, strict=True)], level)


def adjusted_ratio(
    these: Sequence[float],
    those: Sequence[float],
    paces: tuple[Sequence[Sequence[float]], Sequence[Sequence[float]]],
    level: float = LEVEL,
) -> tuple[Interval, float]:
    """these / those, adjusted to equal speed of the machine in all runs: an analysis of covariance.

    The slope of a time on the machine's pace is fitted to both groups together (W. G. Cochran,
    *Analysis of covariance: its nature and uses*, Biometrics 13, 1957; on logarithms), the residual
    variance to each group. With too few runs for that, this is `ratio`.

    Args:
        these, those: one positive number a run.
        paces: of these and of those, one positive number a run for every yardstick.

    Returns:
        The ratio with its interval, and the factor that is attributed to the machine.
    """
    import numpy as np

    values = np.log([*these, *those])
    group = np.repeat([True, False], [len(these), len(those)])
    covariates = np.log(np.hstack([np.asarray(each, dtype=float) for each in paces]))
    covariates -= covariates.mean(axis=1, keepdims=True)
    design = np.column_stack([np.ones(len(values)), group, *covariates])
    columns = design.shape[1]
    if len(values) - columns < MIN_FREEDOM or np.linalg.matrix_rank(design, tol=1e-6) < columns:
        return ratio(these, those, level), 1.0
    inverse = np.linalg.pinv(design)
    fitted = inverse @ values
    residuals = values - design @ fitted
    free = 1 - np.einsum("ij,ji->i", design, inverse)  # 1 - leverage
    parts = []
    for members in (group, ~group):
        freedom = max(1.0, float(free[members].sum()))
        spread = float((residuals[members] ** 2).sum()) / freedom
        parts.append((spread * float((inverse[1, members] ** 2).sum()), freedom))
    middle = float(fitted[1])
    machine = float(values[group].mean() - values[~group].mean()) - middle
    return _interval(middle, _welch(parts, level)), _exp(machine)
