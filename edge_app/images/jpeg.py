"""The segments of a JPEG, walked before anything decodes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from edge_app.core.errors import ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_SCANS = 100
"""Each scan of a progressive JPEG visits every pixel again; usual files have 10."""

MAX_SEGMENTS = 10_000
MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])")
FILLING: Final = 128
ENDS_EARLY: Final = (
    "ends in the one gray with which a decoder fills up a JPEG whose data end early: a part of it "
    "may be missing, or damaged"
)
START_OF_SCAN = 0xDA
END_OF_IMAGE = 0xD9


def segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Each marker up to the end of the first image, and where its segment's length stands.

    Raises:
        ImageError: segments or scans without end.
    """
    at, scans = 2, 0
    for _ in range(MAX_SEGMENTS):
        found = MARKER.search(data, at)
        if not found or found[1][0] == END_OF_IMAGE:
            return
        scans += found[1][0] == START_OF_SCAN
        if scans > MAX_SCANS:
            break
        yield found[1][0], found.end()
        at = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")
    raise ImageError(f"is a JPEG of more than {MAX_SCANS} scans or of endless segments")


def ends_early(last_row: NDArray[Any]) -> bool:
    """Whether a picture's last row looks as if its data had ended before it.

    libjpeg says so where nobody hears it, and leaves the coefficients of the blocks that are
    missing 0. Bytes lost before the end leave out as many blocks there.
    """
    return bool((last_row == FILLING).all())
