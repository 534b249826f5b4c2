"""The segments of a JPEG, walked before anything decodes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from edge_app.core.errors import ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_SCANS = 100
"""Each scan of a progressive JPEG visits every pixel again; usual files have 10."""

USUAL_SCANS: Final = 25
"""A JPEG with more, which no usual encoder makes, is not decoded again to see if it is whole."""

MAX_SEGMENTS = 10_000
MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])")
FILLING: Final = 128
BLOCK: Final = 8
"""Pixels that a side of a block has."""
ENDS_EARLY: Final = (
    "ends in the one gray with which a decoder fills up a JPEG whose data end early: a part of it "
    "may be missing, or damaged"
)
LACKS_END: Final = (
    "has a strip or tile of JPEG without an end mark: a part of the picture may be missing"
)
ENDS_LATE: Final = (
    "is a JPEG with more data than a picture of its size takes: a part of the picture may be "
    "missing, damaged or in another place"
)
ARITHMETIC: Final = (0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
"""Frames whose coder knows no end: what follows the data is data."""
MORE: Final = bytes((37 * place + 11) % 255 for place in range(1024))
"""Codes of any Huffman table, and no marker."""
RESTARTS: Final = range(0xD0, 0xD8)
"""Markers within a scan, one after the other and again from the first."""
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


def has_end(data: bytes) -> bool:
    """Whether the first image of a JPEG ends with its mark.

    Raises:
        ImageError: segments or scans without end.
    """
    at = max((at for _, at in segments(data)), default=0)
    found = MARKER.search(data, at + int.from_bytes(data[at : at + 2], "big"))
    return bool(found and found[1][0] == END_OF_IMAGE)


def ends_early(last_row: NDArray[Any], filling: int = FILLING) -> bool:
    """Whether the end of a picture's last row looks as if its data had ended before it.

    libjpeg only warns, which nobody sees, and leaves the coefficients of missing blocks 0.
    Bytes lost before the end leave out as many blocks there.
    """
    return bool((last_row == filling).all())


class Watched(BytesIO):
    """A JPEG that knows whether its decoder has all rows before the end of its data.

    Pillow's asks for no more bytes then; the last one of a whole JPEG holds bits of its last block.

    Attributes:
        ends_late: whether that byte was not asked for.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._last, self.ends_late = _last_place(data), True

    def read(self, size: int | None = -1, /) -> bytes:
        at = self.tell()
        if at >= self._last:
            self.ends_late = False
        elif size is None or not 0 <= size <= self._last - at:
            size = self._last - at
        return super().read(size)


def _last_place(data: bytes) -> int:
    """Where the last byte of the last scan stands, what may fill up behind it left out: zeros, and
    a restart marker that no block follows.

    It is 0, so that all is read at once, where a decoder cannot take bytes in pieces.
    """
    begin = 0
    for marker, at in segments(data):
        if marker in ARITHMETIC:
            return 0
        if marker == START_OF_SCAN:
            begin = at + int.from_bytes(data[at : at + 2], "big")
    after = MARKER.search(data, begin)
    end = after.start() if after else len(data)
    while end > begin and (last := data[end - 1]) in (0x00, 0xFF, *RESTARTS):
        if last in RESTARTS and data[end - 2] != 0xFF:
            break
        end -= 1
    return max(begin, end - 1)


def is_whole(data: bytes, is_same: Callable[[bytes], bool]) -> bool:
    """Whether no block of a JPEG is missing, though its last row looks so.

    Bytes more at the end of each scan are passed over by a decoder that has all blocks, and taken
    for blocks by one that lacks some.

    Args:
        data: of the JPEG.
        is_same: whether a decoder makes the same pixels of other bytes.
    """
    longer = _prolonged(data)
    if longer is None:
        return False
    try:
        return is_same(longer)
    except Exception:  # decoders raise almost anything on blocks that are none
        return False


def _prolonged(data: bytes) -> bytes | None:
    """With `MORE` at the end of each scan; None where that says nothing, or costs too much."""
    found = list(segments(data))
    markers = [marker for marker, _ in found]
    scans = markers.count(START_OF_SCAN)
    if not 0 < scans <= USUAL_SCANS or not set(markers).isdisjoint(ARITHMETIC):
        return None
    parts, done = [], 0
    for marker, at in found:
        if marker == START_OF_SCAN:
            begin = at + int.from_bytes(data[at : at + 2], "big")
            after = MARKER.search(data, begin)
            end = after.start() if after else len(data)
            while end > begin and data[end - 1] == 0xFF:  # a marker may begin with several
                end -= 1
            parts += [data[done:end], MORE, *_restarts(data, begin, end)]
            done = end
    return b"".join([*parts, data[done:]])


def _restarts(data: bytes, begin: int, end: int) -> Iterator[bytes]:
    """The restart markers that follow those of a scan, each with `MORE` behind it.

    A decoder that has all blocks up to such a marker passes over what comes before the next, and
    over those that it takes for earlier ones.
    """
    found = {data.rfind(bytes((0xFF, code)), begin, end): code for code in RESTARTS}
    last = found[max(found)] if max(found) >= 0 else RESTARTS[-1]
    for step in range(1, len(RESTARTS) + 1):
        yield bytes((0xFF, RESTARTS[(last - RESTARTS[0] + step) % len(RESTARTS)])) + MORE
