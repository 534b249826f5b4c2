"""Predicted times on boards; nothing here is measured.

time = multiply-accumulates / (cores × clock × multiply-accumulates a cycle × efficiency)

The efficiency comes from published measurements of known networks on such cores, all else from data
sheets. The error of the method is found by predicting each published measurement from the others.
The time is the network's alone, without decoding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import geometric_mean
from typing import Any, Final


@dataclass(frozen=True)
class Core:
    """A core's vector unit: multiply-accumulates a cycle.

    From Arm's software optimization guides: two 128-bit pipes of float32 multiply-accumulate in
    Cortex-A72 and -A76, two of 64 bits in Cortex-A53; int8 without the dot-product instruction
    goes through one long multiply-accumulate of 8 lanes; with it (Cortex-A76) two pipes of 16.
    """

    name: str
    float32: int
    int8: int
    dot_product: bool


A53: Final = Core("Cortex-A53", 4, 8, False)
A72: Final = Core("Cortex-A72", 8, 8, False)
A76: Final = Core("Cortex-A76", 8, 32, True)


@dataclass(frozen=True)
class Board:
    """Cores and their clock in GHz."""

    name: str
    core: Core
    clocks: tuple[float, ...]

    def peak(self, dtype: str) -> float:
        """Multiply-accumulates a second of all cores."""
        a_cycle = self.core.int8 if dtype == "int8" else self.core.float32
        return sum(self.clocks) * 1e9 * a_cycle


PI_3: Final = Board("Raspberry Pi 3 B+", A53, (1.4,) * 4)
PI_4: Final = Board("Raspberry Pi 4", A72, (1.5,) * 4)
PIXEL_4: Final = Board("Pixel 4, the four large cores", A76, (2.84, 2.42, 2.42, 2.42))

BOARDS: Final = (
    Board("Raspberry Pi Zero 2 W", A53, (1.0,) * 4),
    PI_4,
    Board("Raspberry Pi 5", A76, (2.4,) * 4),
)


@dataclass(frozen=True)
class Published:
    """A published measurement: all four cores, one image at a time."""

    board: Board
    network: str
    macs: float
    dtype: str
    seconds: float
    source: str

    @property
    def efficiency(self) -> float:
        return self.macs / self.seconds / self.board.peak(self.dtype)


XNNPACK: Final = "github.com/google/XNNPACK, README.md, 'Raspberry Pi': 4 threads, 2020-02-12"
LITE: Final = (
    "github.com/tensorflow/tpu, models/official/efficientnet/lite/README.md: Pixel 4, 4 threads"
)

PUBLISHED: Final = (
    Published(PI_3, "MobileNet v1 1.0, 224", 569e6, "float32", 0.115, XNNPACK),
    Published(PI_3, "MobileNet v2 1.0, 224", 300e6, "float32", 0.079, XNNPACK),
    Published(PI_4, "MobileNet v1 1.0, 224", 569e6, "float32", 0.075, XNNPACK),
    Published(PI_4, "MobileNet v2 1.0, 224", 300e6, "float32", 0.044, XNNPACK),
    Published(PIXEL_4, "EfficientNet-Lite0, 224", 407e6, "float32", 0.012, LITE),
    Published(PIXEL_4, "EfficientNet-Lite0, 224", 407e6, "int8", 0.0065, LITE),
    Published(PIXEL_4, "EfficientNet-Lite1, 240", 631e6, "int8", 0.0091, LITE),
)


def _alike(core: Core, dtype: str, among: Sequence[Published]) -> list[Published]:
    """The measurements of this core and dtype; without any, of this core; else of this dtype."""
    for alike in (
        [p for p in among if p.board.core is core and p.dtype == dtype],
        [p for p in among if p.board.core is core],
    ):
        if alike:
            return alike
    return [p for p in among if p.dtype == dtype]


def _estimate(macs: float, board: Board, dtype: str, among: Sequence[Published]) -> float:
    return macs / board.peak(dtype) / geometric_mean(p.efficiency for p in among)


def checks() -> list[dict[str, Any]]:
    """The published measurements, each with its prediction from the others."""
    rows = []
    for one in PUBLISHED:
        others = [p for p in PUBLISHED if p is not one]
        alike = _alike(one.board.core, one.dtype, others)
        rows.append(
            {
                "board": one.board.name,
                "network": one.network,
                "dtype": one.dtype,
                "published": one.seconds,
                "predicted": _estimate(one.macs, one.board, one.dtype, alike),
                "efficiency": one.efficiency,
                "source": one.source,
            }
        )
    return rows


def factor() -> float:
    """The largest ratio of prediction and measurement in `checks`, up or down."""
    wrong = [row["predicted"] / row["published"] for row in checks()]
    return max(max(each, 1 / each) for each in wrong)


def predict(macs: float, dtype: str) -> list[dict[str, Any]]:
    """Predicted seconds on each board with all its cores; uncertain by `factor` up and down."""
    rows = []
    for board in BOARDS:
        alike = _alike(board.core, dtype, PUBLISHED)
        rows.append(
            {
                "board": board.name,
                "core": board.core.name,
                "cores": len(board.clocks),
                "ghz": board.clocks[0],
                "dot_product": board.core.dot_product,
                "dtype": dtype,
                "peak": board.peak(dtype),
                "predicted": _estimate(macs, board, dtype, alike),
                "factor": factor(),
                "from": sorted({f"{p.network}, {p.dtype}, on {p.board.name}" for p in alike}),
            }
        )
    return rows
