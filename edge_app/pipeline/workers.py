"""Scoring several sources at once, with their answers in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from queue import SimpleQueue
from typing import Final, Generic, TypeVar

from edge_app.classifier import Classifier
from edge_app.core.console import complain
from edge_app.core.errors import ImageError, ImageTooLargeError, MachineError
from edge_app.core.resources import memory
from edge_app.core.shortage import NO_PROCESSES, shortage_of
from edge_app.images.radiograph import Limits, Radiograph, Reader
from edge_app.pipeline.reader import attempted, is_stream
from edge_app.pipeline.scorers import Scorer

Source = TypeVar("Source")
Answer = TypeVar("Answer")

AHEAD: Final = 2
"""How many sources each worker may begin before the oldest is answered; keeps memory flat."""

AHEAD_OF_LIGHT: Final = 8
"""The same if none of them holds a picture. The calling thread also writes the answers, and may
wait for a disk or a processor; meanwhile the others need work."""

DECODED: Final = 8
"""The most bytes that a pixel of 16-bit gray takes while it is decoded; colour takes twice that."""


class Workers(Generic[Source, Answer]):
    """Worker threads, including the calling one; decoders and interpreters release Python's lock.

    See `route.score_all` for the arguments.

    Attributes:
        ahead: how many sources may be begun before the oldest is answered.
        small: limits for all threads, so that all gray pictures together take half of the memory;
            the calling thread works on larger ones, one at a time.
        alone: whether the calling thread is the only one, because no other can be started.
    """

    def __init__(
        self,
        classifier: Classifier,
        read: Reader[Source],
        score: Scorer[Source, Answer],
        limits: Limits,
        workers: int,
        light: bool = False,
    ) -> None:
        self.classifier, self.read, self.score = classifier, read, score
        self.limits, self.workers = limits, workers
        self.ahead = workers * (AHEAD_OF_LIGHT if light else AHEAD)
        share = memory() // 4 // workers
        self.small = Limits(min(share, limits.max_bytes), min(share // DECODED, limits.max_pixels))
        self.alone = False
        self.idle: SimpleQueue[Classifier] = SimpleQueue()
        self.begun: deque[tuple[Source, Future[Answer | ImageError | None]]] = deque()

    def score_all(
        self, sources: Iterable[Source]
    ) -> Generator[tuple[Source, Answer | ImageError], None, None]:
        """Each source and its answer, in order."""
        todo = iter(sources)
        first = list(islice(todo, self.workers))
        self.idle.put(self.classifier)
        # A device serves one session, but images are still decoded by several threads.
        for _ in first[1:] if not self.classifier.exclusive else ():
            self.idle.put(self.classifier.duplicate())
        pool = ThreadPoolExecutor(self.workers - 1)
        try:
            for source in chain(first, todo):
                if is_stream(source):
                    while self.begun:  # first print the answers before it: input may be typed
                        yield self._oldest()
                    # Only the calling thread can be interrupted while it waits.
                    self.begun.append((source, self._done(source)))
                else:
                    self.begun.append((source, self._submitted(source, pool)))
                if len(self.begun) > self.ahead:
                    yield self._oldest()
            while self.begun:
                yield self._oldest()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _submitted(
        self, source: Source, pool: ThreadPoolExecutor
    ) -> Future[Answer | ImageError | None]:
        """The work on a source, done by another thread if one can be started."""
        if not self.alone:
            try:
                return pool.submit(self._work, source)
            except RuntimeError as error:
                if not shortage_of(error):
                    raise
                self.alone = True
                complain(f"images are worked on one after the other: {NO_PROCESSES}")
        return self._done(source)

    def _oldest(self) -> tuple[Source, Answer | ImageError]:
        """The oldest source and its answer; until it is done, this thread works on others."""
        while not self.begun[0][1].done():
            free = next((i for i, (_, each) in enumerate(self.begun) if each.cancel()), None)
            if free is None:
                break
            source = self.begun[free][0]
            self.begun[free] = source, self._done(source)
        source, future = self.begun.popleft()
        answer = future.result()
        if answer is None:
            answer = self._scored(source, attempted(self.read, source, self.limits))
        return source, answer

    def _done(self, source: Source) -> Future[Answer | ImageError | None]:
        """The work on a source, done by this thread."""
        future: Future[Answer | ImageError | None] = Future()
        try:
            future.set_result(self._work(source))
        except Exception as error:  # raised when the sources before it are answered
            future.set_exception(error)
        return future

    def _work(self, source: Source) -> Answer | ImageError | None:
        """A source's answer or error; None if it needs so much memory that it must run alone."""
        if is_stream(source):
            return self._scored(source, attempted(self.read, source, self.limits))
        image = attempted(self.read, source, self.small)
        if isinstance(image, ImageTooLargeError) and self.small != self.limits:
            return None
        if isinstance(image, MachineError):  # there may be enough when it runs alone
            return None
        return self._scored(source, image)

    def _scored(self, source: Source, image: Radiograph | ImageError) -> Answer | ImageError:
        if isinstance(image, ImageError):
            return image
        classifier = self.idle.get()
        try:
            return self.score(classifier, source, image)
        finally:
            self.idle.put(classifier)
