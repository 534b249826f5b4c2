"""Many radiographs, in order: every good one answered, every broken one named."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from itertools import chain, islice
from types import FrameType
from typing import Final, TypeVar

from edge_app.errors import EXIT_DONE, EXIT_INPUT, EXIT_INTERRUPTED, ImageError, TooManyPixelsError
from edge_app.images.radiograph import Limits, Radiograph
from edge_app.images.read import read_image
from edge_app.inference.classifier import Classifier, Findings
from edge_app.output import Writer, complain
from edge_app.sources import STANDARD_INPUT, is_utf8, printable

Item = TypeVar("Item")
Reader = Callable[[str, Limits], Radiograph]

AHEAD: Final = 2
"""Images begun per worker before the first of them is answered: memory stays flat."""

DECODED: Final = 8
"""Bytes that a pixel of 16-bit gray takes while it is decoded."""


class Tally:
    """How a batch went."""

    def __init__(self) -> None:
        self.answered = self.refused = self.blank = self.withheld = 0
        self.interrupted = False

    @property
    def exit_code(self) -> int:
        if self.interrupted:
            return EXIT_INTERRUPTED
        return EXIT_INPUT if self.refused or self.blank or self.withheld else EXIT_DONE


def read_source(
    source: str, limits: Limits, least: int | None = None, *, digest: bool = True
) -> Radiograph:
    """The radiograph in a file, or on standard input; see `read_image`.

    Raises:
        ImageError: whatever is wrong with it, in one line.
    """
    if source == STANDARD_INPUT:
        if sys.stdin is None:
            raise ImageError("standard input is closed")
        with _at_once():
            return read_image(sys.stdin.buffer, limits, least, digest=digest)
    if not is_utf8(source):
        raise ImageError("its name is not UTF-8, so no result could be tied to it: rename it")
    return read_image(source, limits, least, digest=digest)


Read = Radiograph | ImageError
Scored = tuple[Radiograph, Findings] | ImageError
"""What became of one source."""


def classify_all(
    sources: Iterable[str],
    classifier: Classifier,
    writer: Writer,
    limits: Limits,
    workers: int = 1,
    read: Reader = read_source,
) -> Tally:
    """Answer each source through `writer`, in order; faults of single images go on.

    Ctrl-C ends the batch between two answers, with all earlier ones printed; a second one at once.
    """
    tally = Tally()
    try:
        with (
            interruptible() as interrupted,
            closing(_all_scored(sources, classifier, read, limits, workers)) as answers,
        ):
            for source, scored in answers:
                _answer(source, scored, writer, tally)
                del scored  # with its picture, before the next one is read
                if interrupted():
                    raise KeyboardInterrupt
    except KeyboardInterrupt:
        tally.interrupted = True
    return tally


def _all_scored(
    sources: Iterable[str], classifier: Classifier, read: Reader, limits: Limits, workers: int
) -> Generator[tuple[str, Scored], None, None]:
    if workers > 1:
        return _scored_by_threads(sources, classifier, read, limits, workers)
    return ((source, _score(classifier, _read(read, source, limits))) for source in sources)


def _scored_by_threads(
    sources: Iterable[str], classifier: Classifier, read: Reader, limits: Limits, workers: int
) -> Generator[tuple[str, Scored], None, None]:
    """In the order of the sources. Decoders and interpreters run without Python's lock."""
    from collections import deque
    from concurrent.futures import Future, ThreadPoolExecutor
    from queue import SimpleQueue

    todo = iter(sources)
    first = list(islice(todo, workers))
    # A device serves one; images are decoded beside it all the same.
    interpreters = 1 if classifier.session.delegate else len(first)
    idle: SimpleQueue[Classifier] = SimpleQueue()
    idle.put(classifier)
    for _ in range(interpreters - 1):
        idle.put(classifier.another())
    read = _large_ones_alone(read, _pixels_each(workers))

    def work(source: str) -> Scored:
        image = _read(read, source, limits)
        one = idle.get()
        try:
            return _score(one, image)
        finally:
            idle.put(one)

    def here(source: str) -> Future[Scored]:
        future: Future[Scored] = Future()
        try:
            future.set_result(work(source))
        except Exception as error:  # its turn comes when those before it are answered
            future.set_exception(error)
        return future

    begun: deque[tuple[str, Future[Scored]]] = deque()

    def oldest() -> tuple[str, Scored]:
        """The first answer. Until it is known, this thread is one of the workers."""
        while not begun[0][1].done():
            free = next((i for i, (_, future) in enumerate(begun) if future.cancel()), None)
            if free is None:
                break
            begun[free] = begun[free][0], here(begun[free][0])
        source, future = begun.popleft()
        return source, future.result()

    pool = ThreadPoolExecutor(workers - 1)
    try:
        for source in chain(first, todo):
            # Only the main thread can be interrupted while it waits for standard input.
            alone = source == STANDARD_INPUT
            begun.append((source, here(source) if alone else pool.submit(work, source)))
            if len(begun) > AHEAD * workers:
                yield oldest()
        while begun:
            yield oldest()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _pixels_each(workers: int) -> int:
    """Of pictures that so many workers may decode at once in a quarter of the memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return memory // 4 // DECODED // workers


def _large_ones_alone(read: Reader, pixels: int) -> Reader:
    """The same reader, but no two pictures of more than `pixels` are decoded at once."""
    from threading import Lock

    large = Lock()

    def alone(source: str, limits: Limits) -> Radiograph:
        if limits.max_pixels > pixels and source != STANDARD_INPUT:  # which is read only once
            with suppress(TooManyPixelsError):
                return read(source, limits._replace(max_pixels=pixels))
        with large if limits.max_pixels > pixels else nullcontext():
            return read(source, limits)

    return alone


def _read(read: Reader, source: str, limits: Limits) -> Read:
    try:
        return read(source, limits)
    except ImageError as error:
        return error


def _score(classifier: Classifier, image: Read) -> Scored:
    return image if isinstance(image, ImageError) else (image, classifier.classify(image))


def _answer(source: str, scored: Scored, writer: Writer, tally: Tally) -> None:
    name = printable(source)
    if isinstance(scored, ImageError):
        tally.refused += 1
        complain(f"{name}: {scored}")
        writer.refusal(name, scored)
        return
    image, findings = scored
    tally.answered += 1
    if findings.withheld:
        tally.withheld += 1
        complain(f"{name}: {findings.withheld}; not scored (--force scores it all the same)")
    elif findings.blank:
        tally.blank += 1
        complain(f"{name}: {findings.warnings[-1]}")
    writer.answer(name, image, findings)


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Within it, the first Ctrl-C only makes the yielded function answer True."""
    seen: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(seen)
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _at_once() -> Iterator[None]:
    """Within it, Ctrl-C interrupts whatever waits; nothing is half printed."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def with_progress(items: Iterable[Item], doing: str) -> Iterator[Item]:
    """The same items, counted on standard error while they are worked through."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    known = list(items)
    columns = (TextColumn(doing), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield from progress.track(known)
