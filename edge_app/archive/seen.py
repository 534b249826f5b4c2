"""Which sources are answered: kept on the disk, so that memory does not grow with their number.

It is made of the Parquet files, and made anew where it is lost or damaged.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from edge_app.core.errors import OutputError
from edge_app.pipeline import parquet as rows

INDEX: Final = "seen.sqlite"
DIGEST: Final = 16
"""Bytes of a name's digest: two names of ten million share one with a probability of 1e-25."""


def key_of(name: str) -> bytes:
    """What a source is known by."""
    return hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=DIGEST).digest()


class Seen:
    """The sources of an archive's finished parts.

    Args:
        folder: the archive's.
        parts: its finished Parquet files.

    Raises:
        OutputError: the index cannot be written.
        ReportError: a part cannot be read.
    """

    def __init__(self, folder: Path, parts: Iterable[Path]) -> None:
        self.path = folder / INDEX
        parts = list(parts)
        try:
            try:
                self._open(parts)
            except sqlite3.DatabaseError:
                self._remove()
                self._open(parts)
        except sqlite3.Error as error:
            raise self._unwritable(error) from None

    def __contains__(self, key: bytes) -> bool:
        if not self._any:
            return False
        try:
            found = self._index.execute("SELECT 1 FROM source WHERE key = ?", (key,)).fetchone()
        except sqlite3.Error as error:
            raise self._unwritable(error) from None
        return found is not None

    def add(self, part: str, keys: Iterable[bytes]) -> None:
        """The sources of a part that is on the disk."""
        self._any = True
        try:
            with self._index:
                self._index.executemany(
                    "INSERT OR IGNORE INTO source VALUES (?)", ((key,) for key in keys)
                )
                self._index.execute("INSERT OR IGNORE INTO part VALUES (?)", (part,))
        except sqlite3.Error as error:
            raise self._unwritable(error) from None

    def close(self) -> None:
        self._index.close()

    def _open(self, parts: list[Path]) -> None:
        self._index = sqlite3.connect(self.path)
        self._index.execute("PRAGMA journal_mode = WAL")
        self._index.execute("PRAGMA synchronous = NORMAL")
        self._index.execute(
            "CREATE TABLE IF NOT EXISTS source (key BLOB PRIMARY KEY) WITHOUT ROWID"
        )
        self._index.execute("CREATE TABLE IF NOT EXISTS part (name TEXT PRIMARY KEY)")
        self._any = bool(parts)
        known = {str(name) for (name,) in self._index.execute("SELECT name FROM part")}
        if known - {part.name for part in parts}:  # of files that were taken away since
            self._index.close()
            self._remove()
            self._open(parts)
            return
        for part in parts:
            if part.name not in known:
                self.add(part.name, map(key_of, rows.names([part])))

    def _remove(self) -> None:
        with suppress(AttributeError):
            self._index.close()
        for end in ("", "-wal", "-shm", "-journal"):
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)

    def _unwritable(self, error: sqlite3.Error) -> OutputError:
        return OutputError(
            f"{self.path}: cannot be written: {error}: make room, then the same command goes on "
            "where it stopped"
        )
