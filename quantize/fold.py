"""Batch normalisation inside the convolution before it: the weights that int8 really stores."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

Conv: TypeAlias = layers.Conv2D | layers.DepthwiseConv2D
"""A Keras `DepthwiseConv2D` is no `Conv2D`."""

IDENTITIES: Final = (layers.BatchNormalization, layers.Dropout, layers.SpatialDropout2D)
"""What does nothing at inference once the convolutions hold the normalisation."""


def before(layer: layers.Layer) -> list[layers.Layer]:
    """The layers whose outputs a layer takes."""
    given = layer.input if isinstance(layer.input, list) else [layer.input]
    return [tensor._keras_history.operation for tensor in given]


def after(model: keras.Model, layer: layers.Layer) -> list[layers.Layer]:
    """The layers of `model` that take a layer's output."""
    return [
        other
        for other in model.layers
        if not isinstance(other, layers.InputLayer)
        and any(given.name == layer.name for given in before(other))
    ]


def fold(model: keras.Model) -> keras.Model:
    """A network of the same answers at inference, of convolutions with biases only.

    Layers keep their names; normalisation and dropout are gone.
    """
    norms = {
        before(layer)[0].name: layer
        for layer in model.layers
        if isinstance(layer, layers.BatchNormalization)
    }

    def with_bias(layer: layers.Layer) -> layers.Layer:
        config = layer.get_config()
        return type(layer).from_config(config | ({"use_bias": True} if layer.name in norms else {}))

    def without_identities(layer: layers.Layer, *args: Any, **kwargs: Any) -> Any:
        return args[0] if isinstance(layer, IDENTITIES) else layer(*args, **kwargs)

    folded = keras.models.clone_model(
        model, clone_function=with_bias, call_function=without_identities
    )
    for layer in folded.layers:
        weights = model.get_layer(layer.name).get_weights()
        if layer.name in norms:
            weights = _folded(layer, weights[0], norms[layer.name])
        layer.set_weights(weights)
    return folded


def _folded(
    conv: Conv, kernel: NDArray[np.float32], norm: layers.BatchNormalization
) -> list[NDArray[np.float32]]:
    gamma, beta, mean, variance = (np.float64(value) for value in norm.get_weights())
    gain = gamma / np.sqrt(variance + norm.epsilon)
    # A depthwise kernel is (h, w, channels, 1), any other (h, w, in, out).
    along = gain[:, np.newaxis] if isinstance(conv, layers.DepthwiseConv2D) else gain
    return [(kernel * along).astype(np.float32), (beta - mean * gain).astype(np.float32)]


def stored(model: keras.Model) -> set[str]:
    """Names of the layers of a folded network whose outputs int8 stores with their own scale.

    A convolution and its ReLU are one operator, so nothing is rounded between them; the input
    holds gray levels exactly, and a maximum keeps the scale that it takes.
    """
    chosen = set()
    for layer in model.layers:
        if isinstance(layer, Conv):
            fused = [isinstance(other, layers.ReLU) for other in after(model, layer)]
            if fused and all(fused):
                continue
        elif isinstance(layer, layers.InputLayer | layers.MaxPooling2D):
            continue
        chosen.add(layer.name)
    return chosen
