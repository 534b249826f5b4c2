"""Small own data sets in every form, whose first label can be seen in the pictures."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray
from PIL import Image

from train.networks.parts import activation_head

SIDE = 28


def tiny(
    size: int | None = SIDE, dropout: float = 0.0, lowpass: bool = False, labels: int = 15
) -> keras.Model:
    """Two convolutions; as `train.networks` has them."""
    inputs = keras.Input((size, size, 1), name="image")
    x = layers.Conv2D(6, 3, 2, padding="same", use_bias=False, name="conv0")(inputs)
    x = layers.ReLU(6.0, name="relu0")(layers.BatchNormalization(name="bn0")(x))
    x = layers.Conv2D(8, 3, 2, padding="same", use_bias=False, name="conv1")(x)
    x = layers.ReLU(6.0, name="relu1")(layers.BatchNormalization(name="bn1")(x))
    return keras.Model(inputs, activation_head(x, dropout, labels), name="tiny")


def targets_of(count: int, labels: int, *, exclusive: bool = False) -> NDArray[np.uint8]:
    """count×labels; every label applies to some images and not to others, and none to a third."""
    rng = np.random.default_rng(labels)
    if exclusive:
        return np.eye(labels, dtype=np.uint8)[rng.integers(0, labels, count)]
    share = 0.6 if labels == 1 else 0.4
    drawn = (rng.random((count, labels)) < share).astype(np.uint8)
    drawn[rng.random(count) < 0.33] = 0
    return drawn


def pictures_of(targets: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """count×28×28 noise, brighter where the first label applies."""
    rng = np.random.default_rng(9)
    pictures = rng.integers(0, 120, (len(targets), SIDE, SIDE)).astype(np.uint8)
    return pictures + 100 * targets[:, :1, np.newaxis].astype(np.uint8)


def write_folder(
    folder: Path,
    header: Sequence[str],
    rows: Sequence[Sequence[object]],
    pictures: NDArray[np.uint8],
) -> Path:
    """A folder of PNGs named 0.png, 1.png, … and their `labels.csv`."""
    folder.mkdir(parents=True)
    for place, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{place}.png")
    if header:
        with (folder / "labels.csv").open("w", newline="") as file:
            csv.writer(file).writerows([header, *rows])
    return folder


def joined(targets: NDArray[np.uint8], names: Sequence[str]) -> list[str]:
    """The names of each image's labels, joined by ``|``; ``none`` for none."""
    return ["|".join(np.array(names)[row > 0]) or "none" for row in targets]


def write_arrays(path: Path, **arrays: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.savez(file, **arrays)
    return path
