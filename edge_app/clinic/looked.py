"""Whether a spool that is there is whole, by looking alone: nothing in it is changed."""

from __future__ import annotations

import os
import shlex
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from edge_app.clinic.database import PUT_BACK, VERSION
from edge_app.clinic.remembered import another
from edge_app.clinic.results import FORMS
from edge_app.clinic.store import DATABASE, IMAGES, LOCK, LOG, in_use

SECONDS: Final = 10.0
"""For which a spool is looked at, at most."""

SHARED: Final = f"{DATABASE}-shm"
OWN: Final = (DATABASE, LOG, SHARED, LOCK, IMAGES, FORMS)
"""What of a spool its box has to write."""

OPERATIONS: Final = 10_000
"""Of SQLite between two looks at the clock."""


class Looked(NamedTuple):
    """What was seen.

    Attributes:
        faults: one line each, with what to do.
        to_the_end: whether time sufficed for all of it.
    """

    faults: tuple[str, ...]
    to_the_end: bool


def looked(spool: Path, seconds: float = SECONDS) -> Looked:
    """Look at a spool, beside a running box or where there is none.

    Args:
        spool: its folder, which this user can see into.
        seconds: at most, and then what little is under way.
    """
    end = time.monotonic() + seconds
    path = spool / DATABASE
    faults: list[str] = []
    to_the_end = True
    try:
        faults += _of_others(spool, end)
        if path.exists() and path.stat().st_size:
            if not os.access(path, os.R_OK | os.W_OK):
                faults.append(f"this user may not read and write {path}: check its owner and mode")
            else:
                faults += _in_database(spool, end)
    except TimeoutError:
        to_the_end = False
    except OSError as error:
        faults.append(f"{error.filename or spool}: cannot be looked at: {error.strerror}")
    return Looked(tuple(faults), to_the_end)


def _of_others(spool: Path, end: float) -> Iterator[str]:
    """That some of it is another user's than the folder, as what was put back by root is."""
    owner = spool.stat().st_uid
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


def _in_database(spool: Path, end: float) -> Iterator[str]:
    path = spool / DATABASE
    had_shared = (spool / SHARED).exists()
    # SQLite would make a file beside it where nothing tells that nobody writes.
    is_still = not in_use(spool) and not had_shared and not _size(spool / LOG)
    address = f"file:{quote(os.fsencode(os.path.abspath(path)))}?"
    address += "immutable=1" if is_still else "mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True)) as database:
            database.set_progress_handler(lambda: time.monotonic() > end, OPERATIONS)
            yield from _asked(database, spool, end)
    except sqlite3.Error as error:
        if time.monotonic() > end:
            raise TimeoutError from None
        yield f"{path}: is damaged, or its disk fails ({error}): {PUT_BACK}"
    finally:
        if not had_shared and not in_use(spool):
            (spool / SHARED).unlink(missing_ok=True)


def _asked(database: sqlite3.Connection, spool: Path, end: float) -> Iterator[str]:
    path = spool / DATABASE
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        yield f"{path}: is of a newer edge-cxr (version {version}): install that one again"
        return
    (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        yield f"{path}: is damaged ({str(verdict).splitlines()[-1]}): {PUT_BACK}"
        return
    if not version:  # nothing is in it yet
        return
    for (salt,) in database.execute("SELECT value FROM fact WHERE name = 'salt'").fetchall():
        if why := another(spool, bytes(salt)):
            yield why
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
