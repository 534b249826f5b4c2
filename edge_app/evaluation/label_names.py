"""The names that people write for labels → those labels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_app.core.errors import DatasetError
from edge_app.core.plain_text import plain
from edge_app.model.labels import NORMAL, Label, Labels

NONE: Final = "none"
"""Stands in a CSV for no label at all: with an empty cell an image counts as unlabelled."""

NORMAL_NAMES: Final = frozenset(("nofinding", "nofindings", "normal", "healthy"))
"""Names of an image without findings, as `plain_name` leaves them."""

ANSWERS: Final = frozenset(("yes", "no", "true", "false", "y", "n", "positive", "negative"))
"""Words that say whether a label applies, and so are no label's name, in lower case."""

NUMBER: Final = re.compile(r"[+-]?\d+(\.\d*)?")
NAMED: Final = 12
"""How many labels a message names."""


def plain_name(name: str) -> str:
    """A name or heading without what people, or their programs, change in it: case, spaces,
    underscores, hyphens, quotes, byte order marks.
    """
    return re.sub(r"[\s_\-\ufeff\"']", "", name).casefold()


def is_number(name: str) -> bool:
    return NUMBER.fullmatch(name.strip()) is not None


def listed(names: Sequence[str]) -> str:
    """Names, of whatever letters, in one line; of many, the first ones."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(map(plain, names[:NAMED])) + more


def channel_of(name: str, labels: Labels) -> int | None:
    """The label that a name stands for; None where it is none of them.

    Case, spaces, underscores and hyphens do not count, and the normal label goes by any of
    `NORMAL_NAMES` that is no other label's.
    """
    if name in labels.names:
        return labels.names.index(name)
    plain = plain_name(name)
    alike = [i for i, label in enumerate(labels) if plain_name(label.name) == plain]
    if len(alike) == 1:
        return alike[0]
    return labels.normal if not alike and plain in NORMAL_NAMES else None


def require_words(names: Sequence[str], where: str, how: str) -> None:
    """Refuse what stands where labels are named, and names none.

    Args:
        names: as the images' labels are written.
        where: begins the message.
        how: what to do instead, where nothing says what a number stands for.

    Raises:
        DatasetError: there is none, or one is a number, an answer or nothing.
    """
    if not names:
        raise DatasetError(f"{where}: no image bears a label: write their names, or {how}")
    if "" in names:
        raise DatasetError(f"{where}: a label without a name: take out the '|' beside nothing")
    numbers = sorted(name for name in names if is_number(name))
    if numbers:
        raise DatasetError(
            f"{where}: its labels are numbers, such as {', '.join(numbers[:3])}, and nothing says "
            f"what they stand for: {how}"
        )
    answers = [name for name in names if name.lower() in ANSWERS]
    if answers:
        raise DatasetError(
            f"{where}: {answers[0]!r} is an answer and no label's name: write the label's name "
            f"where it applies and {NONE!r} where not, or a column of 0 and 1 under its name"
        )


def with_normal(labels: Sequence[Label], where: str, how: str) -> list[Label]:
    """The labels, one of them normal if it goes by one of `NORMAL_NAMES`.

    Raises:
        DatasetError: two do; the message begins with `where` and ends with `how` to choose.
    """
    named = [label.name for label in labels if plain_name(label.name) in NORMAL_NAMES]
    if len(named) > 1:
        raise DatasetError(
            f"{where}: {' and '.join(named)} both sound like images without findings: {how}"
        )
    return [label._replace(kind=NORMAL) if label.name in named else label for label in labels]


def encode(
    present: Sequence[str],
    labels: Labels,
    where: str,
    *,
    numbered: bool = False,
    exclusive: bool = False,
) -> NDArray[np.uint8]:
    """The labels that an image bears → 0 or 1 for each label.

    Args:
        present: their names; nothing, or `NONE` alone, for no label at all.
        labels: all that there are.
        where: begins the message of an error.
        numbered: a number that is no label's name is a place in the list, from 0.
        exclusive: just one label applies to an image, so `NONE` is the normal label, if there is
            one. Of independent labels it is not: the image may bear a finding that none of them is.

    Raises:
        DatasetError: one is no label, or one says that there is no finding beside others.
    """
    row = np.zeros(len(labels), np.uint8)
    if [*map(plain_name, present)] == [NONE] and channel_of(NONE, labels) is None:
        if exclusive and labels.normal is not None:
            row[labels.normal] = 1
        return row
    for name in present:
        channel = channel_of(name, labels)
        if channel is None and plain_name(name) == NONE:
            raise DatasetError(f"{where}: bears {NONE!r} and a label at once: take one of them out")
        if channel is None and numbered and name.isascii() and name.isdigit():
            channel = int(name) if int(name) < len(labels) else None
        if channel is None:
            raise DatasetError(f"{where}: {_strange(name, labels, numbered)}")
        row[channel] = 1
    if labels.normal is not None and row[labels.normal] and row.sum() > 1:
        normal = labels[labels.normal].name
        raise DatasetError(
            f"{where}: bears {normal!r} and a finding at once: take one of the two out"
        )
    return row


def denied(targets: Iterable[NDArray[np.uint8]], labels: Labels) -> list[str]:
    """A line where images bear no label at all, though one is normal; see `Labels.not_normal`.

    Args:
        targets: of each image, 0 or 1 for each label.
        labels: all that there are.
    """
    count = sum(not row.any() for row in targets)
    if labels.normal is None or not count:
        return []
    return [
        f"{count} images bear no label, not even {labels[labels.normal].name!r}: they count as not "
        "normal, with none of the findings"
    ]


LEAVE_OUT: Final = "leave them out of the table"


def require_just_one(
    counts: Sequence[int], images: Sequence[str], otherwise: str = LEAVE_OUT, first: str = ""
) -> None:
    """Refuse images that bear none, or several, of labels of which just one applies.

    Args:
        counts: of each image, how many labels.
        images: their names.
        otherwise: what to do where their lines are right.
        first: what else to do, where nothing says which label is normal; nothing where it is said.

    Raises:
        DatasetError: counts such images and names the first.
    """
    wrong = [i for i, count in enumerate(counts) if count != 1]
    if not wrong:
        return
    count = counts[wrong[0]]
    cure = f"correct their lines, or {otherwise}"
    if first and not count:
        cure = f"{first}, {cure}"
    raise DatasetError(
        f"{len(wrong)} of {len(images)} images do not bear just one label, first "
        f"{images[wrong[0]]}, which bears {count or NONE}: {cure}"
    )


def _strange(name: str, labels: Labels, numbered: bool) -> str:
    what = f"{name[:80]!r} is not one of the labels {listed(labels.names)}"
    if numbered and is_number(name):
        return f"{what}, nor a place in their list, 0 to {len(labels) - 1}"
    if is_number(name):
        return f"{what}: write names, since a number could be a place in anybody's list"
    return f"{what}: correct the name, or write {NONE!r} where an image bears none of them"
