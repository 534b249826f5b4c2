"""Reading untrusted files within bounds, and writing files whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from edge_app.core.shortage import shortage_of

PIECE = 1 << 24
"""Bytes read at once from a file of unknown size."""

NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

SPECIAL = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


class UnreadableError(Exception):
    """Why a file cannot be read, as the end of a sentence that begins with its name."""


class ShortageError(UnreadableError):
    """The machine lacks memory or descriptors to read any file; this one may be fine."""


class TooLargeError(UnreadableError):
    """There are more bytes than allowed."""


def read_bounded(
    source: str | os.PathLike[str] | IO[bytes],
    max_bytes: int,
    looked: Callable[[os.stat_result], object] = lambda status: None,
) -> bytes:
    """All bytes of a regular file or an open stream; never blocks on a pipe or a device.

    Args:
        source: a path, or a stream.
        max_bytes: the largest size that is read.
        looked: called with the open file's status before and after its bytes are read.

    Raises:
        UnreadableError: it cannot be opened, is no regular file, or is larger than `max_bytes`.
        ShortageError: memory or descriptors do not suffice.
    """
    try:
        if not isinstance(source, (str, os.PathLike)):
            data = source.read(max_bytes + 1)
        else:
            # Without O_NONBLOCK, opening a FIFO that nobody writes to never returns.
            descriptor = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                status = os.fstat(descriptor)
                looked(status)
                kind = SPECIAL.get(stat.S_IFMT(status.st_mode))
                if kind:
                    raise UnreadableError(f"is {kind}, not a file")
                if status.st_size > max_bytes:
                    raise TooLargeError(f"is larger than {max_bytes} bytes")
                # Asking for `max_bytes` would map that much memory for every file.
                data = os.read(descriptor, status.st_size + 1)
                if len(data) != status.st_size:  # a short read, or the file changes meanwhile
                    data = b"".join((data, *_rest(descriptor, max_bytes + 1 - len(data))))
                looked(os.fstat(descriptor))
            finally:
                os.close(descriptor)
    except FileNotFoundError:
        raise UnreadableError("no such file") from None
    except PermissionError:
        raise UnreadableError("no permission to read it: check its owner and mode") from None
    except (OSError, ValueError, MemoryError) as error:
        shortage = shortage_of(error)
        if shortage:
            raise ShortageError(f"could not be read: {shortage}") from None
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableError(f"cannot be read: {reason}") from None
    if len(data) > max_bytes:
        raise TooLargeError(f"is larger than {max_bytes} bytes")
    return data


def _rest(descriptor: int, max_bytes: int) -> Iterator[bytes]:
    while max_bytes > 0 and (piece := os.read(descriptor, min(max_bytes, PIECE))):
        max_bytes -= len(piece)
        yield piece


def write_whole(path: Path, data: bytes) -> None:
    """Replace `path`; a kill, a full disk or a power cut half-way leaves the old file or none.

    The bytes go into a new file with an unpredictable name, so that links or pipes in the folder
    are neither followed nor opened, and several writers do not interfere.
    """
    partial = path.with_name(f".{os.urandom(8).hex()}.partial")
    descriptor = os.open(partial, NEW_FILE, 0o666)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Write a folder's entries to the medium, if its file system can do that."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
