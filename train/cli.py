"""The command line of training: parse, call, print."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from edge_app.core.files import write_whole
from edge_app.model.preprocess import SIZES
from train.networks.registry import NETWORKS, require_imagenet
from train.options import (
    CACHE,
    CacheOption,
    DataArgument,
    LimitOption,
    ModelOutOption,
    ModelToChangeArgument,
    RunArgument,
    SeedOption,
    SplitOption,
    console,
    read_data,
    read_split,
    read_training_and_split,
)
from train.parcel import cli as parcel
from train.recipes import DEFAULT_RECIPE, RECIPES, Recipe
from train.start import run_reporting_errors

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

app.add_typer(parcel.app, name="parcel")

PrecisionOption = Annotated[
    str, typer.Option(help="auto, float32, or mixed_bfloat16: auto's choice where there is a GPU.")
]

TeacherOption = Annotated[
    list[str] | None,
    typer.Option(
        help="A finished run, a model file, a file of scores, or torchxrayvision:NAME; repeatable."
    ),
]
TrainedOnOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TEXT",
        help="What a teacher had seen that does not say so itself; in order, repeatable.",
    ),
]


@app.callback()
def commands() -> None:
    """Train chest X-ray networks. Research software, not a medical device."""


@app.command()
def fit(
    data: DataArgument,
    run: Annotated[Path, typer.Option(help="Run folder; the same one resumes.")],
    recipe: Annotated[
        str, typer.Option(help=f"One of {', '.join(RECIPES)}; options change it.")
    ] = (DEFAULT_RECIPE),
    network: Annotated[str | None, typer.Option(help=f"One of {', '.join(NETWORKS)}.")] = None,
    size: Annotated[
        int | None, typer.Option(min=28, max=512, help=f"Side in pixels, such as {SIZES}.")
    ] = None,
    imagenet: Annotated[bool | None, typer.Option(help="Start from ImageNet weights.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1)] = None,
    seed: Annotated[int | None, typer.Option(min=0)] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE, of any other value of a recipe.")
    ] = None,
    teacher: TeacherOption = None,
    teacher_trained_on: TrainedOnOption = None,
    precision: PrecisionOption = "auto",
    limit: LimitOption = None,
    cache: CacheOption = CACHE,
) -> None:
    """Train into a run folder, or go on where an interrupted run stopped."""
    from train.run import train
    from train.teacher_files import read_teachers

    if recipe not in RECIPES:
        raise typer.BadParameter(f"{recipe!r}; there are {', '.join(RECIPES)}")
    if network is not None and network not in NETWORKS:
        raise typer.BadParameter(f"{network!r}; there are {', '.join(NETWORKS)}")
    options = {
        "network": network,
        "size": size,
        "imagenet": imagenet,
        "epochs": epochs,
        "seed": seed,
    }
    try:
        chosen = _changed(RECIPES[recipe], options, setting or [])
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if chosen.imagenet:
        require_imagenet(chosen.network)  # before the data set is decoded
    if bool(teacher) != bool(chosen.distil):
        raise typer.BadParameter("--teacher and --set distil=... go together")
    cached = read_data(data, chosen.side, cache, limit)
    teachers = read_teachers(teacher or [], data, cache, limit, cached, teacher_trained_on or [])
    train(chosen, cached, run, console, teachers, _arithmetic(precision))


def _arithmetic(precision: str) -> str:
    """What `--precision` means on this machine.

    Raises:
        typer.BadParameter: it is none of the precisions.
    """
    from train import backend

    if precision not in backend.PRECISIONS:
        raise typer.BadParameter(f"{precision!r}; there are {', '.join(backend.PRECISIONS)}")
    return backend.precision(precision)


def _changed(recipe: Recipe, options: dict[str, Any], settings: list[str]) -> Recipe:
    """A recipe with those options that are not None, and each NAME=VALUE, in it.

    Raises:
        ValueError: there is no such setting, it is an option, or its value is out of range.
    """
    recipe = replace(recipe, **{key: value for key, value in options.items() if value is not None})
    for setting in settings:
        if setting.partition("=")[0] in options:
            raise ValueError(f"--set {setting}: it has an option of its own, see --help")
        recipe = recipe.with_setting(setting)
    return recipe


@app.command()
def refit(
    validated: Annotated[Path, typer.Argument(help="A run, whose recipe is kept.")],
    data: DataArgument,
    run: Annotated[Path, typer.Option(help="Run folder; the same one resumes.")],
    teacher: TeacherOption = None,
    teacher_trained_on: TrainedOnOption = None,
    precision: PrecisionOption = "auto",
    limit: LimitOption = None,
    cache: CacheOption = CACHE,
) -> None:
    """Train a run's recipe once more, on its validation patients as well."""
    from train.run import read_config
    from train.run import refit as train_again
    from train.teacher_files import read_teachers

    recipe = Recipe.from_dict(read_config(validated / "config.json")["recipe"])
    cached = read_data(data, recipe.side, cache, limit)
    teachers = read_teachers(teacher or [], data, cache, limit, cached, teacher_trained_on or [])
    train_again(validated, cached, run, console, teachers, _arithmetic(precision))


@app.command()
def evaluate(
    run: RunArgument,
    data: DataArgument,
    split: SplitOption = "test",
    name: Annotated[str, typer.Option(help="The model's name in the report.")] = "",
    out: Annotated[Path | None, typer.Option(help="Folder; default: RUN/reports.")] = None,
    limit: LimitOption = None,
    cache: CacheOption = CACHE,
) -> None:
    """Write the float evaluation report: JSON, scores, text and pictures."""
    from train.float_report import as_text, write_all
    from train.float_report import evaluate as evaluate_run
    from train.run import open_run

    finished = open_run(run)
    cached = read_split(data, finished.recipe.side, cache, limit, split)
    report = evaluate_run(finished, cached, split, name or finished.recipe.network)
    folder = out or run / "reports"
    stem = "float" if split == "test" else f"float-{split}"
    write_all(report, folder, stem)
    print(as_text(report), end="")
    console.print(f"written: {folder}/{stem}.json, .npz, .txt and pictures", highlight=False)


@app.command()
def input_check(
    model: ModelToChangeArgument,
    data: DataArgument,
    out: ModelOutOption = None,
    seed: SeedOption = 0,
    limit: LimitOption = None,
    cache: CacheOption = CACHE,
) -> None:
    """Teach a model file to refuse what is no chest radiograph; its network stays as it is."""
    from edge_app.model.model_file import locate, read
    from train.input_check import attach, fit

    before = read(locate(model))
    side = before.input_spec.height
    training, validation = read_training_and_split(data, side, cache, limit, "validation")
    facts, weights = fit(training, validation, seed, console)
    written = attach(before, facts, weights, out or before.path)
    console.print(
        f"written: {written.path}; flags {facts['flagged']:.2%} of {facts['limits_from']}",
        soft_wrap=True,
        highlight=False,
    )


@app.command()
def curve(
    runs: Annotated[
        list[Path], typer.Argument(help="Finished runs, each evaluated on validation.")
    ],
    out: Annotated[Path, typer.Option(help="Picture; the numbers go beside it, as .json.")],
) -> None:
    """Learning curve over the training patients of several runs, extrapolated by a power law."""
    from train import pictures
    from train.learning_curve import learning_curve

    found = learning_curve(runs)
    write_whole(out.with_suffix(".json"), (json.dumps(found, indent=1) + "\n").encode())
    pictures.learning_curve(found, out)
    for kind in ("points", "extrapolated"):
        for point in found[kind]:
            interval = f"{point['auroc']:.3f} ({point['low']:.3f} to {point['high']:.3f})"
            print(
                f"{point['patients']:>6} patients  {interval}  {point.get('run', 'extrapolated')}"
            )


def main() -> None:
    run_reporting_errors(app)
