"""Radiograph → input tensor, as training and the device both make it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageOps

from edge_app.model.preprocess import (
    CROP,
    INPUT_SCALE,
    INPUT_ZERO_POINT,
    INT8,
    PAD,
    SIZES,
    InputSpec,
    ToTensor,
    normalised,
    quantized,
    resize,
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
    tensor = ToTensor(spec, INT8 if integer else None)(np.full(shape, 7, np.uint8))
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
    before = ToTensor(spec, INT8)(pixels).astype(int)
    assert (ToTensor(spec, INT8)(brighter).astype(int) >= before).all()


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
    assert InputSpec.of(spec.as_dict()) == spec
    rgb = InputSpec(28, 40, 3, PAD, (1.5, 2, 3), (4, 5, 6))
    assert InputSpec.of(json.loads(json.dumps(rgb.as_dict()))) == rgb
    assert (spec.mean, spec.std, spec.channels) == (128, 128, 1)


# --- networks trained elsewhere --------------------------------------------------------------

GRAYS = st.floats(-300, 600, allow_nan=False)
DEVIATIONS = st.floats(0.01, 400)


@st.composite
def normalisations(draw: st.DrawFn) -> tuple[InputSpec, dict[str, float] | None]:
    """An input of one or three channels with any mean and deviation, and a quantization or none."""
    channels = draw(st.sampled_from([1, 3]))
    one_each = draw(st.booleans())
    mean, std = (
        tuple(draw(values) for _ in range(channels)) if one_each else draw(values)
        for values in (GRAYS, DEVIATIONS)
    )
    stored = {"scale": draw(st.floats(1e-4, 2)), "zero_point": draw(st.integers(-128, 127))}
    spec = InputSpec(16, 16, channels, mean=mean, std=std)
    return spec, draw(st.sampled_from([stored, None]))


@quick
@given(normalisations())
@example((InputSpec(16, 16, 1), {"scale": INPUT_SCALE, "zero_point": 0}))
@example((InputSpec(16, 16, 3), {"scale": INPUT_SCALE, "zero_point": 0}))
@example((InputSpec(16, 16, 1), {"scale": INPUT_SCALE, "zero_point": 1}))
@example((InputSpec(16, 16, 1), None))
def test_any_normalisation_is_the_formulas(
    case: tuple[InputSpec, dict[str, float] | None],
) -> None:
    spec, stored = case
    tensor = ToTensor(spec, stored)(EVERY_GRAY)
    assert tensor.shape == (1, 16, 16, spec.channels)
    assert tensor.flags.c_contiguous
    for channel in range(spec.channels):
        mean, std = (v[channel] if isinstance(v, tuple) else v for v in (spec.mean, spec.std))
        real = (EVERY_GRAY.astype(np.float64) - mean) / std
        if stored is None:
            assert tensor.dtype == np.float32
            np.testing.assert_array_equal(tensor[0, ..., channel], real.astype(np.float32))
        else:
            steps = np.round(real / stored["scale"]) + stored["zero_point"]
            assert tensor.dtype == np.int8
            np.testing.assert_array_equal(tensor[0, ..., channel], np.clip(steps, -128, 127))


RECTANGLES = st.sampled_from([(28, 28), (48, 64), (64, 48), (32, 96)])


@quick
@given(shapes(), RECTANGLES, st.integers(0, 2**32 - 1))
@example((1, 3000), (28, 28), 0)
@example((3000, 1), (32, 96), 0)
@example((48, 64), (48, 64), 0)
@example((64, 1), (32, 96), 0)
def test_padding_and_cropping_are_pillows(
    shape: tuple[int, int], target: tuple[int, int], seed: int
) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    size, method = target[::-1], Image.Resampling.BILINEAR
    cropped = ImageOps.fit(Image.fromarray(pixels), size, method)
    np.testing.assert_allclose(
        resize(pixels, InputSpec(*target, resize=CROP)).astype(int),
        np.asarray(cropped).astype(int),
        atol=1,
    )
    if min(ImageOps.contain(Image.fromarray(pixels), size, method).size):
        padded = ImageOps.pad(Image.fromarray(pixels), size, method)
        np.testing.assert_array_equal(
            resize(pixels, InputSpec(*target, resize=PAD)), np.asarray(padded)
        )
    else:  # a side is shrunk to nothing there; here a line of pixels remains
        assert resize(pixels, InputSpec(*target, resize=PAD)).shape == target


def test_what_is_seen_of_a_picture_follows_the_resize_rule() -> None:
    assert InputSpec.square(64).seen(300, 100) == (0, 0, 1, 1)
    assert InputSpec(64, 64, resize=CROP).seen(200, 100) == (0.25, 0, 0.75, 1)
    assert InputSpec(64, 64, resize=PAD).seen(200, 100) == (0, -0.5, 1, 1.5)
    assert InputSpec(32, 64, resize=PAD).seen(200, 100) == (0, 0, 1, 1)


@pytest.mark.parametrize("rule", [PAD, CROP])
def test_what_is_seen_is_what_the_network_gets(rule: str) -> None:
    """A bright spot lands in the input where `seen` says."""
    pixels, spec = np.zeros((120, 300), np.uint8), InputSpec(60, 60, resize=rule)
    pixels[84:96, 130:142] = 255
    small = resize(pixels, spec)
    left, top, right, bottom = spec.seen(300, 120)
    across, down = ((136 / 300 - left) / (right - left), (90 / 120 - top) / (bottom - top))
    rows, columns = np.nonzero(small == small.max())
    assert columns.mean() + 0.5 == pytest.approx(60 * across, abs=1)
    assert rows.mean() + 0.5 == pytest.approx(60 * down, abs=1)
