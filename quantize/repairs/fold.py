"""Folding: batch normalisation and fixed filters become part of the convolutions.

These are the weights that int8 stores. Nothing is rounded inside one operator, so layers that can
be one operator are merged.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from quantize.errors import ConversionError
from train.networks.parts import LogSumExpPooling

Conv: TypeAlias = layers.Conv2D | layers.DepthwiseConv2D
"""A Keras `DepthwiseConv2D` is no `Conv2D`."""

IDENTITIES: Final = (layers.Dropout, layers.SpatialDropout2D)
"""Layers that do nothing at inference."""


def is_plain(layer: layers.Layer) -> bool:
    """Whether a layer is a convolution whose weights the repairs can read and write."""
    if isinstance(layer, layers.DepthwiseConv2D):
        plain = layer.depth_multiplier == 1
    else:
        plain = isinstance(layer, layers.Conv2D) and layer.groups == 1
    return (
        plain
        and layer.data_format == "channels_last"
        and tuple(layer.dilation_rate) == (1, 1)
        and layer.activation is keras.activations.linear
    )


def before(layer: layers.Layer) -> list[layers.Layer]:
    """The layers whose outputs a layer takes, of all its calls one after the other."""
    tensors = (tensor for call in layer._inbound_nodes for tensor in call.input_tensors)
    return [tensor._keras_history.operation for tensor in tensors]


def after(model: keras.Model, layer: layers.Layer) -> list[layers.Layer]:
    """The layers of `model` that take a layer's output."""
    return [
        other
        for other in model.layers
        if not isinstance(other, layers.InputLayer)
        and any(source.name == layer.name for source in before(other))
    ]


def mean_pooled(model: keras.Model) -> keras.Model:
    """A network whose logits are its map's mean, for a device that pools the map itself.

    One that is so already is returned as it is.
    """
    if not any(isinstance(layer, LogSumExpPooling) for layer in model.layers):
        return model

    def with_mean(layer: layers.Layer) -> layers.Layer:
        if isinstance(layer, LogSumExpPooling):
            return layers.GlobalAveragePooling2D(dtype="float32", name=layer.name)
        return type(layer).from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=with_mean)
    copy.set_weights(model.get_weights())
    return copy


def fold(model: keras.Model) -> keras.Model:
    """A network with the same outputs at inference, made of convolutions with biases.

    Layers keep their names; dropout, a low-pass filter, and normalisation right behind a
    convolution are gone. Normalisation elsewhere, behind a sum say, becomes a depthwise convolution
    of one pixel: int8 stores one tensor instead of two, and a gain for each channel.

    Raises:
        ConversionError: the low-pass filter and its convolution are not one of "same" padding, or
            the map is pooled otherwise than by its mean.
    """
    if any(isinstance(layer, LogSumExpPooling) for layer in model.layers):
        raise ConversionError(
            "this network pools its map by log-sum-exp, which only `quantize int8` takes: the "
            "graph holds the map, and the device pools it"
        )
    norms = {before(layer)[0].name: layer for layer in model.layers if _is_folded(model, layer)}
    normalised = {layer.name for layer in norms.values()}

    filters = {layer.name: before(layer)[0] for layer in model.layers if _is_filtered(layer)}
    gone = {x.name for lowpass in filters.values() for x in (lowpass, *before(lowpass))}

    alone = {x.name for x in model.layers if x.name not in normalised and _normalises(x)}

    def with_room(layer: layers.Layer) -> layers.Layer:
        if layer.name in alone:
            return layers.DepthwiseConv2D(1, name=layer.name)
        config = layer.get_config()
        if layer.name in norms:
            config["use_bias"] = True
        if layer.name in filters:
            config |= {"kernel_size": _merged_size(layer, filters[layer.name]), "padding": "same"}
        return type(layer).from_config(config)

    def unless_gone(layer: layers.Layer, *args: Any, **kwargs: Any) -> Any:
        inputs = args[0] if args else kwargs.get("inputs")
        if layer.name in alone:
            return layer(inputs)  # a normalisation's other arguments are none of a convolution's
        skipped = isinstance(layer, IDENTITIES) or layer.name in normalised or layer.name in gone
        return inputs if skipped else layer(*args, **kwargs)

    folded = keras.models.clone_model(model, clone_function=with_room, call_function=unless_gone)
    for layer in folded.layers:
        weights = model.get_layer(layer.name).get_weights()
        if layer.name in alone:
            gain, offset = _gain_and_offset(model.get_layer(layer.name))
            weights = [gain.reshape(1, 1, -1, 1), offset]
        if layer.name in filters:
            weights[0] = _convolved(filters[layer.name].get_weights()[0], weights[0])
        if layer.name in norms:
            kernel, *bias = weights
            weights = _folded(layer, kernel, bias[0] if bias else None, norms[layer.name])
        layer.set_weights(weights)
    return folded


def _is_folded(model: keras.Model, layer: layers.Layer) -> bool:
    """Whether a layer normalises a convolution that nothing else takes, and nothing else."""
    if not _normalises(layer) or len(layer._inbound_nodes) > 1:
        return False
    (source,) = before(layer)
    alone = len(after(model, source)) == 1 and source.output is not model.output
    return is_plain(source) and alone


def _normalises(layer: layers.Layer) -> bool:
    """Whether a layer normalises the channels of a map."""
    if not isinstance(layer, layers.BatchNormalization) or len(layer.input.shape) != 4:
        return False
    axis = layer.axis[0] if isinstance(layer.axis, list | tuple) else layer.axis
    return axis in (-1, 3)


def _is_filtered(layer: layers.Layer) -> bool:
    """Whether a convolution follows a padded filter directly: see `parts.lowpass_filter`."""
    if not isinstance(layer, layers.Conv2D) or layer.padding != "valid":
        return False
    lowpass, *others = before(layer)
    return (
        not others
        and isinstance(lowpass, layers.DepthwiseConv2D)
        and not (lowpass.use_bias or lowpass.trainable)
        and (lowpass.padding, lowpass.strides) == ("valid", (1, 1))
        and isinstance(before(lowpass)[0], layers.ZeroPadding2D)
    )


def _merged_size(conv: layers.Conv2D, lowpass: layers.DepthwiseConv2D) -> tuple[int, int]:
    """Size of the merged kernel, where the filter pads as "same" does for it."""
    pad = before(lowpass)[0]
    size = tuple(a + b - 1 for a, b in zip(lowpass.kernel_size, conv.kernel_size, strict=True))
    sides = zip(pad.input.shape[1:3], conv.output.shape[1:3], size, conv.strides, strict=True)
    missing = [(out - 1) * stride + side - length for length, out, side, stride in sides]
    if pad.padding != tuple((total // 2, total - total // 2) for total in missing):
        height, width = pad.input.shape[1:3]
        raise ConversionError(
            f"the low-pass filter does not merge at {width}x{height} pixels: train at an even size"
        )
    return size


def _convolved(lowpass: NDArray[np.float32], kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """The one kernel that equals a one-channel filter followed by `kernel`."""
    height, width = lowpass.shape[0] + kernel.shape[0] - 1, lowpass.shape[1] + kernel.shape[1] - 1
    both = np.zeros((height, width, *kernel.shape[2:]))
    for i, j in np.ndindex(lowpass.shape[:2]):
        both[i : i + kernel.shape[0], j : j + kernel.shape[1]] += lowpass[i, j, :, 0, None] * kernel
    return both.astype(np.float32)


def _folded(
    conv: Conv,
    kernel: NDArray[np.float32],
    conv_bias: NDArray[np.float32] | None,
    norm: layers.BatchNormalization,
) -> list[NDArray[np.float32]]:
    gain, offset = _gain_and_offset(norm)
    if conv_bias is not None:
        offset = offset + gain * np.float64(conv_bias)
    # A depthwise kernel is (h, w, channels, 1), any other (h, w, in, out).
    along = gain[:, np.newaxis] if isinstance(conv, layers.DepthwiseConv2D) else gain
    return [(kernel * along).astype(np.float32), offset.astype(np.float32)]


def _gain_and_offset(
    norm: layers.BatchNormalization,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What a normalisation does to each channel at inference: gain · x + offset."""
    mean, variance = np.float64(norm.moving_mean), np.float64(norm.moving_variance)
    gamma = np.float64(norm.gamma) if norm.scale else np.ones_like(mean)
    beta = np.float64(norm.beta) if norm.center else np.zeros_like(mean)
    gain = gamma / np.sqrt(variance + norm.epsilon)
    return gain, beta - mean * gain


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
