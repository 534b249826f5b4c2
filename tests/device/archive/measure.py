"""What `edge-cxr archive` is held to, measured: rate, memory, first row, and kills on the way.

    python -m tests.device.archive.measure IMAGES [--number 112120] [--kills 100] [--seed 0]

IMAGES is a folder of radiographs, with all below it; they get other names through links. Exit code
1 where a number is not met.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final, NamedTuple

from edge_app.pipeline import parquet

FEW: Final = 1000
RATE, MEMORY, FIRST_ROW = 0.95, 1.2, 2.0
IMAGES: Final = (".png", ".jpg", ".jpeg", ".dcm")
EDGE_CXR: Final = (sys.executable, "-m", "edge_app")


class Ended(NamedTuple):
    """A process: seconds, peak memory in MB, seconds to the first row."""

    seconds: float
    megabytes: float
    first: float


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.device.archive.measure")
    parser.add_argument("images", type=Path)
    parser.add_argument("--number", type=int, default=112_120)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--model", default="cxr-lite0-128")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        return _measured(Path(name), arguments)


def _measured(place: Path, arguments: argparse.Namespace) -> int:
    found = arguments.images.rglob("*")
    sources = sorted(path.resolve() for path in found if path.suffix.lower() in IMAGES)
    if not sources:
        raise SystemExit(f"{arguments.images}: no images in it")
    few = linked(place / "few", sources, FEW)
    many = linked(place / "many", sources, arguments.number)
    options = ("--model", arguments.model, "--threads", "1")
    run(["classify", str(few), "--json", *options])  # files are in memory, runtimes tried
    classified = run(["classify", str(few), "--json", *options])
    small = run(["archive", str(few), "--out", str(place / "a"), *options], place / "a")
    whole = run(["archive", str(many), "--out", str(place / "b"), *options], place / "b")
    line = ["archive", str(many), "--out", str(place / "c"), *options]
    killed = kill(line, arguments.kills, whole.seconds, random.Random(arguments.seed))
    run(line, place / "c")
    rate = arguments.number / whole.seconds
    before = FEW / classified.seconds
    names = Counter(parquet.names(parquet.parts_of(place / "c")))
    alike = rows(place / "b") == rows(place / "c")
    twice = sum(count > 1 for count in names.values())
    print(f"{arguments.number} images, {arguments.model}")
    met = [
        checked(f"{rate:.0f} a second; classify on {FEW}: {before:.0f}", rate >= RATE * before),
        checked(
            f"peak {whole.megabytes:.0f} MB; of {FEW} images: {small.megabytes:.0f} MB",
            whole.megabytes <= MEMORY * small.megabytes,
        ),
        checked(f"first row after {whole.first:.1f} s", whole.first <= FIRST_ROW),
        checked(
            f"{killed} kills: {len(names)} sources in rows, {twice} of them twice, rows "
            f"{'equal' if alike else 'unlike'} the uninterrupted run's",
            alike and not twice and len(names) == arguments.number,
        ),
    ]
    return 0 if all(met) else 1


def checked(words: str, met: bool) -> bool:
    print(f"{'met    ' if met else 'NOT MET'}  {words}")
    return met


def linked(folder: Path, sources: list[Path], number: int) -> Path:
    """A tree of so many links, a thousand a folder."""
    for place in range(number):
        below = folder / f"{place // 1000:04d}" if number > FEW else folder
        if place % 1000 == 0:
            below.mkdir(parents=True, exist_ok=True)
        source = sources[place % len(sources)]
        (below / f"{place:07d}{source.suffix}").symlink_to(source)
    return folder


def run(line: list[str], out: Path | None = None) -> Ended:
    """A command to its end."""
    began = time.monotonic()
    process = subprocess.Popen([*EDGE_CXR, *line], stdout=subprocess.DEVNULL)
    first, kilobytes = float("nan"), 0
    while process.poll() is None:
        kilobytes = max(kilobytes, _peak(process.pid))
        if out and first != first and any(map(_holds_a_row, out.glob("part-*"))):
            first = time.monotonic() - began
        time.sleep(0.01)
    if process.returncode not in (0, 3):
        raise SystemExit(f"{line[0]} ended with {process.returncode}")
    return Ended(time.monotonic() - began, kilobytes / 1024, first)


def _peak(process: int) -> int:
    """Its peak memory in kB. What the system tells of an ended child counts its parent's too."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    return next((int(each.split()[1]) for each in status.splitlines() if "VmHWM" in each), 0)


def _holds_a_row(part: Path) -> bool:
    return part.stat().st_size > 2000  # a journal's heading is shorter, a row is longer


def kill(line: list[str], times: int, seconds: float, chance: random.Random) -> int:
    """Kill a command again and again, about evenly over its work; how often that was."""
    for done in range(times):
        process = subprocess.Popen(
            [*EDGE_CXR, *line], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(1 + chance.random() * 2 * seconds / times)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        else:
            return done
    return times


def rows(folder: Path) -> dict[str, Any]:
    """Each source's row as a number, so that many fit into memory."""
    names = parquet.schema().names
    return {
        row["file"]: hash(repr(sorted(row.items())))
        for row in parquet.read(parquet.parts_of(folder), names)
    }


if __name__ == "__main__":
    sys.exit(main())
