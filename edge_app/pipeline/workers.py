"""Several sources worked on at once, their answers in order."""

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
from edge_app.core.want import NO_PROCESSES, want_of
from edge_app.images.radiograph import Limits, Radiograph, Reader
from edge_app.pipeline.reader import attempted, is_stream
from edge_app.pipeline.scorers import Scorer

Source = TypeVar("Source")
Answer = TypeVar("Answer")

AHEAD: Final = 2
"""Sources begun per worker before the first of them is answered: memory stays flat."""

AHEAD_OF_LIGHT: Final = 8
"""The same where none of them holds a picture. The asking thread also writes answers down, and may
wait for a disk or a processor meanwhile: the others shall have work until it is back."""

DECODED: Final = 8
"""Bytes that a pixel of 16-bit gray takes at most while it is decoded; colour takes twice that."""


class Workers(Generic[Source, Answer]):
    """Threads, of which the asking one is one. Decoders and interpreters run without Python's lock.

    See `route.score_all` for the arguments.

    Attributes:
        ahead: sources begun before the first of them is answered.
        small: limits of what any thread may work on, so that all gray pictures together take half
            of the memory; what is larger is left to the asking thread, one at a time.
        alone: whether the asking thread is the only one, because no other can be started.
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
        # A device serves one; images are decoded beside it all the same.
        for _ in first[1:] if not self.classifier.exclusive else ():
            self.idle.put(self.classifier.duplicate())
        pool = ThreadPoolExecutor(self.workers - 1)
        try:
            for source in chain(first, todo):
                if is_stream(source):
                    while self.begun:  # whoever types sees first what is known
                        yield self._oldest()
                    # Only the asking thread can be interrupted while it waits.
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
        """The work on a source, to be done by another thread if there can be one."""
        if not self.alone:
            try:
                return pool.submit(self._work, source)
            except RuntimeError as error:
                if not want_of(error):
                    raise
                self.alone = True
                complain(f"images are worked on one after the other: {NO_PROCESSES}")
        return self._done(source)

    def _oldest(self) -> tuple[Source, Answer | ImageError]:
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
            answer = self._scored(source, attempted(self.read, source, self.limits))
        return source, answer

    def _done(self, source: Source) -> Future[Answer | ImageError | None]:
        """The work on a source, done by this thread."""
        future: Future[Answer | ImageError | None] = Future()
        try:
            future.set_result(self._work(source))
        except Exception as error:  # its turn comes when those before it are answered
            future.set_exception(error)
        return future

    def _work(self, source: Source) -> Answer | ImageError | None:
        """What became of a source; None where it needs much, and has its turn alone."""
        if is_stream(source):
            return self._scored(source, attempted(self.read, source, self.limits))
        image = attempted(self.read, source, self.small)
        if isinstance(image, ImageTooLargeError) and self.small != self.limits:
            return None
        if isinstance(image, MachineError):  # there may be enough when its turn comes
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
