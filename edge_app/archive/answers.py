"""Sources → the rows of an archive: the one way, on this machine and on a cluster's."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from edge_app.archive.remote import read_any
from edge_app.classifier import Classifier
from edge_app.core.errors import ImageError
from edge_app.core.plain_text import printable
from edge_app.images.radiograph import Limits
from edge_app.pipeline.json_answer import answered, origin, refused
from edge_app.pipeline.route import score_all
from edge_app.pipeline.scorers import classified_only

if TYPE_CHECKING:
    Row: TypeAlias = dict[str, Any]
    """What `classify --json` prints of a source; with `error`, a refusal."""
    Rows: TypeAlias = Generator[tuple[str, Row], None, None]
    """Sources with their rows."""
    Answering: TypeAlias = Callable[[Iterable[str]], Rows]
    """Answers sources, each once; memory does not grow with their number."""


def answers(
    sources: Iterable[str], classifier: Classifier, limits: Limits, workers: int = 1
) -> Rows:
    """Each source and its row, in the order of the sources; see `score_all`.

    Raises:
        DatasetError: the place of a source cannot be reached.
        ModelError: the model fails.
    """
    by = origin(classifier)
    read = partial(read_any, min_side=classifier.model.input_spec.min_side)
    scored = score_all(sources, classifier, read, classified_only, limits, workers)
    with closing(scored):
        for source, answer in scored:
            name = printable(source)
            if isinstance(answer, ImageError):
                yield source, cast("Row", refused(name, answer, by))
            else:
                yield source, cast("Row", answered(name, *answer, by))
