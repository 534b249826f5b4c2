"""PNG (W3C, third edition): its checksums, and its pixel data inflated faster than Pillow would.

Inflating is half of what Pillow does for a radiograph. ISA-L inflates twice as fast, so Pillow gets
the same picture with its pixel data *stored* (RFC 1951, 3.2.4) and does the rest: filters, depths,
palettes. The picture is inflated block by block as Pillow asks for it: nothing is held twice.
"""

from __future__ import annotations

import io
import struct
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import IO, Final, NamedTuple, cast

from edge_app.core.errors import ImageError

try:
    from isal import isal_zlib as deflate
except ImportError:  # as on 32-bit Raspberry Pis: the same bytes, about as fast as Pillow
    import zlib as deflate  # type: ignore[no-redef]

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"

MAX_CHUNKS: Final = 100_000
"""libpng writes 8 KiB into each by default: 16,384 in a file of 128 MiB."""

PIECE: Final = 1 << 17
"""Deflated bytes given to the inflater at once: what it does not take yet is copied."""

AT_ONCE: Final = 1 << 18
"""Bytes that Pillow shall read at once, rather than a quarter of them: in between it holds Python's
lock, and other threads wait for that."""

STORED: Final = (1 << 16) - 6
"""Bytes of a stored block at most: four of them and their headers are read at once."""

INFLATED: Final = 4 * STORED
"""Bytes inflated at once at most."""

MARGIN: Final = 1 << 20
"""Deflated bytes that may be read before anything comes of them."""

ZLIB_HEADER: Final = b"\x78\x01"

OTHER_TONES: Final = {
    5: "of gamma 2.8",
    8: "linear",
    9: "logarithmic",
    10: "logarithmic",
    16: "of PQ",
    17: "of gamma 2.6",
    18: "of HLG",
}
"""Transfer functions (ITU-T H.273, table 3) by which viewers show other grays than are stored.

Viewers treat those of television (1, 6, 7, 11, 12, 14, 15) as sRGB's, or as a gamma of 2.4, which
moves no gray far enough to be reported."""


DAMAGED: Final = cast("type[Exception]", deflate.error)
"""What the inflater raises."""


class Chunk(NamedTuple):
    """Where in the file a chunk's content is."""

    kind: bytes
    start: int
    end: int


def chunks(data: bytes) -> Iterator[Chunk]:
    """Each chunk to the last, its checksum checked.

    Raises:
        ImageError: a checksum is wrong, the file ends early, or there are chunks without end.
    """
    view = memoryview(data)
    for chunk in _unchecked(data):
        kind, start, end = chunk
        if deflate.crc32(view[start - 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            name = kind.decode("ascii") if kind.isalpha() else "a chunk"
            raise ImageError(f"is damaged or truncated: the checksum of {name} is wrong")
        yield chunk


def _unchecked(data: bytes) -> Iterator[Chunk]:
    """Each chunk to the last, by its length alone; see `chunks`."""
    at = len(SIGNATURE)
    for _ in range(MAX_CHUNKS):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 8 + length
        if end + 4 > len(data):
            raise ImageError("is damaged or truncated: it ends within a chunk")
        yield Chunk(kind, at + 8, end)
        if kind == b"IEND":
            return
        at = end + 4
    raise ImageError(f"is a PNG of more than {MAX_CHUNKS} chunks")


def inflated(data: bytes) -> IO[bytes]:
    """The same PNG, to be read once from its beginning, its pixel data stored uncompressed.

    It has no checksums where it was changed; Pillow looks at none there. An animated one stays as
    it is, for Pillow goes to and fro in it.

    Raises:
        ImageError: see `chunks`.
        ImageError, IsalError, zlib.error: from `read`, where the pixel data are damaged.
    """
    found = list(chunks(data))
    kinds = [chunk.kind for chunk in found]
    if kinds[0] != b"IHDR" or b"IDAT" not in kinds or b"acTL" in kinds:
        return io.BytesIO(data)
    first = last = kinds.index(b"IDAT")
    while kinds[last + 1] == b"IDAT":
        last += 1
    run = found[first : last + 1]
    head, tail = data[: run[0].start - 8], data[run[-1].end + 4 :]
    contents = _inflated(_pieces(data, run), _enough(data, found[0]))
    return cast("IO[bytes]", _Stream(chain((head,), _stored(contents), (tail,))))


def clear_gray(data: bytes) -> int:
    """The transparent gray, 0..255, of a gray PNG of at most 8 bits that has one.

    It is what its samples are once they have 8 bits. Pillow holds what the file says against these,
    of however many bits they were. Of that number as many count as a sample has (11.3.1.1).
    """
    found: dict[bytes, Chunk] = {}
    for chunk in chunks(data):
        found.setdefault(chunk.kind, chunk)
    maximum = (1 << data[found[b"IHDR"].start + 8]) - 1
    return (data[found[b"tRNS"].start + 1] & maximum) * (255 // maximum)


def other_tones(data: bytes) -> str | None:
    """What the grays of a PNG are where a cICP chunk has viewers show others than are stored.

    It is heeded where it stands before the pixel data (11.3.2.6).

    Args:
        data: of a PNG whose checksums have been found right.
    """
    for kind, start, end in _unchecked(data):
        if kind == b"IDAT":
            break
        if kind == b"cICP" and end - start == 4:
            _, transfer, _, is_full_range = data[start:end]
            return OTHER_TONES.get(transfer) or (None if is_full_range else "of a narrow range")
    return None


def _enough(data: bytes, header: Chunk) -> int:
    """More bytes than the rows of a picture of this header can have, of whatever kind it is."""
    width, height = struct.unpack_from(">II", data, header.start)
    return int((height + 8) * (8 * width + 16))


def _pieces(data: bytes, run: Iterable[Chunk]) -> Iterator[memoryview]:
    view = memoryview(data)
    for _, start, end in run:
        for at in range(start, end, PIECE):
            yield view[at : min(at + PIECE, end)]


def _inflated(pieces: Iterator[memoryview], enough: int) -> Iterator[bytes]:
    """At least `enough` bytes if there are so many, at most `INFLATED` at once.

    Raises:
        ImageError: it is longer deflated than inflated: empty blocks, which would take ISA-L long.
    """
    stream = deflate.decompressobj()
    pending: bytes | memoryview = b""
    bytes_in = bytes_out = 0
    while bytes_out < enough and not stream.eof:
        if not pending:
            pending = next(pieces, b"")
            bytes_in += len(pending)
        content = stream.decompress(pending, INFLATED)
        if not pending and not content:
            return
        pending = stream.unconsumed_tail
        bytes_out += len(content)
        # The codes that deflate has without a table make a byte 9 bits long at most.
        if bytes_in > bytes_out * 5 / 4 + MARGIN:
            raise ImageError("is damaged: its pixel data are longer deflated than inflated")
        if content:
            yield content


def inflated_size(content: memoryview, enough: int) -> int | None:
    """Bytes that a zlib stream holds, counted until there are `enough`; None if it is damaged."""
    stream = deflate.decompressobj()
    pending: bytes | memoryview = content
    size = 0
    try:
        while pending and not stream.eof and size < enough:
            size += len(stream.decompress(pending, INFLATED))
            pending = stream.unconsumed_tail
    except DAMAGED:
        return None
    return size


def _stored(contents: Iterable[bytes]) -> Iterator[bytes | memoryview]:
    """A chunk each, of the one zlib stream (RFC 1950) that they are; it has no end."""
    start = ZLIB_HEADER
    for content in contents:
        blocks = [memoryview(content)[at : at + STORED] for at in range(0, len(content), STORED)]
        size = len(start) + 5 * len(blocks) + len(content)
        yield struct.pack(">I4s", size, b"IDAT") + start
        for block in blocks:
            yield struct.pack("<BHH", 0, len(block), len(block) ^ 0xFFFF)
            yield block
        yield bytes(4)
        start = b""


class _Stream(io.RawIOBase):
    """Parts of a file, one after the other."""

    def __init__(self, parts: Iterator[bytes | memoryview]) -> None:
        self._parts, self._part, self._at = parts, memoryview(b""), 0

    def read(self, size: int = -1) -> bytes:
        """`size` bytes, fewer only at the end; all if negative."""
        read: list[memoryview] = []
        left = size if size >= 0 else sys.maxsize
        while left:
            if not self._part:
                part = next(self._parts, None)
                if part is None:
                    break
                self._part = memoryview(part)
            read.append(self._part[:left])
            self._part = self._part[left:]
            left -= len(read[-1])
        content = b"".join(read)
        self._at += len(content)
        return content

    def tell(self) -> int:
        return self._at

    def seek(self, at: int, whence: int = io.SEEK_SET) -> int:
        """To where it is, which Pillow does before it decodes.

        Raises:
            io.UnsupportedOperation: to anywhere else.
        """
        if whence != io.SEEK_SET or at != self._at:
            raise io.UnsupportedOperation("can only be read once")
        return at
