"""Whether an existing spool is whole, by reading alone: nothing in it is changed."""

from __future__ import annotations

import os
import shlex
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from edge_app.clinic.database import PUT_BACK, VERSION
from edge_app.clinic.remembered import other_spool
from edge_app.clinic.results import FORMS
from edge_app.clinic.store import DATABASE, IMAGES, LOCK, LOG, alone, in_use

SECONDS: Final = 10.0
"""Seconds that a check of a spool takes, at most."""

SHARED: Final = f"{DATABASE}-shm"
OWN: Final = (DATABASE, LOG, SHARED, LOCK, IMAGES, FORMS)
"""Files and folders of a spool that its box has to write."""


class SpoolCheck(NamedTuple):
    """The result of a check.

    Attributes:
        faults: one line each, with what to do.
        to_the_end: whether time sufficed for all of it.
        receivers: those that results wait for.
    """

    faults: tuple[str, ...]
    to_the_end: bool
    receivers: frozenset[str] = frozenset()


def check_spool(spool: Path, seconds: float = SECONDS) -> SpoolCheck:
    """Check a spool, while its box runs or not.

    Args:
        spool: its folder, which this user can see into.
        seconds: at most, and then what little is under way.
    """
    end = time.monotonic() + seconds
    path = spool / DATABASE
    faults: list[str] = []
    receivers: set[str] = set()
    to_the_end = True
    try:
        faults += _of_others(spool, end)
        if path.exists() and path.stat().st_size:
            if not os.access(path, os.R_OK | os.W_OK):
                faults.append(f"this user may not read and write {path}: check its owner and mode")
            else:
                faults += _in_database(spool, end, receivers)
    except TimeoutError:
        to_the_end = False
    except OSError as error:
        faults.append(f"{error.filename or spool}: cannot be looked at: {error.strerror}")
    return SpoolCheck(tuple(faults), to_the_end, frozenset(receivers))


def _of_others(spool: Path, end: float) -> Iterator[str]:
    """That some of it is another user's than the folder, as what was put back by root is.

    Where the group may write as well, owners say nothing of who can.
    """
    status = spool.stat()
    owner = status.st_uid
    if status.st_mode & stat.S_IWGRP:
        return
    images = spool / IMAGES
    strangers = []
    for path in (*(spool / name for name in OWN), *(images.iterdir() if images.is_dir() else ())):
        _require_time(end)
        with suppress(FileNotFoundError):
            if path.lstat().st_uid != owner:
                strangers.append(path)
    if strangers:
        first, others = str(min(strangers)), len(strangers) - 1
        they = f"{first} and {others} more belong" if others else f"{first} belongs"
        place = shlex.quote(str(spool))
        yield (
            f"{they} to another user than the folder, and its box cannot use that: "
            f"chown -R --reference={place} {place}"
        )


def _in_database(spool: Path, end: float, receivers: set[str]) -> list[str]:
    had_shared = (spool / SHARED).exists()
    try:
        # SQLite would make a file beside it where nothing tells that nobody writes.
        if not in_use(spool) and not had_shared and not _size(spool / LOG):
            found = _complaints(spool, "immutable=1", end, receivers)
            if not found or not in_use(spool):
                return found  # else a box has started and written meanwhile
        return _complaints(spool, "mode=ro", end, receivers)
    finally:
        if not had_shared:
            with alone(spool) as is_alone:  # a box that starts has one of its own
                if is_alone:
                    (spool / SHARED).unlink(missing_ok=True)


def _complaints(spool: Path, mode: str, end: float, receivers: set[str]) -> list[str]:
    """What the database says, opened in one of SQLite's modes; adds those that results wait for."""
    path = spool / DATABASE
    address = f"file:{quote(os.fsencode(os.path.abspath(path)))}?{mode}"
    try:
        with closing(sqlite3.connect(address, uri=True)) as database:
            # One step of a check may be of the whole database: another thread ends it.
            timer = threading.Timer(max(0.0, end - time.monotonic()), database.interrupt)
            timer.daemon = True
            timer.start()
            try:
                return list(_found(database, spool, end, receivers))
            finally:
                timer.cancel()
                timer.join()
    except sqlite3.Error as error:
        _require_time(end)
        return [f"{path}: is damaged, or its disk fails ({error}): {PUT_BACK}"]


def _found(
    database: sqlite3.Connection, spool: Path, end: float, receivers: set[str]
) -> Iterator[str]:
    path = spool / DATABASE
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        yield f"{path}: is of a newer edge-cxr (version {version}): install that one again"
        return
    (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
    _require_time(end)  # one that was interrupted may say anything
    if verdict != "ok":
        yield f"{path}: is damaged ({str(verdict).splitlines()[-1]}): {PUT_BACK}"
        return
    if not version:  # nothing is in it yet
        return
    for (salt,) in database.execute("SELECT value FROM fact WHERE name = 'salt'").fetchall():
        if why := other_spool(spool, bytes(salt)):
            yield why
    waiting = "SELECT DISTINCT receiver FROM delivery WHERE delivered IS NULL"
    receivers.update(name for (name,) in database.execute(waiting))
    waits = "SELECT id, file, bytes FROM image WHERE answered IS NULL"
    gone = set()
    for number, file, size in database.execute(waits).fetchall():
        _require_time(end)
        if _size(spool / IMAGES / file) != size:
            gone.add(number)
    if gone:  # a running box may have answered and removed some meanwhile
        gone &= {number for number, *_ in database.execute(waits)}
    if gone:
        yield (
            f"{len(gone)} images wait whose files in {spool / IMAGES} are gone or not whole: put "
            "these back from a copy; or start the box, which tells it (image-lost), and send them "
            "again"
        )


def _size(path: Path) -> int | None:
    """Bytes of a file; None where there is none."""
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return None


def _require_time(end: float) -> None:
    if time.monotonic() > end:
        raise TimeoutError
