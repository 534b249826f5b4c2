"""Equalisation: the same answers, with channels of one range."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from quantize.repairs.equalise import (
    CEILING,
    MAX_GAIN,
    ROOM,
    equalised,
    linear_streams,
    stem_equalised,
)
from quantize.repairs.fold import fold
from train.networks.cnn28 import cnn28
from train.networks.efficientnet_lite import LITE0


@pytest.fixture(scope="module")
def folded() -> keras.Model:
    """EfficientNet-Lite0 at its smallest, with channels of very different sizes."""
    keras.utils.set_random_seed(2)
    network = fold(LITE0.build(32))
    generator = np.random.default_rng(2)
    for layer in network.layers:
        if layer.name.endswith("project_conv"):
            kernel, bias = layer.get_weights()
            size = np.exp(generator.uniform(-1, 1, kernel.shape[-1])).astype(np.float32)
            layer.set_weights([kernel * size, bias])
    return network


@pytest.fixture(scope="module")
def images() -> NDArray[np.float32]:
    return np.random.default_rng(3).uniform(-1, 1, (8, 32, 32, 1)).astype(np.float32)


def test_the_answers_stay(folded: keras.Model, images: NDArray[np.float32]) -> None:
    for one, other in zip(folded(images), equalised(folded, images)(images), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_channels_of_a_linear_stream_get_one_range(
    folded: keras.Model, images: NDArray[np.float32]
) -> None:
    name = "block0_project_conv"
    made = equalised(folded, images)
    spans = [
        np.abs(keras.Model(m.input, m.get_layer(name).output)(images)).max(axis=(0, 1, 2))
        for m in (folded, made)
    ]
    assert spans[0].max() > 3 * spans[0].min()
    reached = np.minimum(spans[0].max(), spans[0] * MAX_GAIN)
    np.testing.assert_allclose(spans[1], reached, rtol=1e-3)


def test_what_a_sum_joins_is_one_stream_and_the_map_is_none(folded: keras.Model) -> None:
    groups = [{layer.name for layer in group} for group in linear_streams(folded)]
    assert {"block0_project_conv"} in groups
    assert {"block1_project_conv", "block2_project_conv", "block2_add"} in groups
    assert not any({"map", "head_conv", "logits"} & group for group in groups)


def test_the_first_channels_use_the_range_of_their_relu6(
    folded: keras.Model, images: NDArray[np.float32]
) -> None:
    made = stem_equalised(folded, images)
    for one, other in zip(folded(images), made(images), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)
    before, after = (
        np.asarray(keras.Model(m.input, m.get_layer("stem_relu").output)(images)).max((0, 1, 2))
        for m in (folded, made)
    )
    room = (before > 0) & (before * ROOM < CEILING) & (before * MAX_GAIN * ROOM > CEILING)
    assert room.sum() > 10
    np.testing.assert_allclose(after[room], CEILING / ROOM, rtol=1e-3)


def test_without_a_depthwise_kernel_behind_the_first_layer_nothing_is_done(
    images: NDArray[np.float32],
) -> None:
    plain = fold(cnn28(32))
    assert np.array_equal(stem_equalised(plain, images)(images)[0], plain(images)[0])
