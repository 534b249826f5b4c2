"""The command line of training: parse, call, print."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, cast

import typer
from rich.console import Console

from edge_app.classifier import Classifier
from edge_app.core.errors import EXIT_MODEL, EdgeCxrError
from edge_app.core.files import write_whole
from edge_app.evaluation.splits import Split
from edge_app.model.model_file import read as read_model
from edge_app.model.preprocess import SIZES, InputSpec
from train import datasets
from train.cache import Cached, open_cache
from train.errors import DatasetError, RunError
from train.labels import LABELS
from train.networks import NETWORKS, require_imagenet
from train.recipes import DEFAULT_RECIPE, RECIPES, Recipe

if TYPE_CHECKING:
    from train.teachers import Teacher, Teachers

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
console = Console(stderr=True, markup=False)

DataArgument = Annotated[
    Path,
    typer.Argument(help="Labelled folder, ChestMNIST .npz, or CSV of a label and 784 pixels."),
]
LimitOption = Annotated[int | None, typer.Option(min=1, help="Images a split, for a trial.")]
CacheOption = Annotated[Path, typer.Option(help="Folder of decoded images.")]


@app.callback()
def commands() -> None:
    """Train chest X-ray networks. Research software, not a medical device."""


def read_split(data: Path, side: int, cache: Path, limit: int | None, split: str) -> Cached:
    """The test or the validation images of a data set.

    Raises:
        DatasetError: there are none.
    """
    if split not in ("test", "validation"):
        raise typer.BadParameter(f"{split!r}; there are test and validation")
    cached = read_data(data, side, cache, limit).split(cast(Split, split))
    if not len(cached):
        raise DatasetError(f"{data}: no {split} images in it")
    return cached


def read_data(data: Path, side: int, cache: Path, limit: int | None = None) -> Cached:
    """Index and decode a data set, and say what was left out."""
    dataset = datasets.load(data, limit=limit)
    cached, problems = open_cache(dataset, InputSpec.square(side), cache, console)
    for image, reason in problems[:10]:
        console.print(f"left out: {image}: {reason}", highlight=False)
    console.print(f"{dataset.name}: {len(cached)} images, {len(problems)} left out")
    return cached


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
    teacher: Annotated[
        list[Path] | None,
        typer.Option(help="A finished run or model file; can be repeated."),
    ] = None,
    limit: LimitOption = None,
    cache: CacheOption = Path("cache"),
) -> None:
    """Train into a run folder, or go on where an interrupted run stopped."""
    from train.run import train

    if recipe not in RECIPES:
        raise typer.BadParameter(f"{recipe!r}; there are {', '.join(RECIPES)}")
    if network is not None and network not in NETWORKS:
        raise typer.BadParameter(f"{network!r}; there are {', '.join(NETWORKS)}")
    given = {
        "network": network,
        "size": size,
        "imagenet": imagenet,
        "epochs": epochs,
        "seed": seed,
    }
    changes = {key: value for key, value in given.items() if value is not None}
    try:
        chosen = replace(RECIPES[recipe], **changes)  # type: ignore[arg-type]
        for each in setting or []:
            if each.partition("=")[0] in given:
                raise ValueError(f"--set {each}: it has an option of its own, see --help")
            chosen = chosen.with_setting(each)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if chosen.imagenet:
        require_imagenet(chosen.network)  # before the data set is decoded
    if bool(teacher) != bool(chosen.distil):
        raise typer.BadParameter("--teacher and --set distil=... go together")
    cached = read_data(data, chosen.side, cache, limit)
    train(chosen, cached, run, console, read_teachers(teacher or [], data, cache, limit, cached))


@app.command()
def refit(
    validated: Annotated[Path, typer.Argument(help="A run, whose recipe is kept.")],
    data: DataArgument,
    run: Annotated[Path, typer.Option(help="Run folder; the same one resumes.")],
    teacher: Annotated[
        list[Path] | None, typer.Option(help="The same as that run had; can be repeated.")
    ] = None,
    limit: LimitOption = None,
    cache: CacheOption = Path("cache"),
) -> None:
    """Train a run's recipe once more, on its validation patients as well."""
    from train.run import read_config
    from train.run import refit as train_again

    recipe = Recipe.from_dict(read_config(validated / "config.json")["recipe"])
    cached = read_data(data, recipe.side, cache, limit)
    teachers = read_teachers(teacher or [], data, cache, limit, cached)
    train_again(validated, cached, run, console, teachers)


def read_teachers(
    runs: list[Path], data: Path, cache: Path, limit: int | None, cached: Cached
) -> Teachers | None:
    """The ensemble of finished `runs`, none of which may know the validation patients."""
    from train.teachers import ensemble

    members = [read_teacher(folder, data, cache, limit) for folder in runs]
    for member in members:
        member.require_unseen(cached.split("validation"))
    return ensemble(members) if members else None


def read_teacher(source: Path, data: Path, cache: Path, limit: int | None) -> Teacher:
    """A finished run or a model file, and all images that a student may train on, at its size."""
    from train.predict import logits_only, predict
    from train.run import open_run
    from train.teachers import Teacher, model_file_logits

    network = None
    if source.is_dir():
        run = open_run(source)
        digest = hashlib.sha256((source / "kept.weights.h5").read_bytes()).hexdigest()
        architecture, side, network = run.recipe.network, run.recipe.side, run.model
        facts, calibration = run.config["dataset"], run.calibration
        logits = partial(predict, logits_only(run.model))
    else:
        model = read_model(source)
        digest, architecture = model.sha256, model.manifest["architecture"]
        if model.labels.names != LABELS:
            raise RunError(f"{source}: its labels are not those of the networks trained here")
        side, calibration = model.input_spec.height, {**model.manifest["calibration"]}
        facts = model.manifest["training"].get("dataset", {})
        logits = partial(model_file_logits, Classifier(model))
    if "refit_of" in facts:
        raise RunError(f"{source} was trained on the validation patients: it cannot be a teacher")
    if "validation" not in facts:
        raise RunError(f"{source} does not say which patients validated it: it cannot be a teacher")
    cached = read_data(data, side, cache, limit).split("train", "validation")
    name = f"{architecture} {digest[:16]}"
    return Teacher(name, logits, calibration, network, facts["validation"]["digest"], cached)


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="A finished run folder.")],
    data: DataArgument,
    split: Annotated[str, typer.Option(help="test or validation.")] = "test",
    name: Annotated[str, typer.Option(help="The model's name in the report.")] = "",
    out: Annotated[Path | None, typer.Option(help="Folder; default: RUN/reports.")] = None,
    limit: LimitOption = None,
    cache: CacheOption = Path("cache"),
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


def run_reporting_errors(command: Callable[[], object]) -> None:
    """Errors of the data, the run and the disk as one line, with exit codes as the device's."""
    try:
        command()
    except EdgeCxrError as error:
        _fail(error, error.exit_code)
    except OSError as error:
        _fail(f"{error.filename or 'output'}: {error.strerror or error}", EXIT_MODEL)


def _fail(error: object, code: int) -> NoReturn:
    console.print(f"error: {error}", highlight=False, soft_wrap=True)
    raise SystemExit(code) from None
