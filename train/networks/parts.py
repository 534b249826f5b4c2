"""What the networks have in common: the filter they may begin with, the head they end with."""

from __future__ import annotations

from typing import Final

import keras
import numpy as np
from keras import layers

from train.labels import LABELS

BATCH_NORM: Final = {"epsilon": 1e-3, "momentum": 0.99}


def lowpass_filter(image: keras.KerasTensor, stride: int) -> keras.KerasTensor:
    """A fixed 3×3 binomial filter: noise and JPEG's ringing are mostly above half the bandwidth.

    It zero-pads for itself and for the 3×3 convolution of `stride` that follows, which must pad
    nothing: so the two are one 5×5 convolution with "same" padding, to the border, and int8 need
    not round what is between them.
    """
    row = np.array([1.0, 2.0, 1.0]) / 4
    pad = (1, 2) if stride == 2 else (2, 2)
    padded = layers.ZeroPadding2D((pad, pad), name="lowpass_pad")(image)
    filtered = layers.DepthwiseConv2D(3, use_bias=False, trainable=False, name="lowpass")
    outputs = filtered(padded)
    filtered.set_weights([np.outer(row, row).astype(np.float32)[..., np.newaxis, np.newaxis]])
    return outputs


def activation_head(
    features: keras.KerasTensor, dropout: float, labels: int = len(LABELS)
) -> list[keras.KerasTensor]:
    """(N, h, w, C) features → [logits (N, L), map (N, h, w, L)], in float32 at any precision."""
    features = layers.SpatialDropout2D(dropout, name="dropout")(features)
    maps = layers.Conv2D(labels, 1, dtype="float32", name="map")(features)
    return [layers.GlobalAveragePooling2D(dtype="float32", name="logits")(maps), maps]


def with_auxiliary(model: keras.Model, outputs: int) -> keras.Model:
    """image → logits and `outputs` more from the same features, as one tensor, for training."""
    features = model.get_layer("dropout").output
    pooled = layers.GlobalAveragePooling2D(dtype="float32", name="auxiliary_pool")(features)
    more = layers.Dense(outputs, dtype="float32", name="auxiliary")(pooled)
    both = layers.Concatenate(dtype="float32", name="trained")(
        [model.get_layer("logits").output, more]
    )
    return keras.Model(model.input, both, name=model.name)
