"""Writing files so that they survive a power cut."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

CANNOT_SYNC: Final = (errno.EINVAL, errno.ENOTSUP)
"""Errors of file systems that cannot sync a folder; there syncing the file itself is all."""

NAME_BYTES: Final = 8
PARTIAL: Final = re.compile(rf"\.[0-9a-f]{{{2 * NAME_BYTES}}}\.partial")
"""The name of a file that is not complete yet."""

Piece = bytes | bytearray | memoryview

FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def forget(path: Path) -> None:
    """Let the system drop its copy of a synced file from memory.

    What comes next is then written to the same memory, which is in the caches still, and what else
    the system has in memory stays there.
    """
    with suppress(OSError, AttributeError):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def replace(path: Path, data: bytes | Iterable[Piece]) -> os.stat_result:
    """Write a file, or put it in the place of an older one, whole or not at all.

    Args:
        data: its bytes, or pieces of them.

    Returns:
        Its status. It and its name survive a power cut.

    Raises:
        OSError: the older one is there, or the file itself, whose name a power cut may undo.
    """
    partial = path.with_name(f".{secrets.token_hex(NAME_BYTES)}.partial")
    _write_synced(partial, (data,) if isinstance(data, bytes) else data)
    try:
        os.replace(partial, path)
        status = os.lstat(path)
        sync_folder(path.parent)
    except OSError:
        with suppress(OSError):
            partial.unlink()
        raise
    return status


def _write_synced(path: Path, pieces: Iterable[Piece]) -> None:
    """Write a file that is not there yet; its name does not survive a power cut yet."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            for piece in pieces:
                rest = memoryview(piece)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError:
        with suppress(OSError):
            path.unlink()
        raise


def remove_partial(folder: Path) -> int:
    """Remove what a kill within `replace` has left in a folder that nobody writes to now.

    Returns:
        How many files there were.

    Raises:
        OSError: the folder cannot be read, or is not there.
    """
    left = [path for path in folder.iterdir() if PARTIAL.fullmatch(path.name)]
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


def adopt(path: Path, target: Path) -> None:
    """Move a file within its folder to a name that is free; on return that survives a power cut.

    Raises:
        OSError: it may still have its old name.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(path, target)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Put the folder's entries on the medium.

    Raises:
        OSError: they may not be there; not where the file system has no way to do it.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in CANNOT_SYNC:
            raise
    finally:
        os.close(descriptor)
