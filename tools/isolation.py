"""The cost of `--isolate`: a folder of radiographs, scored with and without it in turns.

    python -m tools.isolation [--number 1000] [--side 1024] [--rounds 4]

Each round scores the whole folder by `edge-cxr classify` twice, in alternating order, as whole
processes. It prints images a second, processor seconds, and the ratios of both. On a shared machine
more processes get a larger part of it, so the rates are too good, and only the processor's ratio is
reliable. The exit code is 1 if the median of either is below `MIN_RATE`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from PIL import Image

from edge_app.images.phantom import synthetic_radiograph
from tools.timing import timed

MIN_RATE: Final = 0.85
DRAWN: Final = 20
"""Different radiographs; the folder has each of them many times."""

COMMAND: Final = (sys.executable, "-m", "edge_app", "classify", "--csv")


class Run(NamedTuple):
    """Images a second, and processor seconds, including those of child processes."""

    rate: float
    processor: float


def draw(folder: Path, number: int, side: int) -> int:
    """Fill a folder; returns the bytes of a picture."""
    first: list[Path] = []
    for index in range(number):
        path = folder / f"{index:06d}.png"
        if index < DRAWN:
            Image.fromarray(synthetic_radiograph(side, seed=index)).save(path)
            first.append(path)
        else:
            os.link(first[index % DRAWN], path)
    return sum(path.stat().st_size for path in first) // len(first)


def score(folder: Path, number: int, options: Sequence[str]) -> Run:
    """Score a folder in a process of its own."""
    run = timed([*COMMAND, *options, str(folder)])
    if run.output.count(b"\n") != number + 1:
        sys.exit(f"{' '.join(options) or 'plain'}: not {number} answers")
    return Run(number / run.clock, run.processor)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=1000)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=4)
    chosen = parser.parse_args(arguments)
    ratios: list[float] = []
    costs: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = draw(folder, chosen.number, chosen.side)
        print(f"{chosen.number} radiographs of {chosen.side}x{chosen.side}, {size} bytes each")
        score(folder, chosen.number, ())  # warm: files and verdicts are cached
        print("round  images/s plain  isolated  ratio   processor s plain  isolated  ratio")
        for index in range(chosen.rounds):
            order: list[tuple[str, ...]] = [(), ("--isolate",)]
            if index % 2:
                order.reverse()
            found = {options: score(folder, chosen.number, options) for options in order}
            plain, isolated = found[()], found["--isolate",]
            ratios.append(isolated.rate / plain.rate)
            costs.append(plain.processor / isolated.processor)
            print(
                f"{index + 1:5} {plain.rate:15.1f} {isolated.rate:9.1f} {ratios[-1]:6.3f}"
                f" {plain.processor:19.1f} {isolated.processor:9.1f} {costs[-1]:6.3f}",
                flush=True,
            )
    rate, cost = statistics.median(ratios), statistics.median(costs)
    print(f"with --isolate the rate is {rate:.3f} of that without, and {cost:.3f} by the")
    print(f"processor's time (asked: {MIN_RATE})")
    return int(min(rate, cost) < MIN_RATE)


if __name__ == "__main__":
    sys.exit(main())
