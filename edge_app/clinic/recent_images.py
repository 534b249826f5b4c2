"""Images that have just arrived, still in memory: one answered at once is not read from disk.

They are the very bytes that were digested when they came. A file that is gone from the disk, or
was changed there since it was synced, shows it by its status, and its image is read as any other.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final, NamedTuple

from edge_app.core.pieces import Pieces, size_of
from edge_app.core.resources import memory

SHARE: Final = 16
MAX_BYTES: Final = 64 << 20
"""The part of the memory, and the bytes, that images may take here: others are read when their turn
comes."""


def room() -> int:
    """Bytes of images that this machine may hold in memory."""
    return min(memory() // SHARE, MAX_BYTES)


class Look(NamedTuple):
    """How a file looks; the time of its last change of any kind cannot be set."""

    size: int
    written: int
    changed: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Look:
        """The look of a file by its status."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


class RecentImages:
    """Files that are on the disk, and in memory until they are taken.

    Args:
        maximum: bytes of all of them.
    """

    def __init__(self, maximum: int) -> None:
        self._left = maximum
        self._kept: dict[Path, tuple[Pieces, Look]] = {}
        self._lock = threading.Lock()

    def keep(self, path: Path, pieces: Pieces, status: os.stat_result) -> bool:
        """Keep a file that has just been synced; whether there is room for it.

        Args:
            path: of the file.
            pieces: what is in it; nobody changes them any more.
            status: of the file when it was synced.
        """
        with self._lock:
            if status.st_size > self._left:
                return False
            self._left -= status.st_size
            self._kept[path] = pieces, Look.of(status)
            return True

    def take(self, path: Path) -> Pieces | None:
        """A file's content, once; None where it is not kept, or the file has changed."""
        with self._lock:
            found = self._kept.pop(path, None)
            if found is None:
                return None
            self._left += size_of(found[0])
        pieces, look = found
        try:
            return pieces if Look.of(path.lstat()) == look else None
        except OSError:
            return None
