"""A small plain network for images of 28×28 pixels."""

from __future__ import annotations

import keras
from keras import layers

from train.labels import LABELS
from train.networks.parts import BATCH_NORM, activation_head, lowpass_filter


def cnn28(
    size: int | None = 28,
    dropout: float = 0.3,
    lowpass: bool = False,
    labels: int = len(LABELS),
    pooling_r: float = 0.0,
) -> keras.Model:
    """A plain CNN: three pairs of 3×3 convolutions at 28, 14 and 7 pixels; 0.29 M parameters."""
    inputs = keras.Input((size, size, 1), name="image")
    x = lowpass_filter(inputs, 1) if lowpass else inputs
    for stage, filters in enumerate((32, 64, 128)):
        if stage:
            x = layers.MaxPooling2D(name=f"pool{stage}")(x)
        for step in "ab":
            name = f"conv{stage}{step}"
            padding = "valid" if lowpass and name == "conv0a" else "same"
            x = layers.Conv2D(filters, 3, padding=padding, use_bias=False, name=name)(x)
            x = layers.BatchNormalization(**BATCH_NORM, name=f"bn{stage}{step}")(x)
            x = layers.ReLU(6.0, name=f"relu{stage}{step}")(x)
    return keras.Model(inputs, activation_head(x, dropout, labels, pooling_r), name="cnn28")
