"""16-bit samples → 8 bits: which values are the picture's, which were painted over it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from edge_app.images.sample_range import windowed

from ..pictures import png, radiograph, read, tiff

PICTURE = radiograph()
NOISE = np.random.default_rng(0).integers(0, 1 << 8, PICTURE.shape)
CORNER = (slice(2, 6), slice(2, 6))
Samples = NDArray[np.uint16]


def shown(samples: NDArray[Any]) -> tuple[NDArray[np.uint8], dict[str, Any], str]:
    """The 8 bits, the facts, and the notes as one text."""
    facts: dict[str, Any] = {}
    notes: list[str] = []
    pixels = windowed(samples.astype(np.uint16), facts, notes)
    assert pixels.dtype == np.uint8
    return pixels, facts, "; ".join(notes)


def deep(bits: int) -> NDArray[np.int64]:
    """The picture as a detector of that depth gives it, every low bit in use."""
    return (PICTURE.astype(np.int64) << (bits - 8)) + (NOISE >> (16 - bits))


def painted(samples: NDArray[Any], value: int) -> NDArray[Any]:
    marked = samples.copy()
    marked[CORNER] = value
    return marked


# What fills its range stays as it is


@pytest.mark.parametrize("bits", range(9, 17))
def test_a_picture_that_fills_its_bits_is_their_upper_eight(bits: int) -> None:
    pixels, facts, notes = shown(deep(bits))
    np.testing.assert_array_equal(pixels, PICTURE)
    assert (facts["bits"], facts["window"]) == (bits, f"0..{(1 << bits) - 1}")
    assert notes == ("" if bits == 16 else f"uses {bits} of 16 bits: windowed to them")


@settings(deadline=None)
@given(
    st.integers(0, 255),
    st.integers(0, 255),
    st.sampled_from([1 << shift for shift in range(9)] + [257]),
)
def test_a_widened_8_bit_picture_comes_back_however_dark_or_flat(
    one: int, other: int, factor: int
) -> None:
    low, high = sorted((one, other))
    picture = low + PICTURE.astype(np.int64) * (high - low) // 255
    assume(len(np.unique(picture)) >= 16)  # fewer do not tell by how much they were widened
    np.testing.assert_array_equal(shown(picture * factor)[0], picture)


@settings(deadline=None, max_examples=200)
@given(arrays.arrays(np.uint16, st.tuples(st.integers(1, 30), st.integers(1, 30))))
def test_no_sample_is_shown_darker_than_a_lower_one(samples: Samples) -> None:
    pixels, _, _ = shown(samples)
    order = np.argsort(samples, axis=None)
    assert (np.diff(pixels.flat[order].astype(int)) >= 0).all()


@pytest.mark.parametrize("value", [0, 50, 200, 3000, 40_000])
def test_a_uniform_picture_keeps_its_gray(value: int) -> None:
    pixels, facts, _ = shown(np.full((9, 7), value))
    assert (pixels == value >> (facts["bits"] - 8)).all()
    assert facts["window"].startswith("0..")


# What is painted over it does not set the range


@pytest.mark.parametrize("bits", range(8, 16))
@pytest.mark.parametrize("brightest", [4095, 16_383, 65_535])
def test_a_marker_changes_no_other_pixel(bits: int, brightest: int) -> None:
    if brightest < 1 << bits:
        return
    pixels, facts, notes = shown(painted(deep(bits), brightest))
    np.testing.assert_array_equal(pixels, painted(PICTURE, 255))
    assert facts["window"] == f"0..{(1 << bits) - 1}"
    assert f"has 16 pixels of {brightest} apart from all others" in notes
    assert "shown white" in notes


def test_smooth_letters_are_a_marker_too() -> None:
    samples = painted(deep(12), 65_535)
    samples[6, 2:6] = [9000, 20_000, 40_000, 60_000]
    pixels, facts, notes = shown(samples)
    assert facts["window"] == "0..4095"
    assert (pixels[8:] == PICTURE[8:]).all()
    assert "20 pixels of 9000..65535" in notes


@pytest.mark.parametrize("width", [1, 4, 10])
def test_a_border_of_one_value_is_no_part_of_the_picture(width: int) -> None:
    samples, expected = deep(12), PICTURE.copy()
    samples[:, :width] = 65_535
    expected[:, :width] = 255
    np.testing.assert_array_equal(shown(samples)[0], expected)


def test_what_thins_out_is_the_pictures_own() -> None:
    """A few bright pixels of every value, as metal has, are no marker."""
    samples = deep(12)
    samples[0, :60] = np.linspace(4096, 60_000, 60)
    pixels, facts, _ = shown(samples)
    assert facts["window"] == "0..65535"
    assert len(np.unique(pixels[0, :60])) > 50


# Where the picture begins


@pytest.mark.parametrize("start", [16_384, 32_768, 49_152])
@pytest.mark.parametrize("bits", [10, 12, 13, 14])
def test_data_that_begin_far_from_zero_begin_where_they_begin(bits: int, start: int) -> None:
    pixels, facts, notes = shown(deep(bits) + start)
    np.testing.assert_array_equal(pixels, PICTURE)
    assert facts["window"] == f"{start}..{start + (1 << bits) - 1}"
    assert facts["window"] in notes


def test_a_beginning_that_no_leading_bits_tell_is_the_lowest_value() -> None:
    pixels, facts, notes = shown(deep(12) + 20_001)
    assert (facts["bits"], facts["window"]) == (12, "20001..24096")
    np.testing.assert_array_equal(pixels, (deep(12) >> 4))
    assert "windowed to 20001..24096" in notes


@pytest.mark.parametrize("top", [None, 65_535])
def test_black_margins_and_markers_hide_no_offset(top: int | None) -> None:
    samples, expected = deep(14) + 32_768, PICTURE.copy()
    if top:
        samples, expected = painted(samples, top), painted(expected, 255)
    samples[:, -9:] = 0
    expected[:, -9:] = 0
    pixels, facts, notes = shown(samples)
    np.testing.assert_array_equal(pixels, expected)
    assert facts["window"] == "32768..49151"
    assert "432 pixels of 0 apart from all others" in notes
    assert "shown black" in notes


def test_a_faint_picture_is_told_and_its_grays_kept() -> None:
    pixels, _, notes = shown(PICTURE.astype(int) + 30_000)
    np.testing.assert_array_equal(pixels, PICTURE)
    assert "has little contrast at 15 bits: windowed to 30000..30255" in notes


def test_a_narrow_middle_is_stretched() -> None:
    samples = np.tile(np.arange(2000, 2401), (100, 1))
    samples[0, :40] = np.arange(100, 4100, 100)
    pixels, facts, notes = shown(samples)
    assert "narrowed" in facts["window"]
    assert "little contrast" in notes
    assert (pixels[1:, :2] == 0).all()
    assert (pixels[1:, -2:] == 255).all()


# In files


@pytest.mark.parametrize("container", [png, tiff])
def test_files_are_shown_by_the_same_rule(container: Any) -> None:
    image = read(container(painted(deep(12), 65_535).astype(np.uint16)))
    np.testing.assert_array_equal(image.pixels, painted(PICTURE, 255))
    assert image.facts["window"] == "0..4095"
    assert len(image.warnings) == 2


def test_a_negative_of_few_bits_is_turned_within_them() -> None:
    """12 bits stored as 65535 - value, which begin at 61440."""
    image = read(tiff((65_535 - deep(12)).astype(np.uint16), photometric=0))
    np.testing.assert_array_equal(image.pixels, PICTURE)
    assert image.facts["window"] == "61440..65535"
