"""The one frame in an encapsulated Pixel Data: its fragments joined, its codestream described.

Codecs allocate what the codestream declares, so its own size is held to the header's first.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_app.core.errors import ImageError
from edge_app.images import jpeg, jpeg_2000
from edge_app.images.dicom_values import damaged

ITEM, SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
MAX_FRAGMENTS = 50_000

JPEG_START, JPEG_2000_START = b"\xff\xd8\xff", b"\xff\x4f\xff\x51"
JP2_SIGNATURE = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
STARTS = (JPEG_START, JPEG_2000_START, JP2_SIGNATURE)

BASELINE, EXTENDED, LOSSLESS, LS = 0xC0, 0xC1, 0xC3, 0xF7
NOT_FRAMES = (0xC4, 0xC8, 0xCC)
"""Markers 0xC0 to 0xCF begin a frame, but for these."""

START_OF_TILE_PART = b"\xff\x90"
END_OF_CODESTREAM = b"\xff\xd9"
MAX_TILE_PARTS = 10_000

SURPLUS = 128
"""Bytes by which the runs of an RLE segment may exceed the picture: one run's."""


class Frame(NamedTuple):
    """A codestream, and what it declares.

    Attributes:
        data: its bytes.
        marker: of a JPEG, the one that its frame begins with; None of a JPEG 2000.
        rows, columns, components: how many.
        bits: of each sample.
        signed: whether samples are; a JPEG's never are.
    """

    data: bytes
    marker: int | None
    rows: int
    columns: int
    components: int
    bits: int
    signed: bool = False

    @property
    def size(self) -> tuple[int, int, int]:
        return self.rows, self.columns, self.components


def fragments(pixels: bytes) -> list[bytes]:
    """The fragments in an encapsulated Pixel Data (PS3.5 A.4), without the offset table."""
    found: list[bytes] = []
    at = 0
    while pixels[at : at + 4] == ITEM:
        if len(found) > MAX_FRAGMENTS:
            raise ImageError(f"is DICOM of more than {MAX_FRAGMENTS} fragments")
        length = int.from_bytes(pixels[at + 4 : at + 8], "little")
        if at + 8 + length > len(pixels):
            raise ImageError("is a truncated DICOM file: a fragment of its pixels has no end")
        found.append(pixels[at + 8 : at + 8 + length])
        at += 8 + length
    if pixels[at : at + 4] not in (b"", SEQUENCE_END):
        damaged("its compressed pixels are not in fragments")
    # An offset table comes first and may be empty; a file without one begins with the picture.
    parts = found if found and found[0].startswith(STARTS) else found[1:]
    if not any(parts):
        raise ImageError("holds no pixel data: its fragments are empty")
    return parts


def joined(parts: list[bytes]) -> bytes:
    """The codestream of one frame, which may lie in several fragments.

    Each fragment may have an offset in the table, though the standard has one for each frame: the
    beginning of a codestream distinguishes frames from fragments.
    """
    if any(part.startswith(STARTS) for part in parts[1:]):
        raise ImageError("is a DICOM image of several frames: export the one to be read")
    return b"".join(parts)


def described(data: bytes) -> Frame:
    """A JPEG or JPEG 2000 codestream and its own size.

    Raises:
        ImageError: it is neither.
    """
    if data.startswith(JP2_SIGNATURE):
        data = _in_jp2(data)
    if data.startswith(JPEG_2000_START) and len(data) > 42:
        jpeg_2000.require_few_pieces(data)
        right, bottom, left, top = struct.unpack_from(">4I", data, 8)
        (components,) = struct.unpack_from(">H", data, 40)
        depth = data[42]
        rows, columns, bits = bottom - top, right - left, (depth & 0x7F) + 1
        return Frame(_ended(data), None, rows, columns, components, bits, bool(depth >> 7))
    frames = []
    if data.startswith(JPEG_START):
        for marker, at in jpeg.segments(data):
            if marker == LS or (marker >> 4 == 0xC and marker not in NOT_FRAMES):
                if at + 8 > len(data):
                    damaged("its JPEG ends within its header")
                bits, rows, columns, components = struct.unpack_from(">BHHB", data, at + 2)
                frames.append(Frame(data, marker, rows, columns, components, bits))
    if len(frames) != 1:
        damaged("its compressed pixels are neither one JPEG nor one JPEG 2000 codestream")
    return frames[0]


def _in_jp2(data: bytes) -> bytes:
    """The codestream in a JP2 file (ISO/IEC 15444-1 Annex I), which PS3.5 A.4.4 has left out."""
    at = 0
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if length == 1 and at + 16 <= len(data):
            (length,) = struct.unpack_from(">Q", data, start)
            start += 8
        end = at + length if length else len(data)
        if kind == b"jp2c":
            return data[start:end]
        if end < start:
            break
        at = end
    return damaged("its JP2 file holds no codestream")


def _ended(data: bytes) -> bytes:
    """A JPEG 2000 codestream that ends with its end mark.

    A byte of padding after the mark (PS3.5 A.4 makes fragments even) is lost on OpenJPEG where
    the last tile-part's length is 0, "up to the end" (ISO/IEC 15444-1 A.4.2). Some encoders leave
    the mark out; it is added where all tile-parts are there.
    """
    end = data.rfind(END_OF_CODESTREAM)
    if end >= 0 and not data[end + 2 :].strip(b"\0"):
        return data[: end + 2]
    at = data.find(START_OF_TILE_PART)
    for _ in range(MAX_TILE_PARTS):
        if at < 0 or data[at : at + 2] != START_OF_TILE_PART or at + 10 > len(data):
            break
        (length,) = struct.unpack_from(">I", data, at + 6)
        if not length:
            break
        at += length
    return data[:at] + END_OF_CODESTREAM if 0 <= at <= len(data) <= at + 1 else data


def unpacked_rle(parts: list[bytes], pixels: int, bytes_each: int) -> NDArray[np.uint8]:
    """The samples of an RLE frame (PS3.5 Annex G), little-endian.

    Args:
        parts: the fragments; a frame lies in exactly one.
        pixels: how many samples there are.
        bytes_each: bytes of each; the segments hold the highest ones first.
    """
    filled = [part for part in parts if part]
    if len(filled) > 1:
        raise ImageError("is a DICOM image of several frames: export the one to be read")
    data = filled[0]
    if len(data) < 64:
        damaged("its RLE has no header")
    count, *offsets = struct.unpack_from("<16L", data)
    if count != bytes_each:
        damaged(f"its RLE has {count} segments, not {bytes_each}")
    ends = [*offsets[1:count], len(data)]
    if not all(64 <= start < end for start, end in zip(offsets, ends, strict=False)):
        damaged("its RLE segments overlap, or lie beyond its end")
    samples, view = np.empty((pixels, bytes_each), np.uint8), memoryview(data)
    for index, (start, end) in enumerate(zip(offsets, ends, strict=False)):
        samples[:, bytes_each - 1 - index] = _unpacked(view[start:end], pixels)
    return samples.reshape(-1)


def _unpacked(segment: memoryview, size: int) -> NDArray[np.uint8]:
    """A segment's bytes. Runs that go on behind the picture, by `SURPLUS` at most, are cut."""
    found = _first_bytes(segment, size)
    if found is None:
        raise ImageError("is a truncated DICOM file: its RLE runs end before the picture does")
    if _first_bytes(segment, size + SURPLUS + 1) is not None:
        damaged("its RLE runs are longer than the picture")
    return found


def _first_bytes(segment: memoryview, size: int) -> NDArray[np.uint8] | None:
    """The first bytes of a segment; None where its runs hold fewer.

    Pillow follows runs as TIFF's PackBits, which are the same, and cuts the one that crosses the
    end of a row; the whole picture is one row.
    """
    from PIL import Image

    try:
        row = Image.frombytes("L", (size, 1), segment, "packbits", "L")
    except ValueError:
        return None
    return np.asarray(row).reshape(-1)
