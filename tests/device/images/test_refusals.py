"""Parts of files that are refused by what is wrong with them, told in words."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest

from edge_app.core.errors import ImageError, MachineError
from edge_app.images import dicom_frames, isolated, jpeg_2000, tiff
from edge_app.images.dicom_frames import described, fragments, unpacked_rle
from edge_app.images.isolated import Decoders
from edge_app.images.jpeg_2000 import require_few_pieces
from edge_app.images.radiograph import Limits
from edge_app.images.read import decode

from ..pictures import DATA, png, radiograph, tiff_of
from ..pictures import tiff as tiff_file

PICTURE = radiograph()


def fragment(content: bytes, length: int | None = None) -> bytes:
    size = len(content) if length is None else length
    return dicom_frames.ITEM + struct.pack("<I", size) + content


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (fragment(b"") + fragment(b"abcd", 5), "a fragment of its pixels has no end"),
        (fragment(b"") + b"abcdefgh", "its compressed pixels are not in fragments"),
        (fragment(b"") + fragment(b""), "its fragments are empty"),
        (fragment(b"") * 12, "more than 10 fragments"),
    ],
)
def test_fragments_of_a_dicom(pixels: bytes, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicom_frames, "MAX_FRAGMENTS", 10)
    with pytest.raises(ImageError, match=words):
        fragments(pixels)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([b"short"], "its RLE has no header"),
        ([bytes(64), b"x"], "several frames"),
        ([struct.pack("<16L", 3, *[64] * 15) + b"xx"], "its RLE has 3 segments, not 2"),
        ([struct.pack("<16L", 2, 64, 60, *[0] * 13) + b"xx"], "segments overlap, or lie beyond"),
    ],
)
def test_the_rle_of_a_dicom(parts: list[bytes], words: str) -> None:
    with pytest.raises(ImageError, match=words):
        unpacked_rle(parts, 4, 2)


def test_a_jpeg_that_ends_within_its_header() -> None:
    with pytest.raises(ImageError, match="its JPEG ends within its header"):
        described(b"\xff\xd8\xff\xc0\x00\x04\x08\x00")


def codestream(style: bytes = b"", size: bytes = b"") -> bytes:
    """The main header of a JPEG 2000 codestream; see ISO/IEC 15444-1 Annex A."""
    whole = struct.pack(">H8IHBBB", 0, 64, 64, 0, 0, 64, 64, 0, 0, 1, 7, 1, 1)
    size = size or whole
    style = style or struct.pack(">BBHBBBBBB", 0, 0, 1, 0, 5, 4, 4, 0, 1)
    parts = [(0xFF51, size), (0xFF52, style)]
    return b"\xff\x4f" + b"".join(
        struct.pack(">HH", marker, 2 + len(body)) + body for marker, body in parts
    )


def test_the_header_of_a_jpeg_2000(monkeypatch: pytest.MonkeyPatch) -> None:
    require_few_pieces(codestream())
    no_tile = struct.pack(">H8IHBBB", 0, 64, 64, 0, 0, 0, 64, 0, 0, 1, 7, 1, 1)
    levels = struct.pack(">BBHBBBBBB", 0, 0, 1, 0, 33, 4, 4, 0, 1)
    for broken in (codestream(size=no_tile), codestream(levels), codestream(b"\0")):
        with pytest.raises(ImageError, match="its JPEG 2000 header is broken"):
            require_few_pieces(broken)
    monkeypatch.setattr(jpeg_2000, "MAX_MARKERS", 1)
    with pytest.raises(ImageError, match="more than 1 markers"):
        require_few_pieces(codestream())


def test_a_tiff_of_more_entries_than_any_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff, "MAX_ENTRIES", 5)
    with pytest.raises(ImageError, match="more than 5 entries"):
        decode(tiff_file(PICTURE), Limits())


def test_a_tiff_of_signed_samples_that_are_none_below_0() -> None:
    samples = (PICTURE // 2).astype(np.uint8)
    height, width = samples.shape
    tags = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: DATA, 277: 1, 278: height}
    tags |= {279: samples.size, 339: 2}
    image = decode(tiff_of(tags, samples.tobytes()), Limits())
    assert "uses 7 of its 8 bits, for it is signed: windowed to them" in image.warnings
    np.testing.assert_array_equal(image.pixels, samples * 2)


@pytest.mark.parametrize("said", [b"7", b'{"a": 1', b"\xff"])
def test_a_decoder_that_begins_with_nonsense_is_no_fault_of_the_picture(
    said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = isolated._Decoder._answered
    monkeypatch.setattr(
        isolated._Decoder, "_answered", lambda self, *args: (*real(self, *args)[:4], said)
    )
    with (
        Decoders(1, Limits(), pytest.fail) as decoders,
        pytest.raises(MachineError, match="no decoder starts: try again"),
    ):
        decoders.decode(png(PICTURE), Limits())


def test_what_a_decoder_has_no_memory_for_while_nobody_has_any(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(isolated, "shortage_now", lambda: "out of memory: close other programs")
    error = isolated._refusal(isolated.MEMORY, b"")
    assert type(error) is MachineError
    assert str(error) == "could not be read: out of memory: close other programs"


def test_memory_that_a_large_picture_took_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "KEPT_BYTES", 4096)
    with Decoders(1, Limits(), pytest.fail) as decoders:
        pixels = np.tile(PICTURE, (4, 4))
        image = decoders.decode(png(pixels), Limits())
        np.testing.assert_array_equal(image.pixels, pixels)
        assert held(decoders._processes[0].pid) <= isolated.KEPT_BYTES
        np.testing.assert_array_equal(decoders.decode(png(PICTURE), Limits()).pixels, PICTURE)


def held(process: int) -> int:
    """Bytes of memory that the shared file takes."""
    places = Path(f"/proc/{process}/fd").iterdir()
    shared = next(place for place in places if "memfd:picture" in os.readlink(place))
    return 512 * shared.stat().st_blocks
