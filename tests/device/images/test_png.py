"""PNG files inflated beforehand: Pillow sees the same pictures, and damage is still found."""

from __future__ import annotations

import io
import struct
import time
import tracemalloc
import zlib
from contextlib import suppress
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL.PngImagePlugin import PngImageFile

from edge_app.core.errors import ImageError
from edge_app.images import png as module
from edge_app.images.png import INFLATED, MAX_CHUNKS, SIGNATURE, chunks, inflated
from edge_app.images.radiograph import Limits
from edge_app.images.read import read_image

from ..pictures import png, png_chunk, radiograph

INFLATERS = {module.deflate.__name__: module.deflate, "zlib": zlib}
COLOURS = {"gray": 0, "RGB": 2, "palette": 3, "gray and alpha": 4, "RGBA": 6}
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


def packed(samples: NDArray[np.uint8], bits: int) -> bytes:
    """Unfiltered rows of samples of so many bits, at most 8."""
    cut = np.unpackbits(samples[..., np.newaxis], axis=2)[..., 8 - bits :]
    rows = np.packbits(cut.reshape(len(samples), -1), axis=1)
    return b"".join(b"\0" + row.tobytes() for row in rows)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("beyond", [False, True], ids=["", "bits beyond a sample's"])
def test_a_transparent_gray_of_every_depth_is_laid_on_black(bits: int, beyond: bool) -> None:
    """As libpng (imagecodecs) sees it, beside the rows of a PNG without one."""
    codecs = pytest.importorskip("imagecodecs", reason="pip install 'edge-cxr[oracles]'")
    most = (1 << bits) - 1
    samples = np.random.default_rng(bits).integers(0, most + 1, (64, 61)).astype(np.uint8)
    plain = file_of(packed(samples, bits), 61, 64, bits, COLOURS["gray"])
    for key in range(0, most + 1, max(1, most // 15)):
        clear = png_chunk(b"tRNS", struct.pack(">H", key + (beyond << bits)))
        data = plain.replace(ihdr := plain[8:33], ihdr + clear)
        image = read_image(io.BytesIO(data))
        gray, alpha = np.moveaxis(codecs.png_decode(data), 2, 0)
        assert (image.pixels == np.where(alpha, gray, 0)).all()
        assert (image.pixels == np.where(samples == key, 0, samples * (255 // most))).all()
        assert image.warnings == ("is partly transparent: it was laid on black",)


@pytest.fixture(params=sorted(INFLATERS))
def inflater(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each of the two in turn, whichever is installed."""
    monkeypatch.setattr(module, "deflate", INFLATERS[request.param])
    return str(request.param)


def file_of(
    rows: bytes,
    width: int,
    height: int,
    bits: int,
    colour: int,
    pieces: tuple[int, ...] = (),
    level: int = 6,
) -> bytes:
    """A PNG of these filtered rows, its pixel data cut into chunks at `pieces`."""
    packed = zlib.compress(rows, level)
    cuts = [0, *sorted(min(cut, len(packed)) for cut in pieces), len(packed)]
    data = [packed[start:end] for start, end in pairwise(cuts)]
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    palette = png_chunk(b"PLTE", bytes(range(256)) * 3) if colour == 3 else b""
    body = b"".join(png_chunk(b"IDAT", each) for each in data)
    return SIGNATURE + png_chunk(b"IHDR", header) + palette + body + png_chunk(b"IEND", b"")


def pixels(file: Any) -> tuple[str, NDArray[Any]]:
    image = PngImageFile(file)  # Image.open would read the beginning twice
    return image.mode, np.array(image)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """PNGs of every colour type, depth and filter, with pixel data in any number of chunks."""
    colour = draw(st.sampled_from(sorted(COLOURS.values())))
    bits = draw(st.sampled_from(DEPTHS[colour]))
    width, height = draw(st.integers(1, 70)), draw(st.integers(1, 40))
    long = -(-width * bits * SAMPLES[colour] // 8)
    noise = np.random.default_rng(draw(st.integers(0, 9))).integers(
        0, 256, (height, long), np.uint8
    )
    filters = draw(st.lists(st.integers(0, 4), min_size=1, max_size=height))
    rows = b"".join(bytes([filters[y % len(filters)]]) + noise[y].tobytes() for y in range(height))
    pieces = tuple(draw(st.lists(st.integers(0, 4000), max_size=5)))
    return file_of(rows, width, height, bits, colour, pieces, draw(st.integers(0, 9)))


@settings(deadline=None, max_examples=200)
@given(files())
def test_pillow_sees_the_same_picture(data: bytes) -> None:
    mode, expected = pixels(io.BytesIO(data))
    for deflate in INFLATERS.values():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "deflate", deflate)
            again = inflated(data)
            assert not isinstance(again, io.BytesIO)  # it did not pass it through
            seen, found = pixels(again)
        assert seen == mode
        np.testing.assert_array_equal(found, expected)


def test_rows_longer_than_a_block_are_the_same(inflater: str) -> None:
    samples = np.random.default_rng(0).integers(0, 1 << 16, (3, 60_000, 3)).astype(np.uint16)
    data = png(samples, colour=2)
    np.testing.assert_array_equal(pixels(inflated(data))[1], pixels(io.BytesIO(data))[1])


def test_an_interlaced_picture_is_the_same(inflater: str) -> None:
    for samples in (radiograph(), radiograph(1, 3), radiograph(300, 400)):
        again = pixels(inflated(png(samples, interlaced=True)))[1]
        np.testing.assert_array_equal(again, samples)


def test_an_animated_picture_is_left_as_it_is() -> None:
    data = png(radiograph(), extra=png_chunk(b"acTL", struct.pack(">II", 1, 0)))
    assert inflated(data).read() == data


def test_no_more_is_inflated_than_the_picture_needs(inflater: str) -> None:
    """Of what goes on behind it, a thousand times as long as in the file."""
    gray = radiograph(40, 60)
    rows = b"".join(b"\0" + row.tobytes() for row in gray)
    data = file_of(rows + bytes(100 << 20), 60, 40, 8, 0)
    assert len(inflated(data).read()) < 2 * INFLATED
    np.testing.assert_array_equal(read_image(io.BytesIO(data), Limits()).pixels, gray)


def test_text_after_the_picture_is_still_there() -> None:
    data = png(radiograph())
    text = png_chunk(b"tEXt", b"View\0PA")
    image = PngImageFile(inflated(data[:-12] + text + data[-12:]))  # type: ignore[arg-type]
    image.load()
    assert image.info["View"] == "PA"


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_damaged_pixel_data_are_refused_or_harmless(draw: st.DataObject) -> None:
    """Damage under a right checksum: not by accident, but whoever made the file may want it."""
    gray = radiograph(200, 300)
    rows = b"".join(b"\0" + row.tobytes() for row in gray)
    packed = bytearray(zlib.compress(rows))
    for _ in range(draw.draw(st.integers(1, 3))):
        packed[draw.draw(st.integers(0, len(packed) - 1))] = draw.draw(st.integers(0, 255))
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 300, 200, 8, 0, 0, 0, 0))
    body = png_chunk(b"IDAT", bytes(packed)) + png_chunk(b"IEND", b"")
    for deflate in INFLATERS.values():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "deflate", deflate)
            with suppress(ImageError):  # any other exception fails
                image = read_image(io.BytesIO(SIGNATURE + header + body), Limits())
                assert image.pixels.shape == gray.shape


def test_pixel_data_that_end_early_are_refused(inflater: str) -> None:
    rows = b"".join(b"\0" + row.tobytes() for row in radiograph(40, 60))
    for missing in (1, 61, len(rows) - 1):
        data = file_of(rows[:-missing], 60, 40, 8, 0)
        with pytest.raises(ImageError, match="truncated"):
            read_image(io.BytesIO(data), Limits())


def test_what_follows_the_pixel_data_costs_no_time(inflater: str) -> None:
    short = zlib.compress(b"\0")
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 1000, 1000, 8, 0, 0, 0, 0))
    body = png_chunk(b"IDAT", short + bytes(100 << 20)) + png_chunk(b"IEND", b"")
    start = time.process_time()
    with pytest.raises(ImageError, match="truncated"):
        read_image(io.BytesIO(SIGNATURE + header + body), Limits())
    assert time.process_time() - start < 5  # it would be minutes


def test_deflated_bytes_of_which_nothing_comes_are_refused(inflater: str) -> None:
    """ISA-L takes 0.14 µs for an empty block of 10 bits: 14 s for the largest file allowed."""
    block = "0100000000" * 8  # bits in their order: not the last, fixed codes, end of block
    empties = bytes(int(block[at : at + 8][::-1], 2) for at in range(0, 80, 8)) * (4 << 20)
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 60, 40, 8, 0, 0, 0, 0))
    rows = b"".join(b"\0" + row.tobytes() for row in radiograph(40, 60))
    whole = b"\0" + struct.pack("<HH", len(rows), len(rows) ^ 0xFFFF) + rows
    for before in (b"", whole):
        body = png_chunk(b"IDAT", b"\x78\x01" + before + empties) + png_chunk(b"IEND", b"")
        start = time.process_time()
        with pytest.raises(ImageError, match="longer deflated than inflated"):
            read_image(io.BytesIO(SIGNATURE + header + body), Limits())
        assert time.process_time() - start < 2


def test_a_picture_is_not_held_twice_while_it_is_inflated(inflater: str) -> None:
    side = 3000
    data = file_of(bytes((side + 1) * side), side, side, 8, 0)
    stream = inflated(data)
    tracemalloc.start()
    while stream.read(1 << 16):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < side * side / 5


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-6], "it ends within a chunk"),
        (lambda data: data[:-12], "it ends within a chunk"),
        (lambda data: data.replace(b"IDAT", b"IDAU"), "the checksum of IDAU is wrong"),
        (lambda data: data.replace(b"IDAT", b"I\x1b[T"), "the checksum of a chunk is wrong"),
    ],
)
def test_damage_to_the_chunks_is_named(damage: Any, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        list(chunks(damage(png(radiograph()))))


def test_chunks_without_end_are_refused() -> None:
    data = SIGNATURE + png_chunk(b"tEXt", b"") * (MAX_CHUNKS + 1)
    with pytest.raises(ImageError, match="chunks"):
        read_image(io.BytesIO(data), Limits())


def test_it_can_be_read_once_from_its_beginning() -> None:
    stream = inflated(png(radiograph()))
    assert stream.read(8) == SIGNATURE
    assert stream.tell() == stream.seek(8) == 8
    with pytest.raises(io.UnsupportedOperation):
        stream.seek(0)
    whole = SIGNATURE + stream.read()
    np.testing.assert_array_equal(pixels(io.BytesIO(whole))[1], radiograph())
