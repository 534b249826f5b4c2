"""Images → findings in the order of the images, by one worker or by several at once."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

from edge_app.classifier import Classifier, Findings
from edge_app.core.errors import ImageError, ImageTooLargeError
from edge_app.core.resources import memory
from edge_app.images.radiograph import Limits, Radiograph
from edge_app.pipeline.sources import STANDARD_INPUT

if TYPE_CHECKING:
    from concurrent.futures import Future

Reader = Callable[[str, Limits], Radiograph]
Scored = tuple[Radiograph, Findings] | ImageError
"""What became of one source."""

AHEAD: Final = 2
"""Images begun per worker before the first of them is answered: memory stays flat."""

DECODED: Final = 8
"""Bytes that a pixel of 16-bit gray takes at most while it is decoded; colour takes twice that."""


def score_all(
    sources: Iterable[str],
    classifier: Classifier,
    read: Reader,
    limits: Limits,
    workers: int,
    needs_picture: bool,
) -> Generator[tuple[str, Scored], None, None]:
    """Each source and what became of it, in order.

    Args:
        sources: of the images.
        classifier: what scores them.
        read: makes a picture of a source.
        limits: on each.
        workers: images that are worked on at once.
        needs_picture: whether the pictures must come along; of several workers they do not else.

    Raises:
        ModelError: the model fails; all before it have been given.
    """
    if workers > 1:
        yield from _Workers(classifier, read, limits, workers, needs_picture).score_all(sources)
        return
    for source in sources:
        image = _read(read, source, limits)
        answer = image if isinstance(image, ImageError) else (image, classifier.classify(image))
        yield source, answer
        del image, answer


class _Workers:
    """Threads, of which the main one is one. Decoders and interpreters run without Python's lock.

    Attributes:
        small: limits of what any thread may work on, so that all gray ones together take half of
            the memory; what is larger is left to the main thread, and so is alone.
    """

    def __init__(
        self,
        classifier: Classifier,
        read: Reader,
        limits: Limits,
        workers: int,
        needs_picture: bool,
    ) -> None:
        from collections import deque
        from queue import SimpleQueue

        self.classifier, self.read, self.limits = classifier, read, limits
        self.workers, self.needs_picture = workers, needs_picture
        share = memory() // 4 // workers
        self.small = Limits(min(share, limits.max_bytes), min(share // DECODED, limits.max_pixels))
        self.idle: SimpleQueue[Classifier] = SimpleQueue()
        self.begun: deque[tuple[str, Future[Scored | None]]] = deque()

    def score_all(self, sources: Iterable[str]) -> Generator[tuple[str, Scored], None, None]:
        from concurrent.futures import ThreadPoolExecutor

        todo = iter(sources)
        first = list(islice(todo, self.workers))
        self.idle.put(self.classifier)
        # A device serves one; images are decoded beside it all the same.
        for _ in () if self.classifier.session.exclusive else first[1:]:
            self.idle.put(self.classifier.another())
        pool = ThreadPoolExecutor(self.workers - 1)
        try:
            for source in chain(first, todo):
                if source == STANDARD_INPUT:
                    while self.begun:  # whoever types sees first what is known
                        yield self._oldest()
                    # Only the main thread can be interrupted while it waits.
                    self.begun.append((source, self._done(source)))
                else:
                    self.begun.append((source, pool.submit(self._work, source)))
                if len(self.begun) > AHEAD * self.workers:
                    yield self._oldest()
            while self.begun:
                yield self._oldest()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _oldest(self) -> tuple[str, Scored]:
        """The first answer. Until it is known, this thread is one of the workers."""
        while not self.begun[0][1].done():
            free = next((i for i, (_, each) in enumerate(self.begun) if each.cancel()), None)
            if free is None:
                break
            source = self.begun[free][0]
            self.begun[free] = source, self._done(source)
        source, future = self.begun.popleft()
        answer = future.result()
        if answer is None:
            answer = self._score(_read(self.read, source, self.limits))
        return source, answer

    def _done(self, source: str) -> Future[Scored | None]:
        from concurrent.futures import Future

        future: Future[Scored | None] = Future()
        try:
            future.set_result(self._work(source))
        except Exception as error:  # its turn comes when those before it are answered
            future.set_exception(error)
        return future

    def _work(self, source: str) -> Scored | None:
        """What became of a source; None where its picture is large and its turn will come."""
        if source == STANDARD_INPUT:  # can be read only once
            return self._score(_read(self.read, source, self.limits))
        image = _read(self.read, source, self.small)
        if isinstance(image, ImageTooLargeError) and self.small != self.limits:
            return None
        return self._score(image)

    def _score(self, image: Radiograph | ImageError) -> Scored:
        if isinstance(image, ImageError):
            return image
        classifier = self.idle.get()
        try:
            findings = classifier.classify(image)
        finally:
            self.idle.put(classifier)
        return image if self.needs_picture else image.without_picture(), findings


def _read(read: Reader, source: str, limits: Limits) -> Radiograph | ImageError:
    try:
        return read(source, limits)
    except ImageError as error:
        error.__context__ = None  # whose frames hold the file
        return error.with_traceback(None)
