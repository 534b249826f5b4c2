"""Equalisation: channels that share one scale get the same range; the outputs stay the same.

int8 stores a tensor with one step for all channels, so a channel of a tenth of the range has a
tenth of the levels. Where no nonlinearity stands between layers, a channel can be scaled up in the
kernels that make it and down in those that take it (cross-layer equalisation: Nagel et al., ICCV
2019). Weights have a step for each output channel, so scaling those up costs nothing. Through a
ReLU6 that holds for a channel as long as it stays below 6 afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from quantize.repairs.fold import after, before, is_plain, stored
from quantize.simulate import batches

Stream = list[layers.Layer]

MAX_GAIN: Final = 64.0
"""A channel that stays below this on the calibration images is not scaled up."""
CEILING: Final = 6.0
ROOM: Final = 1.05
"""Factor below `CEILING`, for pictures brighter than the calibration images."""


def equalised(folded: keras.Model, images: NDArray[np.float32]) -> keras.Model:
    """A copy of a folded network in which every linear stream's channels have one range.

    Args:
        folded: see `fold.fold`.
        images: K×size×size×1 in [-1, 127/128]; they give the ranges.
    """
    model = keras.models.clone_model(folded)
    model.set_weights(folded.get_weights())
    streams = linear_streams(folded)
    for stream, largest in zip(streams, _largest(folded, streams, images), strict=True):
        gain = np.minimum(largest.max() / np.maximum(largest, 1e-9), MAX_GAIN).astype(np.float32)
        names = {member.name for member in stream}
        takers = {taker.name for member in stream for taker in after(folded, member)} - names
        for name in names:
            layer = model.get_layer(name)
            if isinstance(layer, layers.Conv2D):
                kernel, bias = layer.get_weights()
                layer.set_weights([kernel * gain, bias * gain])
        for name in takers:
            layer = model.get_layer(name)
            kernel, *bias = layer.get_weights()
            layer.set_weights([kernel / gain[:, np.newaxis], *bias])
    return model


def stem_equalised(folded: keras.Model, images: NDArray[np.float32]) -> keras.Model:
    """A copy whose first ReLU6's channels all use its range, where a depthwise kernel takes them.

    That kernel has a step for each channel too, so this costs no precision. Deeper ReLU6s are left
    alone: only the first layer's small windows show their full range on few pictures.

    Args:
        folded: see `fold.fold`.
        images: K×size×size×1 in [-1, 127/128].
    """
    model = keras.models.clone_model(folded)
    model.set_weights(folded.get_weights())
    found = _stem(folded)
    if found is None:
        return model
    (largest,) = _largest(folded, [[found[1]]], images)
    gain = np.clip(CEILING / np.maximum(ROOM * largest, 1e-9), 1, MAX_GAIN).astype(np.float32)
    conv, taker = (model.get_layer(found[place].name) for place in (0, 2))
    kernel, bias = conv.get_weights()
    conv.set_weights([kernel * gain, bias * gain])
    kernel, *bias = taker.get_weights()
    taker.set_weights([kernel / gain[:, np.newaxis], *bias])
    return model


def _stem(folded: keras.Model) -> list[layers.Layer] | None:
    """The convolution of the picture, its ReLU6 and the depthwise one, if that is how it begins."""
    kinds = (layers.Conv2D, layers.ReLU, layers.DepthwiseConv2D)
    chain: list[layers.Layer] = [folded.layers[0]]
    for kind in kinds:
        following = after(folded, chain[-1])
        if len(following) != 1 or not isinstance(following[0], kind):
            return None
        chain += following
    _, conv, relu, depthwise = chain
    plain = is_plain(conv) and is_plain(depthwise) and conv.use_bias
    return chain[1:] if plain and relu.max_value == CEILING else None


def linear_streams(folded: keras.Model) -> list[Stream]:
    """Groups of layers that share their channels' scales, and that only convolutions take.

    A convolution without a ReLU begins one; a sum joins those that it takes.
    """
    streams: list[Stream] = []
    chosen = stored(folded)
    for layer in folded.layers:
        if layer.name not in chosen:
            continue
        if isinstance(layer, layers.Add):
            joined = [stream for stream in streams if set(stream) & set(before(layer))]
            streams = [stream for stream in streams if stream not in joined]
            streams.append([*(member for stream in joined for member in stream), layer])
        elif isinstance(layer, layers.Conv2D) and is_plain(layer) and layer.use_bias:
            streams.append([layer])
    return [stream for stream in streams if _closed(folded, stream)]


def _closed(folded: keras.Model, stream: Stream) -> bool:
    """Whether all that goes in and out can be scaled, and something takes it."""
    sums = [member for member in stream if isinstance(member, layers.Add)]
    summands = [layer for member in sums for layer in before(member)]
    taken = [one for member in stream for one in after(folded, member)]
    return (
        bool(taken)
        and set(summands) <= set(stream)
        and all(taker in stream or _mixes(taker) for taker in taken)
    )


def _mixes(layer: layers.Layer) -> bool:
    """Whether a layer is a convolution whose kernel has a row for each channel that it takes."""
    return isinstance(layer, layers.Conv2D) and is_plain(layer)


def _largest(
    folded: keras.Model, streams: Sequence[Stream], images: NDArray[np.float32]
) -> list[NDArray[np.float32]]:
    """Largest magnitude by channel over a stream's members; one array a stream."""
    members = [member for stream in streams for member in stream]
    if not members:
        return []
    watched = keras.Model(folded.input, [member.output for member in members])
    found = {member.name: np.zeros(member.output.shape[-1], np.float32) for member in members}
    for batch in batches(images):
        values = watched.predict_on_batch(batch)
        for member, value in zip(members, values if len(members) > 1 else [values], strict=True):
            seen = np.abs(value).max(axis=(0, 1, 2))
            found[member.name] = np.maximum(found[member.name], seen)
    return [np.max([found[member.name] for member in stream], axis=0) for stream in streams]
