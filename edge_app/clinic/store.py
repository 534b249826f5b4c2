"""The spool's folder: its database, its files, and the lock that gives it to one process.

SQLite writes a commit into the log beside the database (WAL) and syncs that log only before it
copies from it (``synchronous = NORMAL``): a kill undoes no commit, a power cut may undo the last
ones. Who promises something syncs the log itself, after the commit and without the lock: threads
that wait at the same time share one sync, and those that only look go on meanwhile. They wait for
the disk when a commit makes the log so long that SQLite copies it into the database.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from edge_app.clinic.database import LOG_BYTES, open_database
from edge_app.clinic.durable import sync_folder
from edge_app.clinic.faults import SpoolError, SpoolFullError, UnsyncedError
from edge_app.clinic.places import WRITABLE

DATABASE: Final = "spool.sqlite"
LOG: Final = f"{DATABASE}-wal"
EMPTY_LOG: Final = (0, 0, 0)
"""What ``wal_checkpoint(TRUNCATE)`` answers when it has copied everything and emptied the log."""

LOCK: Final = "lock"
IMAGES: Final = "images"
SALT_BYTES: Final = 32


def in_use(folder: Path) -> bool:
    """Whether another process has the spool in a folder to itself now, as a running box has."""
    with alone(folder) as is_alone:
        return not is_alone


@contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """A context in which no box has the spool in a folder, if it yields True."""
    try:
        lock = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        yield True
        return
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(lock)


def is_there(folder: Path) -> bool:
    """Whether there is a spool in a folder, or this user cannot see that there is none."""
    try:
        (folder / DATABASE).stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # which opening it tells
        pass
    return True


def _cannot_hold(folder: Path, error: OSError) -> str:
    why = f"{folder}: cannot hold the spool: "
    if error.errno == errno.EROFS:
        return f"{why}it is on a read-only disk: {WRITABLE}"
    return f"{why}{error.strerror}: give another folder, or this user the right to write there"


class Store:
    """A spool's folder, open. Threads share it; other processes are kept out.

    Args:
        folder: made if need be.
        alone: keep other processes out; without it, this is one beside the box that has the spool.

    Attributes:
        images: folder of what was accepted.
        changed: notified whenever there may be something new to do; its lock guards the database.
        salt: bytes that no other spool has; for digests and identifiers.

    Raises:
        SpoolError: see the message.
    """

    def __init__(self, folder: Path, *, alone: bool = True) -> None:
        self.folder, self.alone = folder, alone
        self.images = folder / IMAGES
        try:
            for each in (folder, self.images):
                each.mkdir(mode=0o700, parents=True, exist_ok=True)
                sync_folder(each.parent)
            self._lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SpoolError(_cannot_hold(folder, error)) from None
        try:
            self._take_lock()
            self._connection = open_database(folder / DATABASE, alone=alone)
        except BaseException:
            os.close(self._lock)
            raise
        self.changed = threading.Condition(threading.RLock())
        self._syncing = threading.Lock()
        self._written = self._synced = 0
        self._suspect = False
        self._log = -1
        try:
            self.salt = self._kept_salt()
        except BaseException:
            self.close()
            raise
        self.reserve_log()

    def reserve_log(self) -> None:
        """Reserve room on the disk for the log.

        So what waits can be answered, and what is finished be removed, where somebody else takes
        the disk's last byte. SQLite passes over what it has not written there.
        """
        if not self.alone:
            return
        # Where a file system does no such thing, the C library reads bytes and writes them again:
        # nobody else may write meanwhile.
        with self._syncing, self.changed, suppress(OSError, sqlite3.Error):
            log = os.open(self.folder / LOG, os.O_RDWR | os.O_CLOEXEC)
            try:
                self._connection.execute("BEGIN IMMEDIATE")  # other processes wait, too
                os.posix_fallocate(log, 0, LOG_BYTES)
            finally:
                os.close(log)
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def _take_lock(self) -> None:
        if not self.alone:
            return
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SpoolError(
                f"{self.folder}: is in use by another edge-cxr serve: stop that one first"
            ) from None

    def _kept_salt(self) -> bytes:
        with self.transaction() as database:
            database.execute(
                "INSERT OR IGNORE INTO fact VALUES ('salt', ?)", (secrets.token_bytes(SALT_BYTES),)
            )
            row = database.execute("SELECT value FROM fact WHERE name = 'salt'").fetchone()
            return bytes(row["value"])

    def close(self) -> None:
        """Close it; what is under way in other threads fails."""
        with self._syncing, self.changed:
            with suppress(sqlite3.Error):
                self._connection.close()
            if self._log >= 0:
                os.close(self._log)
                self._log = -1
            os.close(self._lock)

    @contextmanager
    def transaction(self, *, synced: bool = True) -> Iterator[sqlite3.Connection]:
        """All of it or nothing; on the medium when it ends, unless not `synced`.

        What is not `synced` survives a kill, and a power cut from the next `sync` on.

        Raises:
            SpoolFullError: the disk is full.
            UnsyncedError: it is done, and a power cut may undo it.
            SpoolError: the database or its disk fails; nothing of it is done.
        """
        with self.changed, self._explained():
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise
            self._written += 1
        if synced:
            self.sync()

    def sync(self) -> None:
        """Put all that was done before on the medium.

        Raises:
            UnsyncedError: a power cut may undo some of it.
        """
        target = self._written
        with self._syncing:
            if self._synced >= target:
                return
            reached = self._written
            try:
                self._sync_log()
            except (OSError, sqlite3.Error) as error:
                self._suspect = True
                why = getattr(error, "strerror", None) or error
                raise UnsyncedError(f"{self.folder}: its disk fails: {why}: look at it") from None
            self._synced, self._suspect = reached, False

    def _sync_log(self) -> None:
        if self._suspect:  # the system forgets what it failed to write: begin another log
            with closing(sqlite3.connect(self.folder / DATABASE)) as other:
                row = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if tuple(row) != EMPTY_LOG:
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        if self._log < 0:
            sync_folder(self.folder)
            self._log = os.open(self.folder / LOG, os.O_RDONLY | os.O_CLOEXEC)
        os.fdatasync(self._log)

    def rows(self, question: str, *values: object) -> list[sqlite3.Row]:
        """What the database answers to a SELECT.

        Raises:
            SpoolError: the database or its disk fails.
        """
        with self.changed, self._explained():
            return self._connection.execute(question, values).fetchall()

    def value(self, question: str, *values: object) -> Any:
        """The first column of the first row."""
        return self.rows(question, *values)[0][0]

    def free(self) -> int:
        """Bytes of the disk that are free for this user."""
        return shutil.disk_usage(self.folder).free

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            if "full" in str(error):
                raise SpoolFullError(f"{self.folder}: its disk is full: make room") from None
            raise SpoolError(f"{self.folder}: its database fails: {error}") from None
