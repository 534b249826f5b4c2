"""The command line of training: parse, call, print."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge_app.core.files import write_whole
from edge_app.core.plain_text import percent
from edge_app.model.preprocess import SIZES
from train.console import console, say
from train.labels import LabelSet
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
    read_data,
    read_training_and_split,
    require_split,
)
from train.parcel import cli as parcel
from train.recipes import DEFAULT_RECIPE, RECIPES, Recipe
from train.start import run_reporting_errors

if TYPE_CHECKING:
    from train.source import Source

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

app.add_typer(parcel.app, name="parcel")

PrecisionOption = Annotated[
    str, typer.Option(help="auto, float32, or mixed_bfloat16: auto's choice where there is a GPU.")
]
MachinesOption = Annotated[
    str | None,
    typer.Option(
        "--machines",
        metavar="HOST:PORT,…",
        help="Train on all of these together: the same command on each. On JAX.",
    ),
]
MachineOption = Annotated[
    int | None,
    typer.Option(
        "--machine", min=1, metavar="N", help="Which of them this is; default: by its addresses."
    ),
]
FromOption = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="Fine-tune: a network of networks/ by name, a finished run, or its model.keras.",
    ),
]
CHANGED = ("network", "size", "imagenet", "epochs", "seed")
"""The settings of a recipe that have options of their own."""
OF_THE_SOURCE = ("network", "size", "imagenet", "lowpass", "enlarge", "pooling", "pooling_r")
FROM_FIXES = (
    "--from takes the network and its input from what it starts from: leave out --recipe and "
    f"whatever sets {', '.join(OF_THE_SOURCE)}"
)
"""Said when a recipe would change one of `OF_THE_SOURCE`."""

TeacherOption = Annotated[
    list[str] | None,
    typer.Option(
        help="A finished run, a model file, a file of scores, or torchxrayvision:NAME; repeatable."
    ),
]
LabelsOption = Annotated[
    Path | None,
    typer.Option(help="List of labels, a name a line, or TOML or JSON; default: the data's."),
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
    labels: LabelsOption = None,
    source: FromOption = None,
    new_head: Annotated[
        bool, typer.Option("--new-head", help="With --from: begin the labels' channels anew.")
    ] = False,
    precision: PrecisionOption = "auto",
    several: MachinesOption = None,
    machine: MachineOption = None,
    limit: LimitOption = None,
    cache: CacheOption = CACHE,
) -> None:
    """Train into a run folder, or go on where an interrupted run stopped."""
    from train import machines
    from train.own_labels import read_labels
    from train.run import train
    from train.source_files import open_source
    from train.teacher_files import read_teachers

    values = (network, size, imagenet, epochs, seed)
    options = dict(zip(CHANGED, values, strict=True))
    if new_head and not source:
        raise typer.BadParameter("--new-head goes with --from")
    with machines.together(several, machine):
        console.quiet = not machines.is_first()
        start = open_source(source) if source else None
        chosen = _chosen(recipe, start, options, setting or [])
        if chosen.needs_imagenet:
            require_imagenet(chosen.network)  # before the data set is decoded
        if bool(teacher) != bool(chosen.distil):
            raise typer.BadParameter("--teacher and --set distil=... go together")
        arithmetic = _arithmetic(precision)
        own_labels = read_labels(labels) if labels else None
        cached = read_data(data, chosen.side, cache, limit, own_labels)
        teachers = read_teachers(
            teacher or [], data, cache, limit, cached, teacher_trained_on or [],
            unlabelled=chosen.unlabelled > 0,
        )  # fmt: skip
        start = start.matched(cached.labels, new_head=new_head) if start else None
        train(chosen, cached, run, console, teachers, arithmetic, source=start)


def _chosen(
    recipe: str, start: Source | None, options: dict[str, Any], settings: list[str]
) -> Recipe:
    """The recipe of `fit`, as its options change it.

    Raises:
        typer.BadParameter: there is no such recipe, network or setting, or it contradicts `start`.
    """
    from train.source import fine_tuning

    if recipe not in RECIPES:
        raise typer.BadParameter(f"{recipe!r}; there are {', '.join(RECIPES)}")
    if options["network"] not in (None, *NETWORKS):
        raise typer.BadParameter(f"{options['network']!r}; there are {', '.join(NETWORKS)}")
    base = fine_tuning(start.recipe) if start else RECIPES[recipe]
    try:
        chosen = _changed(base, options, settings)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    same = [getattr(chosen, name) == getattr(base, name) for name in OF_THE_SOURCE]
    if start and (recipe != DEFAULT_RECIPE or not all(same)):
        raise typer.BadParameter(FROM_FIXES)
    return chosen


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
    """A recipe changed by the options that are not None, and by each NAME=VALUE.

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
    source: FromOption = None,
    precision: PrecisionOption = "auto",
    limit: LimitOption = None,
    cache: CacheOption = CACHE,
) -> None:
    """Train a run's recipe once more, on its validation patients as well."""
    from train.run import refit as train_again
    from train.run_config import RunConfig
    from train.source_files import open_source
    from train.teacher_files import read_teachers

    arithmetic = _arithmetic(precision)
    config = RunConfig.read(validated)
    recipe, labels = config.recipe, config.labels
    cached = read_data(data, recipe.side, cache, limit, labels)
    teachers = read_teachers(
        teacher or [], data, cache, limit, cached, teacher_trained_on or [],
        unlabelled=recipe.unlabelled > 0,
    )  # fmt: skip
    before = config.dataset.get("started_from", {})
    start = open_source(source) if source else None
    start = start.matched(labels, new_head=before.get("head") == "new") if start else None
    train_again(validated, cached, run, console, teachers, arithmetic, start)


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
    from train.finished_run import images_to_judge, open_run
    from train.float_report import as_text, write_all
    from train.float_report import evaluate as evaluate_run

    finished = open_run(run)
    chosen = require_split(split)
    whole = read_data(data, finished.recipe.side, cache, limit, finished.labels)
    cached = images_to_judge(finished, whole, chosen)
    report = evaluate_run(finished, cached, split, name or finished.recipe.network)
    folder = out or run / "reports"
    stem = "float" if split == "test" else f"float-{split}"
    write_all(report, folder, stem)
    print(as_text(report), end="")
    say(console, f"written: {folder}/{stem}.json, .npz, .txt and pictures")


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
    from train.chosen_check import chosen
    from train.input_check import attach

    before = read(locate(model))
    side = before.input_spec.height
    training, validation = read_training_and_split(
        data, side, cache, limit, "validation", LabelSet.of_manifest(before.manifest)
    )
    check = chosen(training, validation, seed, console)
    written = attach(before, check.facts, check.weights, out or before.path, check.tried)
    drawn, real = check.tried["drawn"], check.tried["radiographs"]
    say(console, f"input check: {check.said}")
    say(
        console,
        f"written: {written.path}; flags {percent(real['flagged'], 2, '%')} of {real['on']}, and "
        f"{percent(drawn['flagged'], 0, '%')} of {drawn['pictures']} drawn pictures",
    )


@app.command()
def few(
    data: DataArgument,
    images: Annotated[
        list[int], typer.Option(min=100, help="Images to draw, by patient; can be repeated.")
    ],
    source: Annotated[
        str, typer.Option("--from", help="What is fine-tuned: as for `fit`.")
    ] = "cxr-lite0-128",
    judged: Annotated[
        Path | None, typer.Option(help="Data set whose test images judge; default: DATA.")
    ] = None,
    runs: Annotated[Path, typer.Option(help="Folder of run folders; the same one resumes.")] = (
        Path("runs/few")
    ),
    start: Annotated[
        list[str] | None, typer.Option(help="source, nothing or imagenet; default: each.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Also write the results here.")] = None,
    rival: Annotated[
        Path | None,
        typer.Option(help="Report, on the same test images, of one from nothing on more images."),
    ] = None,
    labels: LabelsOption = None,
    seed: SeedOption = 0,
    limit: LimitOption = None,
    cache: CacheOption = CACHE,
) -> None:
    """What a start is worth with few images: a finished network, ImageNet weights or nothing."""
    from edge_app.evaluation.report import read
    from train.few import STARTS, lines
    from train.few import few as measure
    from train.own_labels import read_labels
    from train.source_files import open_source

    starts = start or list(STARTS)
    if not set(starts) <= set(STARTS):
        raise typer.BadParameter(f"--start: there are {', '.join(STARTS)}")
    opened = open_source(source)
    if "imagenet" in starts:
        require_imagenet(opened.recipe.network)
    own_labels = read_labels(labels) if labels else None
    own = read_data(data, opened.recipe.side, cache, limit, own_labels)
    judges = read_data(judged, opened.recipe.side, cache, limit, own.labels) if judged else own
    pool, test = own.split("train", "validation"), judges.split("test")
    bar = read(rival) if rival else None
    opened = opened.matched(own.labels)
    found = measure(pool, test, opened, images, starts, runs, seed, console, bar)
    if out:
        write_whole(out, (json.dumps(found, indent=1) + "\n").encode())
    for line in lines(found):
        print(line)


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
