"""Each gray level is exactly an int8 value at a network's input.

int8 stores the input as (q − zero point) · scale with a whole zero point. A network that takes
(gray − 127.5) / 127.5, as MobileNet does, has its zero between two gray levels, so each level lies
half a step from any q, and all are rounded towards the zero. Here the network is given (gray − 128)
/ 127.5 instead, and the biases of its first convolutions take up the half level. Only what these
pad the picture with, a zero, becomes half a gray level brighter.
"""

from __future__ import annotations

from typing import Final

import keras
import numpy as np
from keras import layers

from edge_app.model.preprocess import InputSpec
from quantize.repairs.fold import after

PADDED: Final = layers.ZeroPadding2D
FIRST: Final = (layers.Conv2D, layers.DepthwiseConv2D)
GRAY_LEVELS: Final = 256


def on_gray_levels(folded: keras.Model, spec: InputSpec) -> tuple[keras.Model, InputSpec]:
    """A network and what it sees, with a zero that is a gray level.

    Both stay unchanged where the zero already is a gray level, lies outside of the gray levels,
    differs between channels, or where anything but convolutions with a bias takes the picture.

    Args:
        folded: see `fold.fold`.
        spec: what it sees.
    """
    zero = spec.mean
    firsts = _firsts(folded)
    if not isinstance(zero, float) or not isinstance(spec.std, float) or not firsts:
        return folded, spec
    whole = float(np.floor(zero + 0.5))
    if whole == zero or not 0 <= whole < GRAY_LEVELS:
        return folded, spec
    moved = keras.models.clone_model(folded)
    moved.set_weights(folded.get_weights())
    for first in firsts:
        layer = moved.get_layer(first.name)
        kernel, bias = layer.get_weights()
        # A depthwise kernel is (h, w, channels, multiplier), any other (h, w, in, out).
        over = (0, 1) if isinstance(layer, layers.DepthwiseConv2D) else (0, 1, 2)
        layer.set_weights(
            [kernel, bias + kernel.sum(axis=over).ravel() * (whole - zero) / spec.std]
        )
    return moved, spec._replace(mean=whole)


def _firsts(folded: keras.Model) -> list[layers.Layer]:
    """The convolutions that take the picture, padded or not; none if anything else takes it."""
    found, waiting = [], after(folded, folded.layers[0])
    while waiting:
        layer = waiting.pop()
        if isinstance(layer, PADDED):
            waiting += after(folded, layer)
        elif isinstance(layer, FIRST) and layer.use_bias and _is_linear(layer):
            found.append(layer)
        else:
            return []
    return found


def _is_linear(layer: layers.Layer) -> bool:
    return len(layer._inbound_nodes) == 1 and layer.activation is keras.activations.linear
