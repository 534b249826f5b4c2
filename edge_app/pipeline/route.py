"""The one way from sources to answers: reader, then what scores a picture, in order.

Command line, evaluation, benchmark, Python and whatever comes next go this way and no other.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import TypeVar

from edge_app.classifier import Classifier
from edge_app.core.errors import ImageError
from edge_app.images.radiograph import Limits, Reader
from edge_app.pipeline.reader import attempted
from edge_app.pipeline.scorers import Scorer

Source = TypeVar("Source")
Answer = TypeVar("Answer")


def score_all(
    sources: Iterable[Source],
    classifier: Classifier,
    read: Reader[Source],
    score: Scorer[Source, Answer],
    limits: Limits | None = None,
    workers: int = 1,
    *,
    light: bool = False,
) -> Generator[tuple[Source, Answer | ImageError], None, None]:
    """Each source and what became of it, in the order of the sources.

    Memory does not grow with their number. Close the generator to end early: what is begun is
    then given up.

    Args:
        sources: anything that `read` takes: paths, bytes, arrays, rows of a table.
        classifier: what scores; several workers make others like it, see `Classifier.another`.
        read: makes a radiograph of a source.
        score: makes an answer of a radiograph. What it returns is held until its turn comes, so
            a picture should not be among it unless it is needed.
        limits: what is refused unread; the usual ones if None.
        workers: sources that are worked on at once; 1 starts no thread.
        light: neither a source nor its answer holds a picture, so that more may be in hand.

    Yields:
        A source with its answer, or with the ImageError that says why it cannot be read.

    Raises:
        ModelError: the model fails; all answers before it have been given.
    """
    limits = limits or Limits()
    if workers > 1:
        from edge_app.pipeline.workers import Workers

        yield from Workers(classifier, read, score, limits, workers, light).score_all(sources)
        return
    for source in sources:
        image = attempted(read, source, limits)
        answer = image if isinstance(image, ImageError) else score(classifier, source, image)
        del image  # before the answer is used: it may not need the picture
        yield source, answer
        del answer  # with its picture, before the next one is read


def unbroken(
    answered: Iterable[tuple[Source, Answer | ImageError]],
) -> Iterator[tuple[Source, Answer]]:
    """The same where every source must have an answer.

    Raises:
        ImageError: of the first that has none.
    """
    for source, answer in answered:
        if isinstance(answer, ImageError):
            raise answer
        yield source, answer
