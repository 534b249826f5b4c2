"""A network that nobody trained, with images whose labels are its own answers.

The float network ranks them perfectly, so whatever harms it shows; nothing is left to chance.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from edge_app.labels import LABELS
from quantize.measure import Bench
from quantize.sabotage import Workshop
from train.cache import Cached
from train.calibrate import operating_points, platt
from train.networks import cnn28
from train.predict import logits_only, predict
from train.recipes import Recipe
from train.run import FinishedRun

SIDE = 28
IMAGES = 420


def network() -> keras.Model:
    """`cnn28` with a low-pass filter, every channel of which does something."""
    keras.utils.set_random_seed(5)
    model = cnn28(lowpass=True)
    generator = np.random.default_rng(5)
    kernel, bias = model.get_layer("map").get_weights()
    weights = [generator.normal(size=x.shape).astype(np.float32) for x in (kernel, bias)]
    model.get_layer("map").set_weights(weights)
    return model


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> tuple[FinishedRun, Cached]:
    model = network()
    coarse = np.random.default_rng(6).integers(0, 256, (IMAGES, 6, 6, 1)).astype(np.float32)
    smooth = np.asarray(keras.ops.image.resize(coarse, (SIDE, SIDE), interpolation="bilinear"))
    images = np.clip(np.rint(smooth[..., 0]), 0, 255).astype(np.uint8)
    table = pd.DataFrame(
        {
            "image": [f"{k:04d}.png" for k in range(IMAGES)],
            "patient": [str(k // 2) for k in range(IMAGES)],
            "split": ["train" if k < 120 else "test" for k in range(IMAGES)],
            "sha256": [hashlib.sha256(image.tobytes()).hexdigest() for image in images],
        }
    )
    nothing = np.zeros((IMAGES, len(LABELS)), np.uint8)
    cached = Cached(images, nothing, table, np.arange(IMAGES), "synthetic")
    logits = predict(logits_only(model), cached)
    targets = (logits > np.quantile(logits, 0.7, axis=0)).astype(np.uint8)
    cached = Cached(images, targets, table, np.arange(IMAGES), "synthetic")
    folder = tmp_path_factory.mktemp("untrained")
    (folder / "kept.weights.h5").write_bytes(b"none")
    calibration = platt(targets, logits, "itself")
    points = operating_points(targets, logits, calibration, "itself")
    config = {"recipe": {}, "dataset": {}, "packages": {}}
    run = FinishedRun(folder, Recipe(network="cnn28"), config, model, calibration, points)
    return run, cached


@pytest.fixture(scope="session")
def bench(untrained: tuple[FinishedRun, Cached], tmp_path_factory: pytest.TempPathFactory) -> Bench:
    run, cached = untrained
    quiet = Console(file=io.StringIO())
    folder: Path = tmp_path_factory.mktemp("bench")
    return Bench.of(run, cached.split("test"), "test", folder, quiet)


@pytest.fixture(scope="session")
def workshop(bench: Bench, untrained: tuple[FinishedRun, Cached]) -> Workshop:
    training = untrained[1].split("train")
    return Workshop(bench, training, np.arange(60))
