"""The zero of a network's input, moved to a gray level."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from edge_app.model.preprocess import InputSpec, ToTensor
from quantize.convert import to_int8
from quantize.importing.levels import on_gray_levels
from quantize.package import tensors
from quantize.repairs.registry import as_input

from .conftest import SIDE, pictures

EVERY_GRAY = np.arange(SIDE * SIDE).reshape(SIDE, SIDE).astype(np.uint8)
BETWEEN = InputSpec(SIDE, SIDE, 1, mean=127.5, std=127.5)


def network(padding: str, depthwise: bool = False, pad: bool = False) -> keras.Model:
    keras.utils.set_random_seed(1)
    image = keras.Input((SIDE, SIDE, 1))
    x = layers.ZeroPadding2D(1)(image) if pad else image
    first = (
        layers.DepthwiseConv2D(3, depth_multiplier=4, padding=padding)
        if depthwise
        else layers.Conv2D(4, 3, padding=padding)
    )
    maps = layers.Conv2D(2, 1, name="map")(layers.ReLU()(first(x)))
    return keras.Model(image, [layers.GlobalAveragePooling2D(name="logits")(maps), maps])


@pytest.mark.parametrize("depthwise", [False, True])
def test_the_network_answers_as_before(depthwise: bool) -> None:
    model, seen = network("valid", depthwise), pictures(8)
    moved, spec = on_gray_levels(model, BETWEEN)
    assert spec == BETWEEN._replace(mean=128.0)
    for one, other in zip(
        moved.predict_on_batch(as_input(seen, spec)),
        model.predict_on_batch(as_input(seen, BETWEEN)),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize(("padding", "pad"), [("same", False), ("valid", True)])
def test_only_at_its_edges_a_padded_map_differs_by_half_a_gray_level(
    padding: str, pad: bool
) -> None:
    model, seen = network(padding, pad=pad), pictures(8)
    moved, spec = on_gray_levels(model, BETWEEN)
    one, other = (
        m.predict_on_batch(as_input(seen, s))[1] for m, s in ((moved, spec), (model, BETWEEN))
    )
    np.testing.assert_allclose(one[:, 1:-1, 1:-1], other[:, 1:-1, 1:-1], atol=1e-5)
    assert np.abs(one - other).max() < 0.02 * np.ptp(other)


def off(model: keras.Model, spec: InputSpec) -> float:
    """By how many gray levels, at most, an int8 network is given another one than there is."""
    image, _ = tensors(to_int8(model, np.stack([EVERY_GRAY] * 2), spec), spec)
    stored = image["quantization"]
    stored_levels = ToTensor(spec, stored)(EVERY_GRAY)[0, ..., 0].astype(float)
    grays = (stored_levels - stored["zero_point"]) * stored["scale"] * spec.std + spec.mean
    return float(np.abs(grays - EVERY_GRAY).max())


def test_int8_then_takes_each_gray_level_as_it_is() -> None:
    model = network("same")
    assert off(model, BETWEEN) > 0.4  # what is repaired
    assert off(*on_gray_levels(model, BETWEEN)) < 0.001


@pytest.mark.parametrize("mean", [127.0, -1.5, 300.5, (123.7, 116.3, 103.5)])
def test_what_needs_none_or_cannot_have_it_stays_as_it_is(mean: float) -> None:
    model, spec = network("same"), BETWEEN._replace(mean=mean)
    assert on_gray_levels(model, spec) == (model, spec)


def test_a_picture_that_anything_else_takes_stays_as_it_is() -> None:
    image = keras.Input((SIDE, SIDE, 1))
    joined = layers.Concatenate()([layers.Conv2D(2, 3, padding="same")(image), image])
    model = keras.Model(image, layers.GlobalAveragePooling2D()(joined))
    assert on_gray_levels(model, BETWEEN) == (model, BETWEEN)
