"""A measured quantity: one or two numbers a run, and the samples that they summarize."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from edge_app.performance.document import QuantityDocument
from edge_app.performance.interval import Interval, of_runs

QUIET: Final = 0.1
"""Other programs only ever add to a time, so the 10th percentile of a process' samples varies less
than their median (Chen & Revels, *Robust benchmarking in noisy environments*, 2016, argue for the
minimum)."""


@dataclass
class Quantity:
    """A quantity that was measured in several processes.

    Attributes:
        unit: ``s``, ``B`` or ``images/s``.
        runs: one number a process: the median of its samples.
        quiet: the `QUIET` quantile of each process with several samples.
        samples: of all processes.
    """

    unit: str
    runs: list[float] = field(default_factory=list)
    quiet: list[float] = field(default_factory=list)
    samples: list[float] = field(default_factory=list)

    def add(self, samples: Iterable[float]) -> None:
        """Add the samples of one process."""
        positive = [sample for sample in samples if sample > 0]  # a clock may be too coarse
        if positive:
            self.runs.append(median(positive))
            self.samples += positive
        if len(positive) > 1:
            self.quiet.append(percentile(sorted(positive), QUIET))

    @property
    def interval(self) -> Interval:
        return of_runs(self.runs)

    def as_dict(self) -> QuantityDocument:
        """For JSON: `value` with its interval from the runs, the rest from all samples.

        `spread` is the median absolute deviation, relative to the median.
        """
        ordered, estimate = sorted(self.samples), self.interval
        middle = percentile(ordered, 0.5)
        away = sorted(abs(sample - middle) for sample in ordered)
        document: QuantityDocument = {
            "unit": self.unit,
            "value": _short(estimate.value),
            "low": None if estimate.low is None else _short(estimate.low),
            "high": None if estimate.high is None else _short(estimate.high),
            "runs": [_short(run) for run in self.runs],
            "count": len(ordered),
            "min": _short(ordered[0]),
            "p50": _short(middle),
            "p90": _short(percentile(ordered, 0.9)),
            "p99": _short(percentile(ordered, 0.99)),
            "spread": round(percentile(away, 0.5) / middle, 4),
        }
        if self.quiet:
            document["runs_p10"] = [_short(run) for run in self.quiet]
        return document


def percentile(ordered: list[float], share: float) -> float:
    """A percentile of sorted numbers, interpolated between the two nearest."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def _short(value: float) -> float:
    """Rounded to six digits, more than any clock resolves."""
    return float(f"{value:.6g}")
