"""Sources → answers in an archive's folder, each once, whenever the work was broken off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from edge_app.archive.listing import Listing
from edge_app.archive.remote import read_any
from edge_app.archive.store import Store
from edge_app.classifier import Classifier
from edge_app.core.errors import ImageError
from edge_app.core.plain_text import printable
from edge_app.images.radiograph import Limits
from edge_app.pipeline.interrupts import interruptible
from edge_app.pipeline.json_answer import answered, origin, refused
from edge_app.pipeline.route import score_all
from edge_app.pipeline.scorers import classified_only

Watcher = Callable[[int], None]
"""Is told how many sources are answered, after each."""


def archive(
    listing: Listing,
    classifier: Classifier,
    out: Path,
    limits: Limits,
    workers: int = 1,
    watch: Watcher = lambda count: None,
) -> None:
    """Answer every source that is not answered yet.

    Args:
        listing: the sources.
        classifier: who answers.
        out: the archive's folder; see `Store`.
        limits: what images are refused unread.
        workers: images worked on at once; their number changes no answer.
        watch: is told of the progress.

    Raises:
        DatasetError: a folder that was named is gone; what was answered is kept.
        OutputError: the folder cannot be written; what was answered is kept.
        KeyboardInterrupt: after Ctrl-C, between two answers; what was answered is kept.
    """
    by = origin(classifier)
    read = partial(read_any, least=classifier.model.input_spec.least)
    with Store(out, subject_of(classifier, limits, listing)) as store, interruptible() as stopped:
        watch(store.answered)
        todo = _new(listing, store, stopped)
        with closing(score_all(todo, classifier, read, classified_only, limits, workers)) as scored:
            for source, answer in scored:
                name = printable(source)
                if isinstance(answer, ImageError):
                    listing.require_there()
                    store.add(refused(name, answer, by))
                else:
                    store.add(answered(name, *answer, by))
                watch(store.answered)
        store.finish()


def subject_of(classifier: Classifier, limits: Limits, listing: Listing) -> dict[str, Any]:
    """What an archive is about: all that decides an answer, and which part of the sources it is."""
    by = origin(classifier)
    return {
        **{key: by[key] for key in ("model", "site", "operating_point", "label_operating_point")},  # type: ignore[literal-required]
        "force": classifier.force,
        "limits": limits._asdict(),
        "shard": "/".join(map(str, listing.shard)),
    }


def _new(listing: Listing, store: Store, stopped: Callable[[], bool]) -> Iterator[str]:
    for name in listing:
        if stopped():
            raise KeyboardInterrupt
        if store.is_new(printable(name)):
            yield name
