"""Deep samples → 8 bits: the top bits, unless that would leave next to no grays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edge_app.images.windowing import BIT_DEPTHS, significant_bits, to_8bit

from ..pictures import radiograph

PICTURE = radiograph()

DEPTHS = st.sampled_from(BIT_DEPTHS)
SAMPLES = DEPTHS.flatmap(
    lambda bits: st.tuples(
        st.just(bits),
        arrays.arrays(
            np.uint16,
            st.tuples(st.integers(1, 30), st.integers(1, 30)),
            elements=st.integers(0, (1 << bits) - 1),
        ),
    )
)


@pytest.mark.parametrize(
    ("maximum", "bits"),
    [
        *((0, 8), (255, 8), (256, 10), (1023, 10), (1024, 12), (4095, 12), (4096, 14)),
        *((16383, 14), (16384, 16), (65535, 16)),
    ],
)
def test_the_smallest_usual_depth_that_holds_the_maximum(maximum: int, bits: int) -> None:
    assert significant_bits(maximum) == bits


@pytest.mark.parametrize("bits", BIT_DEPTHS)
@pytest.mark.parametrize("filled", [False, True])
def test_widening_and_windowing_gives_the_picture_back(bits: int, filled: bool) -> None:
    """Whatever stands below the top 8 bits."""
    below = (1 << (bits - 8)) - 1 if filled else 0
    wide = (PICTURE.astype(np.uint16) << (bits - 8)) + np.uint16(below)
    pixels, window = to_8bit(wide, bits)
    np.testing.assert_array_equal(pixels, PICTURE)
    assert pixels.dtype == np.uint8
    assert window == f"0..{(1 << bits) - 1}"


@settings(deadline=None, max_examples=100)
@given(SAMPLES)
def test_no_sample_is_shown_darker_than_a_lower_one(
    case: tuple[int, np.ndarray[tuple[int, int], np.dtype[np.uint16]]],
) -> None:
    bits, samples = case
    pixels, _ = to_8bit(samples, bits)
    assert pixels.shape == samples.shape
    order = np.argsort(samples, axis=None)
    assert (np.diff(pixels.flat[order].astype(int)) >= 0).all()


def ramp(low: int, high: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint16]]:
    """Every value from low to high equally often, 100 rows of them."""
    return np.tile(np.arange(low, high + 1, dtype=np.uint16), (100, 1))


def test_a_narrow_range_is_stretched_to_black_and_white() -> None:
    pixels, window = to_8bit(ramp(2000, 2400), 12)
    assert "narrowed" in window
    assert (pixels[:, :3] == 0).all()
    assert (pixels[:, -2:] == 255).all()
    assert len(np.unique(pixels)) > 240


def test_an_eighth_of_the_range_is_left_as_it_is() -> None:
    _, window = to_8bit(ramp(2000, 2530), 12)  # its middle 99 % span more than 4096 / 8
    assert window == "0..4095"
    _, window = to_8bit(ramp(2000, 2510), 12)
    assert "narrowed" in window


def test_single_hot_pixels_do_not_prevent_the_stretch() -> None:
    samples = ramp(2000, 2400)
    samples[0, 0], samples[0, 1] = 4095, 0
    pixels, window = to_8bit(samples, 12)
    assert "narrowed" in window
    assert (pixels[0, 0], pixels[0, 1]) == (255, 0)


@pytest.mark.parametrize("bits", BIT_DEPTHS)
def test_a_uniform_picture_keeps_its_gray(bits: int) -> None:
    value = 200 << (bits - 8)
    pixels, _ = to_8bit(np.full((9, 7), value, np.uint16), bits)
    assert (pixels == 200).all()


def test_8_bit_pictures_are_never_stretched() -> None:
    pixels, window = to_8bit(ramp(100, 110), 8)
    np.testing.assert_array_equal(pixels, ramp(100, 110))
    assert window == "0..255"


@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9))),
    st.sampled_from([256, 257]),
)
def test_8_bits_widened_to_16_come_back(picture: np.ndarray, factor: int) -> None:
    """Whatever is as bright as 64; a darker picture looks as if it had fewer bits."""
    picture[0, 0] = max(64, picture[0, 0])
    wide = picture.astype(np.uint16) * factor
    bits = significant_bits(int(wide.max()))
    pixels, window = to_8bit(wide, bits)
    if "narrowed" not in window:
        np.testing.assert_array_equal(pixels, picture)


def test_a_thread_of_60_000_rows_is_windowed() -> None:
    """Counting row by row took 65536 additions for each of them."""
    samples = np.arange(60_000, dtype=np.uint16).reshape(-1, 1)
    pixels, _ = to_8bit(samples, 16)
    assert pixels[-1, 0] == 59_999 >> 8
