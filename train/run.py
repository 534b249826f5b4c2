"""A run folder from start to end: configuration, montage, training, calibration, curves.

config.json         recipe and data set
train.png           a montage of training images with their labels
history.csv         loss and validation AUROC by epoch; curves.png draws it
best.weights.h5     the best epoch's weights; model.keras the network with them, both outputs
calibration.json    Platt scaling and operating points, from validation
reports/            what `evaluate` wrote
"""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from edge_app import report
from edge_app.report import Evaluated, Report
from train import pictures
from train.cache import Cached
from train.calibrate import DEFAULT_POINT, operating_points, platt
from train.errors import RunError
from train.fit import build, fit
from train.predict import logits_only, predict
from train.recipes import Recipe

PACKAGES = ("tensorflow", "keras", "numpy", "Pillow", "scikit-learn")


def versions(*more: str) -> dict[str, str]:
    """The packages that decided the numbers."""
    named = {name: version(name) for name in (*PACKAGES, *more)}
    return {"python": platform.python_version(), **named}


def dataset_facts(cached: Cached, split: str) -> dict[str, Any]:
    """What a report and a manifest say of the images they rest on."""
    return {
        "name": cached.name,
        "split": split,
        "digest": cached.digest,
        "images": len(cached),
        "patients": int(cached.table["patient"].nunique()),
    }


def train(recipe: Recipe, cached: Cached, run: Path, console: Console) -> None:
    """Train, or go on with, `run`; then keep the best epoch, calibrated on validation.

    Raises:
        DatasetError: the images cannot be trained on or validated with.
        RunError: the folder holds another network's run, or training diverged.
    """
    training, validation = cached.split("train"), cached.split("validation")
    run.mkdir(parents=True, exist_ok=True)
    config = run / "config.json"
    _require_same_network(config, recipe)
    facts = {"train": dataset_facts(training, "train")}
    facts["validation"] = dataset_facts(validation, "validation")
    recipe.write(config, dataset=facts, packages=versions())
    pictures.montage(training, run / "train.png")

    fit(recipe, training, validation, run, console)

    pictures.training_curves(run / "history.csv", run / "curves.png")
    model = build(recipe)
    logits_only(model).load_weights(run / "best.weights.h5")
    model.save(run / "model.keras")
    logits = predict(logits_only(model), validation)
    where = f"validation, {len(validation)} images of {facts['validation']['patients']} patients"
    calibration = platt(validation.targets, logits, where)
    points = operating_points(validation.targets, logits, calibration, where)
    (run / "calibration.json").write_text(
        json.dumps({"calibration": calibration, "operating_points": points}, indent=1) + "\n"
    )
    console.print(f"{run}: done; next: python -m train evaluate {run} DATA", highlight=False)


def _require_same_network(config: Path, recipe: Recipe) -> None:
    if not config.exists():
        return
    before = Recipe.read(config)
    if (before.network, before.side) != (recipe.network, recipe.side):
        raise RunError(
            f"{config.parent} holds a run of {before.network} at {before.side} pixels: "
            "give this one another --run"
        )


@dataclass(frozen=True)
class FinishedRun:
    """A trained network with what was decided on validation."""

    folder: Path
    recipe: Recipe
    config: dict[str, Any]
    model: keras.Model
    calibration: dict[str, Any]
    operating_points: dict[str, Any]


def open_run(folder: Path) -> FinishedRun:
    """Load a run folder.

    Raises:
        RunError: the run is not finished.
    """
    try:
        decided = json.loads((folder / "calibration.json").read_text())
        config = json.loads((folder / "config.json").read_text())
    except FileNotFoundError as error:
        raise RunError(
            f"{folder}: no {Path(error.filename).name}: train it to its end first"
        ) from None
    return FinishedRun(
        folder,
        Recipe.read(folder / "config.json"),
        config,
        keras.models.load_model(folder / "model.keras", compile=False),
        **decided,
    )


def build_report(
    run: FinishedRun,
    cached: Cached,
    logits: NDArray[np.float32],
    *,
    split: str,
    model: dict[str, Any],
    runtime: dict[str, Any],
) -> Report:
    """The evaluation report of any runtime's logits over `cached`, at the run's thresholds."""
    return report.build(
        Evaluated(
            cached.table["image"].to_numpy(str),
            cached.table["patient"].to_numpy(str),
            cached.targets,
            logits,
        ),
        model=model,
        dataset=dataset_facts(cached, split),
        runtime=runtime,
        calibration=run.calibration,
        operating_points=run.operating_points,
        operating_point=DEFAULT_POINT,
    )
