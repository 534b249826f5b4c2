"""The goals of this package, as ratios of quantities that were measured in the same rounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from benchmarks.contest import ONE_THREAD, OURS_LABEL
from benchmarks.ratios import round_ratio
from edge_app.performance.interval import Interval

LARGE, SMALL = "1024×1024 PNG", "128×128 PNG"
FLOOR: Final = "smallest script, int8"
ALONE: Final = "decoding alone"
TOOL: Final = "invoke by litert-benchmark"
PEERS: Final = (
    "tutorial: tflite-runtime, float32", "ONNX Runtime, int8", "Keras predict, float32",
)  # fmt: skip


class Goal(NamedTuple):
    """A ratio and its limit.

    Attributes:
        words: what it is.
        top, bottom: scenario and contestant of numerator and denominator.
        limit: of the ratio.
        at_most: whether it is an upper limit.
    """

    words: str
    top: tuple[str, str]
    bottom: tuple[str, str]
    limit: float
    at_most: bool

    @property
    def text(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.limit}"

    def met_by(self, value: float) -> bool:
        return value <= self.limit if self.at_most else value >= self.limit


def _goals() -> Iterator[Goal]:
    for what, name, limit in (
        ("wall time", "cold start", 1.35),
        ("CPU time", "cold start, CPU", 1.35),
        ("peak memory", "cold start, peak memory", 1.5),
    ):
        words = f"whole process / smallest script, {what}"
        yield Goal(words, (name, OURS_LABEL), (name, FLOOR), limit, True)
    folder = "Offline, {}, workers: {}"
    for workers, words in ((1, "one worker"), (2, "two workers")):
        name = folder.format(LARGE, workers)
        words = f"folder / decoding alone, {LARGE}, {words}"
        yield Goal(words, (name, OURS_LABEL), (name, ALONE), 0.9, False)
    two, one = ((folder.format(LARGE, workers), OURS_LABEL) for workers in (2, 1))
    yield Goal(f"folder, two workers / one, {LARGE}", two, one, 1.8, False)
    for label in (OURS_LABEL, ONE_THREAD):
        words = f"neither decode nor invoke / all of an image, {SMALL}, {label}"
        overhead, whole = (
            f"{name}, {SMALL}" for name in ("beside decode and invoke", "SingleStream")
        )
        yield Goal(words, (overhead, label), (whole, label), 0.15, True)
    for size in (SMALL, LARGE):
        words = f"invoke between images of {size} / litert's tool"
        yield Goal(words, (f"invoke, {size}", ONE_THREAD), (TOOL, "int8"), 1.1, True)
    yield Goal(
        "invoke, float32 / int8, litert's tool", (TOOL, "float32"), (TOOL, "int8"), 1.8, False
    )
    for name in ("cold start", f"SingleStream, {LARGE}", f"SingleStream, {SMALL}"):
        for peer in PEERS:
            words = f"{name}, {peer} / edge-cxr"
            yield Goal(words, (name, peer), (name, OURS_LABEL), 1.5, False)


GOALS: Final = tuple(_goals())


def reached(quantities: Mapping[str, Any]) -> Iterator[tuple[Goal, Interval]]:
    """The goals whose two quantities were measured, each with its ratio."""
    for goal in GOALS:
        top, bottom = (
            quantities.get(scenario, {}).get(label) for scenario, label in (goal.top, goal.bottom)
        )
        if top is None or bottom is None:
            continue
        yield goal, round_ratio(top, bottom)
