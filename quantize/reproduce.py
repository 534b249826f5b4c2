"""Making a shipped model from the data set: all steps in order, each of which can be resumed."""

from __future__ import annotations

import json
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
from train.float_report import evaluate, write_all
from train.options import read_data
from train.recipes import RECIPES, TEACHERS
from train.run import open_run, refit, train
from train.subgroups import subgroups
from train.teacher_files import read_teachers


def reproduce(name: str, data: Path, runs: Path, cache: Path, console: Console) -> ModelFile:
    """The teachers, a run and its report on validation, the refit, quantization, reports, card.

    Everything goes into folders of `runs`; finished steps are skipped, an interrupted one resumes.

    Args:
        name: of a shipped model.
        data: the data set.
        cache: folder of decoded images.
        runs: folder of run folders.
        console: for progress.
    """
    recipe = RECIPES[name]
    cached = read_data(data, recipe.side, cache)
    for teacher in TEACHERS[name]:
        console.rule(f"{teacher}, a teacher")
        train(
            RECIPES[teacher], read_data(data, RECIPES[teacher].side, cache), runs / teacher, console
        )
    folders = [runs / teacher for teacher in TEACHERS[name]]
    teachers = read_teachers(folders, data, cache, None, cached)
    validated, final = runs / f"{name}-validated", runs / name
    console.rule(f"{name}, judged on validation")
    train(recipe, cached, validated, console, teachers)
    report = evaluate(open_run(validated), cached.split("validation"), "validation", name)
    console.rule(f"{name}, on all train_val patients")
    refit(validated, cached, final, console, teachers)
    write_all(report, final / "reports", "float-validation")
    console.rule(f"{name}, int8")
    model = quantize_run(
        open_run(final), cached, name, final / f"{name}.tflite", CALIBRATION_IMAGES, 0, console, NIH
    )
    write_card(model, final / "reports", cached)
    return model


def write_card(model: ModelFile, reports: Path, cached: Cached) -> None:
    """Write `subgroups.json` and the model card next to the reports that they are made from."""
    compared = subgroups(read(reports / "int8.json"), cached.table)
    write_whole(reports / "subgroups.json", (json.dumps(compared, indent=1) + "\n").encode())
    write_whole(reports / CARD, model_card(model, reports).encode())
