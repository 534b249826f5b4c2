"""A parcel's results → run folders, validated and calibrated on the original pictures."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
from rich.console import Console

from train.cache import Cached
from train.console import say
from train.criterion import criterion, measured
from train.errors import RunError
from train.fit import begin_again, build, trained_part
from train.options import read_data
from train.parcel.results import UNFINISHED, WEIGHTS, unpacked_result
from train.predict import predict
from train.run import keep_best, training_images
from train.run_config import RunConfig
from train.targets import AUXILIARY
from train.volumes import FIRST, read_volumes


def unpack(
    results: Path, data: Path, runs: Path, cache: Path, limit: int | None, console: Console
) -> None:
    """Make a run folder of each result; existing ones are left alone.

    Calibration and thresholds are made again on the data set's own validation pictures. A run
    resumes from its last epoch if the results hold its state, and otherwise from its best weights
    with an optimizer that has forgotten its moments.

    Args:
        results: folder of the results of `run_parcel`.
        data, cache, limit: as for the parcel.
        runs: folder of run folders.
        console: for remarks.

    Raises:
        DatasetError: nothing usable is at `data`.
        RunError: there are no results, or they are of another data set.
    """
    paths = sorted({*results.glob("*.zip"), *results.glob(f"*.zip{FIRST}")})
    if not paths:
        raise RunError(f"{results}: no results of a parcel in it")
    runs.mkdir(parents=True, exist_ok=True)
    for path in paths:
        name = path.name.removesuffix(FIRST).removesuffix(".zip").removesuffix(UNFINISHED)
        if (runs / name).exists():
            say(console, f"{runs / name}: is there already")
            continue
        partial = runs / f"{name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        unpacked_result(read_volumes(path), partial)
        config = RunConfig.read(partial)
        cached = read_data(data, config.recipe.side, cache, limit, config.labels)
        compared = _open(config, partial, cached)
        partial.rename(runs / name)
        say(console, f"{runs / name}: {compared}")


def _open(config: RunConfig, run: Path, cached: Cached) -> str:
    """Complete a run folder; says how good its best epoch was there, and is here."""
    recipe, facts = config.recipe, config.dataset
    training, validation = training_images(recipe, cached, "train"), cached.split("validation")
    if recipe.patients < 1.0:
        training = training.of_patients(recipe.patients)
    for part, stated in ((training, facts["train"]), (validation, facts["validation"])):
        if stated["digest"] != part.digest:
            raise RunError(
                f"{run.stem}: its {stated['split']} pictures are not those of this data set"
            )
    history = pd.read_csv(run / "history.csv")
    labels, auxiliary = cached.labels, facts.get("auxiliary", AUXILIARY)
    model = build(replace(recipe, imagenet=False), labels)
    model = trained_part(model, recipe, len(auxiliary))
    model.load_weights(run / WEIGHTS)
    if not (run / "backup").exists():
        begin_again(model, recipe, len(training), len(history), run / "backup", labels)
    keep_best(recipe, validation, run)
    logits = predict(model, validation)[:, : validation.targets.shape[1]]
    chosen = criterion(validation.targets, labels)
    best = chosen.goodness(max(map(chosen.goodness, history[chosen.name])))
    here = measured(validation.targets, logits, labels)[chosen.name]
    return f"{chosen.words} {best:.4f} there, {here:.4f} here"
