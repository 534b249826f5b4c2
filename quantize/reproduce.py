"""Making a shipped model from the data set, in steps that can be resumed."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from rich.console import Console

from edge_app.core.files import write_whole
from edge_app.evaluation.report import read
from edge_app.model.model_file import ModelFile
from quantize.about import NIH
from quantize.card import CARD, model_card
from quantize.convert import CALIBRATION_IMAGES
from quantize.pipeline import quantize_run
from train.cache import Cached
from train.finished_run import open_run
from train.float_report import evaluate, write_all
from train.options import read_data
from train.recipes import RECIPES, REFITTED, TEACHERS, runs_of
from train.run import refit, train
from train.source_files import KEPT
from train.subgroups import subgroups
from train.teacher_files import read_teachers


def reproduce(
    name: str,
    data: Path,
    runs: Path,
    cache: Path,
    console: Console,
    kept: Collection[str] = (),
) -> ModelFile:
    """The teachers, a run and its report on validation, the refit, quantization, reports, card.

    Everything goes into folders of `runs`; finished steps are skipped, an interrupted one resumes.
    Only recipes of `REFITTED` are trained once more on the validation patients.

    Args:
        name: of a shipped model.
        data: the data set.
        cache: folder of decoded images.
        runs: folder of run folders.
        console: for progress.
        kept: teachers that are taken from `networks/` rather than trained.
    """
    final, refitted = runs / name, name in REFITTED
    judged = runs / f"{name}-validated" if refitted else final
    for needed in runs_of(name, kept):
        console.rule(f"{name}, judged on validation" if needed == name else f"{needed}, a teacher")
        recipe = RECIPES[needed]
        cached = read_data(data, recipe.side, cache)
        folders = [(KEPT if t in kept else runs) / t for t in TEACHERS.get(needed, ())]
        teachers = read_teachers(folders, data, cache, None, cached)
        train(recipe, cached, judged if needed == name else runs / needed, console, teachers)
    report = evaluate(open_run(judged), cached.split("validation"), "validation", name)
    if refitted:
        console.rule(f"{name}, on all train_val patients")
        refit(judged, cached, final, console, teachers)
    write_all(report, final / "reports", "float-validation")
    console.rule(f"{name}, int8")
    model = quantize_run(
        open_run(final), cached, name, final / f"{name}.tflite", CALIBRATION_IMAGES, 0, console, NIH
    )
    write_card(model, final / "reports", cached)
    return model


def write_card(model: ModelFile, reports: Path, cached: Cached) -> None:
    """Write `subgroups.json` and the model card into the folder of the reports."""
    compared = subgroups(read(reports / "int8.json"), cached.table)
    write_whole(reports / "subgroups.json", (json.dumps(compared, indent=1) + "\n").encode())
    write_whole(reports / CARD, model_card(model, reports).encode())
