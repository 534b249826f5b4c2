"""Small networks to import, and a folder of images whose labels are nearly their answers.

Nobody trained them; the labels follow their scores, so whatever the import spoils shows.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from numpy.typing import NDArray
from PIL import Image

SIDE = 32
IMAGES = 600
NOISE = 0.5
LABELS = ("Tuberculosis", "Effusion")


def pictures(count: int = IMAGES, seed: int = 3, side: int = SIDE) -> NDArray[np.uint8]:
    """Smooth random pictures, N×side×side."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 5, 5), np.uint8)
    shape = (side, side)
    return np.stack([np.asarray(Image.fromarray(x).resize(shape, 2)) for x in coarse])


def own_network(
    outputs: int = 2, activation: str = "sigmoid", channels: int = 1, side: int = SIDE
) -> keras.Model:
    """Rescaling, two convolutions, normalisation, pooling, a dense layer and its activation."""
    keras.utils.set_random_seed(4)
    image = keras.Input((side, side, channels))
    x = layers.Rescaling(1 / 127.5, offset=-1)(image)
    x = layers.Conv2D(16, 3, 2, padding="same", activation="relu", name="stem")(x)
    x = layers.Conv2D(48, 3, padding="same", use_bias=False, name="deep")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Activation("relu6")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(0.3)(x)
    return spread(keras.Model(image, layers.Dense(outputs, activation, name="scores")(x)))


def far_reaching() -> keras.Model:
    """A network of whose swish one channel reaches 1,000 times as far as the others.

    Nothing looks at that channel, but in int8 it leaves the others a step or two.
    """
    keras.utils.set_random_seed(4)
    image = keras.Input((SIDE, SIDE, 1))
    x = layers.Rescaling(1 / 127.5, offset=-1)(image)
    x = layers.Conv2D(16, 3, 2, padding="same", activation="relu", name="stem")(x)
    x = layers.Conv2D(12, 1, activation="swish", name="far")(x)
    x = layers.Conv2D(32, 3, padding="same", use_bias=False, name="deep")(x)
    x = layers.Activation("relu6")(layers.BatchNormalization(name="norm")(x))
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    model = keras.Model(image, layers.Dense(2, "sigmoid", name="scores")(x))
    far, deep = model.get_layer("far"), model.get_layer("deep")
    far.kernel.assign(far.kernel * np.float32([1] * 11 + [1000]))
    deep.kernel.assign(deep.kernel * np.float32([1] * 11 + [0])[:, np.newaxis])
    return spread(model)


def spread(model: keras.Model) -> keras.Model:
    """The same network with features and scores as varied as a trained one's."""
    _, _, side, channels = model.input_shape
    grays = np.repeat(pictures(64, side=side)[..., np.newaxis], channels, -1).astype(np.float32)
    norm = model.get_layer("norm")
    seen = np.asarray(keras.Model(model.input, norm.input)(grays))
    gain, shift, *_ = norm.get_weights()
    norm.set_weights([gain, shift, seen.mean(axis=(0, 1, 2)), seen.var(axis=(0, 1, 2))])
    last = model.get_layer("scores")
    features = np.asarray(keras.Model(model.input, last.input)(grays))
    kernel, _ = last.get_weights()
    logits = features @ kernel
    kernel = kernel / logits.std(axis=0) * 1.5
    last.set_weights([kernel, -(features @ kernel).mean(axis=0)])
    return model


def decided(model: keras.Model, count: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Pictures, and their scores, that are not near the middle of any: chance decides on none."""
    images = pictures(3 * count)
    grays = np.repeat(images[..., np.newaxis], model.input_shape[-1], -1).astype(np.float32)
    scores = np.asarray(model(grays))
    margin = (np.abs(scores - np.median(scores, axis=0)) / scores.std(axis=0)).min(axis=1)
    chosen = np.sort(np.argsort(-margin)[:count])
    return images[chosen], scores[chosen]


def labelled(
    folder: Path,
    model: keras.Model,
    names: tuple[str, ...] = LABELS,
    exclusive: bool = False,
    count: int = IMAGES,
    patients: bool = True,
) -> Path:
    """A folder of PNGs with a labels.csv that a network is mostly right about."""
    (folder / "images").mkdir(parents=True)
    images, scores = decided(model, count)
    scores = scores + np.random.default_rng(5).normal(0, NOISE, scores.shape) * scores.std(axis=0)
    present = scores > np.quantile(scores, 0.5, axis=0)
    if exclusive:
        present = np.eye(len(names), dtype=bool)[(scores / scores.std(axis=0)).argmax(axis=1)]
    lines = ["image,patient,labels" if patients else "image,labels"]
    for index, (image, row) in enumerate(zip(images, present, strict=True)):
        Image.fromarray(image).save(folder / "images" / f"{index:04d}.png", compress_level=1)
        words = "|".join(np.array(names)[row]) or "none"
        whose = f"p{index // 2:03d}," if patients else ""
        lines.append(f"{index:04d}.png,{whose}{words}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def named(path: Path, *lines: str) -> Path:
    """A file of labels."""
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `own.keras`, `data` and `labels.txt`."""
    folder = tmp_path_factory.mktemp("own")
    model = own_network()
    model.save(folder / "own.keras")
    labelled(folder / "data", model)
    named(folder / "labels.txt", *LABELS)
    return folder
