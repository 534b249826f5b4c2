"""One file → one 8-bit grayscale radiograph, air dark and bone bright, or a clear refusal.

Every file is read as if an enemy had made it: only regular files are opened, files that are too
large are not read, and the content alone decides what a file is.
"""

from __future__ import annotations

import hashlib
import os
from typing import IO, Final, Protocol

from edge_app.core.advice import RAISE_BYTES
from edge_app.core.errors import ImageError, ImageTooLargeError, MachineError
from edge_app.core.files import ShortageError, TooLargeError, UnreadableError, read_bounded
from edge_app.core.pieces import Pieces, whole
from edge_app.core.shortage import blamed
from edge_app.core.steps import Watch, unwatched
from edge_app.images import raster
from edge_app.images.radiograph import Limits, Radiograph

DECODERS: Final = ("Pillow", "pydicom", "python-gdcm")
"""Packages whose version may decide a pixel; `isal` inflates to the same bytes in each."""

DECODING: Final = 5
"""Raised whenever a picture is decoded, or resized, to other bytes than before: stored results of
pictures that an earlier version decoded are not continued."""

DICOM_PREFIX = slice(128, 132)

DICOM_GROUPS = (b"\x02\0", b"\x08\0", b"\0\x02", b"\0\x08", b"DI")
"""The first bytes of a DICOM file without preamble; no picture of another format has these."""


def read_image(
    source: str | os.PathLike[str] | IO[bytes],
    limits: Limits | None = None,
    min_side: int | None = None,
    *,
    digest: bool = True,
    watch: Watch = unwatched,
    decoder: Decoder | None = None,
) -> Radiograph:
    """Read a radiograph from a file or an open binary stream.

    Args:
        source: a file's path or a stream.
        limits: what is refused unread.
        min_side: pixels that each side must keep where a decoder can shrink the picture on its way
            (see `raster.decode`); None for the picture as it is.
        digest: whether `facts` tell the file's SHA-256; it takes a twentieth of the time.
        watch: called when bytes are read, and when they are decoded.
        decoder: takes the place of `decode`; see `isolated`.

    Raises:
        ImageError: whatever is wrong with the file, in one line.
    """
    limits = limits or Limits()
    watch("read")
    data = read_bytes(source, limits)
    watch("decode")
    return (decoder or decode)(data, limits, min_side, digest=digest)


class Decoder(Protocol):
    """What makes a radiograph of a file's bytes; see `decode`."""

    def __call__(
        self,
        data: bytes | Pieces,
        limits: Limits,
        min_side: int | None = None,
        *,
        digest: bool = True,
    ) -> Radiograph: ...


def decode(
    data: bytes | Pieces, limits: Limits, min_side: int | None = None, *, digest: bool = True
) -> Radiograph:
    """Decode a file's bytes; see `read_image`.

    Raises:
        ImageError: whatever is wrong with them, in one line.
        MachineError: memory, descriptors or processes do not suffice.
    """
    try:
        data = whole(data)
        if _is_dicom(data):
            from edge_app.images import dicom

            image = dicom.decode(data, limits)
        else:
            image = raster.decode(data, limits, min_side)
    except (OSError, MemoryError, ImportError) as error:  # of a module that is loaded only now
        raise blamed(error, "cannot be read: what decodes it cannot be loaded") from None
    if digest:
        image.facts["sha256"] = hashlib.sha256(data).hexdigest()
    return image


def _is_dicom(data: bytes) -> bool:
    if data[DICOM_PREFIX] == b"DICM":
        return True
    if not data.startswith(DICOM_GROUPS):
        return False
    from edge_app.images.dicom_file import is_dicom

    return is_dicom(data)


def read_bytes(source: str | os.PathLike[str] | IO[bytes], limits: Limits) -> bytes:
    """A file's bytes, not decoded.

    Raises:
        ImageError: it cannot be read, or is empty.
        MachineError: memory or descriptors do not suffice.
        ImageTooLargeError: it is larger than `limits`.
    """
    try:
        data = read_bounded(source, limits.max_bytes)
    except TooLargeError as error:
        raise ImageTooLargeError(f"{error}: {RAISE_BYTES}") from None
    except ShortageError as error:
        raise MachineError(str(error)) from None
    except UnreadableError as error:
        raise ImageError(str(error)) from None
    if not data:
        raise ImageError("is empty")
    return data
