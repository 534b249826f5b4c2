"""Dead channels of the first layer become copies of the channels whose rounding matters most.

In a trained network's first layer some channels are 0 for every picture, while the rounding of a
few others makes most of the layer's error. Each copy is scaled slightly differently, so that it is
rounded differently, and the next layer that mixes channels takes their mean: n copies leave 1/√n of
the error, and no multiplication is added. (Splitting a channel to halve its rounding error: Zhao et
al., Outlier Channel Splitting, ICML 2019.)
"""

from __future__ import annotations

from typing import Final, NamedTuple

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from quantize.int8_grid import in_256_steps
from quantize.repairs.fold import after, is_plain
from quantize.simulate import batches

CEILING: Final = 6.0
SHRINK: Final = 0.96
"""Scale of each copy relative to the previous one; enough to round it differently by some steps."""


class Chain(NamedTuple):
    """The first layers of such a network; `mix` is the first that mixes channels."""

    stem: layers.Conv2D
    relu: layers.ReLU
    depthwise: layers.DepthwiseConv2D
    relu2: layers.ReLU
    mix: layers.Conv2D


def use_spare_channels(folded: keras.Model, images: NDArray[np.float32]) -> keras.Model:
    """A copy with the same outputs; the network itself if it has no dead channels or other layers.

    Args:
        folded: see `fold.fold`; its channels are scaled as they will be rounded.
        images: K×size×size×1 in [-1, 127/128]; they show which channels are dead or matter.
    """
    model = keras.models.clone_model(folded)
    model.set_weights(folded.get_weights())
    chain = _chain(model)
    if chain is None:
        return model
    alive, noise = _activity(model, chain, images)
    power = np.square(chain.mix.get_weights()[0]).sum(axis=(0, 1, 3)) * noise
    copies: dict[int, list[int]] = {int(one): [int(one)] for one in np.flatnonzero(alive)}
    for spare in np.flatnonzero(~alive):
        neediest = max(copies, key=lambda one: power[one] / len(copies[one]) ** 2)
        copies[neediest].append(int(spare))
    for one, places in copies.items():
        _copy(chain, one, places)
    return model


def _chain(model: keras.Model) -> Chain | None:
    kinds = (
        layers.Conv2D, layers.ReLU, layers.DepthwiseConv2D, layers.ReLU, layers.Conv2D,
    )  # fmt: skip
    found: list[layers.Layer] = [model.layers[0]]
    for kind in kinds:
        following = after(model, found[-1])
        if len(following) != 1 or not isinstance(following[0], kind):
            return None
        found += following
    chain = Chain(*found[1:])
    plain = all(is_plain(each) for each in (chain.stem, chain.depthwise, chain.mix))
    return chain if plain and chain.stem.use_bias and chain.relu.max_value == CEILING else None


def _activity(
    model: keras.Model, chain: Chain, images: NDArray[np.float32]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which channels are ever above 0, and the mean squared error from rounding each."""
    first = keras.Model(model.input, chain.relu.output)
    then = keras.Sequential(
        [keras.Input(chain.relu.output.shape[1:]), chain.depthwise, chain.relu2]
    )
    channels = chain.relu.output.shape[-1]
    alive, noise = np.zeros(channels, bool), np.zeros(channels)
    for batch in batches(images):
        exact = first.predict_on_batch(batch)
        rounded = np.asarray(in_256_steps(exact, 0.0, CEILING), np.float32)
        alive |= (exact > 0).any(axis=(0, 1, 2))
        off = then.predict_on_batch(rounded) - then.predict_on_batch(exact)
        noise += np.square(off).sum(axis=(0, 1, 2), dtype=np.float64)
    return alive, noise


def _copy(chain: Chain, one: int, places: list[int]) -> None:
    """Write channel `one` to all of `places`, its own first, each slightly smaller."""
    stem, bias = chain.stem.get_weights()
    kernel, *depthwise_bias = chain.depthwise.get_weights()
    mix, *rest = chain.mix.get_weights()
    share = mix[:, :, one] / len(places)
    for nth, place in enumerate(places):
        gain = np.float32(SHRINK**nth)
        stem[..., place], bias[place] = stem[..., one] * gain, bias[one] * gain
        kernel[:, :, place] = kernel[:, :, one] / gain
        for each in depthwise_bias:
            each[place] = each[one]
        mix[:, :, place] = share
    chain.stem.set_weights([stem, bias])
    chain.depthwise.set_weights([kernel, *depthwise_bias])
    chain.mix.set_weights([mix, *rest])
