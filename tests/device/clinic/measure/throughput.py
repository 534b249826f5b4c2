"""Images a second through the box, beside `classify` of the same files in a folder.

From `storescu`'s start to the last report accepted by Orthanc, with as many workers as `classify`
takes; of `classify` as a process, less what it takes for one image alone.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from ..peers import running_orthanc, storescu, wait_for
from .boxes import serving_box
from .latency import RECEIVER
from .radiographs import write_radiographs

LEAST: Final = 0.7


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--size", default="2500x2000", help="in pixels of 16 bit")
    parser.add_argument("--rounds", type=int, default=3)


def measure(folder: Path, asked: argparse.Namespace) -> bool:
    """Print both rates and how they compare; whether that is enough."""
    ratios = []
    for number in range(asked.rounds):
        place = folder / str(number)
        paths = write_radiographs(place / "sent", asked.images, asked.size)
        rates = [_box(place, paths), _classify(place / "sent", paths)]
        ratios.append(rates[0] / rates[1])
        print(
            f"box {rates[0]:6.2f} images/s   classify {rates[1]:6.2f} images/s   "
            f"ratio {ratios[-1]:.2f}",
            flush=True,
        )
    median = statistics.median(ratios)
    print(f"median ratio: {median:.2f} (at least {LEAST})")
    return median >= LEAST


def _box(folder: Path, paths: list[Path]) -> float:
    top = f"workers = {os.cpu_count()}"
    with (
        serving_box(folder, top, RECEIVER) as (box, ports),
        running_orthanc(folder / "orthanc", ports.archive, ports.http) as archive,
    ):
        warm, *others = paths
        assert storescu(ports.node, warm).returncode == 0
        box.wait_for("delivered")
        began = time.perf_counter()
        assert storescu(ports.node, *others).returncode == 0
        box.wait_for("delivered", len(paths))
        took = time.perf_counter() - began
        wait_for(lambda: len(archive.instances()) == len(paths), "all reports")
    return len(others) / took


def _classify(folder: Path, paths: list[Path]) -> float:
    alone = min(_seconds(paths[0]) for _ in range(2))
    return (len(paths) - 1) / (_seconds(folder) - alone)


def _seconds(source: Path) -> float:
    began = time.perf_counter()
    line = [sys.executable, "-m", "edge_app", "classify", "--csv", str(source)]
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began
