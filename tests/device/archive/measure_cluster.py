"""What a cluster's workers keep of one machine's rate, what an image costs, and a plan from it.

    python -m tests.device.archive.measure_cluster IMAGES [--number 4000] [--workers 1 2 4]
        [--machines 64] [--cores 4] [--link 1] [--share 10]

IMAGES is a folder of radiographs, with all below it, which are given other names through links.
Rates leave out the start: the first fifth of the images is not counted. The plan is of `--machines`
that each have `--cores` and a link of so many gigabits a second, to a share with its own. Exit code
1 where as many workers as this machine has processors keep less than 0.85 of its rate.
"""

from __future__ import annotations

import argparse
import pickle
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from edge_app.archive import cluster, run
from edge_app.archive.answers import answers
from edge_app.archive.listing import Listing
from edge_app.backends.options import BackendOptions
from edge_app.classifier import Classifier
from edge_app.core.resources import cores
from edge_app.images.radiograph import Limits
from edge_app.images.read import read_image
from edge_app.model.model_file import locate, read

from .measure import IMAGES, checked, linked

if TYPE_CHECKING:
    from edge_app.archive.answers import Answering

KEPT: Final = 0.85
WARM: Final = 5
"""One in so many images is not counted: the workers start and open the model."""
SAMPLE: Final = 300
GIGABIT: Final = 125e6
"""Bytes."""


class Rate(NamedTuple):
    """Of an archive: images a second, and what each costs the process that asks, in seconds."""

    a_second: float
    here: float


class Costs(NamedTuple):
    """Of one image: seconds of a processor, and bytes.

    Attributes:
        read, decode, score: at a worker.
        keep: at the machine that names sources and keeps answers, Ray's own work there included.
        image, answer: bytes that a worker reads, and sends.
    """

    read: float
    decode: float
    score: float
    keep: float
    image: float
    answer: float


def plan(
    costs: Costs, machines: int, each: int, link: float, share: float
) -> list[tuple[str, float]]:
    """How many images a second each part of a cluster lets through, the bottleneck first.

    Args:
        costs: of an image.
        machines, each: workers' machines, and processors of each.
        link: bytes a second of each machine.
        share: bytes a second of where the images are.
    """
    work = costs.read + costs.decode + costs.score
    parts = [
        ("reading, decoding and scoring, by the workers' processors", machines * each / work),
        ("the workers' links", machines * link / costs.image),
        ("the share's link", share / costs.image),
        ("answers through the link of the machine that keeps them", link / costs.answer),
        ("naming sources and keeping answers, by one machine", 1 / costs.keep),
    ]
    return sorted(parts, key=lambda part: part[1])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.device.archive.measure_cluster")
    parser.add_argument("images", type=Path)
    parser.add_argument("--number", type=int, default=4000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--model", default="cxr-lite0-128")
    parser.add_argument("--machines", type=int, default=64)
    parser.add_argument("--cores", type=int, default=4)
    parser.add_argument("--link", type=float, default=1.0)
    parser.add_argument("--share", type=float, default=10.0)
    arguments = parser.parse_args()
    found = arguments.images.rglob("*")
    sources = sorted(path.resolve() for path in found if path.suffix.lower() in IMAGES)
    if not sources:
        raise SystemExit(f"{arguments.images}: no images in it")
    classifier = Classifier(read(locate(arguments.model)), options=BackendOptions(workers=2))
    with tempfile.TemporaryDirectory() as name:
        folder = linked(Path(name) / "many", sources, arguments.number)
        rates, met = compared(folder, Path(name), classifier, arguments.workers)
    costs = measured(sources[:SAMPLE], classifier, min(rate.here for rate in rates))
    print(
        "an image costs", *(f"{1000 * seconds:.2f} ms {what}" for what, seconds in told_of(costs))
    )
    print(f"and {costs.image / 1000:.0f} kB read, {costs.answer / 1000:.1f} kB of answer")
    size = f"{arguments.machines} machines of {arguments.cores} processors"
    print(f"{size}, {arguments.link:g} Gbit/s each; the share has {arguments.share:g} Gbit/s")
    links = arguments.link * GIGABIT, arguments.share * GIGABIT
    for what, rate in plan(costs, arguments.machines, arguments.cores, *links):
        print(f"{rate:>10,.0f} a second  {what}")
    return 0 if met else 1


def compared(
    folder: Path, place: Path, classifier: Classifier, workers: Sequence[int]
) -> tuple[list[Rate], bool]:
    """The rates with so many workers of a cluster, each beside as many of this process."""
    rates, met = [], True
    for count in workers:
        own = partial(answers, classifier=classifier, limits=Limits(), workers=count)
        far = partial(cluster.answers, classifier=classifier, limits=Limits(), address="local")
        alone = rated(folder, place / f"own-{count}", classifier, own)
        rate = rated(folder, place / f"far-{count}", classifier, partial(far, workers=count))
        rates.append(rate)
        kept = rate.a_second / alone.a_second
        words = (
            f"{count} workers: {rate.a_second:.0f} a second; without Ray {alone.a_second:.0f}: "
            f"{kept:.2f}"
        )
        if count == cores():
            met = checked(words, kept >= KEPT)
        else:
            print(f"         {words}")
    return rates, met


def rated(folder: Path, out: Path, classifier: Classifier, answering: Answering) -> Rate:
    """The rate of an archive once it is under way."""
    seen: list[tuple[int, float, float]] = []

    def note(count: int) -> None:
        seen.append((count, time.monotonic(), time.process_time()))

    listing = Listing([str(folder)])
    run.archive(listing, answering, out, run.subject_of(classifier, Limits(), listing), note)
    first, last = seen[len(seen) // WARM], seen[-1]
    count = last[0] - first[0]
    return Rate(count / (last[1] - first[1]), (last[2] - first[2]) / count)


def measured(sources: Sequence[Path], classifier: Classifier, keep: float) -> Costs:
    """What an image costs, in one thread."""
    min_side = classifier.model.input_spec.min_side
    began = time.process_time()
    data = [path.read_bytes() for path in sources]
    read_by = time.process_time()
    images = [read_image(BytesIO(each), Limits(), min_side) for each in data]
    decoded = time.process_time()
    for image in images:
        classifier.classify(image)
    scored = time.process_time()
    count = len(sources)
    rows = list(answers(map(str, sources), classifier, Limits()))
    spent = [(b - a) / count for a, b in ((began, read_by), (read_by, decoded), (decoded, scored))]
    return Costs(*spent, keep, sum(map(len, data)) / count, len(pickle.dumps(rows)) / count)


def told_of(costs: Costs) -> list[tuple[str, float]]:
    return [
        ("to read,", costs.read),
        ("to decode,", costs.decode),
        ("to score,", costs.score),
        ("to name it and keep its answer", costs.keep),
    ]


if __name__ == "__main__":
    sys.exit(main())
