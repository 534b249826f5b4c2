"""Pixel Padding is no part of the picture, and is shown as air."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ..pictures import radiograph, read, refusal
from .dicom_writer import BIG_ENDIAN, EXPLICIT, IMPLICIT, written

pytest.importorskip("pydicom", reason="the dicom extra is not installed")

PICTURE = np.maximum(radiograph(), 1)
WIDE = PICTURE.astype(np.uint16)
TWELVE = (WIDE << 4) + 8
FULL = {"WindowCenter": "2048", "WindowWidth": "4096"}
MARGIN = np.zeros(PICTURE.shape, bool)
MARGIN[:, :7] = MARGIN[:, -9:] = True
EXPECTED = np.where(MARGIN, 0, PICTURE)


def padded(stored: np.ndarray[Any, Any], value: int) -> np.ndarray[Any, Any]:
    stored = stored.copy()
    stored[MARGIN] = value
    return stored


def shown(data: bytes) -> tuple[str, ...]:
    image = read(data)
    assert np.abs(image.pixels.astype(int) - EXPECTED).max() <= 1
    assert (image.pixels[MARGIN] == 0).all()
    return image.warnings


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN])
@pytest.mark.parametrize("window", [{}, FULL])
@pytest.mark.parametrize("value", [0, 4095])
def test_it_is_black_in_either_polarity(value: int, window: dict[str, str], syntax: str) -> None:
    for photometric in ("MONOCHROME1", "MONOCHROME2"):
        stored = 4095 - TWELVE if photometric == "MONOCHROME1" else TWELVE
        data = written(
            padded(stored, value),
            12,
            syntax,
            PhotometricInterpretation=photometric,
            PixelPaddingValue=value,
            **window,
        )
        assert shown(data) == ()


@pytest.mark.parametrize("value", [-32_768, -2000, -1, 32_767])
@pytest.mark.parametrize("vr", ["US", "SS", "OW", "IS"])
def test_its_sign_is_that_of_the_pixels_however_it_is_written(vr: str, value: int) -> None:
    stored = padded((WIDE << 4).astype(np.int16), value)
    number: Any = str(value) if vr == "IS" else value if vr == "SS" else value % 65_536
    (warning,) = shown(written(stored, 16, PixelPaddingValue=(vr, number)))
    assert warning == "uses 12 of its 16 bits: windowed to 0..4095"


@pytest.mark.parametrize("vr", ["US", "SS"])
def test_unsigned_pixels_alike(vr: str) -> None:
    stored = padded(WIDE << 4, 65_535)
    value = -1 if vr == "SS" else 65_535
    assert shown(written(stored, 16, PixelPaddingValue=(vr, value))) == (
        "uses 12 of its 16 bits: windowed to them",
    )


def test_8_bits() -> None:
    stored = padded(PICTURE, 255)
    stored[stored == 255] = 254
    stored[MARGIN] = 255
    image = read(written(stored, 8, PixelPaddingValue=255))
    assert (image.pixels[MARGIN] == 0).all()
    signed = (padded(PICTURE, 0).astype(int) - 128).astype(np.int8)
    assert shown(written(signed, 8, PixelPaddingValue=("SS", -128))) == ()


@pytest.mark.parametrize(("first", "last"), [(0, 40), (40, 0)])
def test_a_range_of_it(first: int, last: int) -> None:
    stored = padded(np.maximum(TWELVE, 41), 0)
    stored[MARGIN] = np.arange(MARGIN.sum()) % 41
    shown(written(stored, 12, PixelPaddingValue=first, PixelPaddingRangeLimit=last, **FULL))


def test_a_range_across_0_of_signed_pixels() -> None:
    stored = padded((WIDE << 4).astype(np.int16), 0)
    stored[MARGIN] = np.arange(MARGIN.sum()) % 21 - 20
    stored[~MARGIN] = np.maximum(stored[~MARGIN], 1)
    limits = {"PixelPaddingValue": ("SS", -20), "PixelPaddingRangeLimit": ("US", 0)}
    shown(written(stored, 16, **limits))


def test_it_is_compared_with_stored_values_before_the_slope() -> None:
    stored = padded(TWELVE, 0)
    rescale = {"RescaleSlope": "2", "RescaleIntercept": "-1000"}
    window = {"WindowCenter": "3096", "WindowWidth": "8191"}
    shown(written(stored, 12, PixelPaddingValue=0, **rescale, **window))


def test_a_falling_slope_does_not_make_it_white() -> None:
    stored = padded(4095 - TWELVE, 0)
    rescale = {"RescaleSlope": "-1", "RescaleIntercept": "4095"}
    for window in ({}, FULL):
        assert shown(written(stored, 12, PixelPaddingValue=0, **rescale, **window)) == ()


@pytest.mark.parametrize("value", [65_535, 63_536, 0x8000])
def test_it_may_fill_bits_that_a_sample_cannot(value: int) -> None:
    data = written(padded(TWELVE, value), 12, PixelPaddingValue=value)
    assert shown(data) == ()
    other = padded(TWELVE, value)
    other[0, 30] = 5000
    assert "beyond its 12 bits" in refusal(written(other, 12, PixelPaddingValue=value))


@pytest.mark.parametrize("high", [14, 15])
def test_of_samples_above_bit_0_it_hides_no_other_value(high: int) -> None:
    """PS3.3 C.7.5.1.1.2: it is a stored value, and -2048 no whole word of a sample of -256."""
    stored = (TWELVE.astype(np.int16) - 2048) << (high - 11)
    stored[:8, :8] = -256 << (high - 11)
    window = FULL | {"WindowCenter": "0"}
    tags = {"HighBit": high, "PixelPaddingValue": ("SS", -2048)}
    expected = read(written(stored, 12, HighBit=high, **window)).pixels
    np.testing.assert_array_equal(read(written(stored, 12, **tags, **window)).pixels, expected)


def test_what_no_pixel_has_changes_nothing() -> None:
    image = read(written(TWELVE, 12, PixelPaddingValue=63_536))
    np.testing.assert_array_equal(image.pixels, PICTURE)
    assert image.warnings == ()


@pytest.mark.parametrize("value", [b"", ("SS", b"")])
def test_an_empty_one_is_none(value: Any) -> None:
    np.testing.assert_array_equal(
        read(written(TWELVE, 12, PixelPaddingValue=value)).pixels, PICTURE
    )


def test_padding_that_covers_the_picture_is_told() -> None:
    limits = {"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 4095}
    assert "its Pixel Padding 0..4095 covers all of it" in refusal(written(TWELVE, 12, **limits))
    mostly = TWELVE.copy()
    mostly[:40] = 0
    (warning,) = read(written(mostly, 12, PixelPaddingValue=0)).warnings
    assert warning == "is padding to 83 %, by its Pixel Padding Value 0"


def test_padding_among_the_values_of_the_picture_is_told() -> None:
    data = written(padded(TWELVE, 2000), 12, PixelPaddingValue=2000)
    (warning,) = shown(data)
    assert warning.startswith("has its Pixel Padding Value 2000 among the values of the picture")
