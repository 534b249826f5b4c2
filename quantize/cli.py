"""The command line of quantization: parse, call, print."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, cast

import typer
from rich.console import Console

from edge_app.core.errors import EXIT_GATE
from edge_app.evaluation.splits import Split
from edge_app.model.model_file import ModelFile
from quantize.convert import CALIBRATION_IMAGES
from train.cache import Cached
from train.cli import CacheOption, DataArgument, LimitOption, read_data, run_reporting_errors
from train.errors import DatasetError
from train.networks import require_imagenet
from train.recipes import RECIPES, TEACHERS

if TYPE_CHECKING:
    from quantize.studies.bench import Bench
    from quantize.studies.result import Result

NAME = re.compile("[a-z0-9][a-z0-9._-]{0,63}")
FOLDER: Final = "quantization"
WIDTH: Final = 200
"""Of a table in a file or a pipe, which has no width to fit into."""

RunArgument = Annotated[Path, typer.Argument(help="A finished run folder.")]
SplitOption = Annotated[str, typer.Option(help="test or validation.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Of the choice of training images.")]
OutOption = Annotated[
    Path | None, typer.Option(help="Folder for what is written; default: RUN/quantization.")
]
DocumentOption = Annotated[
    Path | None, typer.Option(help="Markdown file whose place for this table is written anew.")
]

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
console = Console(stderr=True, markup=False)


@app.callback()
def commands() -> None:
    """Turn trained networks into int8 model files. Research software, not a medical device."""


@app.command()
def int8(
    run: RunArgument,
    data: DataArgument,
    name: Annotated[str, typer.Option(help="The model's name.")] = "cxr",
    out: Annotated[Path | None, typer.Option(help="Model file; default: RUN/NAME.tflite.")] = None,
    images: Annotated[int, typer.Option(min=1, help="Training images to calibrate with.")] = (
        CALIBRATION_IMAGES
    ),
    seed: SeedOption = 0,
    limit: LimitOption = None,
    cache: CacheOption = Path("cache"),
) -> None:
    """Quantize to int8, write the model file, evaluate it beside the float network."""
    from quantize.pipeline import quantize_run
    from train.run import open_run

    if not NAME.fullmatch(name):
        raise typer.BadParameter(f"{name!r}: lower-case letters, digits, '.', '_' and '-' only")
    place = out or run / f"{name}.tflite"
    if not place.parent.is_dir():
        raise typer.BadParameter(f"{place.parent} is no folder to write the model file to")
    finished = open_run(run)
    cached = read_data(data, finished.recipe.side, cache, limit)
    model = quantize_run(finished, cached, name, place, images, seed, console)
    console.print(
        f"written: {model.path}; next: edge-cxr classify --model {model.path} IMAGE",
        soft_wrap=True,
        highlight=False,
    )
    _require_gates(model)


def _require_gates(model: ModelFile) -> None:
    """End with exit code 5 where a model is not to be shipped; the file tells why."""
    gates = model.manifest["quantization"]["gates"]
    broken = [name for name, gate in gates["gates"].items() if not gate["passed"]]
    if broken:
        console.print(f"{model.path}: not to be shipped: {', '.join(broken)} not met")
        raise typer.Exit(EXIT_GATE)


@app.command()
def card(
    model: Annotated[Path, typer.Argument(help="A model file.")],
    reports: Annotated[Path, typer.Argument(help="Folder of its reports; the card goes there.")],
    data: DataArgument,
    limit: LimitOption = None,
    cache: CacheOption = Path("cache"),
) -> None:
    """Write the model card, and the subgroup report that it needs, from a model's reports."""
    from edge_app.model.model_file import read
    from quantize.reproduce import write_card

    shipped = read(model)
    write_card(shipped, reports, read_data(data, shipped.input_spec.height, cache, limit))


@app.command()
def edgetpu(
    model: Annotated[
        str, typer.Argument(help="A model file or a shipped model's name; to check, any .tflite.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Model file to write; default: MODEL itself.")
    ] = None,
    check_only: Annotated[bool, typer.Option(help="Predict from the documentation.")] = False,
    allow_cpu: Annotated[bool, typer.Option(help="Parts of it may run on the CPU.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    seconds: Annotated[
        int, typer.Option("--time-limit", min=1, help="Seconds that the compiler may take.")
    ] = 600,
) -> None:
    """Compile for the Edge TPU of a Coral, into the same model file beside the CPU's network."""
    from edge_app.model.model_file import locate
    from quantize.edgetpu.command import Request, run

    if out is not None and (check_only or not out.parent.is_dir()):
        why = "--check-only writes none" if check_only else f"{out.parent} is no folder"
        raise typer.BadParameter(f"--out {out}: {why}")
    request = Request(locate(model), out, check_only, allow_cpu, as_json, seconds)
    raise typer.Exit(run(request, Console(), console))


@app.command()
def input_check(
    model: Annotated[
        str, typer.Argument(help="A model file or a shipped model's name, to be written anew.")
    ],
    data: DataArgument,
    out: Annotated[
        Path | None, typer.Option(help="Model file to write; default: MODEL itself.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    limit: LimitOption = None,
    cache: CacheOption = Path("cache"),
) -> None:
    """Teach a model file to refuse what is no chest radiograph; its network stays as it is."""
    from edge_app.model.model_file import locate, read
    from train.input_check import attach, fit

    before = read(locate(model))
    training, validation = _splits(data, before.input_spec.height, "validation", limit, cache)
    facts, weights = fit(training, validation, seed, console)
    written = attach(before, facts, weights, out or before.path)
    console.print(
        f"written: {written.path}; flags {facts['flagged']:.2%} of {facts['limits_from']}",
        soft_wrap=True,
        highlight=False,
    )


@app.command()
def refusals(
    model: Annotated[str, typer.Argument(help="A model file with an input check, or its name.")],
    data: DataArgument,
    pictures: Annotated[
        list[Path] | None, typer.Option(help="Folder of pictures, no radiographs; repeatable.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for what is written; default: reports/NAME.")
    ] = None,
    document: DocumentOption = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    limit: LimitOption = None,
    cache: CacheOption = Path("cache"),
) -> None:
    """What a model file's input check refuses: radiographs, near misses, everything else."""
    from edge_app.model.model_file import locate, read
    from quantize.studies.input_check import refusals as measured
    from train.cli import read_split

    judged = read(locate(model))
    radiographs = read_split(data, judged.input_spec.height, cache, limit, "test")
    result = measured(judged, radiographs, pictures or [], seed, console)
    _publish(result, out or Path("reports") / judged.name, document)


@app.command()
def localise(
    model: Annotated[str, typer.Argument(help="An int8 model file, or a shipped model's name.")],
    run: RunArgument,
    data: Annotated[Path, typer.Argument(help="The NIH release's folder, with its box list.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for what is written; default: reports/NAME.")
    ] = None,
    document: DocumentOption = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    cache: CacheOption = Path("cache"),
) -> None:
    """Do the maps point where radiologists drew boxes? Beside the float ones and the centre."""
    from edge_app.model.model_file import locate, read
    from quantize.studies.localisation import localise as measured
    from quantize.studies.localisation import read_boxes
    from train.cli import read_split
    from train.run import open_run

    boxes, judged = read_boxes(data), read(locate(model))
    cached = read_split(data, judged.input_spec.height, cache, None, "test")
    result = measured(judged, open_run(run), cached, boxes, seed)
    _publish(result, out or Path("reports") / judged.name, document)


@app.command()
def film(
    model: Annotated[str, typer.Argument(help="A model file, or a shipped model's name.")],
    data: DataArgument,
    images: Annotated[int, typer.Option(min=1, help="Test images to photograph.")] = 500,
    out: Annotated[
        Path | None, typer.Option(help="Folder for what is written; default: reports/NAME.")
    ] = None,
    document: DocumentOption = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the photographs.")] = 0,
    limit: LimitOption = None,
    cache: CacheOption = Path("cache"),
) -> None:
    """How far scores move through a synthetic photograph of the film, rectified and not."""
    from edge_app.model.model_file import locate, read
    from quantize.studies.film import film as measured
    from train.cli import read_split

    judged = read(locate(model))
    cached = read_split(data, judged.input_spec.height, cache, limit, "test")
    result = measured(judged, cached, images, seed, console)
    _publish(result, out or Path("reports") / judged.name, document)


@app.command()
def table(
    reports: Annotated[list[Path], typer.Argument(help="Folders of reports, one a model.")],
) -> None:
    """Print several models' reports over the same images as one Markdown table."""
    from quantize.model_table import side_by_side

    print(side_by_side(reports))


@app.command()
def reproduce(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(TEACHERS)}.")],
    data: DataArgument,
    runs: Annotated[Path, typer.Option(help="Folder of run folders.")] = Path("runs"),
    cache: CacheOption = Path("cache"),
) -> None:
    """Make a shipped model from the data: hours; the same command goes on where it stopped."""
    from quantize.reproduce import reproduce as make

    if name not in TEACHERS:
        raise typer.BadParameter(f"{name!r}; there are {', '.join(TEACHERS)}")
    for needed in (*TEACHERS[name], name):
        if RECIPES[needed].imagenet:
            require_imagenet(RECIPES[needed].network)
    model = make(name, data, runs, cache, console)
    console.print(f"written: {model.path} and its card", soft_wrap=True, highlight=False)
    _require_gates(model)


@app.command()
def matrix(
    run: RunArgument,
    data: DataArgument,
    split: SplitOption = "test",
    seed: SeedOption = 0,
    out: OutOption = None,
    document: DocumentOption = None,
    limit: LimitOption = None,
    cache: CacheOption = Path("cache"),
) -> None:
    """Every scheme and every repair of int8 in one table: size, fidelity, latency here."""
    from quantize.studies.schemes import matrix as measured

    bench, training = _bench(run, data, split, out, limit, cache)
    _publish(measured(bench, training, seed), bench.folder, document)


@app.command()
def layers(
    run: RunArgument,
    data: DataArgument,
    split: SplitOption = "validation",
    repair: Annotated[str, typer.Option(help="Done first; see the matrix for which.")] = "none",
    seed: SeedOption = 0,
    out: OutOption = None,
    document: DocumentOption = None,
    limit: LimitOption = None,
    cache: CacheOption = Path("cache"),
) -> None:
    """Where int8's error comes from: each kernel and activation rounded alone."""
    from quantize.convert import calibration_rows
    from quantize.repairs.registry import REPAIRS
    from quantize.studies.layers import layer_errors
    from train.run import open_run

    if repair not in REPAIRS:
        raise typer.BadParameter(f"{repair!r}; there are {', '.join(REPAIRS)}")
    finished = open_run(run)
    training, measured = _splits(data, finished.recipe.side, split, limit, cache)
    pictures = training.images[training.rows[calibration_rows(training, CALIBRATION_IMAGES, seed)]]
    result = layer_errors(finished, measured, split, pictures, repair, console)
    _publish(result, out or run / FOLDER, document)


@app.command()
def outputs(
    run: RunArgument,
    data: DataArgument,
    split: SplitOption = "test",
    seed: SeedOption = 0,
    out: OutOption = None,
    document: DocumentOption = None,
    limit: LimitOption = None,
    cache: CacheOption = Path("cache"),
) -> None:
    """What an int8 sigmoid output does to rare labels, beside int8 logits."""
    from quantize.convert import calibration_rows
    from quantize.int8 import span_pictures
    from quantize.studies.outputs import outputs as measured

    bench, training = _bench(run, data, split, out, limit, cache)
    rows = calibration_rows(training, CALIBRATION_IMAGES, seed)
    pictures, more = training.images[training.rows[rows]], span_pictures(training, seed)
    _publish(measured(bench, pictures, more), bench.folder, document)


@app.command()
def sabotage(
    run: RunArgument,
    data: DataArgument,
    split: SplitOption = "test",
    seed: SeedOption = 0,
    out: OutOption = None,
    document: DocumentOption = None,
    limit: LimitOption = None,
    cache: CacheOption = Path("cache"),
) -> None:
    """Convert wrongly on purpose, in many ways: is each caught by what is there to catch it?"""
    from quantize.convert import calibration_rows
    from quantize.int8 import span_pictures
    from quantize.studies.faults import Workshop
    from quantize.studies.faults import sabotage as measured

    bench, training = _bench(run, data, split, out, limit, cache)
    rows = calibration_rows(training, CALIBRATION_IMAGES, seed)
    result, caught = measured(Workshop(bench, training, rows, span_pictures(training, seed)))
    _publish(result, bench.folder, document)
    if not caught:
        console.print("a fault was not caught by what is there to catch it")
        raise typer.Exit(EXIT_GATE)


@app.command()
def runtimes(
    model: Annotated[Path, typer.Argument(help="An int8 model file.")],
    data: Annotated[Path, typer.Argument(help="A labelled folder, as edge-cxr evaluate reads it.")],
    other: Annotated[
        str, typer.Option(metavar="COMMAND", help="Starts the other Python; may be an emulator's.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for what is written.")] = Path("runtimes"),
    document: DocumentOption = None,
    limit: LimitOption = None,
) -> None:
    """One model file under two runtimes: differences in steps, and decisions that change."""
    from edge_app.model.model_file import read
    from quantize.studies.runtimes import runtimes as measured

    _publish(measured(read(model), data, other, limit, out), out, document)


def _splits(
    data: Path, side: int, split: str, limit: int | None, cache: Path
) -> tuple[Cached, Cached]:
    """The training images and those of a split."""
    if split not in ("test", "validation"):
        raise typer.BadParameter(f"{split!r}; there are test and validation")
    cached = read_data(data, side, cache, limit)
    training, measured = cached.split("train"), cached.split(cast(Split, split))
    if not len(training) or not len(measured):
        raise DatasetError(f"{data}: needs training images to calibrate and {split} images")
    return training, measured


def _bench(
    run: Path, data: Path, split: str, out: Path | None, limit: int | None, cache: Path
) -> tuple[Bench, Cached]:
    """What a network is measured with, and the training images."""
    from quantize.studies.bench import Bench
    from train.run import open_run

    finished = open_run(run)
    training, measured = _splits(data, finished.recipe.side, split, limit, cache)
    return Bench.of(finished, measured, split, out or run / FOLDER, console), training


def _publish(result: Result, folder: Path, document: Path | None) -> None:
    result.print(Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH))
    result.write(folder)
    if document is not None:
        result.insert(document)
    console.print(f"written: {folder / result.name}.json and .md", soft_wrap=True, highlight=False)


def main() -> None:
    run_reporting_errors(app)
