"""The benchmark: rounds over all combinations, until every median is precise enough.

A round starts new processes for each combination: a whole `edge-cxr classify`, one that times the
stages of one image after the other, and one for each number of workers. So changes of the machine
(heat, other programs) affect every combination alike.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from edge_app.core.errors import ModelError, RuntimeUnavailableError
from edge_app.core.resources import cores
from edge_app.performance.combinations import Cell
from edge_app.performance.images import ImageSet
from edge_app.performance.processes import ProcessError, ask, launch
from edge_app.performance.quantity import Quantity
from edge_app.performance.stages import STAGES, YARDSTICKS

MIN_ROUNDS: Final = 5
"""With fewer rounds the intervals are too wide to be useful."""

MAX_ROUNDS: Final = 40
STAGE_SECONDS: Final = 1.0
BATCH_SECONDS: Final = 1.0

COMMAND: Final = (sys.executable, "-c", "from edge_app.__main__ import main; main()")
"""What the `edge-cxr` script does."""

PRECISE, BUDGET, INTERRUPTED = "precise", "budget", "interrupted"


@dataclass
class Measured:
    """One combination's quantities by name, and its processes' other answers.

    Attributes:
        fault: the error after which it is no longer measured.
    """

    cell: Cell
    quantities: dict[str, Quantity] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    warm_up: list[int] = field(default_factory=list)
    clock_jump: float = 0.0
    fault: ModelError | RuntimeUnavailableError | ProcessError | None = None

    def add(self, name: str, unit: str, *samples: float) -> None:
        self.quantities.setdefault(name, Quantity(unit)).add(samples)

    def note(self, answer: dict[str, Any]) -> None:
        self.facts.update({key: answer[key] for key in ("model", "runtime")})
        if abs(answer["clock_jump"]) > abs(self.clock_jump):
            self.clock_jump = answer["clock_jump"]

    @property
    def half_width(self) -> float:
        """Half the relative width of the interval of the median time of an image."""
        known = self.quantities.get("total")
        return known.interval.half_width if known and known.runs else float("inf")


def cold_start(measured: Measured, images: Sequence[str]) -> None:
    """A whole `edge-cxr classify IMAGE`; its files are in the page cache."""
    done = launch([*COMMAND, "classify", "--force", *measured.cell.options(), "--", images[0]])
    measured.add("cold_start", "s", done["wall"])
    measured.add("cold_start_cpu", "s", done["cpu"])
    measured.add("peak_memory", "B", done["peak"])


def pipeline(images: Sequence[str], workers: int | None, seconds: float, cell: Cell) -> Any:
    """The answer of one process of `edge_app.performance.stages`."""
    question = {**cell.question(), "images": list(images), "workers": workers, "seconds": seconds}
    return ask([sys.executable, "-m", "edge_app.performance.stages"], question)


def stages(measured: Measured, images: Sequence[str]) -> None:
    """The time of an image and of each of its stages, one image after the other."""
    answer = pipeline(images, None, STAGE_SECONDS, measured.cell)
    measured.note(answer)
    measured.warm_up.append(answer["warm_up"])
    measured.add("model_load", "s", answer["model_load"])
    measured.add("first_inference", "s", answer["first_inference"])
    for name in ("total", *STAGES, *YARDSTICKS):
        measured.add(name, "s", *(sample / 1e9 for sample in answer["samples"][name]))


def batch(measured: Measured, images: Sequence[str], workers: int) -> None:
    """Images a second of a folder, with this number of workers."""
    answer = pipeline(images, workers, BATCH_SECONDS, measured.cell)
    measured.note(answer)
    done = answer["throughput"]
    measured.add(f"throughput_{workers}", "images/s", done["images"] / done["seconds"])
    if answer["peak"] is not None:
        measured.add(f"peak_memory_{workers}", "B", answer["peak"])


def run(
    cells: Sequence[Cell],
    images: ImageSet,
    workers: Sequence[int],
    *,
    seconds: float,
    precision: float,
    progress: Callable[[str], None] = lambda line: None,
) -> tuple[list[Measured], str]:
    """Measure every combination.

    Args:
        cells: the combinations.
        images: the pictures that are scored.
        workers: numbers of workers with which a folder is measured.
        seconds: the time after which no further round begins.
        precision: rounds end when the 95 % interval of every median time is ± this share or less.
        progress: is called with a line for each step.

    Returns:
        What was measured, and why it ended: ``precise``, ``budget``, ``interrupted``. An
        interrupted round's finished parts are kept.

    Raises:
        ImageError: an image cannot be read any more.
        ModelError, RuntimeUnavailableError, ProcessError: of the first combination that failed,
            where all did.
    """
    all_measured = [Measured(cell) for cell in cells]
    start = time.monotonic()
    try:
        for turn in range(1, MAX_ROUNDS + 1):
            for measured, part in _parts(all_measured, images.paths, workers):
                if measured.fault is None:
                    progress(f"round {turn}: {measured.cell.label}")
                    _try(measured, part)
            whole = [measured for measured in all_measured if measured.fault is None]
            if not whole:
                raise next(measured.fault for measured in all_measured if measured.fault)
            worst = max(measured.half_width for measured in whole)
            if turn >= MIN_ROUNDS and worst <= precision:
                return all_measured, PRECISE
            if time.monotonic() - start > seconds:
                return all_measured, BUDGET
    except KeyboardInterrupt:
        return all_measured, INTERRUPTED
    return all_measured, BUDGET


def _try(measured: Measured, part: Callable[[], None]) -> None:
    """Run one part; where it fails, the other combinations are still measured."""
    try:
        part()
    except (ModelError, RuntimeUnavailableError, ProcessError) as error:
        measured.fault = error


def _parts(
    all_measured: Sequence[Measured], paths: Sequence[str], workers: Sequence[int]
) -> Iterator[tuple[Measured, Callable[[], None]]]:
    """The steps of one round."""
    for measured in all_measured:
        yield measured, partial(cold_start, measured, paths)
        yield measured, partial(stages, measured, paths)
        for count in workers:
            yield measured, partial(batch, measured, paths, count)


def drift(all_measured: Sequence[Measured]) -> float:
    """The ratio of a yardstick's time in the last third of the run to the first."""
    runs = [
        measured.quantities[name].runs
        for measured in all_measured
        for name in YARDSTICKS
        if name in measured.quantities
    ]
    third = min((len(r) for r in runs), default=0) // 3
    if third == 0:
        return 1.0
    return max(sum(r[-third:]) / sum(r[:third]) for r in runs)


def one_core() -> bool:
    """Whether this process may use one core only."""
    return cores() == 1
