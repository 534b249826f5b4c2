"""Many radiographs, in order: every good one answered, every broken one named."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from types import FrameType
from typing import TypeVar

from edge_app.classifier import Classifier
from edge_app.core.console import complain
from edge_app.core.errors import EXIT_DONE, EXIT_INPUT, EXIT_INTERRUPTED, ImageError
from edge_app.core.plain_text import is_utf8, printable
from edge_app.images.radiograph import Limits, Radiograph
from edge_app.images.read import read_image
from edge_app.pipeline.sources import STANDARD_INPUT
from edge_app.pipeline.workers import Reader, Scored, score_all
from edge_app.pipeline.writers import Writer

Item = TypeVar("Item")


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
                score_all(sources, classifier, read, limits, workers, writer.needs_picture)
            ) as answers,
        ):
            for source, answer in answers:
                _answer(source, answer, writer, tally)
                del answer  # with its picture, before the next one is read
                if interrupted():
                    raise KeyboardInterrupt
    except KeyboardInterrupt:
        tally.interrupted = True
    return tally


def _answer(source: str, answer: Scored, writer: Writer, tally: Tally) -> None:
    name = printable(source)
    if isinstance(answer, ImageError):
        tally.refused += 1
        complain(f"{name}: {answer}")
        writer.refusal(name, answer)
        return
    image, findings = answer
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
