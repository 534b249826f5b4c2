"""Folding and rounding: the same answers, weights on int8's grid, less error than the nearest."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers
from numpy.typing import NDArray

from edge_app.backends.interpreters import find_interpreter
from quantize.convert import to_int8
from quantize.errors import ConversionError
from quantize.int8_grid import LEVELS, as_kernel, as_matrix
from quantize.repairs.fold import before, fold, stored
from quantize.repairs.rounding import least_squares_rounding, windows
from quantize.repairs.rounding import round_weights as rounded_weights
from train.networks.cnn28 import cnn28
from train.networks.efficientnet_lite import LITE0
from train.networks.parts import activation_head

SIDE = 16


def small() -> keras.Model:
    """Every kind of layer that the networks here are made of, with norms that do something."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((SIDE, SIDE, 1), name="image")

    def normed(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return layers.BatchNormalization(epsilon=1e-3, name=name)(x)

    x = normed(layers.Conv2D(6, 3, 2, padding="same", use_bias=False, name="stem")(inputs), "n0")
    x = layers.ReLU(6.0)(x)
    y = layers.DepthwiseConv2D(5, padding="same", use_bias=False, name="depthwise")(x)
    y = layers.ReLU(6.0)(normed(y, "n1"))
    y = normed(layers.Conv2D(6, 1, use_bias=False, name="project")(y), "n2")
    x = layers.Add()([layers.Dropout(0.5, name="drop")(y), x])
    x = layers.MaxPooling2D()(x)
    model = keras.Model(inputs, activation_head(x, 0.3), name="small")
    generator = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            shape = layer.get_weights()[0].shape
            low = (0.5, -0.3, -0.2, 0.3)
            high = (1.5, 0.3, 0.2, 2.0)
            layer.set_weights(
                [generator.uniform(a, b, shape) for a, b in zip(low, high, strict=True)]
            )
    return model


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return small()


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    """Smooth, as radiographs are: neighbours are alike, so the nearest rounding is not the best."""
    coarse = np.random.default_rng(1).integers(0, 256, (48, 5, 5, 1)).astype(np.float32)
    smooth = keras.ops.image.resize(coarse, (SIDE, SIDE), interpolation="bilinear")
    return np.rint(np.asarray(smooth)[..., 0]).astype(np.uint8)


def inputs(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return (images[..., np.newaxis].astype(np.float32) - 128) / 128


def test_a_folded_network_answers_the_same_without_norms(
    model: keras.Model, images: NDArray[np.uint8]
) -> None:
    folded = fold(model)
    assert not any(isinstance(layer, layers.BatchNormalization) for layer in folded.layers)
    for one, other in zip(model(inputs(images)), folded(inputs(images)), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)


@pytest.mark.parametrize(
    ("network", "size", "stem"), [(cnn28, 28, "conv0a"), (LITE0.build, 32, "stem_conv")]
)
def test_the_low_pass_filter_and_the_stem_become_one_5x5_convolution(
    network: Callable[..., keras.Model], size: int, stem: str
) -> None:
    keras.utils.set_random_seed(1)
    model = network(size, lowpass=True)
    folded = fold(model)
    conv = folded.get_layer(stem)
    assert (conv.kernel_size, conv.padding) == ((5, 5), "same")
    assert [layer.name for layer in before(conv)] == ["image"]
    assert not any("lowpass" in layer.name for layer in folded.layers)
    noise = np.random.default_rng(4).uniform(-1, 1, (2, size, size, 1)).astype(np.float32)
    norm = model.get_layer(stem.replace("conv", "bn"))
    expected, got = keras.Model(model.input, norm.output), keras.Model(folded.input, conv.output)
    np.testing.assert_allclose(got(noise), expected(noise), atol=1e-5)  # corners and edges included
    for one, other in zip(model(noise), folded(noise), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_low_pass_filter_that_is_padded_otherwise_is_refused() -> None:
    """An odd side and stride 2: "same" padding would begin elsewhere."""
    with pytest.raises(ConversionError, match="33x33 pixels"):
        fold(LITE0.build(33, lowpass=True))


def test_what_int8_stores_is_what_no_relu_follows(model: keras.Model) -> None:
    names = stored(fold(model))
    assert {"project", "map", "logits"} <= names
    assert names.isdisjoint({"image", "stem", "depthwise"})


@pytest.mark.parametrize("name", ["stem", "depthwise", "project"])
def test_windows_times_the_kernels_matrix_is_the_convolution(
    model: keras.Model, images: NDArray[np.uint8], name: str
) -> None:
    conv = fold(model).get_layer(name)
    channels = conv.input.shape[-1]
    x = np.random.default_rng(2).normal(size=(3, SIDE, SIDE, channels)).astype(np.float32)
    kernel, bias = conv.get_weights()
    matrix = as_matrix(conv, kernel)
    assert np.array_equal(as_kernel(conv, matrix, kernel.shape), kernel)
    made = np.matmul(windows(conv, x), matrix)  # groups×rows×outputs
    expected = np.asarray(conv(x))
    made = np.moveaxis(made, 0, 1).reshape(expected.shape) + bias
    np.testing.assert_allclose(made, expected, atol=1e-4)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 4))
def test_least_squares_rounding_is_never_worse_than_the_nearest(
    seed: int, taps: int, outputs: int
) -> None:
    generator = np.random.default_rng(seed)
    weights = generator.normal(size=(2, taps, outputs))
    x = generator.normal(size=(2, 30, taps)) + 2 * generator.normal(size=(2, 30, 1))
    gram = x.transpose(0, 2, 1) @ x + 1e-3 * np.eye(taps)

    def error(difference: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.einsum("gto,gts,gso->go", difference, gram, difference)

    q, step = least_squares_rounding(weights, gram)
    nearest = np.rint(weights / step) * step
    assert (error(q * step - weights) <= error(nearest - weights) * (1 + 1e-9)).all()
    assert np.array_equal(q, np.rint(q))
    assert (np.abs(q).max(axis=1) == LEVELS).all()
    np.testing.assert_allclose(step[:, 0], np.abs(weights).max(axis=1) / LEVELS)


def test_a_channel_of_zeros_stays_zero() -> None:
    q, step = least_squares_rounding(np.zeros((1, 3, 2)), np.eye(3)[np.newaxis])
    assert not q.any()
    assert np.isfinite(step).all()


def test_the_converter_keeps_the_integers_that_were_chosen(
    model: keras.Model, images: NDArray[np.uint8]
) -> None:
    rounded = rounded_weights(fold(model), inputs(images))
    interpreter = find_interpreter().interpreter(model_content=to_int8(rounded, images))
    interpreter.allocate_tensors()
    found = [
        interpreter.get_tensor(detail["index"])
        for detail in interpreter.get_tensor_details()
        if np.dtype(detail["dtype"]) == np.int8 and len(detail["shape"]) == 4
        and detail["quantization_parameters"]["scales"].size > 1
    ]  # fmt: skip
    for name in ("stem", "depthwise", "project"):
        conv = rounded.get_layer(name)
        kernel = conv.get_weights()[0]
        matrix = as_matrix(conv, kernel)
        step = np.abs(matrix).max(axis=1, keepdims=True) / LEVELS
        integers = as_kernel(conv, np.rint(matrix / step), kernel.shape)
        # TensorFlow Lite stores out×h×w×in, and a depthwise kernel as 1×h×w×channels.
        order = (3, 0, 1, 2)
        expected = np.transpose(integers, order).astype(np.int8)
        assert any(
            each.shape == expected.shape and np.array_equal(each, expected) for each in found
        ), name


def test_the_logits_come_nearer_to_the_float_networks(
    model: keras.Model, images: NDArray[np.uint8]
) -> None:
    folded, x = fold(model), inputs(images)
    nearest = keras.models.clone_model(folded)
    nearest.set_weights(folded.get_weights())
    for layer in nearest.layers:
        if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D):
            kernel, bias = layer.get_weights()
            matrix = as_matrix(layer, kernel)
            step = np.abs(matrix).max(axis=1, keepdims=True) / 7  # three bits, to see it clearly
            layer.set_weights([as_kernel(layer, np.rint(matrix / step) * step, kernel.shape), bias])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("quantize.int8_grid.LEVELS", 7)
        patch.setattr("quantize.repairs.rounding.LEVELS", 7)
        rounded = rounded_weights(folded, x)
    truth = np.asarray(folded(x)[0])
    errors = [float(np.square(np.asarray(m(x)[0]) - truth).mean()) for m in (nearest, rounded)]
    assert errors[1] < 0.5 * errors[0]


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("depthwise", [False, True])
def test_windows_are_what_a_foreign_convolution_takes(padding: str, depthwise: bool) -> None:
    x = np.random.default_rng(0).normal(size=(2, 9, 12, 3)).astype(np.float32)
    kind = {"kernel_size": (3, 2), "strides": 2, "padding": padding, "use_bias": False}
    conv = layers.DepthwiseConv2D(**kind) if depthwise else layers.Conv2D(4, **kind)
    expected = np.asarray(conv(x))
    seen, matrix = windows(conv, x), as_matrix(conv, conv.get_weights()[0])
    made = seen @ matrix  # groups×rows×outputs
    flat = made[:, :, 0].T if depthwise else made[0]
    np.testing.assert_allclose(flat.reshape(expected.shape), expected, atol=1e-5)
