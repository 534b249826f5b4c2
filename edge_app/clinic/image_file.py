"""An accepted image's file: its bytes as they arrived, or an error.

A disk may fail between an image's arrival and its answer, and somebody may be at it. So the bytes
that are answered, drawn or reported are those whose digest is the one that was kept when they came.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

from edge_app.clinic.faults import SpoolError
from edge_app.clinic.settings import NODE
from edge_app.core.errors import ImageError, MachineError
from edge_app.core.files import TooLargeError, UnreadableError, read_bounded
from edge_app.images.radiograph import Limits

GONE: Final = "its file is gone from the spool: send it again"
CHANGED: Final = "has changed on the disk since it arrived: look at the disk, and send it again"

LOST: Final = "lost"
"""The kind of an answer about a lost image."""

UNJUDGED: Final = (LOST, MachineError.kind)
"""Kinds of answers that are the box's fault: the image is taken anew when it comes again."""

HEADER_ROOM: Final = 1 << 20
"""Bytes of a file that the box itself has put beside the data set, and more."""

LENGTH: Final = slice(140, 144)
"""The place of the length of the file meta information in a DICOM file."""

PREAMBLE, PREFIX = 128, b"DICM"
"""What stands before that length. The preamble is free for whoever writes the file: of an image
that came to the node it begins with the digest of the file meta information; older boxes wrote
zeros."""


class LostError(ImageError):
    """An accepted image is gone from the spool, or is not what arrived."""

    kind = LOST


def read_kept(path: Path, entrance: str, sha256: str, limits: Limits) -> bytes:
    """An accepted image's file.

    Args:
        path: of the file.
        entrance: by which it came.
        sha256: what was kept of it then.

    Raises:
        LostError: it is gone, or has changed.
        others: see `read_unchecked`.
    """
    data = read_unchecked(path, limits)
    require_same(data, entrance, sha256)
    return data


def read_unchecked(path: Path, limits: Limits) -> bytes:
    """The same, for whoever calls `require_same` before the answer is kept.

    Args:
        path: see `read_kept`.
        limits: of what came; its file is read where it is a little larger.

    Raises:
        LostError: it is gone, or larger than what came can have been.
        SpoolError: its folder is gone, too: that is no fault of this image.
        MachineError: it cannot be read now, and was written when it came.
    """
    try:
        return read_bounded(path, limits.max_bytes + HEADER_ROOM)
    except TooLargeError:
        raise LostError(CHANGED) from None
    except UnreadableError as error:
        if os.path.lexists(path):
            raise MachineError(str(error)) from None
    if not path.parent.is_dir():
        raise SpoolError(f"{path.parent}: is gone: put it back, or look at its disk")
    raise LostError(GONE)


def require_same(data: bytes, entrance: str, sha256: str) -> None:
    """Raise an error unless these bytes are what arrived.

    Raises:
        LostError: they are others.
    """
    if digest_of(data, entrance) != sha256:
        raise LostError(CHANGED)


def preamble(meta: bytes) -> bytes:
    """The preamble of a file from the node, which ties its file meta information to it.

    Args:
        meta: that information; the data set has a digest of its own.
    """
    return hashlib.sha256(meta).digest().ljust(PREAMBLE, b"\0") + PREFIX


def digest_of(data: bytes, entrance: str) -> str | None:
    """The digest that is kept of an image when it arrives; from the node, of its data set.

    Its file meta information is the box's own, and begins with its length (PS3.10 7.1).

    Returns:
        None where that information is not what the box wrote.
    """
    begins = 0
    if entrance == NODE:
        begins = LENGTH.stop + int.from_bytes(data[LENGTH], "little")
        head = data[:begins]
        if any(head[:PREAMBLE]) and head != preamble(meta := head[PREAMBLE + len(PREFIX) :]) + meta:
            return None
    return hashlib.sha256(memoryview(data)[begins:]).hexdigest()
