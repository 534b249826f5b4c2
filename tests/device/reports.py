"""Evaluation reports of made-up answers, for tests that compare two."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from edge_app.comparison.compare import Comparison, compare
from edge_app.evaluation.report import Evaluated, Report, build
from train.labels import LABELS, NIH

Thresholds = list[float | None]


def answers(
    count: int = 200, patients: int = 50, seed: int = 0, noise: float = 0.1, share: float = 0.4
) -> Evaluated:
    """Logits that know something, and a retest under `noise`; every label has 50 positives."""
    generator = np.random.default_rng(seed)
    targets = (generator.random((count, len(LABELS))) < share).astype(np.uint8)
    logits = (generator.normal(size=targets.shape) + 1.5 * targets - 1).astype(np.float32)
    again = logits + noise * generator.normal(size=logits.shape)
    return Evaluated(
        np.array([f"{i:05d}.png" for i in range(count)]),
        np.array([f"p{i % patients}" for i in range(count)]),
        targets,
        logits,
        {"noise": again.astype(np.float32)},
    )


def with_logits(evaluated: Evaluated, logits: np.ndarray) -> Evaluated:
    """The same images, answered otherwise and not retested."""
    return replace(evaluated, logits=np.asarray(logits, np.float32), retest={})


def nearly(evaluated: Evaluated, by: float = 0.01, seed: int = 1) -> Evaluated:
    """A faithful candidate: logits off by `by`, root mean square."""
    generator = np.random.default_rng(seed)
    return with_logits(
        evaluated, evaluated.logits + by * generator.normal(size=evaluated.logits.shape)
    )


def report(
    evaluated: Evaluated, thresholds: list[float | None] | None = None, **changes: Any
) -> Report:
    """A report without intervals of its own; two operating points, 'balanced' and 'other'."""
    count = len(LABELS)
    sides = {"sensitivity": [0.5] * count, "specificity": [0.5] * count}
    facts: dict[str, Any] = {
        "labels": NIH,
        "model": {"name": "m", "format": "int8", "sha256": "0" * 64},
        "dataset": {"name": "d", "split": "test", "digest": "1" * 64},
        "runtime": {"name": "litert", "version": "0"},
        "calibration": {"slope": [1.0] * count, "intercept": [0.0] * count},
        "operating_points": {
            "balanced": {"thresholds": thresholds or [0.4] * count, **sides},
            "other": {"thresholds": [0.7] * count, **sides},
        },
        "operating_point": "balanced",
        "resamples": 0,
    }
    return build(evaluated, **(facts | changes))


FLOAT = {"name": "m", "format": "float32", "sha256": "2" * 64}


def compared(reference: Evaluated, candidate: Evaluated, resamples: int = 100) -> Comparison:
    return compare(report(reference, model=FLOAT), report(candidate), resamples)
