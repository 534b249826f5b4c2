"""Training into a run folder, from the configuration to the calibration.

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
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final, cast

import keras
from rich.console import Console

from edge_app.core.files import write_whole
from edge_app.evaluation.label_names import listed
from edge_app.evaluation.splits import Split
from edge_app.model.calibration import calibrated
from train import machines, pictures, run_config
from train.backend import versions
from train.cache import Cached
from train.calibrate import DEFAULT_POINT, MIN_IMAGES, fitted, operating_points
from train.console import say
from train.data_facts import dataset_facts, further_facts, shared_files
from train.data_types import DataFacts, StartedFrom
from train.datasets import joined
from train.datasets.dataset import UNLABELLED
from train.errors import DatasetError, RunError
from train.finished_run import require_finished
from train.fit import build, fit, require_trainable, trained_part
from train.labels import LabelSet
from train.overall import image_level
from train.predict import logits_only, predict
from train.recipes import Recipe
from train.resume import finished_epochs
from train.run_config import RunConfig
from train.source import Source, describe
from train.targets import AUXILIARY, auxiliary_names, training_targets
from train.teachers import Teachers


def training_images(recipe: Recipe, cached: Cached, *splits: Split) -> Cached:
    """The images of these splits, and the unlabelled ones if the recipe takes them.

    Raises:
        DatasetError: the recipe takes unlabelled images, and there are none.
    """
    if not recipe.unlabelled:
        return cached.split(*splits)
    if not len(cached.split(UNLABELLED)):
        raise DatasetError(
            f"{cached.name}: has no unlabelled images, which the recipe asks for: name some in a "
            "list of data sets, or --set unlabelled=0"
        )
    return cached.split(*splits, UNLABELLED)


FINAL_SPLIT = "train and validation"

SIDES: Final = re.compile(r"\b(left|right|dextrocardia|situs)\b", re.IGNORECASE)
"""Words in the name of a label that is wrong in a mirrored image."""


def train(
    recipe: Recipe,
    cached: Cached,
    run: Path,
    console: Console,
    teachers: Teachers | None = None,
    precision: str = "float32",
    go_on: Callable[[], bool] = lambda: True,
    source: Source | None = None,
) -> bool:
    """Train, or go on with, `run`; then keep the best epoch, calibrated on validation.

    Args:
        recipe, cached: what decides the run.
        run: its folder.
        console: for progress.
        teachers: whose scores the recipe distils, if it does.
        precision, go_on, source: see `fit.fit`.

    Returns:
        Whether the run is finished, and not interrupted by `go_on`.

    Raises:
        DatasetError: the images cannot be trained on or validated with.
        RunError: the folder holds another run, is in use, or training diverged.
    """
    started_from = _started_from(source, cached)
    training, validation = training_images(recipe, cached, "train"), cached.split("validation")
    if recipe.patients < 1.0:
        training = training.of_patients(recipe.patients)
    # Nothing is written before the data are known to suffice.
    require_trainable(recipe, training, validation)
    training_targets(recipe, training, teachers.scores_of(training) if teachers else None)
    facts = _training_facts(recipe, training, validation, teachers)
    if source and started_from:
        facts["started_from"] = started_from
        for line in (describe(started_from), *source.new_head(cached.labels)):
            say(console, line)
    for line in joined.describe(facts.get("further", ())):
        say(console, line)
    _say_missing_auxiliary(recipe, training, console)
    _warn_of_data(recipe, training, validation, console)
    machines.require_same(json.dumps([asdict(recipe), facts, precision, versions()]))
    run.mkdir(parents=True, exist_ok=True)
    with machines.run_folder(run) as run, _locked(run):
        _write_or_check_config(run, recipe, facts, precision, cached.labels)
        pictures.montage(training, run / "train.png")
        done = fit(recipe, training, validation, run, console, teachers, precision, go_on, source)
        if done:
            keep_best(recipe, validation, run)
            _say_missing_thresholds(run, cached.labels, console)
            _say_next_command(run, console)
    return done


def _training_facts(
    recipe: Recipe, training: Cached, validation: Cached, teachers: Teachers | None
) -> DataFacts:
    """The facts of the data and of the teachers, for the run's configuration."""
    facts: DataFacts = {
        "train": dataset_facts(training, "train"),
        "validation": dataset_facts(validation, "validation"),
        **further_facts(training),
        **_auxiliary_facts(recipe, training),
    }
    if teachers:
        facts["teachers"] = teachers.names
        facts["teachers_trained_on"] = teachers.trained_on
        facts["teachers_know_no_more"] = teachers.knows_no_more
    return facts


def _warn_of_data(recipe: Recipe, training: Cached, validation: Cached, console: Console) -> None:
    """Name files that both train and validate, and labels that mirroring an image makes wrong."""
    lines = [f"validation: {line}" for line in shared_files(validation, training)]
    names = [n for n in training.labels.names if SIDES.search(n.replace("_", " "))]
    if names and recipe.augmentation.flip:
        lines.append(
            f"{listed(names)}: training mirrors images, and a side is then the other one: "
            "--set augmentation.flip=0"
        )
    for line in lines:
        say(console, line)


def _say_missing_thresholds(run: Path, labels: LabelSet, console: Console) -> None:
    """Name the labels without a threshold."""
    decided = json.loads((run / "calibration.json").read_text())
    thresholds = decided["operating_points"][DEFAULT_POINT]["thresholds"]
    names = [name for name, at in zip(labels.names, thresholds, strict=True) if at is None]
    if names:
        say(
            console,
            f"{run}: no threshold for {listed(names)}: each takes {MIN_IMAGES} validation images "
            "that bear it and as many that do not: add images",
        )


def _auxiliary_facts(recipe: Recipe, training: Cached) -> DataFacts:
    """The auxiliary targets that the data have, where the recipe uses more than these."""
    names = auxiliary_names(recipe, training.table)
    if not recipe.auxiliary or len(names) == len(AUXILIARY):
        return {}
    return {"auxiliary": list(names)}


def _say_missing_auxiliary(recipe: Recipe, training: Cached, console: Console) -> None:
    """Name the auxiliary targets of the recipe that the data do not have."""
    names = auxiliary_names(recipe, training.table)
    missing = [name for name in AUXILIARY if name not in names]
    if recipe.auxiliary and missing:
        say(
            console,
            f"{training.name}: tells no {', '.join(missing)}: training leaves out these auxiliary "
            "targets",
        )


def _started_from(source: Source | None, cached: Cached) -> StartedFrom | None:
    """What a run's configuration says of the network it starts from.

    Raises:
        RunError: it was trained on the validation patients.
    """
    if source is None:
        return None
    known = source.knows(cached)
    if known["validation"] == "seen":
        raise RunError(
            f"{source.facts['name']} was trained on these validation patients: no epoch, threshold "
            "or calibration could be chosen by them; start from a run that was not"
        )
    return {**source.facts, "test_patients": known["test"]}


def keep_best(recipe: Recipe, validation: Cached, run: Path) -> None:
    """Make the rest of a finished run from `kept.weights.h5` and `history.csv`."""
    pictures.training_curves(run / "history.csv", run / "curves.png")
    model = _keep_network(recipe, run)
    _calibrate(model, validation, run)


def refit(
    validated: Path,
    cached: Cached,
    run: Path,
    console: Console,
    teachers: Teachers | None = None,
    precision: str = "float32",
    source: Source | None = None,
) -> None:
    """Train a run's recipe once more, on its validation patients as well.

    No images are left to choose an epoch, calibrate or set thresholds by: the last epoch is kept,
    with the calibration and operating points of the validated run. Both runs can train side by
    side; only at the end must the validated one be finished.

    Args:
        validated: folder of the run whose recipe is judged on validation.
        cached: the same data set.
        run: the new run's folder.
        console: for progress.
        teachers, source: the same that `validated` had.
        precision: of the arithmetic of training, see `fit.fit`.

    Raises:
        DatasetError: the images cannot be trained on.
        RunError: other data or teachers, the folder holds another run, training diverged, or
            the validated run is not finished when this one is.
    """
    config = RunConfig.read(validated)
    recipe, before = config.recipe, config.dataset
    training = training_images(recipe, cached, "train", "validation")
    validation = cached.split("validation")
    if (teachers.names if teachers else None) != before.get("teachers"):
        raise RunError(f"{validated} was trained with other teachers: give it the same")
    if _started_from(source, cached) != before.get("started_from"):
        raise RunError(f"{validated} was started from another network: give it the same --from")
    if "refit_of" in before or before["validation"]["digest"] != validation.digest:
        raise RunError(f"{validated} was not validated on this data set's validation")
    require_trainable(recipe, training, None)
    training_targets(recipe, training, teachers.scores_of(training) if teachers else None)
    renewed = ("auxiliary", "own", "further")
    kept = {key: value for key, value in before.items() if key not in renewed}
    facts: DataFacts = {
        **cast("DataFacts", kept),
        "train": dataset_facts(training, FINAL_SPLIT),
        **further_facts(training),
        "refit_of": hashlib.sha256((validated / run_config.FILE).read_bytes()).hexdigest(),
        **_auxiliary_facts(recipe, training),
    }
    _say_missing_auxiliary(recipe, training, console)
    run.mkdir(parents=True, exist_ok=True)
    with _locked(run):
        _write_or_check_config(run, recipe, facts, precision, cached.labels)
        fit(recipe, training, None, run, console, teachers, precision, source=source)
        _keep_network(recipe, run)
        require_finished(validated)
        shutil.copyfile(validated / "calibration.json", run / "calibration.json")
    _say_next_command(run, console)


def _say_next_command(run: Path, console: Console) -> None:
    say(console, f"{run}: done; next: python -m train evaluate {run} DATA")


@contextmanager
def _locked(run: Path) -> Iterator[None]:
    with (run / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(f"{run}: another training is writing to it") from None
        yield


def _write_or_check_config(
    run: Path, recipe: Recipe, facts: DataFacts, precision: str, labels: LabelSet
) -> None:
    """Write `config.json`, or refuse to resume a run with another configuration.

    A folder without a finished epoch and without a kept network is started again.
    """
    config = run / run_config.FILE
    empty = not finished_epochs(run / "backup") and not (run / "kept.weights.h5").exists()
    if not config.exists() or empty:
        content = {
            "recipe": asdict(recipe),
            "dataset": facts,
            "labels": labels.as_dict(),
            "packages": versions(),
            "precision": precision,
        }
        write_whole(config, (json.dumps(content, indent=2) + "\n").encode())
        return
    before = RunConfig.read(run)
    earlier = asdict(before.recipe)
    changed = [key for key, value in asdict(recipe).items() if earlier[key] != value]
    if before.dataset != facts:
        changed.append("the data set, the teachers or the start")
    if before.labels != labels:
        changed.append("list of labels")
    if changed:
        raise RunError(
            f"{run} was begun with another {', '.join(changed)}: give this run another --run folder"
        )


def _keep_network(recipe: Recipe, run: Path) -> keras.Model:
    """The kept weights as a network with both outputs, without what only training needs."""
    config = RunConfig.read(run)
    model = build(replace(recipe, imagenet=False), config.labels)
    auxiliary = config.dataset.get("auxiliary", AUXILIARY)
    trained_part(model, recipe, len(auxiliary)).load_weights(run / "kept.weights.h5")
    model.save(run / "model.keras")
    return model


def _calibrate(model: keras.Model, validation: Cached, run: Path) -> None:
    """Write calibration and operating points from validation."""
    logits = predict(logits_only(model), validation)
    where = f"validation, {validation.counted}"
    labels, head, _ = validation.labels
    calibration = fitted(validation.targets, logits, where, head)
    points = operating_points(validation.targets, logits, calibration, where, head)
    scores = calibrated(logits, calibration, head)
    whole = image_level(validation.targets, scores, labels, head, where)
    decided = {"calibration": calibration, "operating_points": points, "image_level": whole}
    write_whole(run / "calibration.json", (json.dumps(decided, indent=1) + "\n").encode())
