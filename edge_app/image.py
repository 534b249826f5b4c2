"""One file → one 8-bit grayscale radiograph, air dark and bone bright, or a clear refusal.

Every file is read as if an enemy had made it: what is no regular file is not opened, what is too
large is not read, and what it *is* is decided by its content alone.
"""

from __future__ import annotations

import hashlib
import os
import stat
from typing import IO

from edge_app import raster
from edge_app.errors import ImageError
from edge_app.radiograph import Limits, Radiograph

DICOM_PREFIX = slice(128, 132)


def read_image(
    source: str | os.PathLike[str] | IO[bytes], limits: Limits | None = None
) -> Radiograph:
    """Read a radiograph from a file or an open binary stream.

    Raises:
        ImageError: whatever is wrong with the file, in one line.
    """
    limits = limits or Limits()
    data = _read_bounded(source, limits.max_bytes)
    if data[DICOM_PREFIX] == b"DICM":
        from edge_app import dicom

        image = dicom.decode(data, limits)
    else:
        image = raster.decode(data, limits)
    image.facts["sha256"] = hashlib.sha256(data).hexdigest()
    return image


def _read_bounded(source: str | os.PathLike[str] | IO[bytes], max_bytes: int) -> bytes:
    try:
        if not isinstance(source, (str, os.PathLike)):
            data = source.read(max_bytes + 1)
        else:
            # Without O_NONBLOCK, opening a FIFO that nobody writes to never returns.
            descriptor = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                _require_regular(os.fstat(descriptor), max_bytes)
                with open(descriptor, "rb", closefd=False) as file:
                    data = file.read(max_bytes + 1)
            finally:  # open() leaves a descriptor it refuses (a folder's) to its caller
                os.close(descriptor)
    except FileNotFoundError:
        raise ImageError("no such file") from None
    except PermissionError:
        raise ImageError("no permission to read it: check its owner and mode") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageError(f"cannot be read: {reason}") from None
    if not data:
        raise ImageError("is empty")
    if len(data) > max_bytes:
        raise ImageError(_too_many_bytes(max_bytes))
    return data


def _require_regular(status: os.stat_result, max_bytes: int) -> None:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFCHR: "a device file",
        stat.S_IFBLK: "a device file",
        stat.S_IFSOCK: "a socket",
    }
    kind = kinds.get(stat.S_IFMT(status.st_mode))
    if kind:
        raise ImageError(f"is {kind}, not an image")
    if status.st_size > max_bytes:
        raise ImageError(_too_many_bytes(max_bytes))


def _too_many_bytes(max_bytes: int) -> str:
    return f"is larger than {max_bytes} bytes: raise --max-bytes if it is really an image"
