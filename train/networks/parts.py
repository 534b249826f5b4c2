"""Shared parts of the networks: an optional first filter, and the head."""

from __future__ import annotations

from typing import Any, Final

import keras
import numpy as np
from keras import layers, ops

from train.labels import LABELS

BATCH_NORM: Final = {"epsilon": 1e-3, "momentum": 0.99}


def lowpass_filter(image: keras.KerasTensor, stride: int) -> keras.KerasTensor:
    """A fixed 3×3 binomial filter: noise and JPEG's ringing are mostly above half the bandwidth.

    It zero-pads for itself and for the following 3×3 convolution of `stride`, which must not pad.
    So the two fold into one 5×5 convolution with "same" padding, also at the border, and int8 does
    not round between them.
    """
    row = np.array([1.0, 2.0, 1.0]) / 4
    pad = (1, 2) if stride == 2 else (2, 2)
    padded = layers.ZeroPadding2D((pad, pad), name="lowpass_pad")(image)
    filtered = layers.DepthwiseConv2D(3, use_bias=False, trainable=False, name="lowpass")
    outputs = filtered(padded)
    filtered.set_weights([np.outer(row, row).astype(np.float32)[..., np.newaxis, np.newaxis]])
    return outputs


@keras.saving.register_keras_serializable(package="edge-cxr")
class LogSumExpPooling(layers.Layer):
    """(N, h, w, L) → (N, L): log(mean(exp(r · x))) / r over a map, between mean and maximum.

    (Pinheiro & Collobert, CVPR 2015; Wang et al., ChestX-ray8, CVPR 2017.) With r = 1 on a map of
    logits the odds are averaged rather than their logarithms, so a finding in one cell of many
    still counts. A map of equal cells gives their value, as the mean does.

    Args:
        r: near 0 it is the mean, far above 1 the maximum.
    """

    def __init__(self, r: float, **options: Any) -> None:
        super().__init__(**options)
        self.r = r

    def call(self, maps: keras.KerasTensor) -> keras.KerasTensor:
        total = ops.logsumexp(self.r * maps, axis=(1, 2))
        cells = ops.logsumexp(ops.zeros_like(maps), axis=(1, 2))  # the logarithm of their number
        return (total - cells) / self.r

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "r": self.r}


def activation_head(
    features: keras.KerasTensor,
    dropout: float,
    labels: int = len(LABELS),
    pooling_r: float = 0.0,
) -> list[keras.KerasTensor]:
    """(N, h, w, C) features → [logits (N, L), map (N, h, w, L)], in float32 at any precision.

    The logits are the map's mean, or its `LogSumExpPooling` if there is a `pooling_r`.
    """
    features = layers.SpatialDropout2D(dropout, name="dropout")(features)
    maps = layers.Conv2D(labels, 1, dtype="float32", name="map")(features)
    if pooling_r:
        return [LogSumExpPooling(pooling_r, dtype="float32", name="logits")(maps), maps]
    return [layers.GlobalAveragePooling2D(dtype="float32", name="logits")(maps), maps]


def with_auxiliary(model: keras.Model, outputs: int) -> keras.Model:
    """For training: image → one tensor of the logits and `outputs` more of the same features."""
    features = model.get_layer("dropout").output
    pooled = layers.GlobalAveragePooling2D(dtype="float32", name="auxiliary_pool")(features)
    more = layers.Dense(outputs, dtype="float32", name="auxiliary")(pooled)
    both = layers.Concatenate(dtype="float32", name="trained")(
        [model.get_layer("logits").output, more]
    )
    return keras.Model(model.input, both, name=model.name)
