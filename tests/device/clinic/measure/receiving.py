"""How fast a node receives, beside dcmtk's `storescp`: nothing is scored and nothing sent.

Both are given the same files by `storescu` over one association, in turns. The node syncs each file
before it answers, storescp does not; with `--senders` several associations send at once.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..peers import dcmtk_line, free_port, listens, running_storescp, wait_for
from .radiographs import write_radiographs

MIN_RATIO = 0.8


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=int, default=40, help="a sender")
    parser.add_argument("--size", default="2500x2000", help="of an image, in pixels of 16 bit")
    parser.add_argument("--senders", type=int, default=1, help="at once")
    parser.add_argument("--rounds", type=int, default=5)


def measure(folder: Path, arguments: argparse.Namespace) -> bool:
    """Print both rates and how they compare; whether that is enough."""
    groups = [
        write_radiographs(
            folder / f"sender-{each}", arguments.images, arguments.size, first=each * 10_000
        )
        for each in range(arguments.senders)
    ]
    total = arguments.images * arguments.senders
    megabytes = sum(path.stat().st_size for group in groups for path in group) / 1e6
    print(
        f"{arguments.senders} senders, {arguments.images} images of {arguments.size} each, 16 bit"
    )
    ratios = []
    for number in range(arguments.rounds):
        rates = {}
        for start in (_storescp, _node) if number % 2 else (_node, _storescp):
            with start(folder / "got") as port:
                took = _send(port, groups)
            rates[start] = total / took
            shutil.rmtree(folder / "got", ignore_errors=True)
        ratios.append(rates[_node] / rates[_storescp])
        print(
            f"node {rates[_node]:7.1f} images/s, {rates[_node] * megabytes / total:6.1f} MB/s   "
            f"storescp {rates[_storescp]:7.1f} images/s   ratio {ratios[-1]:.2f}",
            flush=True,
        )
    median = statistics.median(ratios)
    print(f"median ratio: {median:.2f} (at least {MIN_RATIO})")
    return median >= MIN_RATIO


def _send(port: int, groups: list[list[Path]]) -> float:
    """Seconds until all is received."""
    began = time.perf_counter()
    senders = [
        subprocess.Popen(dcmtk_line("storescu", "-aec", "EDGECXR", "127.0.0.1", port, *group))
        for group in groups
    ]
    codes = [each.wait() for each in senders]
    took = time.perf_counter() - began
    if any(codes):
        raise SystemExit(f"storescu failed: {codes}")
    return took


@contextmanager
def _storescp(folder: Path) -> Iterator[int]:
    port = free_port()
    with running_storescp(folder, port):
        yield port


@contextmanager
def _node(folder: Path) -> Iterator[int]:
    folder.mkdir()
    port = free_port()
    line = [sys.executable, "-m", __package__ + ".node_alone", str(folder / "spool"), str(port)]
    process = subprocess.Popen(line)
    try:
        wait_for(lambda: listens(port), "the node")
        yield port
    finally:
        process.terminate()
        process.wait()
