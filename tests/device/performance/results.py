"""Results of benchmarks that never ran."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from edge_app.performance.quantity import Quantity
from edge_app.performance.stages import STAGES, YARDSTICKS

Result = dict[str, Any]

MACHINE = {
    "machine": "aarch64",
    "cpu": "Cortex-A72",
    "board": "Raspberry Pi 4 Model B Rev 1.4",
    "cores": 4,
    "features": ["asimd"],
    "memory_mib": 3800,
    "system": "Linux 6.12",
    "governor": "performance",
    "max_mhz": 1800,
    "kernel": "Linux 6.12",
    "cpus_allowed": 4,
    "packages": {"edge-cxr": "0.1.0"},
}
SENSORS = {"load": 0.1, "mhz": [1800], "celsius": [48.3], "throttling": []}

SECONDS = {
    "read": 2e-4,
    "decode": 5e-2,
    "resize": 5e-3,
    "check": 1e-4,
    "quantize": 1e-5,
    "invoke": 3e-2,
}
SECONDS |= {"finish": 2e-4, "total": 8.6e-2, "cold_start": 1.2}
SECONDS |= dict.fromkeys(YARDSTICKS, 1e-3)
UNITS = {"peak_memory": "B", "throughput_1": "images/s", "throughput_4": "images/s"}
OTHERS = {"peak_memory": 6e7, "throughput_1": 11.0, "throughput_4": 40.0}


def quantity(runs: Sequence[float | Sequence[float]], unit: str = "s") -> dict[str, Any]:
    """Of one sample a run, or of several."""
    one = Quantity(unit)
    for run in runs:
        one.add([run] if isinstance(run, float) else run)
    return one.as_dict()


def measured(
    seed: int, slower: dict[str, float] | None = None, runs: int = 8, noise: float = 0.01
) -> Result:
    """A result whose quantities vary from run to run by `noise`; some `slower` by a factor."""
    assert set(STAGES) < set(SECONDS)
    generator = np.random.default_rng(seed)
    quantities = {
        name: quantity(
            value * (slower or {}).get(name, 1.0) * np.exp(generator.normal(0, noise, runs)),
            UNITS.get(name, "s"),
        )
        for name, value in (SECONDS | OTHERS).items()
    }
    for name in YARDSTICKS:  # of several samples a run, as they are
        quantities[name] = quantity([[run, run] for run in quantities[name]["runs"]])
    met = {"seconds": 60.0, "others": 0.01, "stolen": 0.0, "clock_jump": 0.0}
    return {
        "kind": "edge-cxr benchmark",
        "schema_version": 1,
        "edge_cxr": "0.1.0",
        "created": "2026-01-01T00:00:00+00:00",
        "command": ["edge-cxr", "benchmark"],
        "ended": "precise",
        "partial": False,
        "warnings": [],
        "settings": {"seconds": 60, "precision": 0.02, "workers": [1, 4]},
        "machine": copy.deepcopy(MACHINE),
        "conditions": {**met, "before": SENSORS, "after": SENSORS},
        "images": {
            "source": "named",
            "count": 1,
            "bytes": 400_000,
            "kinds": {"1024x1024 PNG": 1},
            "pixels_sha256": "0" * 64,
        },
        "not_measured": [],
        "cells": [
            {
                "label": "cxr-lite0-128, 1 thread",
                "model": {
                    "name": "cxr-lite0-128",
                    "sha256": "1" * 64,
                    "dtype": "int8",
                    "bytes": 4_000_000,
                },
                "runtime": {
                    "name": "litert",
                    "version": "2.3.0",
                    "delegate": "cpu",
                    "library": None,
                    "threads": 1,
                },
                "warm_up": [10] * runs,
                "quantities": quantities,
            }
        ],
    }
