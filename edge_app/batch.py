"""Many radiographs, in order: every good one answered, every broken one named."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Final, TypeVar

from edge_app.errors import EXIT_DONE, EXIT_INPUT, EXIT_INTERRUPTED, ImageError
from edge_app.images.radiograph import Limits, Radiograph
from edge_app.images.read import read_image
from edge_app.inference.classifier import Classifier, Findings
from edge_app.output import Writer, complain
from edge_app.sources import STANDARD_INPUT, is_utf8, printable

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

Item = TypeVar("Item")
Reader = Callable[[str, Limits], Radiograph]

AHEAD: Final = 2
"""Images begun per worker before the first of them is answered: memory stays flat."""

HELD: Final = 1 << 22
"""Pixels of a picture beside which one worker reads the next: a large one is alone in memory."""


@dataclass
class Tally:
    """How a batch went."""

    answered: int = 0
    refused: int = 0
    blank: int = 0
    withheld: int = 0
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        if self.interrupted:
            return EXIT_INTERRUPTED
        return EXIT_INPUT if self.refused or self.blank or self.withheld else EXIT_DONE


def read_source(source: str, limits: Limits, least: int | None = None) -> Radiograph:
    """The radiograph in a file, or on standard input; see `read_image`.

    Raises:
        ImageError: whatever is wrong with it, in one line.
    """
    if source == STANDARD_INPUT:
        if sys.stdin is None:
            raise ImageError("standard input is closed")
        with _at_once():
            return read_image(sys.stdin.buffer, limits, least)
    if not is_utf8(source):
        raise ImageError("its name is not UTF-8, so no result could be tied to it: rename it")
    return read_image(source, limits, least)


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
            closing(
                _all_scored(sources, classifier, partial(_read, limits, read), workers)
            ) as answers,
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
    sources: Iterable[str], classifier: Classifier, read: Callable[[str], Read], workers: int
) -> Generator[tuple[str, Scored], None, None]:
    if workers == 1:
        return _scored_in_turn(sources, classifier, read)
    return _scored_by_threads(sources, classifier, read, workers)


def _scored_in_turn(
    sources: Iterable[str], classifier: Classifier, read: Callable[[str], Read]
) -> Generator[tuple[str, Scored], None, None]:
    """One after the other; while the network looks at one, a thread decodes the next."""
    pool: ThreadPoolExecutor | None = None
    todo = iter(sources)
    source = next(todo, None)
    image = read(source) if source is not None else None
    try:
        while source is not None and image is not None:
            following, ahead = next(todo, None), None
            # Only the main thread can be interrupted while it waits for standard input.
            if following not in (None, STANDARD_INPUT) and _is_small(image):
                pool = pool or _reader()
                ahead = pool.submit(read, following)
            scored = _score(classifier, image)
            image = None  # a large picture goes before the next one comes
            yield source, scored
            del scored
            if following is not None:
                image = ahead.result() if ahead else read(following)
            source = following
    finally:
        if pool:
            pool.shutdown(wait=False, cancel_futures=True)


def _reader() -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(1)


def _is_small(image: Read) -> bool:
    return isinstance(image, ImageError) or (
        int(image.facts["width"]) * int(image.facts["height"]) <= HELD
    )


def _scored_by_threads(
    sources: Iterable[str], classifier: Classifier, read: Callable[[str], Read], workers: int
) -> Generator[tuple[str, Scored], None, None]:
    """In the order of the sources. Decoders and interpreters run without Python's lock."""
    from collections import deque
    from concurrent.futures import Future, ThreadPoolExecutor
    from queue import SimpleQueue

    idle: SimpleQueue[Classifier] = SimpleQueue()
    for _ in range(workers - 1):
        idle.put(classifier.another())
    idle.put(classifier)

    def work(source: str) -> Scored:
        one = idle.get()
        try:
            return _score(one, read(source))
        finally:
            idle.put(one)

    begun: deque[tuple[str, Future[Scored]]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for source in sources:
            if source == STANDARD_INPUT:  # only the main thread can be interrupted while it waits
                future: Future[Scored] = Future()
                future.set_result(work(source))
            else:
                future = pool.submit(work, source)
            begun.append((source, future))
            if len(begun) > AHEAD * workers:
                first, future = begun.popleft()
                yield first, future.result()
        for first, future in begun:
            yield first, future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _read(limits: Limits, read: Reader, source: str) -> Read:
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
