"""SOP Instance UIDs of images of the watch folder that an older box took without looking for one.

Without a UID such an image is compared with no other, and another image of the same UID with other
bytes would go unnoticed.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Final

from edge_app.clinic.header import sop_instance
from edge_app.clinic.settings import WATCH
from edge_app.clinic.spool import content_of
from edge_app.clinic.store import Store

HEAD: Final = 1 << 20
"""Bytes of a file in which its UID is looked for."""

AT_ONCE: Final = 50


def look_up(store: Store, seconds: float) -> bool:
    """Read UIDs from the files, the latest first, for a limited time; the next call goes on.

    Returns:
        Whether nothing is left.
    """
    end = time.monotonic() + seconds
    while True:
        rows = store.rows(
            # By the index: in the table answers and maps lie before that column.
            "SELECT id, entrance, sha256, file FROM image WHERE entrance = ? AND id NOT IN "
            "(SELECT id FROM image WHERE instance IS NOT NULL) ORDER BY id DESC LIMIT ?",
            *(WATCH, AT_ONCE),
        )
        for row in rows:
            if time.monotonic() >= end:
                return False
            _enter(store, row)
        if not rows:
            return True


def _enter(store: Store, row: sqlite3.Row) -> None:
    """Keep an image's UID, empty where it has none, and mark images of the same UID that differ."""
    uid = _instance_in(store, row) or ""
    differing: dict[int, bool] = {}
    while True:
        # Others need the database meanwhile: files are read without its lock.
        for each in _others(store, row, uid):
            if each["id"] not in differing:
                differing[each["id"]] = _differs(store, row, each)
        with store.transaction(synced=False) as database:
            others = [each["id"] for each in _others(store, row, uid)]
            if not differing.keys() >= {*others}:  # another one of this UID has just come
                continue
            database.execute("UPDATE image SET instance = ? WHERE id = ?", (uid, row["id"]))
            if any(differing[each] for each in others):
                numbers = [row["id"], *(each for each in others if differing[each])]
                marks = ", ".join("?" * len(numbers))
                database.execute(
                    f"UPDATE image SET differs = 1 WHERE id IN ({marks}) AND answered IS NULL",
                    numbers,
                )
        return


def _instance_in(store: Store, row: sqlite3.Row) -> str | None:
    try:
        with (store.images / row["file"]).open("rb") as file:
            return sop_instance(file.read(HEAD))
    except OSError:
        return None


def _others(store: Store, row: sqlite3.Row, uid: str) -> list[sqlite3.Row]:
    return store.rows(
        "SELECT id, entrance, sha256, file FROM image WHERE instance = ? AND instance <> '' "
        "AND id <> ?",
        *(uid, row["id"]),
    )


def _differs(store: Store, one: sqlite3.Row, other: sqlite3.Row) -> bool:
    contents = [
        content_of(each["entrance"], each["sha256"], store.images / each["file"])
        for each in (one, other)
    ]
    return contents[0] is None or contents[0] != contents[1]
