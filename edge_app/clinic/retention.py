"""What of the spool goes away, and when: files and rows together, unfinished ones never alone.

The documents are in the database, whose file does not shrink by itself: pages that are free are
given back to the disk, but for some that the next documents will need.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import Final

from edge_app.clinic.durable import sync_folder
from edge_app.clinic.store import Store

AT_ONCE: Final = 500
"""Images removed in one step at most: others get their turn between two."""

BYTES_AT_ONCE: Final = 4 << 20
"""Bytes of documents removed in one step of two images or more: each of their pages is written to
the database's log, for which a full disk has little room."""

SPARE: Final = 16 << 20
"""Bytes of free pages that the database keeps for what comes next."""

PAGES_AT_ONCE: Final = 512
"""Free pages given back in one step."""

INCREMENTAL: Final = 2
"""The value of `PRAGMA auto_vacuum` where free pages can be given back."""

GOING: Final = "going"
"""The fact that names the files whose rows were removed last: they go, too."""

SET_BY: Final = 60.0
"""Seconds by which a clock has been set, and not only corrected."""


class Clock:
    """Follows the system's clock where it is set, as on boards that begin without the time.

    What is finished is kept for a while from then on: by a clock that was days behind it would be
    removed as soon as that is set, and by one that was ahead it would be kept for as long.

    Args:
        store: whose images.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._began = time.time()
        self._followed = time.monotonic()
        self._ahead = self._began - self._followed

    def follow(self) -> None:
        """Move the times of all that is finished to the clock as it is now.

        Raises:
            SpoolError: the database fails.
        """
        now, since = time.time(), time.monotonic()
        ahead = now - since
        later = ahead - self._ahead
        # What was finished since the last call may be so by the clock as it is now.
        latest = now - (since - self._followed)
        with self.store.transaction(synced=False) as database:
            if abs(later) > SET_BY:
                database.execute(
                    "UPDATE image SET finished = finished + ? "
                    "WHERE finished >= ? AND finished NOT BETWEEN ? AND ?",
                    (later, self._began, latest, now),
                )
            database.execute("UPDATE image SET finished = ? WHERE finished > ?", (now, now))
        self._followed = since
        if abs(later) > SET_BY:
            self._began, self._ahead = self._began + later, ahead


def remove_finished(store: Store, before: float) -> int:
    """Remove images that were answered and delivered before a time, and all that was made of them.

    Args:
        before: in seconds since 1970.

    Returns:
        How many there were.
    """
    return _remove(store, "finished < ?", before)


def give_back(store: Store) -> None:
    """Shrink the database's file by the free pages that it need not keep."""
    if store.value("PRAGMA auto_vacuum") != INCREMENTAL:
        return
    kept = SPARE // store.value("PRAGMA page_size")
    shrunk = False
    while (many := store.value("PRAGMA freelist_count") - kept) > 0:
        with store.transaction() as database:
            for _ in range(min(many, PAGES_AT_ONCE)):  # Python's sqlite3 does no more than one
                database.execute("PRAGMA incremental_vacuum(1)")
        shrunk = True
    if shrunk:  # the file itself does when the log is copied
        store.rows("PRAGMA wal_checkpoint(PASSIVE)")


def purge(store: Store, *, unfinished: bool = False) -> int:
    """Remove all that is finished; with `unfinished` all that there is, readings too.

    Returns:
        How many images there were.
    """
    removed = _remove(store, "finished IS NOT NULL OR ?", unfinished)
    if unfinished:
        with store.transaction() as database:
            database.execute("DELETE FROM reading")
        for path in store.images.iterdir():  # what no row names, too
            if not path.is_dir():
                path.unlink(missing_ok=True)
    # What the log of the database still holds of them goes too.
    store.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    store.rows("VACUUM")
    store.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    return removed


def _remove(store: Store, which: str, value: object) -> int:
    removed = 0
    while True:
        remove_going(store)
        # One step: what somebody wants again meanwhile is no longer finished. The rows first: a
        # kill in between leaves files that are known to go, and no row without.
        with store.transaction() as database:
            images = _step(database, which, value)
            if not images:
                return removed
            marks = ", ".join("?" * len(images))
            numbers = [row["id"] for row in images]
            database.execute(f"DELETE FROM image WHERE id IN ({marks})", numbers)
            files = " ".join(row["file"] for row in images)
            database.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (GOING, files))
        removed += len(images)


def going(store: Store) -> set[str]:
    """Names of files of images whose rows were removed last."""
    rows = store.rows("SELECT value FROM fact WHERE name = ?", GOING)
    return {*rows[0]["value"].split()} if rows else set()


def remove_going(store: Store) -> None:
    """Remove the files of images whose rows are gone.

    Raises:
        OSError: the disk does not do it.
    """
    names = going(store)
    if not names:
        return
    for name in names:
        (store.images / name).unlink(missing_ok=True)
    sync_folder(store.images)  # or they would be taken for others after a power cut
    with store.transaction(synced=False) as database:
        database.execute("DELETE FROM fact WHERE name = ?", (GOING,))


def _step(database: sqlite3.Connection, which: str, value: object) -> list[sqlite3.Row]:
    """Some of the images, no more than are removed in one step."""
    question = (
        "SELECT id, file, (SELECT coalesce(sum(length(content)), 0) FROM document "
        f"WHERE image = image.id) AS bytes FROM image WHERE {which} LIMIT {AT_ONCE}"
    )
    images: list[sqlite3.Row] = []
    room = BYTES_AT_ONCE
    with closing(database.execute(question, (value,))) as rows:
        for row in rows:
            room -= row["bytes"]
            if images and room < 0:
                break
            images.append(row)
    return images
