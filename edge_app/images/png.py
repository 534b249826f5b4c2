"""PNG (W3C, third edition): its checksums, and its pixel data inflated faster than Pillow would.

Inflating is half of what Pillow does for a radiograph. ISA-L inflates twice as fast, so Pillow gets
the same picture with its pixel data *stored* (RFC 1951, 3.2.4) and does all else: filters, depths,
palettes. The picture is inflated block by block as Pillow asks for it: nothing is held twice.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final, NamedTuple

from edge_app.errors import ImageError

try:
    from isal import isal_zlib as deflate
except ImportError:  # as on 32-bit Raspberry Pis: the same bytes, as fast as Pillow
    import zlib as deflate  # type: ignore[no-redef]

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples a pixel by colour type."""

MAX_CHUNKS: Final = 100_000
"""A file of 128 MiB has a tenth of that with the smallest chunks that encoders write."""

STORED: Final = 0xFFFF
"""Bytes of a stored block at most."""

PIECE: Final = 1 << 15
"""Deflated bytes given to the inflater at once: what it does not take yet is copied."""

LONGEST: Final = (1 << 31) - 1
"""Bytes of a chunk at most."""


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
    at, view = len(SIGNATURE), memoryview(data)
    for _ in range(MAX_CHUNKS):
        length, kind = int.from_bytes(view[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 8 + length
        if end + 4 > len(data):
            raise ImageError("is damaged or truncated: it ends within a chunk")
        if deflate.crc32(view[at + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            name = kind.decode("ascii") if kind.isalpha() else "a chunk"
            raise ImageError(f"is damaged or truncated: the checksum of {name} is wrong")
        yield Chunk(kind, at + 8, end)
        if kind == b"IEND":
            return
        at = end + 4
    raise ImageError(f"is a PNG of more than {MAX_CHUNKS} chunks")


def inflated(data: bytes) -> io.RawIOBase | io.BytesIO:
    """The same PNG to be read once from its beginning, its pixel data stored uncompressed.

    Interlaced and animated ones, and what is none, stay as they are.

    Raises:
        ImageError: see `chunks`; from `read`, too, if the pixel data end early.
        IsalError, zlib.error: from `read`, if they are damaged.
    """
    found = list(chunks(data))
    run = _pixel_data(found)
    length = _length(data, found)
    blocks = -(-length // STORED)
    size = 2 + 5 * blocks + length + 4
    if not run or not length or size > LONGEST or any(each.kind == b"acTL" for each in found):
        return io.BytesIO(data)
    head = data[: run[0].start - 8] + struct.pack(">I4s", size, b"IDAT")
    tail = memoryview(data)[run[-1].end :]  # its checksum is another's now; nobody reads it
    content = _stored(_inflated(_pieces(data, run), length), length)
    return _Stream(chain((head,), content, (tail,)))


def _pixel_data(found: list[Chunk]) -> list[Chunk]:
    """The chunks that hold it: those that follow each other, from the first."""
    kinds = [chunk.kind for chunk in found]
    if b"IDAT" not in kinds:
        return []
    first = last = kinds.index(b"IDAT")
    while kinds[last] == b"IDAT":
        last += 1
    return found[first:last]


def _length(data: bytes, found: list[Chunk]) -> int:
    """Bytes of the pixel data as the header declares them; 0 where only Pillow shall tell."""
    kind, start, end = found[0]
    if kind != b"IHDR" or end - start != 13:
        return 0
    width, height, depth, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, start)
    if colour not in CHANNELS or interlaced:
        return 0
    return int(height * (1 + -(-width * depth * CHANNELS[colour] // 8)))


def _pieces(data: bytes, run: Iterable[Chunk]) -> Iterator[memoryview]:
    view = memoryview(data)
    for _, start, end in run:
        for at in range(start, end, PIECE):
            yield view[at : min(at + PIECE, end)]


def _inflated(pieces: Iterator[memoryview], length: int) -> Iterator[bytes]:
    """`length` bytes in blocks of `STORED`, the last one shorter; what follows is not looked at."""
    stream = deflate.decompressobj()
    pending: bytes | memoryview = b""
    for start in range(0, length, STORED):
        wanted = min(STORED, length - start)
        block = b""
        while len(block) < wanted:
            pending = pending or next(pieces, b"")
            more = stream.decompress(pending, wanted - len(block))
            # Neither goes on after its end without copying all that is left, again and again.
            if len(block) + len(more) < wanted and (stream.eof or not (pending or more)):
                raise ImageError("is damaged or truncated: its pixel data end early")
            pending = stream.unconsumed_tail
            block = block + more if block else more
        yield block


def _stored(blocks: Iterable[bytes], length: int) -> Iterator[bytes]:
    """A zlib stream (RFC 1950) of stored blocks."""
    yield b"\x78\x01"
    adler, left = 1, length
    for block in blocks:
        left -= len(block)
        yield struct.pack("<BHH", left == 0, len(block), len(block) ^ STORED)
        yield block
        adler = deflate.adler32(block, adler)
    yield adler.to_bytes(4, "big")


class _Stream(io.RawIOBase):
    """Parts of a file, one after the other."""

    def __init__(self, parts: Iterator[bytes | memoryview]) -> None:
        self._parts, self._part, self._at = parts, memoryview(b""), 0

    def read(self, size: int = -1) -> bytes:
        """`size` bytes, fewer only at the end; all if negative."""
        read: list[memoryview] = []
        left = size if size >= 0 else LONGEST
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
