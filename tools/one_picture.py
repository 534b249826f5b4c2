"""The time of `edge-cxr classify` for one picture, compared with an earlier version.

    python -m tools.one_picture REVISION [--rounds 40] [--image FILE] [--model NAME]

REVISION is any that git knows. Both versions score the same picture with the same model, which both
ship, as whole processes in turns, with the same Python and packages, after each has tried its
backend. It prints the medians of wall and processor time, and of their ratios in each round. On a
shared machine only the processor's ratio is reliable; the exit code is 1 if its median is above
`MAX_RATIO`.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tools.timing import Timed, timed

HERE: Final = Path(__file__).parents[1]
MAX_RATIO: Final = 1.05


def unpacked(revision: str, folder: Path) -> None:
    """The device application of another version."""
    line = ["git", "-C", str(HERE), "archive", revision, "edge_app"]
    done = subprocess.run(line, stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(f"{revision}: git has no edge_app of that version")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")


def scored(version: Path, cache: Path, image: Path, model: str) -> Timed:
    """Score a picture in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(version), "XDG_CACHE_HOME": str(cache)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-m", "edge_app", "classify", "--model", model, str(image)]
    return timed(command, version, environment)


def printed(runs: Mapping[str, Sequence[Timed]], revision: str) -> float:
    """Print the medians; returns the median ratio of processor times."""
    for name, each in runs.items():
        clock = statistics.median(run.clock for run in each)
        processor = statistics.median(run.processor for run in each)
        print(f"{name:12} {1000 * clock:8.1f} ms {1000 * processor:8.1f} ms of the processor")
    pairs = list(zip(runs["now"], runs[revision], strict=True))
    clock = statistics.median(now.clock / then.clock for now, then in pairs)
    processor = statistics.median(now.processor / then.processor for now, then in pairs)
    print(f"{'now / then':12} {clock:8.3f}    {processor:8.3f}    (asked: at most {MAX_RATIO})")
    return processor


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("revision")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument(
        "--image", type=Path, default=HERE / "examples" / "synthetic-radiograph.png"
    )
    parser.add_argument("--model", default="cxr-lite0-128")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        versions = {"now": HERE, options.revision: Path(name, "then")}
        unpacked(options.revision, versions[options.revision])
        runs: dict[str, list[Timed]] = {each: [] for each in versions}
        image = options.image.resolve()
        for index in range(options.rounds + 1):
            for each in sorted(versions, reverse=bool(index % 2)):  # in alternating order
                cache = Path(name, f"cache-{each == 'now'}")
                run = scored(versions[each], cache, image, options.model)
                if index:  # the first tries its backend, and compiles
                    runs[each].append(run)
        ratio = printed(runs, options.revision)
    return int(ratio > MAX_RATIO)


if __name__ == "__main__":
    sys.exit(main())
