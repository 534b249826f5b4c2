"""A network that nobody trained, with images whose labels are its own answers.

The float network ranks them perfectly, so whatever harms it shows; nothing is left to chance.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from rich.console import Console

from quantize.repairs.registry import as_input
from quantize.studies.bench import Bench
from quantize.studies.faults import Conversion
from train.cache import Cached
from train.calibrate import operating_points, platt
from train.finished_run import FinishedRun
from train.labels import LABELS
from train.networks.cnn28 import cnn28
from train.predict import logits_only, predict
from train.recipes import Recipe
from train.run_config import RunConfig

SIDE = 28
IMAGES = 260


def network(images: NDArray[np.uint8]) -> keras.Model:
    """`cnn28`, its features and logits as varied as a trained one's."""
    keras.utils.set_random_seed(5)
    model, x = cnn28(), as_input(images)

    def seen(tensor: keras.KerasTensor) -> NDArray[np.float32]:
        return np.asarray(keras.Model(model.input, tensor)(x))

    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            gain, shift, *_ = layer.get_weights()
            values = seen(layer.input)
            moments = [values.mean(axis=(0, 1, 2)), values.var(axis=(0, 1, 2))]
            layer.set_weights([gain, shift, *moments])
    last = model.get_layer("map")
    kernel, bias = last.get_weights()
    logits = seen(model.get_layer("logits").output)
    size = 1.5 / logits.std(axis=0)
    rarity = np.linspace(1, 8, len(LABELS))  # so that a sigmoid squashes some of them
    last.set_weights([kernel * size, bias - rarity - logits.mean(axis=0) * size])
    return model


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> tuple[FinishedRun, Cached]:
    coarse = np.random.default_rng(6).integers(0, 256, (IMAGES, 6, 6, 1)).astype(np.float32)
    smooth = np.asarray(keras.ops.image.resize(coarse, (SIDE, SIDE), interpolation="bilinear"))
    images = np.clip(np.rint(smooth[..., 0]), 0, 255).astype(np.uint8)
    model = network(images)
    table = pd.DataFrame(
        {
            "image": [f"{k:04d}.png" for k in range(IMAGES)],
            "patient": [str(k // 2) for k in range(IMAGES)],
            "split": ["train" if k < 80 else "test" for k in range(IMAGES)],
            "sha256": [hashlib.sha256(image.tobytes()).hexdigest() for image in images],
        }
    )
    nothing = np.zeros((IMAGES, len(LABELS)), np.uint8)
    cached = Cached(images, nothing, table, np.arange(IMAGES), "synthetic")
    logits = predict(logits_only(model), cached)
    targets = (logits > np.quantile(logits, 0.6, axis=0)).astype(np.uint8)
    cached = Cached(images, targets, table, np.arange(IMAGES), "synthetic")
    folder = tmp_path_factory.mktemp("untrained")
    (folder / "model.keras").write_bytes(b"none")
    calibration = platt(targets, logits, "itself")
    points = operating_points(targets, logits, calibration, "itself")
    recipe = asdict(Recipe(network="cnn28"))
    config = RunConfig.from_dict({"recipe": recipe, "dataset": {}, "packages": {}})
    run = FinishedRun(folder, config, model, calibration, points)
    return run, cached


@pytest.fixture(scope="session")
def bench(untrained: tuple[FinishedRun, Cached], tmp_path_factory: pytest.TempPathFactory) -> Bench:
    run, cached = untrained
    quiet = Console(file=io.StringIO())
    folder: Path = tmp_path_factory.mktemp("bench")
    training, measured = cached.split("train"), cached.split("test")
    return Bench(run, training, measured, "test", 0, folder, quiet, calibration_images=40)


@pytest.fixture(scope="session")
def conversion(bench: Bench) -> Conversion:
    return Conversion(bench)
