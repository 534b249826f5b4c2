"""What of the answers is still to be brought to whom, and what was in the way."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from edge_app.clinic.store import Store

AT_ONCE: Final = 8
"""Documents that are asked for together."""

BYTES_AT_ONCE: Final = 8 << 20
"""Bytes of documents that are asked for together, but always one document."""


class Delivery(NamedTuple):
    """A document for a receiver.

    Attributes:
        identity, sha256: of the image that it is about.
        tries: how often it was tried before.
        content: the document.
    """

    id: int
    image: int
    receiver: str
    identity: str
    sha256: str
    tries: int
    content: bytes


class Standing(NamedTuple):
    """How a receiver stands.

    Attributes:
        waiting: documents that it still has to get.
        oldest: seconds since 1970 when the oldest of them was made; None where there is none.
        trouble: why the last try of the first of them failed; None where nothing did.
    """

    waiting: int
    oldest: float | None
    trouble: str | None


class Deliveries:
    """The deliveries of a store. One is done when its receiver has said so, and not before."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def due(self, receiver: str, without: Collection[int] = ()) -> list[Delivery]:
        """The oldest ones for a receiver that are not among those to be left out."""
        waiting = self.store.rows(
            "SELECT id FROM delivery WHERE receiver = ? AND delivered IS NULL AND EXISTS ("
            "SELECT 1 FROM document WHERE document.image = delivery.image "
            "AND name = delivery.document) ORDER BY id LIMIT ?",
            *(receiver, len(without) + AT_ONCE),
        )
        selected = [row["id"] for row in waiting if row["id"] not in without][:AT_ONCE]
        selected = self._no_more_than_fit(selected)
        rows = self.store.rows(
            "SELECT delivery.*, identity, sha256, content FROM delivery "
            "JOIN image ON image.id = delivery.image "
            "JOIN document ON document.image = delivery.image AND name = document "
            f"WHERE delivery.id IN ({', '.join('?' * len(selected))}) ORDER BY delivery.id",
            *selected,
        )
        return [
            Delivery(
                *(row["id"], row["image"], receiver, row["identity"], row["sha256"]),
                *(row["tries"], row["content"]),
            )
            for row in rows
        ]

    def _no_more_than_fit(self, deliveries: Sequence[int]) -> list[int]:
        """The first of those that have a document: one, and what else is in memory with it."""
        rows = self.store.rows(
            "SELECT delivery.id, length(content) AS bytes FROM delivery "
            "JOIN document ON document.image = delivery.image AND name = document "
            f"WHERE delivery.id IN ({', '.join('?' * len(deliveries))}) ORDER BY delivery.id",
            *deliveries,
        )
        sums = accumulate(row["bytes"] for row in rows)
        fit = sum(each <= BYTES_AT_ONCE for each in sums)
        return [row["id"] for row in rows[: max(1, fit)]]

    def delivered(self, delivery: Delivery) -> None:
        """It has arrived. With the last one of its image, that image is finished.

        A power cut may undo it, until the next `Store.sync`: then it is brought once more.
        """
        with self.store.transaction(synced=False) as database:
            database.execute(
                "UPDATE delivery SET delivered = ?, trouble = NULL, tries = tries + 1 WHERE id = ?",
                (time.time(), delivery.id),
            )
            self._finish(database, delivery.image)

    def failed(self, delivery: Delivery, trouble: str) -> None:
        """It has not; it stays to be tried again."""
        with self.store.transaction(synced=False) as database:
            database.execute(
                "UPDATE delivery SET tries = tries + 1, trouble = ? WHERE id = ?",
                (trouble, delivery.id),
            )

    def again(self, image: int, receiver: str) -> bool:
        """Deliver what was made of an image to a receiver once more.

        Returns:
            Whether the image is here. One that is finished, and of which nothing is left for this
            receiver, is removed: accepted once more, it is answered anew.
        """
        with self.store.transaction() as database:
            done = database.execute(
                "UPDATE delivery SET delivered = NULL WHERE image = ? AND receiver = ? "
                "AND delivered IS NOT NULL",
                (image, receiver),
            )
            if done.rowcount:
                database.execute("UPDATE image SET finished = NULL WHERE id = ?", (image,))
            else:
                database.execute(
                    "DELETE FROM image WHERE id = ? AND finished IS NOT NULL AND NOT EXISTS "
                    "(SELECT 1 FROM delivery WHERE image = ? AND receiver = ?)",
                    (image, image, receiver),
                )
            found = database.execute("SELECT 1 FROM image WHERE id = ?", (image,)).fetchone()
            self.store.changed.notify_all()
        return found is not None

    def drop(self, receiver: str, ending: str) -> int:
        """Bring a receiver none of the documents that wait for it whose names end so; how many."""
        with self.store.transaction() as database:
            waiting = database.execute(
                "SELECT id, image FROM delivery WHERE receiver = ? AND delivered IS NULL "
                "AND substr(document, -length(?)) = ?",
                (receiver, ending, ending),
            ).fetchall()
            for row in waiting:
                database.execute("DELETE FROM delivery WHERE id = ?", (row["id"],))
                self._finish(database, row["image"])
        return len(waiting)

    def _finish(self, database: sqlite3.Connection, image: int) -> None:
        """Have an image be finished if all that is left of it has arrived."""
        database.execute(
            "UPDATE image SET finished = ? WHERE id = ? AND NOT EXISTS "
            "(SELECT 1 FROM delivery WHERE image = ? AND delivered IS NULL)",
            (time.time(), image, image),
        )

    def standing(self, receiver: str) -> Standing:
        """How many documents a receiver has still to get, and why it has not."""
        row = self.store.rows(
            "SELECT count(*) AS waiting, min(answered) AS oldest FROM delivery "
            "JOIN image ON image.id = image WHERE receiver = ? AND delivered IS NULL",
            receiver,
        )[0]
        troubles = self.store.rows(
            "SELECT trouble FROM delivery WHERE receiver = ? AND delivered IS NULL "
            "ORDER BY id LIMIT 1",
            receiver,
        )
        trouble = troubles[0]["trouble"] if troubles else None
        return Standing(int(row["waiting"]), row["oldest"], trouble)

    def count(self, image: int) -> int:
        """How many there are of an image, done or not."""
        return int(self.store.value("SELECT count(*) FROM delivery WHERE image = ?", image))

    def receivers(self) -> set[str]:
        """All that something still has to be brought to, those no longer in the settings too."""
        rows = self.store.rows("SELECT DISTINCT receiver FROM delivery WHERE delivered IS NULL")
        return {row["receiver"] for row in rows}
