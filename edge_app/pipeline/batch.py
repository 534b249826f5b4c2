"""Scoring many radiographs for a writer: answers, and errors of single images, in order."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing

from edge_app.classifier import Classifier
from edge_app.core.console import complain
from edge_app.core.errors import ImageError, MachineError
from edge_app.core.plain_text import printable
from edge_app.images.radiograph import Limits, Reader
from edge_app.pipeline.interrupts import interruptible
from edge_app.pipeline.reader import read_source
from edge_app.pipeline.route import score_all
from edge_app.pipeline.scorers import Classified, classified, classified_only
from edge_app.pipeline.tally import Tally
from edge_app.pipeline.writers import Writer


def classify_all(
    sources: Iterable[str],
    classifier: Classifier,
    writer: Writer,
    limits: Limits,
    workers: int = 1,
    read: Reader[str] = read_source,
) -> Tally:
    """Write each source's answer, in order; errors of single images do not end the batch.

    Ctrl-C ends the batch after the current answer; a second Ctrl-C ends it at once.
    """
    tally = Tally()
    score = classified if writer.needs_picture else classified_only
    light = not writer.needs_picture
    try:
        with (
            interruptible() as interrupted,
            closing(
                score_all(sources, classifier, read, score, limits, workers, light=light)
            ) as answered,
        ):
            for source, answer in answered:
                _write(source, answer, writer, tally)
                del answer  # with its picture, before the next one is read
                if interrupted():
                    raise KeyboardInterrupt
    except KeyboardInterrupt:
        tally.interrupted = True
    return tally


def _write(source: str, answer: Classified | ImageError, writer: Writer, tally: Tally) -> None:
    name = printable(source)
    if isinstance(answer, ImageError):
        tally.refused += 1
        tally.shortages += isinstance(answer, MachineError)
        complain(f"{name}: {answer}")
        writer.refusal(name, answer)
        return
    image, findings = answer
    tally.answered += 1
    if findings.withheld:
        tally.withheld += 1
        complain(
            f"{name}: {findings.withheld}; not scored (with --force: scores that mean nothing)"
        )
    elif findings.blank:
        tally.blank += 1
        complain(f"{name}: {findings.warnings[-1]}")
    writer.answer(name, image, findings)
