"""The list of images: filtered, sorted, a page at a time, however many there are.

A page begins where the one before ended (by the last row's key), so that the hundredth costs what
the first does. Questions go over a connection of their own that only reads: whoever looks keeps no
worker waiting.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from edge_app.clinic.faults import SpoolError
from edge_app.clinic.store import DATABASE, Store
from edge_app.clinic.summary import STATES, WAITING

ROWS: Final = 50
"""Rows of a page."""

COUNTED_FOR: Final = 2.0
"""Seconds for which counts are taken to be what they were; a hundred times as long as counting
takes, where that is more."""

LONGEST_SOUGHT: Final = 64

NEWEST: Final = "newest"
OLDEST: Final = "oldest"
HIGHEST: Final = "highest"
NEXT: Final = "next"
SORTS: Final = (NEWEST, OLDEST, HIGHEST, NEXT)
"""Orders: by number, falling and rising; by score; by when waiting images will be answered."""

COLUMNS: Final = (
    "id, entrance, identity, sha256, received, answered, finished, about, state, score, urgent, "
    "begun, sender, bytes, differs"
)


class Order(NamedTuple):
    """How rows follow each other.

    Attributes:
        keys: columns, each with whether it falls.
        where: what rows must be to have a place in it.
    """

    keys: tuple[tuple[str, bool], ...]
    where: str = ""


ORDERS: Final[Mapping[str, Order]] = {
    NEWEST: Order((("id", True),)),
    OLDEST: Order((("id", False),)),
    HIGHEST: Order((("score", True), ("id", True)), "score IS NOT NULL"),
    NEXT: Order((("urgent", True), ("id", False)), "answered IS NULL"),
}


class Question(NamedTuple):
    """A filter, an order and a page of the list.

    Attributes:
        state: one of `STATES`, or empty for all.
        sought: a part of what images are called; empty for all.
        sort: one of `SORTS`.
        after: the key of the row before the first one; empty for the beginning.
        before: the key of the row after the last one, where somebody goes back.
    """

    state: str = ""
    sought: str = ""
    sort: str = NEWEST
    after: str = ""
    before: str = ""


class Answer(NamedTuple):
    """Rows, and the keys of the pages beside this one; empty where there is none."""

    rows: list[sqlite3.Row]
    back: str
    on: str


def question_of(query: Mapping[str, str]) -> Question:
    """What a query string asks for; what cannot be is left out."""
    state, sort = query.get("state", ""), query.get("sort", NEWEST)
    return Question(
        state if state in STATES else "",
        " ".join(query.get("q", "").split())[:LONGEST_SOUGHT],
        sort if sort in SORTS else NEWEST,
        query.get("after", ""),
        query.get("before", ""),
    )


class Worklist:
    """Answers questions about the images of a store. Threads share it.

    Args:
        store: whose.
    """

    def __init__(self, store: Store) -> None:
        self._path = store.folder / DATABASE
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode=ro",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
        )
        self._connection.row_factory = sqlite3.Row
        self._counts: dict[str, int] = {}
        self._counted_until = 0.0

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()

    def rows(self, question: str, *values: object) -> list[sqlite3.Row]:
        """What the database answers to a SELECT.

        Raises:
            SpoolError: it fails.
        """
        with self._lock:
            try:
                return self._connection.execute(question, values).fetchall()
            except sqlite3.Error as error:
                raise SpoolError(f"{self._path}: its database fails: {error}") from None

    def page(self, question: Question) -> Answer:
        """One page.

        Raises:
            SpoolError: the database fails.
        """
        order = ORDERS[question.sort]
        back = bool(question.before)
        wheres, values = _filters(question, order)
        key = _key(question.before or question.after, order)
        if key is not None:
            wheres.append(_beyond(order, back))
            values += _beyond_values(order, key)
        found = self.rows(
            f"SELECT {COLUMNS} FROM image {_index(question)} "
            f"{'WHERE ' + ' AND '.join(wheres) if wheres else ''} "
            f"ORDER BY {_order_by(order, back)} LIMIT {ROWS + 1}",
            *values,
        )
        more, rows = len(found) > ROWS, found[:ROWS]
        if back:
            rows.reverse()
        if not rows:
            return Answer([], "", "")
        first, last = (_key_of(row, order) for row in (rows[0], rows[-1]))
        has_back = more if back else key is not None
        has_on = more if not back else True
        return Answer(rows, first if has_back else "", last if has_on else "")

    def answers(self, numbers: Sequence[int]) -> dict[int, str]:
        """The answers of these images, as JSON, as far as they have one."""
        marks = ", ".join("?" * len(numbers))
        found = self.rows(
            f"SELECT id, answer FROM image WHERE id IN ({marks}) AND answer IS NOT NULL", *numbers
        )
        return {row["id"]: row["answer"] for row in found}

    def image(self, number: int) -> sqlite3.Row | None:
        """An image's row."""
        if not 0 < number < 1 << 62:
            return None
        found = self.rows("SELECT * FROM image WHERE id = ?", number)
        return found[0] if found else None

    def counts(self) -> dict[str, int]:
        """How many images are in each state; some seconds old at most."""
        began = time.monotonic()
        if began >= self._counted_until:
            found = self.rows("SELECT state, count(*) AS count FROM image GROUP BY state")
            self._counts = {row["state"]: int(row["count"]) for row in found}
            now = time.monotonic()
            self._counted_until = now + max(COUNTED_FOR, 100 * (now - began))
        return self._counts

    def waiting(self) -> int:
        """How many images wait, now."""
        return int(self.rows("SELECT count(*) FROM image WHERE state = ?", WAITING)[0][0])

    def oldest_waiting(self) -> float | None:
        """When the image came that waits longest, in seconds since 1970."""
        found = self.rows("SELECT received FROM image WHERE state = ? ORDER BY id LIMIT 1", WAITING)
        return float(found[0]["received"]) if found else None


def _filters(question: Question, order: Order) -> tuple[list[str], list[Any]]:
    wheres = [order.where] if order.where else []
    values: list[Any] = []
    if question.state:
        wheres.append("state = ?")
        values.append(question.state)
    if question.sought:
        wheres.append(r"(sought LIKE ? ESCAPE '\' OR id = ?)")
        sought = question.sought.casefold()
        is_number = sought.isascii() and sought.isdigit() and len(sought) < 19
        pattern = "".join(f"\\{each}" if each in "%_\\" else each for each in sought)
        values += [f"%{pattern}%", int(sought) if is_number else None]
    return wheres, values


def _index(question: Question) -> str:
    """Names are looked for in an index that holds nothing else: answers are long."""
    by_number = question.sort in (NEWEST, OLDEST)
    if question.sought and by_number:
        return "INDEXED BY image_sought"
    return ""


def _order_by(order: Order, back: bool) -> str:
    return ", ".join(f"{name} {'DESC' if falls != back else 'ASC'}" for name, falls in order.keys)


def _beyond(order: Order, back: bool) -> str:
    """Rows after a key, or before it: of (a, b) those with a beyond, or the same a and b beyond."""
    (first, falls), *rest = order.keys
    sign = "<" if falls != back else ">"
    if not rest:
        return f"{first} {sign} ?"
    second, falls_too = rest[0]
    inner = "<" if falls_too != back else ">"
    return f"{first} {sign}= ? AND ({first} {sign} ? OR {second} {inner} ?)"


def _beyond_values(order: Order, key: list[float]) -> list[float]:
    return key if len(order.keys) == 1 else [key[0], key[0], key[1]]


def _key_of(row: sqlite3.Row, order: Order) -> str:
    return "_".join(repr(row[name]) for name, _ in order.keys)


def _key(text: str, order: Order) -> list[float] | None:
    """The numbers of a key that a link had; None where they are none."""
    parts = text.split("_")
    if not text or len(parts) != len(order.keys) or len(text) > 64:
        return None
    try:
        read = [float(part) if "." in part or "e" in part else int(part) for part in parts]
    except ValueError:
        return None
    return read if all(abs(each) < 1 << 62 for each in read) else None
