"""Folding: normalisation that no convolution stands before."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from quantize.repairs.fold import fold


def branched() -> keras.Model:
    """Normalisation behind a sum, and behind a dense layer, with statistics of their own."""
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 1), name="image")
    one, other = (layers.Conv2D(6, 3, padding="same", name=name)(image) for name in ("a", "b"))
    x = layers.BatchNormalization(name="norm")(layers.Add()([one, other]))
    x = layers.Dense(3, name="dense")(layers.Flatten()(layers.ReLU()(x)))
    model = keras.Model(image, layers.BatchNormalization(name="last")(x))
    rng = np.random.default_rng(1)
    for name in ("norm", "last"):
        norm = model.get_layer(name)
        norm.set_weights([rng.uniform(0.5, 2, each.shape) for each in norm.get_weights()])
    return model


def test_normalisation_behind_a_sum_becomes_a_gain_and_an_offset_for_each_channel() -> None:
    model = branched()
    folded = fold(model)
    assert isinstance(folded.get_layer("norm"), layers.DepthwiseConv2D)
    noise = np.random.default_rng(2).uniform(-1, 1, (4, 8, 8, 1)).astype(np.float32)
    np.testing.assert_allclose(folded(noise), model(noise), rtol=1e-4, atol=1e-5)


def test_normalisation_of_what_is_no_map_stays() -> None:
    assert isinstance(fold(branched()).get_layer("last"), layers.BatchNormalization)


def test_layers_that_are_called_by_name_are_folded_all_the_same() -> None:
    image = keras.Input((8, 8, 1), name="image")
    made = layers.Conv2D(2, 3, use_bias=False, name="conv")(inputs=image)
    outputs = layers.BatchNormalization(name="conv_norm")(inputs=made)
    model = keras.Model(image, layers.GlobalAveragePooling2D(name="last")(outputs))
    folded = fold(model)
    assert not any(isinstance(each, layers.BatchNormalization) for each in folded.layers)
    noise = np.random.default_rng(2).uniform(-1, 1, (4, 8, 8, 1)).astype(np.float32)
    np.testing.assert_allclose(folded(noise), model(noise), rtol=1e-4, atol=1e-5)


def test_normalisation_stays_where_a_layers_second_call_takes_the_same_convolution() -> None:
    image = keras.Input((8, 8, 2), name="image")
    shared = layers.ReLU(name="shared")
    first = shared(layers.Conv2D(2, 3, padding="same", name="other")(image))
    made = layers.Conv2D(2, 3, padding="same", name="conv")(image)
    norm = layers.BatchNormalization(name="norm")
    total = layers.Add(name="add")([first, norm(made), shared(made)])
    model = keras.Model(image, layers.GlobalAveragePooling2D(name="last")(total))
    rng = np.random.default_rng(1)
    norm.set_weights([rng.uniform(0.5, 2, each.shape) for each in norm.get_weights()])
    noise = rng.uniform(-1, 1, (4, 8, 8, 2)).astype(np.float32)
    np.testing.assert_allclose(fold(model)(noise), model(noise), rtol=1e-4, atol=1e-5)


def test_normalisation_that_is_used_twice_stays_in_both_places() -> None:
    image = keras.Input((8, 8, 2), name="image")
    norm = layers.BatchNormalization(name="norm")
    made = layers.Conv2D(2, 3, padding="same", use_bias=False, name="conv")(image)
    total = layers.Add(name="add")([norm(made), norm(image)])
    model = keras.Model(image, layers.GlobalAveragePooling2D(name="last")(total))
    rng = np.random.default_rng(1)
    norm.set_weights([rng.uniform(0.5, 2, each.shape) for each in norm.get_weights()])
    noise = rng.uniform(-1, 1, (4, 8, 8, 2)).astype(np.float32)
    np.testing.assert_allclose(fold(model)(noise), model(noise), rtol=1e-4, atol=1e-5)
