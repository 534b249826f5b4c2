"""`python -m edge_app.performance.stages`: one process of a benchmark.

It takes one JSON object on standard input and answers with one on standard output. It does what
`classify` does, and reads the clock between the steps.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from functools import partial
from itertools import cycle, islice
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from edge_app.core.errors import EdgeCxrError, ImageError
from edge_app.core.steps import STEPS

if TYPE_CHECKING:
    from edge_app.classifier import Classifier

STAGES: Final = STEPS
"""The steps of `classify` for one image, in order."""

BATCH: Final = 5
"""Images in one batch of the warm-up."""

STEADY: Final = 0.02
"""The warm-up ends when a batch is faster than the one before by no more than this share."""

MIN_SAMPLES: Final = 30

YARDSTICKS: Final = ("yardstick_inflate", "yardstick_parse")
"""Fixed computations, timed along with the images: how fast the machine was, whatever the version.

One keeps the core busy as decoding does, the other depends on caches and memory. (A hash is not
suitable: if the processor has instructions for it, a neighbour on the same core hardly slows it.)
"""


def timed(classifier: Classifier, path: str) -> dict[str, int]:
    """Classify one image as `classify` does; nanoseconds of each of `STAGES`, and in `total`.

    Raises:
        ImageError: it cannot be read any more; the message names it.
    """
    from edge_app.pipeline.reader import read_source
    from edge_app.pipeline.route import score_all
    from edge_app.pipeline.scorers import classified

    clock, begun = time.perf_counter_ns, dict[str, int]()

    def watch(stage: str) -> None:
        begun[stage] = clock()

    min_side = classifier.model.input_spec.min_side
    read = partial(read_source, min_side=min_side, digest=False, watch=watch)
    score = partial(classified, watch=watch)
    start = clock()
    ((_, answer),) = score_all([path], classifier, read, score)
    end = clock()
    if isinstance(answer, ImageError):
        raise ImageError(f"{path}: {answer}")
    ends = [*(begun[stage] for stage in STAGES[1:]), end]
    spent = {stage: stop - begun[stage] for stage, stop in zip(STAGES, ends, strict=True)}
    return {**spent, "total": end - start}


def warm_up(classifier: Classifier, images: Sequence[str], seconds: float) -> int:
    """Classify until it gets no faster, or for a quarter of `seconds`; returns how many images."""
    done, before = 0, float("inf")
    start = time.perf_counter()
    todo = cycle(images)
    while True:
        times = [timed(classifier, path)["total"] for path in islice(todo, BATCH)]
        done += BATCH
        now = median(times)
        if now > before * (1 - STEADY) or time.perf_counter() - start > seconds / 4:
            return done
        before = now


def yardsticks() -> dict[str, Callable[[], object]]:
    """The fixed computations by name; together less than a millisecond on a desktop."""
    import zlib
    from random import Random

    pixels = Random(0).randbytes(1 << 16).translate(bytes(each // 16 for each in range(256)))
    packed = zlib.compress(pixels)
    text = json.dumps({f"name {n}": [n / 7, str(n)] for n in range(60)})
    inflate, parse = partial(zlib.decompress, packed), partial(json.loads, text)
    return dict(zip(YARDSTICKS, (inflate, parse), strict=True))


def measure(classifier: Classifier, images: Sequence[str], seconds: float) -> dict[str, list[int]]:
    """Nanoseconds of each stage, of all stages together and of the yardsticks, image by image.

    All images are classified equally often; there are at least `MIN_SAMPLES` samples.
    """
    samples: dict[str, list[int]] = {name: [] for name in (*STAGES, "total", *YARDSTICKS)}
    clock, computations = time.perf_counter_ns, yardsticks()
    end = clock() + int(seconds * 1e9)
    while clock() < end or len(samples["total"]) < MIN_SAMPLES:
        for path in images:
            for name, spent in timed(classifier, path).items():
                samples[name].append(spent)
            for name, compute in computations.items():
                start = clock()
                compute()
                samples[name].append(clock() - start)
    return samples


def throughput(
    classifier: Classifier, images: Sequence[str], workers: int, seconds: float
) -> dict[str, float]:
    """Score the images repeatedly as `classify --csv` does; returns `images` and `seconds`.

    Raises:
        ImageError: one cannot be read any more.
    """
    from edge_app.images.radiograph import Limits
    from edge_app.pipeline.batch import classify_all
    from edge_app.pipeline.reader import read_source
    from edge_app.pipeline.writers import CsvWriter

    read = partial(read_source, min_side=classifier.model.input_spec.min_side, digest=False)
    with open(os.devnull, "w") as sink, redirect_stderr(sink):

        def answer(count: int) -> float:
            start = time.perf_counter()
            sources = islice(cycle(images), count)
            writer = CsvWriter(classifier, sink)
            tally = classify_all(sources, classifier, writer, Limits(), workers, read)
            if tally.interrupted:
                raise KeyboardInterrupt
            if tally.refused:
                raise ImageError(f"{tally.refused} of {count} images cannot be read any more")
            return time.perf_counter() - start

        few = max(len(images), 4 * workers)
        answer(few)
        rate = few / answer(few)
        count = max(few, int(rate * seconds))
        return {"images": count, "seconds": answer(count)}


def peak_memory() -> int | None:
    """Peak memory of this process in bytes; None if the kernel does not show it."""
    try:
        with open("/proc/self/status") as file:
            fields = dict(line.split(":", 1) for line in file if ":" in line)
        return int(fields["VmHWM"].split()[0]) << 10
    except (OSError, KeyError, ValueError, IndexError):
        return None


def run(question: dict[str, Any]) -> dict[str, Any]:
    """Load a model and measure.

    Args:
        question: a cell's, with `images` (paths), `workers` (None: the stages of one image at a
            time) and `seconds`.
    """
    from edge_app.performance.combinations import opened

    wall, start = time.time(), time.perf_counter()
    classifier = opened(question)
    loaded = time.perf_counter()
    images, seconds = question["images"], question["seconds"]
    answer: dict[str, Any] = {"model_load": loaded - start, **classifier.provenance()}
    if question["workers"] is None:
        answer["first_inference"] = timed(classifier, images[0])["invoke"] / 1e9
        answer["warm_up"] = warm_up(classifier, images, seconds)
        answer["samples"] = measure(classifier, images, seconds)
    else:
        answer["throughput"] = throughput(classifier, images, question["workers"], seconds)
    answer["peak"] = peak_memory()
    # The two clocks differ where the machine slept or was stopped.
    answer["clock_jump"] = (time.time() - wall) - (time.perf_counter() - start)
    return answer


def main() -> None:
    try:
        answer = run(json.load(sys.stdin))
    except EdgeCxrError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
