"""Sources → answers in an archive's folder, each once, whenever the work was broken off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_app.archive.listing import Listing
from edge_app.archive.store import Store
from edge_app.classifier import Classifier
from edge_app.core.plain_text import printable
from edge_app.images.radiograph import Limits
from edge_app.pipeline.interrupts import interruptible
from edge_app.pipeline.json_answer import origin

if TYPE_CHECKING:
    from edge_app.archive.answers import Answering

Watcher = Callable[[int], None]
"""Is told how many sources are answered, after each."""


def archive(
    listing: Listing,
    answering: Answering,
    out: Path,
    subject: dict[str, Any],
    watch: Watcher = lambda count: None,
) -> None:
    """Answer every source that is not answered yet.

    Args:
        listing: the sources.
        answering: who answers: `answers` or `cluster.answers`; it changes no answer.
        out: the archive's folder; see `Store`.
        subject: see `subject_of`.
        watch: is told of the progress.

    Raises:
        DatasetError: a folder that was named is gone; what was answered is kept.
        OutputError: the folder cannot be written; what was answered is kept.
        KeyboardInterrupt: after Ctrl-C, between two answers; what was answered is kept.
    """
    with Store(out, subject) as store, interruptible() as stopped:
        watch(store.answered)
        with closing(answering(_new(listing, store, stopped))) as rows:
            for _, row in rows:
                if "error" in row:
                    listing.require_there()
                store.add(row)
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
