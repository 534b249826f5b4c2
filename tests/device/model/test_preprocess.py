"""Radiograph → input tensor, as training and the device both make it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edge_app.model.preprocess import (
    INPUT_SCALE,
    INPUT_ZERO_POINT,
    SIZES,
    InputSpec,
    normalised,
    quantized,
    resize,
    to_tensor,
)

from ..pictures import radiograph

quick = settings(deadline=None, max_examples=80)

SPECS = st.sampled_from([InputSpec.square(size) for size in SIZES] + [InputSpec(3, 5)])
EVERY_GRAY = np.arange(256, dtype=np.uint8).reshape(16, 16)


@st.composite
def shapes(draw: st.DrawFn) -> tuple[int, int]:
    """Sides of 1 to 3000 pixels, any aspect, 200,000 pixels at most."""
    height = draw(st.integers(1, 3000))
    width = draw(st.integers(1, min(3000, max(1, 200_000 // height))))
    return (height, width) if draw(st.booleans()) else (width, height)


@quick
@given(shapes(), SPECS, st.booleans())
@example((1, 1), InputSpec.square(224), True)
@example((3000, 1), InputSpec.square(224), True)
@example((1, 3000), InputSpec.square(28), False)
def test_any_size_and_aspect_gives_the_tensor_the_network_wants(
    shape: tuple[int, int], spec: InputSpec, integer: bool
) -> None:
    tensor = to_tensor(np.full(shape, 7, np.uint8), spec, integer=integer)
    assert tensor.shape == (1, spec.height, spec.width, 1)
    assert tensor.dtype == (np.int8 if integer else np.float32)
    assert tensor.flags.c_contiguous


def test_quantizing_is_an_exclusive_or() -> None:
    tensor = quantized(EVERY_GRAY)
    assert tensor.dtype == np.int8
    np.testing.assert_array_equal(tensor.view(np.uint8), EVERY_GRAY ^ 0x80)
    assert (tensor[0, 0], tensor[8, 0], tensor[15, 15]) == (-128, 0, 127)


def test_float_and_int8_tensors_hold_the_same_numbers_bit_for_bit() -> None:
    by_formula = (EVERY_GRAY.astype(np.float32) - 128) / 128
    dequantized = (quantized(EVERY_GRAY).astype(np.float32) - INPUT_ZERO_POINT) * np.float32(
        INPUT_SCALE
    )
    for numbers in (by_formula, dequantized):
        np.testing.assert_array_equal(
            normalised(EVERY_GRAY).view(np.uint32), numbers.astype(np.float32).view(np.uint32)
        )


@quick
@given(shapes(), st.integers(0, 255), SPECS)
def test_a_uniform_picture_stays_uniform(
    shape: tuple[int, int], gray: int, spec: InputSpec
) -> None:
    assert (resize(np.full(shape, gray, np.uint8), spec) == gray).all()


@quick
@given(SPECS, st.data())
def test_a_picture_of_the_wanted_size_is_untouched(spec: InputSpec, draw: st.DataObject) -> None:
    pixels = draw.draw(arrays.arrays(np.uint8, (spec.height, spec.width)))
    np.testing.assert_array_equal(resize(pixels, spec), pixels)


@quick
@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 60), st.integers(1, 60))),
    st.integers(0, 255),
    SPECS,
)
def test_brightening_a_picture_darkens_no_input(
    pixels: np.ndarray[tuple[int, int], np.dtype[np.uint8]], more: int, spec: InputSpec
) -> None:
    brighter = np.minimum(pixels.astype(int) + more, 255).astype(np.uint8)
    before = to_tensor(pixels, spec, integer=True).astype(int)
    assert (to_tensor(brighter, spec, integer=True).astype(int) >= before).all()


def test_resizing_neither_flips_turns_nor_crops() -> None:
    picture = radiograph(96, 130)
    small = resize(picture, InputSpec.square(64))
    quarters = {}
    for name, large, little in (
        ("upper left", picture[:48, :65], small[:32, :32]),
        ("upper right", picture[:48, 65:], small[:32, 32:]),
        ("lower left", picture[48:, :65], small[32:, :32]),
        ("lower right", picture[48:, 65:], small[32:, 32:]),
    ):
        quarters[name] = round(large.mean())
        assert little.mean() == pytest.approx(large.mean(), abs=2), name
    assert len(set(quarters.values())) == 4  # else the comparison would prove little


def test_enlarging_interpolates_and_shrinking_averages() -> None:
    edge = np.array([[0, 255]], np.uint8)
    wide = resize(edge, InputSpec(1, 64))[0].astype(int)
    assert (wide[0], wide[-1]) == (0, 255)
    assert (np.diff(wide) >= 0).all()
    checkered = (np.indices((224, 224)).sum(0) % 2 * 255).astype(np.uint8)
    assert np.abs(resize(checkered, InputSpec.square(28)).astype(int) - 128).max() <= 3


def test_the_same_picture_gives_the_same_bytes_everywhere() -> None:
    """Fixed here because training and device must agree across machines and Pillow versions."""
    small = resize(radiograph(), InputSpec(4, 6))
    assert small.tolist() == [
        [108, 180, 190, 163, 151, 113],
        [137, 186, 185, 128, 99, 105],
        [158, 141, 94, 77, 121, 141],
        [98, 88, 93, 95, 153, 160],
    ]


def test_the_spec_survives_a_manifest() -> None:
    spec = InputSpec.square(128)
    assert InputSpec(**spec.as_dict()) == spec
    assert (spec.mean, spec.std, spec.channels) == (128, 128, 1)
