"""Training a parcel's runs, one after the other, within a time limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from train.console import say
from train.errors import RunError
from train.options import read_data
from train.parcel.make import PICTURES, RECIPES
from train.parcel.recipes import Entry, read_list
from train.parcel.results import UNFINISHED, packed_result
from train.run import train
from train.teacher_files import read_teachers
from train.volumes import remove_volumes, write_volumes


class Clock:
    """The remaining time, and how much of it an epoch takes."""

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds
        self.epoch = float("inf")
        self.began = time.monotonic()

    @property
    def left(self) -> float:
        return self.end - time.monotonic()

    def start(self) -> None:
        """A run begins."""
        self.epoch, self.began = float("inf"), time.monotonic()

    def has_time_for_another(self) -> bool:
        """Whether another epoch fits, as fast as the fastest; called at the end of each.

        The first epoch of a run counts half, because the network is compiled in it.
        """
        now = time.monotonic()
        took = (now - self.began) / (2 if self.epoch == float("inf") else 1)
        self.epoch, self.began = min(self.epoch, took), now
        return self.epoch < self.left


@dataclass(frozen=True)
class Results:
    """Where and how results are written; see `run_parcel`."""

    out: Path
    half: bool
    state: bool
    volume: int

    def write(self, run: Path, suffix: str) -> None:
        """Write a run's results; those of a finished run replace the unfinished ones."""
        self.out.mkdir(parents=True, exist_ok=True)
        content = packed_result(run, half=self.half, state=self.state)
        write_volumes(self.out / f"{run.name}{suffix}.zip", content, self.volume)
        if not suffix:
            remove_volumes(self.out / f"{run.name}{UNFINISHED}.zip")


def run_parcel(
    parcel: Path,
    out: Path,
    runs: Path,
    cache: Path,
    console: Console,
    *,
    seconds: float,
    precision: str,
    half: bool,
    state: bool,
    volume: int,
) -> int:
    """Train the parcel's list in its order; finished runs in `runs` are not trained again.

    Each run writes `NAME.unfinished.zip` into `out` after every epoch, and `NAME.zip` when it ends,
    so the last whole epoch is never lost.

    Args:
        parcel: what `make` wrote.
        out: for the results.
        runs: folder of run folders; interrupted runs in it are resumed.
        cache: of decoded pictures.
        console: for progress.
        seconds: the time limit; no epoch is begun that would not fit.
        precision: see `fit.fit`.
        half, state: see `results.packed_result`.
        volume: the largest file, in bytes.

    Returns:
        How many runs failed; each failure is printed, and the next run is trained.
    """
    clock, results, failed = Clock(seconds), Results(out, half, state, volume), 0
    for entry in _to_train(parcel, runs, clock, console):
        console.rule(f"{entry.name}, {clock.left:.0f} s left")
        clock.start()

        def go_on(name: str = entry.name) -> bool:
            results.write(runs / name, UNFINISHED)
            return clock.has_time_for_another()

        try:
            if not _train(entry, parcel / PICTURES, runs, cache, console, precision, go_on):
                say(console, f"{entry.name}: no time left for another epoch")
                break
            results.write(runs / entry.name, "")
        except Exception as error:  # time on such a machine is short: try the next run
            failed += 1
            say(console, f"{entry.name}: {_in_a_line(error)}")
    return failed


def _to_train(parcel: Path, runs: Path, clock: Clock, console: Console) -> Iterator[Entry]:
    """The unfinished runs, while there is time."""
    for entry in read_list(parcel / RECIPES):
        if (runs / entry.name / "calibration.json").exists():
            say(console, f"{entry.name}: finished before")
        elif clock.left <= 0:
            say(console, f"{entry.name}: no time left")
            return
        else:
            yield entry


def _in_a_line(error: Exception) -> str:
    """An error of any library in one line: its type says as much as its message."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"


def _train(
    entry: Entry,
    pictures: Path,
    runs: Path,
    cache: Path,
    console: Console,
    precision: str,
    go_on: Callable[[], bool],
) -> bool:
    recipe = entry.recipe
    cached = read_data(pictures, recipe.side, cache)
    folders = [runs / name for name in entry.teachers]
    missing = [folder.name for folder in folders if not (folder / "calibration.json").exists()]
    if missing:
        raise RunError(f"its teachers are not finished: {', '.join(missing)}")
    teachers = read_teachers(
        folders, pictures, cache, None, cached, unlabelled=recipe.unlabelled > 0
    )
    return train(recipe, cached, runs / entry.name, console, teachers, precision, go_on)
