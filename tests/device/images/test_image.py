"""Any file → an 8-bit radiograph with air dark, or one line that says why not."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import re
import socket
import stat
import struct
import tempfile
import tracemalloc
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from edge_app.core.errors import ImageError
from edge_app.images import jpeg, jpeg_scans, raster
from edge_app.images import tiff as tiffs
from edge_app.images.phantom import synthetic_radiograph
from edge_app.images.radiograph import Limits
from edge_app.images.read import read_image

from .. import pictures
from ..pictures import (
    DATA,
    PNG_RGB,
    answers,
    attempt,
    encoded,
    exif,
    lying,
    png,
    png_chunk,
    png_packed,
    radiograph,
    read,
    refusal,
    tiff,
    tiff_of,
)

PICTURE = pictures.radiograph()
DEEP = PICTURE.astype(np.uint16) << 8
WHITE_IS_ZERO = 0

quick = settings(deadline=None, max_examples=60)


def rgb(alpha: int | None = None) -> Image.Image:
    image = Image.merge("RGB", [Image.fromarray(PICTURE)] * 3)
    if alpha is not None:
        image.putalpha(alpha)
    return image


def palette() -> Image.Image:
    """The picture with its grays in reversed palette order: the indices alone are a negative."""
    image = Image.fromarray(255 - PICTURE).convert("P")
    image.putpalette([255 - index // 3 for index in range(768)])
    return image


LOSSLESS = {
    "PNG gray": encoded(PICTURE, "PNG"),
    "PNG gray interlaced": png(PICTURE, interlaced=True),
    "PNG gray 16-bit": encoded(DEEP, "PNG"),
    "PNG gray 16-bit interlaced": png(DEEP, interlaced=True),
    "PNG RGB": encoded(rgb(), "PNG"),
    "PNG RGB 16-bit": png(np.dstack([DEEP] * 3), pictures.PNG_RGB),
    "PNG RGB interlaced": png(np.dstack([PICTURE] * 3), pictures.PNG_RGB, interlaced=True),
    "PNG RGBA opaque": encoded(rgb(alpha=255), "PNG"),
    "PNG LA opaque": encoded(rgb(alpha=255).convert("LA"), "PNG"),
    "PNG palette": encoded(palette(), "PNG"),
    "TIFF 8-bit": encoded(PICTURE, "TIFF"),
    "TIFF 8-bit LZW": encoded(PICTURE, "TIFF", compression="tiff_lzw"),
    "TIFF 8-bit big-endian": tiff(PICTURE, ">"),
    "TIFF 8-bit white is zero": tiff(255 - PICTURE, photometric=WHITE_IS_ZERO),
    "TIFF 16-bit": tiff(DEEP),
    "TIFF 16-bit deflate": encoded(DEEP, "TIFF", compression="tiff_adobe_deflate"),
    "TIFF 16-bit big-endian": tiff(DEEP, ">"),
    "TIFF 16-bit white is zero": tiff(0xFFFF - DEEP, photometric=WHITE_IS_ZERO),
    "TIFF 16-bit big-endian white is zero": tiff(0xFFFF - DEEP, ">", photometric=WHITE_IS_ZERO),
    "TIFF RGB": encoded(rgb(), "TIFF"),
    "BMP gray": encoded(PICTURE, "BMP"),
    "BMP RGB": encoded(rgb(), "BMP"),
    "WebP lossless": encoded(rgb(), "WEBP", lossless=True),
    "WebP lossless with alpha": encoded(rgb(alpha=255), "WEBP", lossless=True),
}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_a_lossless_file_gives_exactly_its_pixels(kind: str) -> None:
    image = read(LOSSLESS[kind])
    np.testing.assert_array_equal(image.pixels, PICTURE)
    assert image.warnings == ()
    assert image.facts["format"] == kind.split()[0].upper()
    assert (image.facts["width"], image.facts["height"]) == (65, 48)
    assert image.facts["inverted"] == ("white is zero" in kind)
    assert image.facts["bits"] == (16 if "16-bit" in kind else 8)
    assert image.facts["sha256"] == hashlib.sha256(LOSSLESS[kind]).hexdigest()
    json.dumps(image.facts)  # a result with these facts must be writable


def test_path_and_stream_give_the_same(tmp_path: Path) -> None:
    path = tmp_path / "röntgen bild.png"
    path.write_bytes(LOSSLESS["PNG gray"])
    for source in (path, str(path), io.BytesIO(path.read_bytes())):
        np.testing.assert_array_equal(read_image(source).pixels, PICTURE)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP"])
def test_one_bit_pictures_are_black_and_white(format: str) -> None:
    data = encoded(Image.fromarray(PICTURE > 100), format)
    np.testing.assert_array_equal(read(data).pixels, np.where(PICTURE > 100, 255, 0))


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("container", [png, tiff])
def test_deep_samples_are_windowed_to_their_significant_bits(bits: int, container: Any) -> None:
    image = read(container((PICTURE.astype(np.uint16) << (bits - 8)) + 3))
    np.testing.assert_array_equal(image.pixels, PICTURE)
    assert (image.facts["bits"], image.facts["window"]) == (bits, f"0..{(1 << bits) - 1}")


def test_a_faint_16_bit_picture_is_stretched_and_says_so() -> None:
    image = read(png(PICTURE.astype(np.uint16) + 30_000))
    assert image.pixels.min() == 0
    assert image.pixels.max() == 255
    assert "little contrast" in image.warnings[0]
    order = np.argsort(PICTURE, axis=None)
    assert (np.diff(image.pixels.flat[order].astype(int)) >= 0).all()


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(
    ("gamma", "more", "warned"),
    [
        (100_000, b"", True),
        (180_000, b"", True),
        (45_455, b"", False),
        (0, b"", False),
        (100_000, png_chunk(b"sRGB", b"\0"), False),
    ],
)
def test_a_png_that_viewers_show_brighter_or_darker_is_told(
    gamma: int, more: bytes, warned: bool, depth: int
) -> None:
    """PNG, third edition, 11.3.2.2 and 13.13: a decoder should show it by its gAMA chunk."""
    samples = PICTURE if depth == 8 else PICTURE.astype(np.uint16) * 257
    image = read(png(samples, extra=more + png_chunk(b"gAMA", struct.pack(">I", gamma))))
    assert [f"a gamma of {gamma / 100_000:g}" in each for each in image.warnings] == [True] * warned
    np.testing.assert_array_equal(image.pixels, PICTURE)


def by_hlg(x: float) -> float:
    """Of a display whose white is 0.75 of the range (ITU-R BT.2408), with its gamma of 1.2."""
    linear = x**2 / 3 if x <= 0.5 else (math.exp((x - 0.55991073) / 0.17883277) + 0.28466892) / 12
    return min(1, (linear / 0.26496256) ** 1.2)


def by_pq(x: float) -> float:
    """Of a display whose white has 203 cd/m² (ITU-R BT.2408)."""
    root = x ** (1 / 78.84375)
    linear = (max(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
    return min(1, 10_000 / 203 * linear)


TRANSFERS: dict[int, Callable[[float], float]] = {
    **dict.fromkeys((1, 6, 14, 15), lambda x: x**2.4),  # ITU-R BT.1886
    4: lambda x: x**2.2,
    5: lambda x: x**2.8,
    8: lambda x: x,
    9: lambda x: 10 ** (2 * (x - 1)),
    10: lambda x: 10 ** (2.5 * (x - 1)),
    13: lambda x: ((x + 0.055) / 1.055) ** 2.4,
    16: by_pq,
    17: lambda x: x**2.6,
    18: by_hlg,
}
"""Light of a gray, 0 to 1 both, by the transfer functions of ITU-T H.273, table 3."""


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("full", [0, 1])
@pytest.mark.parametrize("transfer", TRANSFERS)
def test_a_png_whose_transfer_function_shows_other_grays_is_told(
    transfer: int, full: int, depth: int
) -> None:
    """PNG, third edition, 11.3.2.6."""
    stored = np.array([64, 128, 192])
    values = stored if full else (stored - 16) * 255 / 219
    shown = [255 * TRANSFERS[transfer](value / 255) ** (1 / 2.2) for value in values]
    warned = bool(np.abs(shown - stored).max() > 8)
    samples = PICTURE if depth == 8 else PICTURE.astype(np.uint16) * 257
    said = png_chunk(b"cICP", bytes((1, transfer, 0, full)))
    image = read(png(samples, extra=said))
    assert ["its grays are" in each for each in image.warnings] == [True] * warned
    np.testing.assert_array_equal(image.pixels, PICTURE)


@pytest.mark.parametrize("kind", [b"tEXt", b"iTXt", b"zTXt", b"prVt"])
def test_a_transfer_function_is_told_behind_a_text_that_names_pixel_data(kind: bytes) -> None:
    text = png_chunk(kind, b"Comment\0\0\0\0\0what an IDAT chunk holds")
    linear = png_chunk(b"cICP", bytes((1, 8, 0, 1)))
    (warning,) = read(png(PICTURE, extra=text + linear)).warnings
    assert "its grays are linear" in warning


def test_a_transfer_function_that_no_viewer_heeds_is_not_told() -> None:
    """Behind the pixel data, of another length, in a text or of a number that stands for none."""
    linear = png_chunk(b"cICP", bytes((1, 8, 0, 1)))
    plain = png(PICTURE)
    for data in (
        plain[:-12] + linear + plain[-12:],
        png(PICTURE, extra=png_chunk(b"cICP", bytes((1, 8, 0)))),
        png(PICTURE, extra=png_chunk(b"tEXt", b"Comment\0" + linear)),
        *(png(PICTURE, extra=png_chunk(b"cICP", bytes((1, none, 0, 1)))) for none in (0, 2, 255)),
    ):
        assert read(data).warnings == ()


@pytest.mark.parametrize("colour", [pictures.PNG_RGB, pictures.PNG_GRAY_ALPHA])
def test_16_bit_colour_that_would_come_out_black_is_refused(colour: int) -> None:
    twelve_bits = PICTURE.astype(np.uint16) << 4
    others = [twelve_bits] * 2 if colour == pictures.PNG_RGB else [np.full_like(twelve_bits, 65535)]
    assert "16-bit colour" in refusal(png(np.dstack([twelve_bits, *others]), colour))


def test_32_bit_and_float_samples_are_refused() -> None:
    assert "65535" in refusal(encoded(PICTURE.astype(np.int32) * 1000, "TIFF"))
    assert "65535" in refusal(encoded(PICTURE.astype(np.int32) - 100, "TIFF"))
    assert "floating-point" in refusal(encoded(PICTURE.astype(np.float32), "TIFF"))


def half_transparent() -> dict[str, bytes]:
    alpha = np.full_like(PICTURE, 255)
    alpha[:, 40:] = 0
    rgba = rgb()
    rgba.putalpha(Image.fromarray(alpha))
    marked = np.where(alpha == 0, 77, np.where(PICTURE == 77, 78, PICTURE)).astype(np.uint8)
    indexed = Image.fromarray(marked).convert("P")
    indexed.putpalette([index // 3 for index in range(768)])
    return {
        "RGBA": encoded(rgba, "PNG"),
        "LA": encoded(rgba.convert("LA"), "PNG"),
        "WebP": encoded(rgba, "WEBP", lossless=True, exact=True),
        "palette": encoded(indexed, "PNG", transparency=77),
        "gray key": encoded(marked, "PNG", transparency=77),
    }


@pytest.mark.parametrize("kind", half_transparent())
def test_transparent_parts_become_black_and_are_told(kind: str) -> None:
    image = read(half_transparent()[kind])
    assert (image.pixels[:, 40:] == 0).all()
    assert np.abs(image.pixels[:, :40].astype(int) - PICTURE[:, :40]).max() <= 1
    assert image.warnings == ("is partly transparent: it was laid on black",)


@pytest.mark.parametrize("key", [0, 60_000])
def test_a_transparent_gray_of_16_bits_becomes_black_and_does_not_set_the_range(key: int) -> None:
    samples = 256 * PICTURE.astype(np.uint16) // 16 + 1
    kept = read(png(samples)).pixels
    samples[:, 40:] = key
    image = read(png(samples, extra=png_chunk(b"tRNS", struct.pack(">H", key))))
    assert (image.pixels[:, 40:] == 0).all()
    assert (image.pixels[:, :40] == kept[:, :40]).all()
    assert "is partly transparent: it was laid on black" in image.warnings
    nothing = np.full((9, 9), key, np.uint16)
    assert not read(png(nothing, extra=png_chunk(b"tRNS", struct.pack(">H", key)))).pixels.any()


def test_a_transparent_colour_of_16_bits_is_refused() -> None:
    """Pillow holds its key's lower bytes against the upper ones of the pixels."""
    colour = np.repeat(257 * PICTURE.astype(np.uint16)[..., np.newaxis], 3, axis=2)
    clear = png_chunk(b"tRNS", struct.pack(">HHH", *[0xFF00] * 3))
    assert "transparent" in refusal(png(colour, PNG_RGB, extra=clear))


@pytest.mark.parametrize(
    "data",
    [
        encoded(PICTURE, "JPEG", quality=95),
        encoded(PICTURE, "JPEG", quality=95, progressive=True),
        encoded(rgb(), "JPEG", quality=95),
        encoded(rgb().convert("CMYK"), "JPEG", quality=95),
        encoded(rgb(), "WEBP", quality=95),
    ],
    ids=["gray", "progressive", "RGB", "CMYK", "lossy WebP"],
)
def test_lossy_files_keep_shape_polarity_and_gray(data: bytes) -> None:
    image = read(data)
    assert image.pixels.shape == PICTURE.shape
    assert np.abs(image.pixels.astype(int) - PICTURE).mean() < 6
    assert image.warnings == ()


def test_a_colour_picture_is_read_by_its_luma_and_told() -> None:
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 200
    image = read(encoded(red, "PNG"))
    assert image.facts["colour"] is True
    assert image.warnings == ("is a colour picture: its brightness was used",)
    assert (image.pixels == round(200 * 0.299)).all()


# Orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "PNG 16-bit", "TIFF", "TIFF 16-bit", "WebP", "JPEG"])
def test_every_orientation_gives_the_upright_picture(kind: str, orientation: int) -> None:
    stored, deep = lying(PICTURE, orientation), lying(DEEP, orientation)
    tag = exif(bytes([orientation]))
    data = {
        "PNG": lambda: encoded(stored, "PNG", exif=tag),
        "PNG 16-bit": lambda: png(deep, extra=png_chunk(b"eXIf", tag[6:])),
        "TIFF": lambda: tiff(stored, turn=orientation),
        "TIFF 16-bit": lambda: tiff(0xFFFF - deep, ">", photometric=0, turn=orientation),
        "WebP": lambda: encoded(
            Image.fromarray(stored).convert("RGB"), "WEBP", lossless=True, exif=tag
        ),
        "JPEG": lambda: encoded(stored, "JPEG", quality=100, exif=tag),
    }[kind]()
    image = read(data)
    assert image.pixels.shape == PICTURE.shape
    assert np.abs(image.pixels.astype(int) - PICTURE).max() <= (8 if kind == "JPEG" else 0)
    assert (image.facts["width"], image.facts["height"]) == (65, 48)


@pytest.mark.parametrize(
    "block",
    [exif(b"\x09"), exif(b"\x06", kind=7), exif(b"six", kind=2), exif(b"\0"), b"Exif\0\0II*\0\xff"],
    ids=["nine", "bytes", "text", "zero", "cut"],
)
def test_an_orientation_that_means_nothing_leaves_the_picture_as_it_is(block: bytes) -> None:
    image = read(encoded(PICTURE, "PNG", exif=block))
    np.testing.assert_array_equal(image.pixels, PICTURE)
    assert image.facts["exif_orientation"] == 1
    json.dumps(image.facts)


def test_broken_exif_does_not_cost_the_picture() -> None:
    image = read(encoded(PICTURE, "PNG", exif=b"Exif\0\0not EXIF at all"))
    np.testing.assert_array_equal(image.pixels, PICTURE)
    assert image.warnings == ("has unreadable EXIF data: it was taken to be upright",)


# Shrunk by the decoder


def smooth(width: int, height: int) -> np.ndarray[Any, Any]:
    """A picture whose blocks of 8×8 are nearly plain, so that shrinking shows what it averages."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return np.rint(255 * (0.5 * x + 0.5 * y**2)).astype(np.uint8)


@pytest.mark.parametrize(
    ("width", "height", "min_side", "scale"),
    [
        (512, 256, 32, 8),
        (512, 256, 33, 4),
        (512, 256, 128, 2),
        (512, 256, 129, 1),
        (500, 300, 30, 4),  # neither is divided by 8
        (501, 256, 16, 1),
        (512, 256, None, 1),
    ],
)
def test_a_jpeg_is_shrunk_as_far_as_nothing_is_cut_or_missed(
    width: int, height: int, min_side: int | None, scale: int
) -> None:
    picture = smooth(width, height)
    image = read(encoded(picture, "JPEG", quality=95), min_side=min_side)
    assert image.pixels.shape == (height // scale, width // scale)
    assert (image.facts["width"], image.facts["height"]) == (width, height)
    assert image.facts.get("shrunk", 1) == scale
    blocks = picture.reshape(height // scale, scale, width // scale, scale).mean((1, 3))
    assert np.abs(image.pixels - blocks).max() < 3


@pytest.mark.parametrize("kind", ["progressive", "RGB", "CMYK", "turned"])
def test_every_kind_of_jpeg_can_be_shrunk(kind: str) -> None:
    picture = smooth(512, 256)
    gray = Image.fromarray(picture)
    data = {
        "progressive": lambda: encoded(gray, "JPEG", quality=95, progressive=True),
        "RGB": lambda: encoded(gray.convert("RGB"), "JPEG", quality=95),
        "CMYK": lambda: encoded(gray.convert("RGB").convert("CMYK"), "JPEG", quality=95),
        "turned": lambda: encoded(lying(picture, 6), "JPEG", quality=95, exif=exif(b"\6")),
    }[kind]()
    image = read(data, min_side=64)
    assert image.pixels.shape == (64, 128)
    assert (image.facts["width"], image.facts["height"]) == (512, 256)
    assert np.abs(image.pixels - picture.reshape(64, 4, 128, 4).mean((1, 3))).max() < 4


def test_only_a_jpeg_is_shrunk() -> None:
    picture = smooth(512, 256)
    for format in ("PNG", "TIFF", "BMP", "WEBP"):
        image = read(encoded(Image.fromarray(picture), format), min_side=8)
        assert image.pixels.shape == picture.shape
        assert "shrunk" not in image.facts


@pytest.mark.parametrize("min_side", [None, 64])
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_jpeg_whose_end_is_missing_is_told(
    orientation: int, mode: str, min_side: int | None
) -> None:
    """ITU-T T.81: its end mark may be there, as repaired and joined files have it."""
    tag = exif(bytes([orientation]))
    data = encoded(Image.fromarray(smooth(512, 256)).convert(mode), "JPEG", exif=tag)
    assert read(data, min_side=min_side).warnings == ()
    scan = data.index(b"\xff\xda") + 14
    for share in (0.2, 0.5, 0.9):
        cut = data[: scan + int(share * (len(data) - scan))] + b"\xff\xd9"
        assert jpeg.ENDS_EARLY in read(cut, min_side=min_side).warnings


KINDS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "optimised": {"optimize": True},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 5},
}

BEFORE_A_GAP = 60
"""Bytes of a scan that are surely of its first rows."""


@pytest.mark.parametrize("min_side", [None, 64])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_gap_in_a_jpeg_is_told_though_it_ends_in_its_own_grays(
    mode: str, min_side: int | None
) -> None:
    """One of a part of a row leaves the end of the last row without data."""
    picture = Image.fromarray(synthetic_radiograph(512, 3)).convert(mode)
    data = encoded(picture, "JPEG", quality=90)
    assert read(data, min_side=min_side).warnings == ()
    scan = data.index(b"\xff\xda") + 14
    for share in (0.1, 0.4, 0.7):
        at = scan + BEFORE_A_GAP + int(share * (len(data) - scan))
        gap = data[:at] + data[at + 400 :]
        assert jpeg.ENDS_EARLY in read(gap, min_side=min_side).warnings


@pytest.mark.parametrize("min_side", [None, 16])
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("optimize", [False, True])
def test_a_jpeg_of_which_a_part_is_shown_is_told(
    optimize: bool, mode: str, min_side: int | None
) -> None:
    """Its header cuts rows or columns off, or bytes were put in, as on their way as text."""
    data = encoded(Image.fromarray(smooth(512, 256)).convert(mode), "JPEG", optimize=optimize)
    frame, scan = data.index(b"\xff\xc0"), data.index(b"\xff\xda") + 14
    height, width = frame + 5, frame + 7
    assert struct.unpack_from(">2H", data, height) == (256, 512)
    for at, side in ((height, 128), (height, 240), (width, 256), (width, 480)):
        cut = data[:at] + struct.pack(">H", side) + data[at + 2 :]
        assert jpeg.ENDS_LATE in read(cut, min_side=min_side).warnings
    at = scan + (len(data) - scan) // 2
    twice = data[:at] + data[scan + BEFORE_A_GAP : at] + data[at:]
    assert jpeg.ENDS_LATE in read(twice, min_side=min_side).warnings


@pytest.mark.parametrize("behind", [b"", b"\0", bytes(9), b"\xff", b"\xff\xff\xff", b"\0\xff"])
@pytest.mark.parametrize("kind", ["baseline", "optimised", "progressive", "restarts"])
def test_filling_behind_the_data_of_a_jpeg_is_not_told(kind: str, behind: bytes) -> None:
    data = encoded(smooth(512, 256), "JPEG", **KINDS[kind])
    assert read(data[:-2] + behind + b"\xff\xd9").warnings == ()
    assert read(data + bytes(100_000)).warnings == ()


@pytest.mark.parametrize("behind", [b"\xff\xd7", b"\xff\xd7\xff"])
def test_a_restart_marker_behind_the_last_block_of_a_jpeg_is_not_told(behind: bytes) -> None:
    """As encoders write that set one behind each interval; some last blocks end a byte earlier."""
    for quality in range(60, 100):
        data = encoded(radiograph(144, 200), "JPEG", quality=quality)
        assert read(data[:-2] + behind + b"\xff\xd9").warnings == ()


def gray_below() -> np.ndarray[Any, Any]:
    """The gray of a decoder's filling below it, as a scanner's lid or a page is."""
    picture = smooth(512, 256)
    picture[-40:] = jpeg.FILLING
    return picture


@pytest.mark.parametrize("min_side", [None, 64])
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_jpeg_that_ends_in_the_filling_gray_is_told_from_one_cut_there(
    kind: str, mode: str, min_side: int | None
) -> None:
    picture = Image.fromarray(gray_below()).convert(mode)
    data = encoded(picture, "JPEG", **KINDS[kind])
    assert read(data, min_side=min_side).warnings == ()
    assert read(data[:-2] + b"\xff\xff\xff\xd9", min_side=min_side).warnings == ()
    scan = data.index(b"\xff\xda") + 14
    for share in (0.5, 0.9):
        cut = data[: scan + int(share * (len(data) - scan))] + b"\xff\xd9"
        assert jpeg.ENDS_EARLY in read(cut, min_side=min_side).warnings


def test_a_jpeg_of_restarts_that_is_cut_between_two_of_them_is_told() -> None:
    picture = Image.fromarray(smooth(256, 256))
    data = encoded(picture, "JPEG", restart_marker_rows=1)
    ends = [found.start() for found in re.finditer(rb"\xff[\xd0-\xd7]", data)]
    assert len(ends) == 31
    for kept in range(1, 30):
        assert jpeg.ENDS_EARLY in read(data[: ends[kept]] + b"\xff\xd9").warnings
    for lost in (4, 5, 6, 7, 12, 13, 14, 15):  # others are taken for one or two, filled in place
        gap = data[: ends[10]] + data[ends[10 + lost] :]
        assert jpeg.ENDS_EARLY in read(gap).warnings


def test_two_pictures_of_a_jpeg_are_compared_in_little_memory() -> None:
    pixels = np.full((2000, 2000), jpeg.FILLING, np.uint8)
    data = encoded(Image.fromarray(pixels).convert("RGB"), "JPEG")
    tracemalloc.start()
    assert read(data).warnings == ()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < pixels.size * 3


def tiff_of_jpegs(
    parts: Sequence[bytes],
    width: int,
    rows: int,
    lying: int = 1,
    *,
    tiled: bool = False,
    photometric: int = 1,
) -> bytes:
    """A TIFF of two strips or tiles of so many rows each, both a JPEG, in that orientation."""
    first, second = parts
    start = 8 + 2 + (11 if tiled else 10) * 12 + 4
    numbers = struct.pack("<4I", start + 16, start + 16 + len(first), len(first), len(second))
    tags = {256: (1, width), 257: (1, 2 * rows), 258: (1, 8), 259: (1, 7)}
    tags[262] = 1, photometric
    places, sizes = (2, start), (2, start + 8)
    if tiled:
        tags |= {274: (1, lying), 277: (1, 1), 322: (1, width), 323: (1, rows)}
        tags |= {324: places, 325: sizes}
    else:
        tags |= {273: places, 274: (1, lying), 277: (1, 1), 278: (1, rows), 279: sizes}
    entries = b"".join(struct.pack("<HHII", tag, 4, *value) for tag, value in tags.items())
    head = b"II*\0" + struct.pack("<IH", 8, len(tags))
    return head + entries + bytes(4) + numbers + first + second


@pytest.mark.parametrize("tiled", [False, True], ids=["strips", "tiles"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("which", [0, 1])
def test_a_tiff_with_a_jpeg_that_is_cut_is_told(which: int, orientation: int, tiled: bool) -> None:
    """libtiff takes a strip of JPEG whose data end early for a whole one."""
    parts = [encoded(half, "JPEG") for half in np.split(smooth(512, 256), 2)]
    size = (512, 128, orientation)
    assert read(tiff_of_jpegs(parts, *size, tiled=tiled)).warnings == ()
    cut = parts[which][: len(parts[which]) * 2 // 3]
    for part, warned in (
        (parts[which][:-2], (jpeg.LACKS_END,)),
        (cut, (jpeg.LACKS_END, jpeg.ENDS_EARLY)),
        (cut + b"\xff\xd9", (jpeg.ENDS_EARLY,)),
    ):
        parts[which] = part
        assert read(tiff_of_jpegs(parts, *size, tiled=tiled)).warnings == warned


@pytest.mark.parametrize("tiled", [False, True], ids=["strips", "tiles"])
@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("which", [0, 1])
def test_a_tiff_with_a_jpeg_that_is_cut_in_its_last_blocks_is_told(
    which: int, photometric: int, tiled: bool
) -> None:
    parts = [encoded(half, "JPEG") for half in np.split(smooth(512, 256), 2)]
    size = {"width": 512, "rows": 128, "tiled": tiled, "photometric": photometric}
    assert read(tiff_of_jpegs(parts, **size)).warnings == ()
    parts[which] = parts[which][:-50] + b"\xff\xd9"
    assert read(tiff_of_jpegs(parts, **size)).warnings == (jpeg.ENDS_EARLY,)


@pytest.mark.parametrize("tiled", [False, True], ids=["strips", "tiles"])
@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("kind", KINDS)
def test_a_tiff_whose_jpegs_end_in_the_filling_gray_is_told_from_one_cut_there(
    kind: str, orientation: int, tiled: bool
) -> None:
    halves = [gray_below()[:, :256], gray_below()[:, 256:]]
    parts = [encoded(half, "JPEG", **KINDS[kind]) for half in halves]
    size = (256, 256, orientation)
    assert read(tiff_of_jpegs(parts, *size, tiled=tiled)).warnings == ()
    for which, part in enumerate(parts):
        scan = part.index(b"\xff\xda") + 14
        cut = part[: scan + (len(part) - scan) * 2 // 3] + b"\xff\xd9"
        both = [cut if place == which else each for place, each in enumerate(parts)]
        assert jpeg.ENDS_EARLY in read(tiff_of_jpegs(both, *size, tiled=tiled)).warnings


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_tiff_whose_jpegs_have_their_tables_in_common_is_told_whole(mode: str) -> None:
    """As libtiff writes it."""
    picture = Image.fromarray(gray_below()).convert(mode)
    data = encoded(picture, "TIFF", compression="jpeg")
    (page,) = tiffs.pages(data)
    assert tiffs.JPEG_TABLES in Image.open(io.BytesIO(data)).tag_v2
    assert read(data).warnings == ()
    start, size = (each[-2] for each in page.pieces)
    kept = data.index(b"\xff\xda", start) + 14 + size // 2
    cut = data[:kept] + b"\xff\xd9" + bytes(start + size - kept - 2) + data[start + size :]
    assert jpeg.ENDS_EARLY in read(cut).warnings


@pytest.mark.parametrize(
    "limit", [(tiffs, "MAX_TABLES", 16), (raster, "MAX_PLACES", 0)], ids=["tables", "places"]
)
def test_a_tiff_that_would_take_much_to_try_is_warned_of_untried(
    monkeypatch: pytest.MonkeyPatch, limit: tuple[Any, str, int]
) -> None:
    data = encoded(Image.fromarray(gray_below()), "TIFF", compression="jpeg")
    monkeypatch.setattr(*limit)
    assert read(data).warnings == (jpeg.ENDS_EARLY,)


@pytest.mark.parametrize("tiled", [False, True], ids=["strips", "tiles"])
@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"progressive": True}, jpeg_scans.LACKS_SCANS),
        ({"restart_marker_blocks": 3}, jpeg_scans.LACKS_INTERVALS),
    ],
)
def test_a_tiff_with_a_jpeg_that_lacks_scans_or_restart_intervals_is_told(
    options: dict[str, Any], message: str, which: int, tiled: bool
) -> None:
    parts = [encoded(half, "JPEG", **options) for half in np.split(smooth(512, 256), 2)]
    assert read(tiff_of_jpegs(parts, 512, 128, tiled=tiled)).warnings == ()
    part = parts[which]
    if "progressive" in options:
        parts[which] = part[: part.rindex(b"\xff\xda")] + b"\xff\xd9"
    else:
        parts[which] = part[: part.index(b"\xff\xd2")] + part[part.index(b"\xff\xd4") :]
    assert read(tiff_of_jpegs(parts, 512, 128, tiled=tiled)).warnings == (message,)


def test_shrinking_forgives_neither_size_nor_damage() -> None:
    data = encoded(smooth(512, 256), "JPEG")
    with pytest.raises(ImageError, match="declares 512x256 pixels"):
        read(data, Limits(max_pixels=512 * 256 - 1), min_side=8)
    with pytest.raises(ImageError, match="damaged or truncated"):
        read(data[: len(data) // 2], min_side=8)


# Several pages


@pytest.mark.parametrize(
    ("format", "lossless"), [("TIFF", {}), ("PNG", {}), ("WEBP", {"lossless": True})]
)
def test_of_several_pages_the_first_is_read_and_told(
    format: str, lossless: dict[str, bool]
) -> None:
    others = [Image.new("RGB", (65, 48), (9, 9, 9)), Image.new("RGB", (65, 48))]
    image = read(encoded(rgb(), format, save_all=True, append_images=others, **lossless))
    np.testing.assert_array_equal(image.pixels, PICTURE)
    assert image.warnings == ("has more than one page or frame: only the first was read",)


# Damage


@quick
@given(st.integers(0, 8 * len(LOSSLESS["PNG gray"]) - 1))
def test_a_flipped_bit_in_a_png_is_refused_or_harmless(bit: int) -> None:
    data = bytearray(LOSSLESS["PNG gray"])
    data[bit // 8] ^= 1 << bit % 8
    image = attempt(bytes(data))
    if image:
        np.testing.assert_array_equal(image.pixels, PICTURE)


def test_a_flipped_byte_in_a_pngs_pixels_is_refused() -> None:
    data = bytearray(LOSSLESS["PNG gray"])
    data[data.index(b"IDAT") + 100] ^= 0x10
    assert "damaged" in refusal(bytes(data))


CUT = LOSSLESS | {
    "JPEG": encoded(PICTURE, "JPEG"),
    "JPEG progressive": encoded(rgb(), "JPEG", progressive=True),
    "JPEG with EXIF": encoded(PICTURE, "JPEG", exif=exif(b"\1")),
    "WebP lossy": encoded(rgb(), "WEBP"),
}


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(sorted(CUT)), st.floats(0, 1, exclude_max=True))
def test_a_cut_file_is_refused_or_complete(kind: str, share: float) -> None:
    data = CUT[kind]
    image = attempt(data[: int(share * len(data))])
    if image:
        np.testing.assert_array_equal(image.pixels, read(data).pixels)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(sorted(CUT)), st.data())
def test_no_damage_raises_anything_but_an_image_error(kind: str, draw: st.DataObject) -> None:
    data = bytearray(CUT[kind])
    for _ in range(draw.draw(st.integers(1, 8))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    image = attempt(bytes(data))
    if image:
        assert image.pixels.dtype == np.uint8
        json.dumps(image.facts)


MAGICS = (
    b"",
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"II*\0",
    b"MM\0*",
    b"MM\0+\0\x08\0\0",
    b"BM",
    b"RIFF",
)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(MAGICS), st.binary(max_size=400))
@example(b"", b"")
@example(b"", bytes(128) + b"DICM")
def test_random_bytes_are_refused_in_one_line(magic: bytes, noise: bytes) -> None:
    refusal(magic + noise)


def test_each_fault_is_named() -> None:
    assert refusal(b"") == "is empty"
    assert "it begins 25 50 44 46" in refusal(b"%PDF-1.7")
    assert "is not a PNG" in refusal(encoded(PICTURE, "GIF"))  # not among the formats read
    assert "ends within a chunk" in refusal(LOSSLESS["PNG gray"][:30])
    assert refusal(b"II*\0").startswith("is a TIFF that is damaged, truncated")
    assert "truncated" in refusal(LOSSLESS["BMP gray"][:-50])


@pytest.mark.parametrize("name", ["BMP gray", "BMP RGB"])
def test_a_bmp_whose_height_leaves_rows_out_is_told(name: str) -> None:
    """No checksum covers it; what stands behind the picture shows it."""
    data = LOSSLESS[name]
    height = PICTURE.shape[0]
    fewer = data[:22] + struct.pack("<i", height - 10) + data[26:]
    (line,) = read(fewer).warnings
    assert line.endswith(
        "than its rows and columns take: they may be wrong, and a part of the picture missing"
    )
    assert read(data + bytes(1000)).warnings == read(data + b"end").warnings == ()


# Sizes


def test_the_byte_limit_holds_for_files_and_streams(tmp_path: Path) -> None:
    data = LOSSLESS["PNG gray"]
    path = tmp_path / "a.png"
    path.write_bytes(data)
    for source in (path, io.BytesIO(data)):
        with pytest.raises(ImageError, match="--max-bytes"):
            read_image(source, Limits(max_bytes=len(data) - 1))
    for source in (path, io.BytesIO(data)):
        assert read_image(source, Limits(max_bytes=len(data))).pixels.shape == PICTURE.shape


@pytest.mark.parametrize("kind", LOSSLESS)
def test_the_pixel_limit_holds_for_every_format(kind: str) -> None:
    assert "65x48" in refusal(LOSSLESS[kind], Limits(max_pixels=65 * 48 - 1))
    assert read(LOSSLESS[kind], Limits(max_pixels=65 * 48)).pixels.shape == PICTURE.shape


def test_a_side_no_radiograph_has_is_refused() -> None:
    thread = np.zeros((65_536, 1), np.uint8)
    assert "65535" in refusal(png(thread))
    assert read(png(thread[1:])).pixels.shape == (65_535, 1)


# What is not an image file, and what is made to exhaust the machine


def test_what_is_not_a_file_is_refused_at_once_and_named(tmp_path: Path) -> None:
    fifo, folder, gone = tmp_path / "fifo.png", tmp_path / "folder.png", tmp_path / "gone.png"
    os.mkfifo(fifo)
    folder.mkdir()
    link = tmp_path / "loop.png"
    link.symlink_to(link)
    address = tmp_path / "socket.png"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(address))
        lines = {
            fifo: "is a named pipe, not a file",
            folder: "is a folder, not a file",
            Path("/dev/zero"): "is a device, not a file",
            Path("/dev/null"): "is a device, not a file",
            gone: "no such file",
            folder / "a.png": "no such file",
            fifo / "a.png": "cannot be read: Not a directory",
            link: "cannot be read: Too many levels of symbolic links",
            tmp_path / ("x" * 300): "cannot be read: File name too long",
            address: "cannot be read: No such device or address",
        }
        for (path, expected), (line, _, seconds) in zip(
            lines.items(), answers(*lines), strict=True
        ):
            assert line == expected, path
            assert seconds < 5
    with pytest.raises(ImageError, match="cannot be read"):
        read_image("a\0b.png")


def test_refused_folders_do_not_use_up_file_descriptors(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        with pytest.raises(ImageError):
            read_image(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_without_permission_says_what_to_check() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "private.png")
        path.write_bytes(LOSSLESS["PNG gray"])
        path.chmod(0 if os.getuid() else stat.S_IRUSR)
        Path(folder).chmod(0o755)
        nobody = "" if os.getuid() else "65534"
        [(line, _, _)] = answers(path, user=nobody)
    assert line == "no permission to read it: check its owner and mode"


def webp_canvas(width: int, height: int) -> bytes:
    """An animation of one 64×64 frame on a canvas of that size."""
    frame = encoded(Image.new("RGB", (64, 64)), "WEBP")[12:]
    sides = [(side - 1).to_bytes(3, "little") for side in (width, height, 64, 64)]
    body = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(payload)) + payload
        for kind, payload in (
            (b"VP8X", bytes([2, 0, 0, 0]) + sides[0] + sides[1]),
            (b"ANIM", bytes(6)),
            (b"ANMF", bytes(6) + sides[2] + sides[3] + bytes(4) + frame),
        )
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tiff_of_one_big_tile() -> bytes:
    side, packed = 12_000, zlib.compress(bytes(12_000 * 12_000))
    tags = {256: 100, 257: 100, 258: 8, 259: 8, 262: 1, 277: 1}
    return tiff_of(tags | {322: side, 323: side, 324: DATA, 325: len(packed)}, packed)


def tiff_of_endless_pages() -> bytes:
    """20,000 further directories: Pillow takes 0.5 ms to count each."""
    tags = {256: 8, 257: 8, 258: 8, 259: 1, 262: 1, 273: DATA, 277: 1, 278: 8, 279: 64}
    first = len(tiff_of(tags, bytes(64)))
    entries = [struct.pack("<HHII", tag, 4, 1, 8) for tag in (256, 257, 258, 273)]
    page = struct.pack("<H", len(entries)) + b"".join(entries)
    places = [first + (index + 1) * (len(page) + 4) for index in range(19_999)] + [0]
    chain = b"".join(page + struct.pack("<I", place) for place in places)
    return tiff_of(tags, bytes(64) + chain, following=first)


def jpeg_of_endless_scans() -> bytes:
    data = encoded(Image.new("L", (3000, 3000), 77), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * 3000 + data[-2:]


def png_with_exif_of_one_value_many_times() -> bytes:
    size = 1 << 20
    entries = b"".join(struct.pack("<HHII", 40_000 + tag, 1, size, 8) for tag in range(300))
    block = b"II*\0" + struct.pack("<IH", 8, 300) + entries + bytes(4 + size)
    return png(PICTURE, extra=png_chunk(b"eXIf", block))


def zeros() -> bytes:
    return zlib.compress(bytes(200 << 20))


def png_of_clear_colour(turned: bool = False) -> bytes:
    """Eight million pixels of colour, all transparent."""
    exif = b"MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHHI", 0x0112, 3, 1, 6, 0, 0)
    extra = png_chunk(b"eXIf", exif) if turned else b""
    rows = zlib.compress(bytes(4000 * 8001))
    return png_packed(rows, 2000, 4000, bits=8, colour=6, extra=extra)


def bmp_of_vast_sides() -> bytes:
    data = LOSSLESS["BMP gray"]
    return data[:18] + struct.pack("<ii", 60_000, 60_000) + data[26:]


BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "PNG of 60000x60000 in a few kilobytes": (
        lambda: png_packed(zlib.compress(bytes(60_001 * 60)), 60_000, 60_000, bits=8, colour=0),
        "declares 60000x60000 pixels",
    ),
    "PNG of the longest sides": (
        lambda: png_packed(zlib.compress(b""), 2**31 - 1, 2**31 - 1, bits=16, colour=6),
        "declares 2147483647x2147483647 pixels",
    ),
    "PNG with 200 MB of text": (
        lambda: png(PICTURE, extra=png_chunk(b"zTXt", b"a\0\0" + zeros())),
        "damaged",
    ),
    "PNG with a 200 MB profile": (
        lambda: png(PICTURE, extra=png_chunk(b"iCCP", b"a\0\0" + zeros())),
        "",
    ),
    "PNG whose pixels go on for 200 MB": (
        lambda: png_packed(zeros(), 65, 48, bits=8, colour=0),
        "(48, 65)",
    ),
    "PNG with EXIF of one value many times": (png_with_exif_of_one_value_many_times, ""),
    "WebP with a vast canvas": (
        lambda: webp_canvas(16_383, 16_383),
        "declares 16383x16383 pixels",
    ),
    "TIFF of one big tile": (tiff_of_one_big_tile, "declares 12000x12000 pixels"),
    "TIFF of endless pages": (tiff_of_endless_pages, "(8, 8)"),
    "JPEG of endless scans": (jpeg_of_endless_scans, "more than 100 scans"),
    "PNG of colour with opacity": (png_of_clear_colour, "(4000, 2000)"),
    "the same turned": (lambda: png_of_clear_colour(turned=True), "(2000, 4000)"),
    "BMP of vast sides": (bmp_of_vast_sides, "declares 60000x60000 pixels"),
}
"""Each with what is said of it."""


@pytest.fixture(scope="module")
def blasts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, float, float]]:
    folder = tmp_path_factory.mktemp("bombs")
    paths = []
    for index, (made, _) in enumerate(BOMBS.values()):
        paths.append(folder / str(index))
        paths[-1].write_bytes(made())
    return dict(zip(BOMBS, answers(*paths), strict=True))


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_costs_neither_memory_nor_time(
    kind: str, blasts: dict[str, tuple[str, float, float]]
) -> None:
    line, megabytes, seconds = blasts[kind]
    assert BOMBS[kind][1] in line
    assert megabytes < 64
    assert seconds < 5


@pytest.mark.parametrize("mode", ["RGBA", "LA", "RGB", "CMYK", "P", "PA", "La"])
def test_strips_make_the_picture_that_the_whole_makes(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    bands = len(Image.new(mode, (1, 1)).getbands())
    data = rng.integers(0, 256, (37, 23, bands), np.uint8).tobytes()
    image = Image.frombytes(mode, (23, 37), data)
    if mode in ("P", "PA"):
        image.putpalette(rng.integers(0, 256, 768, np.uint8).tobytes())
    made: list[Any] = []
    for pixels in (1 << 20, 50):
        monkeypatch.setattr(raster, "STRIP_PIXELS", pixels)
        facts: dict[str, Any] = {}
        notes: list[str] = []
        made.append((raster._grayscale(image, facts, notes).tobytes(), facts, notes))
    assert made[0] == made[1]
    assert len({*made[0][0]}) > 50


def test_damaged_files_print_nothing_of_their_own(tmp_path: Path) -> None:
    paths = []
    for index, data in enumerate((LOSSLESS["TIFF 8-bit"], LOSSLESS["TIFF 8-bit LZW"], CUT["JPEG"])):
        for share in (0.1, 0.5, 0.9):
            paths.append(tmp_path / f"{index} {share}")
            paths[-1].write_bytes(data[: int(share * len(data))])
    assert len(answers(*paths)) == len(paths)


# Properties


SIDES = st.integers(1, 40)
GRAY = arrays.arrays(np.uint8, st.tuples(SIDES, SIDES))
DEEP_GRAY = arrays.arrays(np.uint16, st.tuples(SIDES, SIDES))


@quick
@given(GRAY, st.sampled_from(["PNG", "TIFF", "BMP"]))
def test_saving_and_reading_again_losslessly_changes_nothing(
    pixels: np.ndarray[Any, Any], format: str
) -> None:
    image = read(encoded(pixels, format))
    np.testing.assert_array_equal(image.pixels, pixels)
    assert image.pixels.dtype == np.uint8
    assert image.pixels.flags.c_contiguous


@quick
@given(DEEP_GRAY)
def test_a_windowed_picture_saved_and_read_again_stays_as_it_is(
    samples: np.ndarray[Any, Any],
) -> None:
    once = read(png(samples)).pixels
    assert once.shape == samples.shape
    np.testing.assert_array_equal(read(encoded(once, "PNG")).pixels, once)


@quick
@given(DEEP_GRAY, st.sampled_from([png, tiff]))
def test_brighter_samples_are_never_shown_darker(
    samples: np.ndarray[Any, Any], container: Any
) -> None:
    shown = read(container(samples)).pixels
    order = np.argsort(samples, axis=None)
    assert (np.diff(shown.flat[order].astype(int)) >= 0).all()


@quick
@given(DEEP_GRAY)
def test_white_is_zero_is_the_negative(samples: np.ndarray[Any, Any]) -> None:
    negative = read(tiff(samples, photometric=WHITE_IS_ZERO)).pixels
    np.testing.assert_array_equal(negative, 255 - read(tiff(samples)).pixels)


@quick
@given(
    st.tuples(SIDES, SIDES),
    st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"]),
    st.sampled_from(["PNG", "TIFF", "JPEG", "BMP", "WEBP"]),
)
def test_any_size_mode_and_format_gives_height_by_width_uint8(
    size: tuple[int, int], mode: str, format: str
) -> None:
    try:
        data = encoded(Image.new(mode, size), format)
    except OSError:  # Pillow does not write that mode in that format
        return
    image = read(data)
    assert image.pixels.shape == size[::-1]
    assert image.pixels.dtype == np.uint8
