"""Profiles by which viewers show other grays than are scored, held to what Little CMS shows."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from edge_app.images.profile import OTHER_TONES, UNREAD, notes

from .. import pictures
from ..pictures import attempt, encoded, png, png_chunk, read, tiff_of

PICTURE = pictures.radiograph()
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def curv(*values: int) -> bytes:
    return b"curv" + struct.pack(f">4xI{len(values)}H", len(values), *values)


def para(function: int, *numbers: float) -> bytes:
    fixed = [round(number * 65536) for number in numbers]
    return b"para" + struct.pack(f">4xHxx{len(fixed)}i", function, *fixed)


def profile(
    curve: bytes, connection: bytes = b"XYZ ", space: bytes = b"GRAY", tables: bytes = b""
) -> bytes:
    """A profile of a display that has nothing but what it must have, and perhaps tables."""
    white = b"XYZ " + struct.pack(">4x3i", 0xF6D6, 0x10000, 0xD32D)
    text = b"text" + bytes(4) + b"none\0\0\0\0"
    contents: dict[bytes, bytes] = {b"desc": text, b"wtpt": white, b"cprt": text}
    contents |= {b"kTRC" if space == b"GRAY" else name: curve for name in (b"gTRC", b"rTRC")}
    if space == b"RGB ":
        contents |= {b"bTRC": curve} | dict.fromkeys((b"rXYZ", b"gXYZ", b"bXYZ"), white)
    contents |= {b"A2B0": tables} if tables else {}
    table, body = b"", b""
    for name, content in contents.items():
        content += bytes(-len(content) % 4)
        table += struct.pack(">4sII", name, 132 + 12 * len(contents) + len(body), len(content))
        body += content
    size = 132 + len(table) + len(body)
    head = struct.pack(">I4xI4s4s4s12x4s28x", size, 0x04200000, b"mntr", space, connection, b"acsp")
    white = struct.pack(">3i48x", 0xF6D6, 0x10000, 0xD32D)
    return head + white + struct.pack(">I", len(contents)) + table + body


def by_gamma(gamma: float) -> bytes:
    return curv(round(gamma * 256))


def tabled(gamma: float, count: int = 256) -> bytes:
    return curv(*np.rint(65535 * np.linspace(0, 1, count) ** gamma).astype(int).tolist())


OF_SRGB = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)

CURVES = {
    "gamma 2.2": (profile(by_gamma(2.2)), False),
    "gamma 1.8": (profile(by_gamma(1.8)), True),
    "gamma 3": (profile(by_gamma(3)), True),
    "linear": (profile(curv()), True),
    "a table of gamma 2.2": (profile(tabled(2.2)), False),
    "a table of 1.75, as of dot gain": (profile(tabled(1.75, 4096)), True),
    "a table turned round": (profile(curv(*range(65535, -1, -257))), True),
    "sRGB as a function": (profile(para(3, *OF_SRGB)), False),
    "sRGB with an offset": (profile(para(4, *OF_SRGB, 0, 0)), False),
    "a function of gamma 1": (profile(para(0, 1)), True),
    "black up to a third": (profile(para(1, 2.2, 1.5, -0.5)), True),
    "gray as black": (profile(para(2, 2.2, 0.8, 0, 0.2)), True),
    "lightness": (profile(curv(), b"Lab "), True),
    "lightness by gamma 0.9": (profile(by_gamma(0.9), b"Lab "), False),
}  # fmt: skip


def shown(icc: bytes) -> np.ndarray[Any, Any]:
    """The levels 64, 128 and 192 on a display of sRGB, by Little CMS."""
    levels = Image.fromarray(np.array([[64, 128, 192]], np.uint8))
    made = ImageCms.profileToProfile(
        levels, ImageCms.ImageCmsProfile(io.BytesIO(icc)), ImageCms.createProfile("sRGB"),
        outputMode="RGB",
    )  # fmt: skip
    assert made is not None
    return np.asarray(made)[0, :, 1].astype(int)


def test_tables_of_gray_go_before_its_curve_and_are_told() -> None:
    """ICC.1:2022, 10.10: of 8 bits, here from gray by its square to lightness."""
    squares = bytes(level**2 // 255 for level in range(256))
    ends = bytes((0, 128, 128, 255, 128, 128))
    identity = struct.pack(">9i", *(65536 * (place % 4 == 0) for place in range(9)))
    tables = b"mft1" + bytes(4) + bytes((1, 3, 2, 0)) + identity + squares
    tables += ends + bytes(range(256)) * 3
    for said, warned in ((tables, True), (b"", False)):
        icc = profile(by_gamma(0.9), b"Lab ", tables=said)
        assert (np.abs(shown(icc) - [64, 128, 192]).max() > 8) == warned
        image = read(encoded(PICTURE, "PNG", icc_profile=icc))
        assert image.warnings == (UNREAD,) * warned


@pytest.mark.parametrize("name", CURVES)
def test_a_gray_profile_that_moves_the_grays_is_told(name: str) -> None:
    icc, warned = CURVES[name]
    moves = np.abs(shown(icc) - [64, 128, 192])
    assert (moves.max() > 8) == warned, moves
    compressed = png_chunk(b"iCCP", b"gray\0\0" + zlib.compress(icc))
    deep = PICTURE.astype(np.uint16) * 257
    for data in (
        png(PICTURE, extra=compressed),
        png(deep, extra=compressed),
        encoded(PICTURE, "JPEG", quality=95, icc_profile=icc),
        encoded(PICTURE, "TIFF", icc_profile=icc),
        encoded(PICTURE, "TIFF", icc_profile=icc, big_tiff=True),
        encoded(deep, "TIFF", icc_profile=icc),
    ):
        image = read(data)
        assert image.warnings == (OTHER_TONES,) * warned
        assert np.abs(image.pixels.astype(int) - PICTURE).max() < 40  # the pixels stay


def test_a_table_as_long_as_a_file_is_not_copied() -> None:
    table = np.linspace(0, 65535, 1_000_000).astype(">u2").tobytes()
    curve = b"curv" + struct.pack(">4xI", len(table) // 2) + table
    icc = profile(curve)
    tracemalloc.start()
    assert notes(icc, is_gray=True) == [OTHER_TONES]
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2 * len(icc)


def test_a_tiff_that_is_read_sample_by_sample_is_told_too() -> None:
    signed = (PICTURE.astype(int) * 128 - 1000).astype(np.int16)
    height, width = signed.shape
    icc = CURVES["linear"][0]
    tags = {256: width, 257: height, 258: 16, 259: 1, 262: 1, 273: pictures.DATA, 277: 1}
    tags |= {278: height, 279: signed.nbytes, 339: 2}
    plain = tiff_of(tags, signed.tobytes())
    assert OTHER_TONES not in read(plain).warnings
    data = bytearray(tiff_of({**tags, 34675: pictures.DATA}, signed.tobytes()) + icc)
    entry = data.index(struct.pack("<HH", 34675, 4))
    struct.pack_into("<HHII", data, entry, 34675, 7, len(icc), len(data) - len(icc))
    assert OTHER_TONES in read(bytes(data)).warnings


@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2])
def test_grays_in_colour_are_told_by_the_curve_of_green(gamma: float) -> None:
    colour = Image.fromarray(PICTURE).convert("RGB")
    icc = profile(by_gamma(gamma), space=b"RGB ")
    for format in ("PNG", "JPEG", "TIFF", "WEBP"):
        image = read(encoded(colour, format, icc_profile=icc))
        assert image.warnings == (OTHER_TONES,) * (gamma < 2)
        assert read(encoded(colour, format, icc_profile=SRGB)).warnings == ()


def test_a_profile_of_another_space_is_heeded_by_nobody() -> None:
    linear = profile(curv(), space=b"RGB ")
    assert read(encoded(PICTURE, "PNG", icc_profile=linear)).warnings == ()
    colour = Image.fromarray(PICTURE).convert("RGB")
    assert read(encoded(colour, "PNG", icc_profile=CURVES["linear"][0])).warnings == ()


def test_a_gamma_is_told_where_the_profile_beside_it_is_none() -> None:
    """A viewer passes over such a profile, and goes by the gamma."""
    gamma = png_chunk(b"gAMA", struct.pack(">I", 100_000))
    broken = png_chunk(b"iCCP", b"gray\0\0" + b"no deflated data")
    assert "a gamma of 1" in str(read(png(PICTURE, extra=broken + gamma)).warnings)


@pytest.mark.parametrize(
    "curve",
    [
        *(b"", b"curv", b"mft2" + bytes(40), curv(*range(9))[:-4]),
        b"curv" + bytes(4) + b"\xff" * 4,
        *(para(9), para(3, 2.4), para(1, 2.2, 0, 1), para(0), para(1, 32767, 2, 0)),
    ],
)  # fmt: skip
def test_a_gray_profile_that_cannot_be_read_is_told(curve: bytes) -> None:
    assert notes(profile(curve), is_gray=True) == [UNREAD]


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(sorted(CURVES)), st.data())
def test_no_profile_stops_a_picture(name: str, draw: st.DataObject) -> None:
    icc = bytearray(CURVES[name][0])
    for _ in range(draw.draw(st.integers(1, 6))):
        icc[draw.draw(st.integers(0, len(icc) - 1))] = draw.draw(st.integers(0, 255))
    cut = bytes(icc)[: draw.draw(st.integers(0, len(icc)))]
    for each in (bytes(icc), cut):
        image = attempt(png(PICTURE, extra=png_chunk(b"iCCP", b"a\0\0" + zlib.compress(each))))
        assert image is not None
        np.testing.assert_array_equal(image.pixels, PICTURE)
        assert set(image.warnings) <= {OTHER_TONES, UNREAD}
