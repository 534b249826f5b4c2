"""DICOM without its preamble, its header or its transfer syntax, and with padding at its end."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ..pictures import radiograph, read, refusal
from .dicom_writer import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    PREAMBLE,
    Written,
    data_set,
    meta,
    part10,
    written,
)

pytest.importorskip("pydicom", reason="the dicom extra is not installed")

PICTURE = radiograph()
TWELVE = PICTURE.astype(np.uint16) << 4

SYNTAXES = pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN])


def shows_the_picture(data: bytes) -> None:
    image = read(data)
    np.testing.assert_array_equal(image.pixels, PICTURE)
    assert image.warnings == ()
    assert image.facts["format"] == "DICOM"


@SYNTAXES
def test_a_data_set_alone_is_a_file(syntax: str) -> None:
    shows_the_picture(data_set(TWELVE, 12, syntax))


@SYNTAXES
def test_it_may_begin_with_a_group_length(syntax: str) -> None:
    length = Written(syntax).element(0x00080000, "UL", 40)
    shows_the_picture(length + data_set(TWELVE, 12, syntax))


@SYNTAXES
def test_a_meta_header_without_preamble(syntax: str) -> None:
    shows_the_picture(meta(syntax) + data_set(TWELVE, 12, syntax))


@SYNTAXES
def test_a_preamble_without_meta_header(syntax: str) -> None:
    shows_the_picture(PREAMBLE + data_set(TWELVE, 12, syntax))


@SYNTAXES
def test_a_prefix_without_the_128_bytes_before_it(syntax: str) -> None:
    shows_the_picture(b"DICM" + meta(syntax) + data_set(TWELVE, 12, syntax))


@SYNTAXES
@pytest.mark.parametrize("named", [None, "", "\0\0"])
def test_a_meta_header_without_transfer_syntax(named: str | None, syntax: str) -> None:
    image = read(part10(data_set(TWELVE, 12, syntax), named))
    np.testing.assert_array_equal(image.pixels, PICTURE)
    names = {EXPLICIT: "Explicit VR Little", IMPLICIT: "Implicit VR", BIG_ENDIAN: "Big Endian"}
    assert names[syntax] in image.facts["transfer_syntax"]


@pytest.mark.parametrize("meta_syntax", [IMPLICIT, BIG_ENDIAN])
def test_a_meta_header_in_another_encoding(meta_syntax: str) -> None:
    syntax = Written(meta_syntax).element(0x00020010, "UI", EXPLICIT)
    shows_the_picture(PREAMBLE + syntax + data_set(TWELVE, 12))


@pytest.mark.parametrize("length", [0, 4, 1000])
def test_a_wrong_length_of_the_meta_header(length: int) -> None:
    body = meta(EXPLICIT)[12:] + data_set(TWELVE, 12)
    shows_the_picture(PREAMBLE + Written().element(0x00020000, "UL", length) + body)


@pytest.mark.parametrize(("named", "real"), [(EXPLICIT, IMPLICIT), (IMPLICIT, EXPLICIT)])
def test_the_bytes_know_better_than_the_meta_header(named: str, real: str) -> None:
    shows_the_picture(part10(data_set(TWELVE, 12, real), named))


@pytest.mark.parametrize("window_bits", [-15, 15], ids=["as the standard has it", "with a header"])
@pytest.mark.parametrize("level", [0, 9])
def test_a_deflated_data_set(level: int, window_bits: int) -> None:
    deflate = zlib.compressobj(level, wbits=window_bits)
    body = deflate.compress(data_set(TWELVE, 12)) + deflate.flush()
    shows_the_picture(part10(body + b"\0" * (len(body) % 2), DEFLATED))


def test_half_a_deflated_data_set_is_truncated() -> None:
    deflate = zlib.compressobj(9, wbits=-15)
    body = deflate.compress(data_set(TWELVE, 12)) + deflate.flush()
    assert "truncated" in refusal(part10(body[: len(body) // 2], DEFLATED))


@SYNTAXES
@pytest.mark.parametrize(
    "end",
    [
        bytes(1),
        bytes(7),
        bytes(1_000_000),
        b"\xff" * 1_000_000,
        b" " * 100_000,
        b"\r\n",
        b"\x1a" * 1000,
        bytes(range(256)) * 100,
    ],
    ids=["a zero", "7 zeros", "zeros", "ones", "spaces", "a line end", "control-Z", "anything"],
)
def test_what_follows_the_pixels_is_not_read(end: bytes, syntax: str) -> None:
    shows_the_picture(written(TWELVE, 12, syntax) + end)


def test_data_set_trailing_padding() -> None:
    shows_the_picture(written(TWELVE, 12) + Written().element(0xFFFCFFFC, "OB", bytes(5000)))


def test_elements_after_the_pixels_are_told_and_not_left_out() -> None:
    late = Written().element(0x00281050, "DS", "100") + Written().element(0x00281051, "DS", "20")
    line = refusal(written(TWELVE, 12) + late)
    assert "element (0028,1050) stands after its pixel data" in line


@pytest.mark.parametrize(
    "data",
    [
        b"\x08\0" + bytes(100),
        b"\x02\0\0\0",
        b"\x08\0\x16\0UI\xff\xff",
        b"\x08\0\x16\0\xff\xff\xff\x7f" + bytes(100),
        b"\0\x08" * 100,
        b"DIB file",
        data_set(TWELVE, 12)[:12],
    ],
    ids=repr,
)
def test_what_only_begins_like_dicom_is_no_dicom(data: bytes) -> None:
    assert "is not a PNG, JPEG, TIFF, BMP, WebP or DICOM image" in refusal(data)


@settings(deadline=None, max_examples=100)
@given(st.sampled_from([EXPLICIT, IMPLICIT, BIG_ENDIAN]), st.floats(0, 1, exclude_max=True))
def test_a_data_set_that_is_cut_is_truncated(syntax: str, share: float) -> None:
    data = data_set(TWELVE, 12, syntax)
    end = len(data) - TWELVE.nbytes
    line = refusal(data[: end + int(share * TWELVE.nbytes)])
    assert line.startswith(("is a truncated DICOM file", "is a DICOM Computed Radiography"))


def test_a_file_that_ends_within_an_element_is_refused() -> None:
    data = written(TWELVE, 12)
    place = data.index(struct.pack("<HH", 0x0028, 0x0010))
    for end in range(place, place + 10):
        assert "holds no pixel data" in refusal(data[:end])
