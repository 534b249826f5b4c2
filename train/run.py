"""A run folder from start to end: configuration, montage, training, calibration, curves.

config.json         recipe and data set
train.png           a montage of training images with their labels
history.csv         loss and validation AUROC by epoch; curves.png draws it
kept.weights.h5     the best epoch's weights (a refit's: the last one's); model.keras the network
calibration.json    Platt scaling and operating points, from validation
reports/            what `evaluate` wrote
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from edge_app.core.files import write_whole
from edge_app.evaluation import report
from edge_app.evaluation.report import Evaluated, Report
from edge_app.model.calibration import calibrated
from train import pictures
from train.backend import versions
from train.cache import Cached
from train.calibrate import DEFAULT_POINT, operating_points, platt
from train.errors import RunError
from train.fit import build, fit, trained_part
from train.labels import NIH
from train.overall import image_level
from train.predict import logits_only, predict
from train.recipes import Recipe
from train.teachers import Teachers


def dataset_facts(cached: Cached, split: str) -> dict[str, Any]:
    """What a report and a manifest say of the images they rest on."""
    return {
        "name": cached.name,
        "split": split,
        "digest": cached.digest,
        "images": len(cached),
        "patients": int(cached.table["patient"].nunique()),
    }


FINAL_SPLIT = "train and validation"


def train(
    recipe: Recipe,
    cached: Cached,
    run: Path,
    console: Console,
    teachers: Teachers | None = None,
    precision: str = "float32",
    go_on: Callable[[], bool] = lambda: True,
) -> bool:
    """Train, or go on with, `run`; then keep the best epoch, calibrated on validation.

    Args:
        recipe, cached: what decides the run.
        run: its folder.
        console: for progress.
        teachers: whose scores the recipe distils, if it does.
        precision, go_on: see `fit.fit`.

    Returns:
        Whether the run is finished, and not interrupted by `go_on`.

    Raises:
        DatasetError: the images cannot be trained on or validated with.
        RunError: the folder holds another run, is in use, or training diverged.
    """
    training, validation = cached.split("train"), cached.split("validation")
    if recipe.patients < 1.0:
        training = training.of_patients(recipe.patients)
    run.mkdir(parents=True, exist_ok=True)
    with _alone(run):
        facts: dict[str, Any] = {
            "train": dataset_facts(training, "train"),
            "validation": dataset_facts(validation, "validation"),
        }
        if teachers:
            facts["teachers"] = teachers.names
            facts["teachers_trained_on"] = teachers.trained_on
            facts["teachers_know_no_more"] = teachers.knows_no_more
        _begin(run / "config.json", recipe, facts, precision)
        pictures.montage(training, run / "train.png")
        done = fit(recipe, training, validation, run, console, teachers, precision, go_on)
        if done:
            keep_best(recipe, validation, run)
    if done:
        _point_on(run, console)
    return done


def keep_best(recipe: Recipe, validation: Cached, run: Path) -> None:
    """Make of `kept.weights.h5` and `history.csv` all else that a finished run holds."""
    pictures.training_curves(run / "history.csv", run / "curves.png")
    model = _keep_network(recipe, run)
    _decide(model, validation, run)


def refit(
    validated: Path,
    cached: Cached,
    run: Path,
    console: Console,
    teachers: Teachers | None = None,
    precision: str = "float32",
) -> None:
    """Train a run's recipe once more, on its validation patients as well.

    Nothing is left to choose an epoch, calibrate or set thresholds by: the last epoch is kept,
    and the calibration and operating points are those of the run before. Only these need it to
    be finished; both can train side by side.

    Args:
        validated: folder of the run whose recipe is judged on validation.
        cached: the same data set.
        run: the new run's folder.
        console: for progress.
        teachers: the same that `validated` had.
        precision: of the arithmetic of training, see `fit.fit`.

    Raises:
        DatasetError: the images cannot be trained on.
        RunError: other data or teachers, the folder holds another run, training diverged, or
            the run before is not finished by the time that this one is.
    """
    training, validation = cached.split("train", "validation"), cached.split("validation")
    config = read_config(validated / "config.json")
    recipe, before = Recipe.from_dict(config["recipe"]), config["dataset"]
    if (teachers.names if teachers else None) != before.get("teachers"):
        raise RunError(f"{validated} was trained with other teachers: give it the same")
    if "refit_of" in before or before["validation"]["digest"] != validation.digest:
        raise RunError(f"{validated} was not validated on this data set's validation")
    run.mkdir(parents=True, exist_ok=True)
    with _alone(run):
        facts = {
            **before,
            "train": dataset_facts(training, FINAL_SPLIT),
            "refit_of": hashlib.sha256((validated / "config.json").read_bytes()).hexdigest(),
        }
        _begin(run / "config.json", recipe, facts, precision)
        fit(recipe, training, None, run, console, teachers, precision)
        _keep_network(recipe, run)
        _require_finished(validated)
        shutil.copyfile(validated / "calibration.json", run / "calibration.json")
    _point_on(run, console)


def _point_on(run: Path, console: Console) -> None:
    console.print(
        f"{run}: done; next: python -m train evaluate {run} DATA", highlight=False, soft_wrap=True
    )


@contextmanager
def _alone(run: Path) -> Iterator[None]:
    with (run / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(f"{run}: another training is writing to it") from None
        yield


def _begin(config: Path, recipe: Recipe, facts: dict[str, Any], precision: str) -> None:
    """Write what the run is made of; or refuse to go on with it as something else."""
    if not config.exists():
        content = {
            "recipe": asdict(recipe),
            "dataset": facts,
            "packages": versions(),
            "precision": precision,
        }
        write_whole(config, (json.dumps(content, indent=2) + "\n").encode())
        return
    before = read_config(config)
    changed = [key for key, value in asdict(recipe).items() if before["recipe"].get(key) != value]
    if before["dataset"] != facts:
        changed.append("the data set or the teachers")
    if changed:
        raise RunError(
            f"{config.parent} was begun with another {', '.join(changed)}: "
            "give this run another --run folder"
        )


def _keep_network(recipe: Recipe, run: Path) -> keras.Model:
    """The kept weights as a network with both outputs, without what only training needs."""
    model = build(replace(recipe, imagenet=False))
    trained_part(model, recipe).load_weights(run / "kept.weights.h5")
    model.save(run / "model.keras")
    return model


def _decide(model: keras.Model, validation: Cached, run: Path) -> None:
    """Calibration and operating points from validation."""
    logits = predict(logits_only(model), validation)
    patients = validation.table["patient"].nunique()
    where = f"validation, {len(validation)} images of {patients} patients"
    calibration = platt(validation.targets, logits, where)
    points = operating_points(validation.targets, logits, calibration, where)
    scores = calibrated(logits, calibration)
    whole = image_level(validation.targets, scores, NIH, "independent", where)
    decided = {"calibration": calibration, "operating_points": points, "image_level": whole}
    write_whole(run / "calibration.json", (json.dumps(decided, indent=1) + "\n").encode())


def read_config(path: Path) -> dict[str, Any]:
    """A run's `config.json`.

    Raises:
        RunError: it is missing or damaged.
    """
    try:
        content = json.loads(path.read_text())
        facts = {key: content[key] for key in ("recipe", "dataset", "packages")}
        return facts | {"precision": content.get("precision", "float32")}
    except FileNotFoundError:
        raise RunError(f"{path.parent}: no {path.name}: train it to its end first") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: is damaged: {error}") from None


@dataclass(frozen=True)
class FinishedRun:
    """A trained network with what was decided on validation.

    Attributes:
        image_level: see `overall.image_level`; nothing in runs of an earlier version.
    """

    folder: Path
    recipe: Recipe
    config: dict[str, Any]
    model: keras.Model
    calibration: dict[str, Any]
    operating_points: dict[str, Any]
    image_level: dict[str, Any] = field(default_factory=dict)


def open_run(folder: Path) -> FinishedRun:
    """Load a run folder.

    Raises:
        RunError: the run is not finished, or damaged.
    """
    config = read_config(folder / "config.json")
    _require_finished(folder)
    try:
        decided = json.loads((folder / "calibration.json").read_text())
        model = keras.models.load_model(folder / "model.keras", compile=False)
        recipe = Recipe.from_dict(config["recipe"])
        return FinishedRun(folder, recipe, config, model, **decided)
    except (OSError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise RunError(f"{folder}: is damaged: {reason}") from None


def _require_finished(folder: Path) -> None:
    if not (folder / "calibration.json").exists():
        raise RunError(f"{folder}: no calibration.json: train it to its end first")


def build_report(
    run: FinishedRun,
    cached: Cached,
    logits: NDArray[np.float32],
    retest: dict[str, NDArray[np.float32]],
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
            retest,
        ),
        labels=NIH,
        model=model,
        dataset=dataset_facts(cached, split),
        runtime=runtime,
        calibration=run.calibration,
        operating_points=run.operating_points,
        operating_point=DEFAULT_POINT,
        overall=run.image_level.get("overall"),
    )
