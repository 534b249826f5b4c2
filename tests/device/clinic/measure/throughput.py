"""Images a second through the box, beside `classify` of the same files in a folder.

Three ways, each with as many workers as `classify` takes, and after some images with which every
worker and decoder has begun:

- ``orthanc``: from `storescu`'s start to the last report accepted by Orthanc;
- ``storescp``: the same with dcmtk's `storescp`, which only writes files, as the archive;
- ``queue``: all images were received before the box started; what it takes to read, score and
  report them, and to have `storescp` accept the reports. Nothing is received meanwhile.

Sender and archive are on the same cores, and `classify` has them to itself: so what each takes of
the processor is printed too, and how the box's own part compares. `classify` is a process, less
what it takes for one image alone.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from ..peers import Box, free_port, listens, running_orthanc, running_storescp, storescu, wait_for
from .boxes import Ports, free_ports, process_of, processor_seconds, serving_box
from .latency import RECEIVER
from .radiographs import write_radiographs

MIN_RATIO: Final = 0.7
CORES: Final = os.cpu_count() or 1
WARM: Final = 2 * CORES
"""Images before the clock runs."""

TOP: Final = f"workers = {CORES}"

Archive = Callable[[Path, Ports], AbstractContextManager[Callable[[], int]]]
"""Runs an archive, and says how many reports it has."""


class Run(NamedTuple):
    """Images a second, and milliseconds of the processor for each: of what is measured, of others
    that it was measured beside."""

    rate: float
    own: float
    others: float = 0.0


class Mark(NamedTuple):
    """A moment: by the clock, and seconds of the processor of the box, of all, of this process."""

    clock: float
    box: float
    all: float
    own: float

    @classmethod
    def now(cls, box: Box) -> Mark:
        spent = processor_seconds(process_of(box)), processor_seconds(os.getpid())
        return cls(time.perf_counter(), *spent, time.process_time())

    def to(self, end: Mark, images: int) -> Run:
        """What happened between two."""
        clock, box, all_, own = (after - before for before, after in zip(self, end, strict=True))
        return Run(images / clock, 1000 * box / images, 1000 * (all_ - box - own) / images)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--size", default="2500x2000", help="in pixels of 16 bit")
    parser.add_argument("--rounds", type=int, default=3)


def measure(folder: Path, arguments: argparse.Namespace) -> bool:
    """Print all rates and how they compare; whether that with Orthanc is enough."""
    ratios: dict[str, list[float]] = {name: [] for name in WAYS}
    own: dict[str, list[float]] = {name: [] for name in WAYS}
    for number in range(arguments.rounds):
        place = folder / str(number)
        paths = write_radiographs(place / "sent", WARM + arguments.images, arguments.size)
        runs = {name: way(place / name, paths) for name, way in WAYS.items()}
        classify = _classify(place / "sent", paths)
        print(f"classify {classify.rate:6.2f} images/s, processor {classify.own:6.1f} ms an image")
        for name, run in runs.items():
            ratios[name].append(run.rate / classify.rate)
            own[name].append(classify.own / run.own)
            print(
                f"{name:8} {run.rate:6.2f} images/s, processor {run.own:6.1f} ms an image, "
                f"others {run.others:6.1f}   ratio {ratios[name][-1]:.2f}, "
                f"of the processor {own[name][-1]:.2f}",
                flush=True,
            )
    for name in WAYS:
        print(
            f"{name:8} median ratio {statistics.median(ratios[name]):.2f}, "
            f"of the processor's time, without others {statistics.median(own[name]):.2f}"
        )
    print(f"asked of orthanc by the clock: at least {MIN_RATIO}")
    return statistics.median(ratios["orthanc"]) >= MIN_RATIO


@contextmanager
def _orthanc(folder: Path, ports: Ports) -> Iterator[Callable[[], int]]:
    with running_orthanc(folder, ports.archive, ports.http) as archive:
        yield lambda: len(archive.instances())


@contextmanager
def _storescp(folder: Path, ports: Ports) -> Iterator[Callable[[], int]]:
    with running_storescp(folder, ports.archive):
        yield lambda: len(list(folder.iterdir()))


def _sent(folder: Path, paths: list[Path], archive: Archive) -> Run:
    """All of them sent to a box that answers meanwhile."""
    folder.mkdir()
    ports = free_ports()
    with (
        archive(folder / "archive", ports) as reports,
        serving_box(folder, TOP, RECEIVER, ports=ports) as (box, _),
    ):
        assert storescu(ports.node, *paths[:WARM]).returncode == 0
        box.wait_for("delivered", WARM)
        begin = Mark.now(box)
        assert storescu(ports.node, *paths[WARM:]).returncode == 0
        box.wait_for("delivered", len(paths))
        run = begin.to(Mark.now(box), len(paths) - WARM)
        wait_for(lambda: reports() == len(paths), "all reports")
    return run


def _queued(folder: Path, paths: list[Path]) -> Run:
    """All of them received by a node alone, then answered by a box."""
    folder.mkdir()
    _receive(folder / "spool", paths)
    ports = free_ports()
    with (
        _storescp(folder / "archive", ports) as reports,
        serving_box(folder, TOP, RECEIVER, ports=ports) as (box, _),
    ):
        box.wait_for("delivered", WARM)
        begin, done = Mark.now(box), box.log().count(" delivered ")
        box.wait_for("delivered", len(paths))
        run = begin.to(Mark.now(box), len(paths) - done)
        wait_for(lambda: reports() == len(paths), "all reports")
    return run


def _receive(spool: Path, paths: list[Path]) -> None:
    port = free_port()
    line = [sys.executable, "-m", f"{__package__}.node_alone", str(spool), str(port)]
    with subprocess.Popen(line) as process:
        try:
            wait_for(lambda: listens(port), "the node")
            assert storescu(port, *paths).returncode == 0
        finally:
            process.terminate()


WAYS: Final[dict[str, Callable[[Path, list[Path]], Run]]] = {
    "orthanc": lambda folder, paths: _sent(folder, paths, _orthanc),
    "storescp": lambda folder, paths: _sent(folder, paths, _storescp),
    "queue": _queued,
}


def _classify(folder: Path, paths: list[Path]) -> Run:
    alone = min(_seconds(paths[0]) for _ in range(2))
    took, spent = (all_ - one for all_, one in zip(_seconds(folder), alone, strict=True))
    images = len(paths) - 1
    return Run(images / took, 1000 * spent / images)


def _seconds(source: Path) -> tuple[float, float]:
    """By the clock, and of the processor."""
    began, before = time.perf_counter(), processor_seconds(os.getpid()) - time.process_time()
    line = [sys.executable, "-m", "edge_app", "classify", "--csv", str(source)]
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
    took = time.perf_counter() - began
    return took, processor_seconds(os.getpid()) - time.process_time() - before
