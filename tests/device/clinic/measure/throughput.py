"""Images a second through the box, beside `classify` of the same files in a folder.

From `storescu`'s start to the last report accepted by Orthanc, with as many workers as `classify`
takes; of `classify` as a process, less what it takes for one image alone.

Sender and archive are on the same cores, and `classify` has them to itself: so what each takes of
the processor is printed too, and how the box's own part compares.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, NamedTuple

from ..peers import running_orthanc, storescu, wait_for
from .boxes import process_of, processor_seconds, serving_box
from .latency import RECEIVER
from .radiographs import write_radiographs

LEAST: Final = 0.7


class Run(NamedTuple):
    """Images a second, and milliseconds of the processor for each: of what is measured, of others
    that it was measured beside."""

    rate: float
    own: float
    others: float = 0.0


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--size", default="2500x2000", help="in pixels of 16 bit")
    parser.add_argument("--rounds", type=int, default=3)


def measure(folder: Path, asked: argparse.Namespace) -> bool:
    """Print both rates and how they compare; whether that is enough."""
    ratios, own = [], []
    for number in range(asked.rounds):
        place = folder / str(number)
        paths = write_radiographs(place / "sent", asked.images, asked.size)
        box, classify = _box(place, paths), _classify(place / "sent", paths)
        ratios.append(box.rate / classify.rate)
        own.append(classify.own / box.own)
        print(
            f"box {box.rate:6.2f} images/s   classify {classify.rate:6.2f} images/s   "
            f"ratio {ratios[-1]:.2f}\n"
            f"    processor, ms an image: box {box.own:.1f}, sender and archive {box.others:.1f}; "
            f"classify {classify.own:.1f}",
            flush=True,
        )
    median = statistics.median(ratios)
    print(f"median ratio: {median:.2f} (at least {LEAST})")
    print(f"of the processor's time, without sender and archive: {statistics.median(own):.2f}")
    return median >= LEAST


def _box(folder: Path, paths: list[Path]) -> Run:
    top = f"workers = {os.cpu_count()}"
    with (
        serving_box(folder, top, RECEIVER) as (box, ports),
        running_orthanc(folder / "orthanc", ports.archive, ports.http) as archive,
    ):
        warm, *others = paths
        assert storescu(ports.node, warm).returncode == 0
        box.wait_for("delivered")
        before = processor_seconds(process_of(box)), processor_seconds(os.getpid())
        self = time.process_time()
        began = time.perf_counter()
        assert storescu(ports.node, *others).returncode == 0
        box.wait_for("delivered", len(paths))
        took = time.perf_counter() - began
        own = processor_seconds(process_of(box)) - before[0]
        beside = processor_seconds(os.getpid()) - before[1] - own - (time.process_time() - self)
        wait_for(lambda: len(archive.instances()) == len(paths), "all reports")
    each = 1000 / len(others)
    return Run(len(others) / took, own * each, beside * each)


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
