"""Channels that share one scale are given one range: the network's answers stay the same.

int8 stores a tensor with one step for all channels, so a channel of a tenth of the range has a
tenth of the levels. Where nothing but convolutions and sums stand between two layers, a channel
can be scaled up in the kernels that make it and down in those that take it (cross-layer
equalisation: Nagel et al., ICCV 2019); weights have a step for each output channel, so making it
larger costs nothing. ReLU6 lets the same be done for a channel that does not reach 6.
"""

from __future__ import annotations

from typing import Any, Final

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from quantize.fold import Conv, after, before, stored
from quantize.simulate import batches

MAX_GAIN: Final = 64.0


def equalised(
    folded: keras.Model,
    images: NDArray[np.float32],
    linear: float = 1.0,
    relu_d: float = 0.0,
    relu_p: float = 0.0,
    margin: float = 1.0,
) -> keras.Model:
    model = keras.models.clone_model(folded)
    model.set_weights(folded.get_weights())
    groups = linear_streams(folded)
    kinds = [linear] * len(groups)
    for layer in folded.layers:
        if isinstance(layer, layers.ReLU) and isinstance(before(layer)[0], Conv):
            (taker,) = after(folded, layer)
            if isinstance(taker, layers.DepthwiseConv2D) and relu_d:
                groups.append([layer])
                kinds.append(relu_d)
            elif isinstance(taker, layers.Conv2D) and relu_p:
                groups.append([layer])
                kinds.append(relu_p)
    allmax = _largest(folded, groups, images)
    for group, largest, power in zip(groups, allmax, kinds, strict=True):
        if not power:
            continue
        makers = [m for m in group if isinstance(m, Conv)]
        if isinstance(group[0], layers.ReLU):
            makers = before(group[0])
            top = largest.max()
            top = 6.0 if top > 5.99 else top
            room = top / np.maximum(largest * margin, 1e-9)
            gain = np.where(largest * margin >= top, 1.0, np.minimum(room, MAX_GAIN) ** power)
        else:
            gain = np.minimum(largest.max() / np.maximum(largest, 1e-9), MAX_GAIN) ** power
        gain = gain.astype(np.float32)
        names = {m.name for m in group}
        takers = {t.name for m in group for t in after(folded, m)} - names
        for maker in makers:
            layer = model.get_layer(maker.name)
            kernel, bias = layer.get_weights()
            k = gain[:, None] if isinstance(layer, layers.DepthwiseConv2D) else gain
            layer.set_weights([kernel * k, bias * gain])
        for name in takers:
            layer = model.get_layer(name)
            kernel, *bias = layer.get_weights()
            layer.set_weights([kernel / gain[:, None], *bias])
    return model


def linear_streams(folded: keras.Model) -> list[list[layers.Layer]]:
    """Groups of layers that share their channels' scales, and that only convolutions take."""
    groups: list[list[layers.Layer]] = []
    names = stored(folded)
    for layer in folded.layers:
        if layer.name not in names:
            continue
        if isinstance(layer, layers.Add):
            joined = [group for group in groups if set(group) & set(before(layer))]
            groups = [group for group in groups if group not in joined]
            groups.append([*(member for group in joined for member in group), layer])
        elif isinstance(layer, layers.Conv2D) and layer.use_bias:
            groups.append([layer])
    return [group for group in groups if _closed(folded, group)]


def _closed(folded: keras.Model, group: list[layers.Layer]) -> bool:
    given = [one for member in group if isinstance(member, layers.Add) for one in before(member)]
    taken = [one for member in group for one in after(folded, member)]
    return (
        bool(taken)
        and set(given) <= set(group)
        and all(taker in group or isinstance(taker, layers.Conv2D) for taker in taken)
    )


def _largest(folded, groups, images):
    watched = keras.Model(folded.input, [m.output for g in groups for m in g])
    found = None
    for batch in batches(images):
        values = [np.abs(v).max(axis=(0, 1, 2)) for v in watched.predict_on_batch(batch)]
        found = values if found is None else [np.maximum(a, b) for a, b in zip(found, values)]
    out, at = [], 0
    for g in groups:
        out.append(np.max(found[at : at + len(g)], axis=0))
        at += len(g)
    return out
