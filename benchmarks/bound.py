"""Lower bounds of each operator's time on this machine.

The roofline model (Williams, Waterman & Patterson, CACM 2009): an operator takes at least the time
of its multiply-accumulates at the peak rate, and at least the time of its bytes at the memory's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.environments import PLACE
from benchmarks.operators import Layer, invoke_seconds, layers, times
from edge_app.core.files import write_whole

WIDTH: Final = 256
SIDE: Final = 32
DEPTH: Final = 6
COPY_BYTES: Final = 512 << 10
"""Bytes of the copy that measures bandwidth. It fits the second-level cache, as these small
networks do; the lower rate of main memory would be no bound."""

PEAK_SECONDS: Final = 2.0


@dataclass(frozen=True)
class Peak:
    """The highest rates measured on one core of this machine.

    Attributes:
        macs: multiply-accumulates a second, by dtype.
        bandwidth: bytes a second, read and written together.
    """

    macs: dict[str, float]
    bandwidth: float

    def shortest(self, layer: Layer, dtype: str) -> float:
        """The smallest time that an operator can take, in seconds."""
        return max(layer.macs / self.macs[dtype], layer.bytes / self.bandwidth)


def measure_peak(say: Callable[[str], None]) -> Peak:
    """Measure 1×1 convolutions of 256 channels with the same runtime, and a copy in cache."""
    folder = PLACE / "models"
    macs = {}
    for dtype in ("int8", "float32"):
        path = folder / f"peak-{WIDTH}-{SIDE}-{DEPTH}.{dtype}.tflite"
        if not path.is_file():
            say(f"converting the {dtype} network that finds the machine's peak")
            _make(path, dtype)
        flatbuffer = path.read_bytes()
        work = sum(layer.macs for layer in layers(flatbuffer))
        macs[dtype] = work / invoke_seconds(flatbuffer, PEAK_SECONDS)()
    return Peak(macs, _bandwidth())


def _make(path: Path, dtype: str) -> None:
    import keras
    from keras import layers as keras_layers

    from quantize.convert import to_float32, to_int8

    inputs = keras.Input((SIDE, SIDE, 1))
    x = inputs
    for _ in range(DEPTH + 1):
        x = keras_layers.Conv2D(WIDTH, 1, activation="relu6")(x)
    model = keras.Model(inputs, x)
    images = np.random.default_rng(0).integers(0, 256, (4, SIDE, SIDE), np.uint8)
    convert = to_int8 if dtype == "int8" else to_float32
    write_whole(path, convert(model, images))


def _bandwidth() -> float:
    source = np.ones(COPY_BYTES, np.uint8)
    target = np.empty_like(source)
    shortest = float("inf")
    for _ in range(2000):
        start = time.perf_counter()
        np.copyto(target, source)
        shortest = min(shortest, time.perf_counter() - start)
    return 2 * COPY_BYTES / shortest


def table(flatbuffer: bytes, dtype: str, peak: Peak) -> list[dict[str, Any]]:
    """A row for each operator: work, measured time, smallest possible time, and their ratio."""
    rows = []
    for layer, seconds in zip(layers(flatbuffer), times(flatbuffer), strict=True):
        shortest = peak.shortest(layer, dtype)
        rows.append(
            {
                "index": layer.index,
                "operator": layer.operator,
                "output": list(layer.output),
                "macs": layer.macs,
                "bytes": layer.bytes,
                "seconds": seconds,
                "least": shortest,
                "bound": "compute"
                if layer.macs / peak.macs[dtype] >= layer.bytes / peak.bandwidth
                else "memory",
            }
        )
    return rows


def by_operator(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of `table` added up by kind of operator, which averages out the clock's noise."""
    totals: dict[str, dict[str, Any]] = {}
    for row in rows:
        total = totals.setdefault(
            row["operator"],
            {"operator": row["operator"], "count": 0, "macs": 0, "bytes": 0}
            | {"seconds": 0.0, "least": 0.0},
        )
        total["count"] += 1
        for key in ("macs", "bytes", "seconds", "least"):
            total[key] += row[key]
    return sorted(totals.values(), key=lambda total: -total["seconds"])
