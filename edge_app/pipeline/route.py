"""The only way from sources to answers, in order: a reader, then a scorer.

Command line, evaluation, benchmark and the Python interface all use it.
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
    """Each source with its answer or error, in the order of the sources.

    Memory does not grow with their number. Close the generator to end early and abandon the
    sources that are being worked on.

    Args:
        sources: anything that `read` takes: paths, bytes, arrays, rows of a table.
        classifier: what scores; several workers make others like it, see `Classifier.duplicate`.
        read: source → radiograph.
        score: radiograph → answer. Answers wait for those before them, so they should hold a
            picture only if it is needed.
        limits: larger images are refused; None for the default ones.
        workers: sources that are worked on at once; 1 starts no thread.
        light: whether neither sources nor answers hold a picture, so that more can wait.

    Yields:
        A source with its answer, or with the ImageError that says why it cannot be read.

    Raises:
        ModelError: the model fails; all answers before it have been yielded.
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
    """`score_all`'s pairs for callers that need an answer for every source.

    Raises:
        ImageError: of the first source without one.
    """
    for source, answer in answered:
        if isinstance(answer, ImageError):
            raise answer
        yield source, answer
