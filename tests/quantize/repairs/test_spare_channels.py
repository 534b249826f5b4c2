"""Dead channels made copies of others: the same answers, rounded more finely."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from quantize.repairs.fold import fold
from quantize.repairs.spare_channels import use_spare_channels
from quantize.simulate import Simulation
from train.networks.cnn28 import cnn28
from train.networks.efficientnet_lite import LITE0

DEAD = (3, 7, 20)
LOUD = 5


@pytest.fixture(scope="module")
def folded() -> keras.Model:
    """EfficientNet-Lite0 with three dead channels, and one that all later layers hang on."""
    keras.utils.set_random_seed(4)
    network = fold(LITE0.build(32))
    stem, depthwise = network.get_layer("stem_conv"), network.get_layer("block0_depthwise_conv")
    kernel, bias = stem.get_weights()
    bias[:] = 1
    bias[list(DEAD)] = -100
    stem.set_weights([kernel, bias])
    kernel, bias = depthwise.get_weights()
    kernel[:, :, LOUD] *= 30
    bias[:] = 1
    depthwise.set_weights([kernel, bias])
    return network


@pytest.fixture(scope="module")
def images() -> NDArray[np.float32]:
    return np.random.default_rng(5).uniform(-1, 1, (8, 32, 32, 1)).astype(np.float32)


def test_the_answers_stay(folded: keras.Model, images: NDArray[np.float32]) -> None:
    for one, other in zip(folded(images), use_spare_channels(folded, images)(images), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_dead_channels_halve_what_rounding_the_first_layer_costs(
    folded: keras.Model, images: NDArray[np.float32]
) -> None:
    made = use_spare_channels(folded, images)
    kernel = made.get_layer("stem_conv").get_weights()[0]
    for spare in DEAD:
        ratio = kernel[..., spare] / kernel[..., LOUD]
        assert np.allclose(ratio, ratio.mean(), atol=1e-4)
        assert 0.8 < ratio.mean() < 1
    off = []
    for network in (folded, made):
        simulated = Simulation(network, images)
        exact = simulated.logits(images)
        rounded = simulated.logits(images, activations=["stem_relu"])
        off.append(np.sqrt(np.square(rounded - exact).mean()))
    assert off[1] < 0.75 * off[0]


def test_a_network_without_spares_or_that_begins_otherwise_is_left_alone(
    images: NDArray[np.float32],
) -> None:
    for network in (fold(cnn28(32)), fold(LITE0.build(32))):
        made = use_spare_channels(network, images)
        for one, other in zip(network.get_weights(), made.get_weights(), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)
