"""The command line of quantization: parse, call, print."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from edge_app.core.errors import EXIT_GATE
from edge_app.model.model_file import ModelFile
from quantize.about import NOT_STATED, UNSTATED, read_about
from quantize.convert import CALIBRATION_IMAGES
from quantize.studies.command import command
from quantize.studies.registry import STUDIES
from train.console import console, say
from train.labels import LabelSet
from train.networks.registry import require_imagenet
from train.options import (
    CACHE,
    CacheOption,
    DataArgument,
    LimitOption,
    ModelOutOption,
    RunArgument,
    SeedOption,
    read_data,
)
from train.recipes import RECIPES, SHIPPED, runs_of
from train.start import run_reporting_errors

KeptOption = Annotated[
    Path | None, typer.Option(help="Folder to keep decoded images in, for the next import.")
]
ReferenceOption = Annotated[
    Path | None, typer.Option(help="The network that a .tflite was made of.")
]
Int8OnlyOption = Annotated[
    bool, typer.Option("--int8-only", help="No layer in float32, which a Coral cannot map.")
]

NAME = re.compile("[a-z0-9][a-z0-9._-]{0,63}")

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


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
    about: Annotated[
        Path | None,
        typer.Option(help="TOML or JSON of licence, intended_use, data and limits of the model."),
    ] = None,
    seed: SeedOption = 0,
    limit: LimitOption = None,
    cache: CacheOption = CACHE,
) -> None:
    """Quantize to int8, write the model file, compare it with the float network."""
    from quantize.pipeline import quantize_run
    from train.finished_run import open_run

    if not NAME.fullmatch(name):
        raise typer.BadParameter(f"{name!r}: lower-case letters, digits, '.', '_' and '-' only")
    place = out or run / f"{name}.tflite"
    if not place.parent.is_dir():
        raise typer.BadParameter(f"{place.parent} is no folder to write the model file to")
    stated = read_about(about) if about else UNSTATED
    finished = open_run(run)
    cached = read_data(data, finished.recipe.side, cache, limit, finished.labels)
    model = quantize_run(finished, cached, name, place, images, seed, console, stated)
    missing = [
        key for key in ("licence", "intended_use", "data") if getattr(stated, key) == NOT_STATED
    ]
    if missing:
        say(console, f"{NOT_STATED} in the model file: {', '.join(missing)}; --about FILE says it")
    say(console, f"written: {model.path}; next: edge-cxr classify --model {model.path} IMAGE")
    _require_gates(model)


def _require_gates(model: ModelFile) -> None:
    """End with exit code 5 where a gate of the model's manifest is not met, or not proven."""
    gates = model.manifest["quantization"]["gates"]["gates"]
    broken = [f"{name} {gate['outcome']}" for name, gate in gates.items() if not gate["passed"]]
    if broken:
        say(
            console,
            f"{model.path}: can be tried, not to be shipped: {', '.join(broken)}; "
            f"exit code {EXIT_GATE}",
        )
        raise typer.Exit(EXIT_GATE)


@app.command("import")
def import_(
    model: Annotated[
        Path, typer.Argument(help="A .keras, .h5, .tflite or .onnx file, or a SavedModel's folder.")
    ],
    labels: Annotated[
        Path, typer.Option(help="File with a label a line, in the order of the scores.")
    ],
    out: Annotated[Path, typer.Option(help="Model file to write.")],
    data: Annotated[Path | None, typer.Argument(help="Folder of labelled images.")] = None,
    name: Annotated[str, typer.Option(help="The model's name; default: of --out.")] = "",
    size: Annotated[str, typer.Option(help="Of its images: 160, or HEIGHTxWIDTH.")] = "",
    mean: Annotated[str, typer.Option(help="Gray level taken off; one, or one a channel.")] = "",
    std: Annotated[str, typer.Option(help="Gray levels divided by; one, or one a channel.")] = "",
    resize: Annotated[str, typer.Option(help="stretch, pad or crop.")] = "stretch",
    head: Annotated[
        str, typer.Option(help="independent or exclusive, where it gives logits.")
    ] = "",
    output: Annotated[str, typer.Option(help="Of several outputs, the one with the scores.")] = "",
    reference: ReferenceOption = None,
    input_check: Annotated[
        str, typer.Option(help="What tells other pictures from radiographs: shipped or none.")
    ] = "shipped",
    int8_only: Int8OnlyOption = False,
    licence: Annotated[str, typer.Option(help="Of the network, for manifest and card.")] = "",
    intended_use: Annotated[str, typer.Option(help="For manifest and card.")] = "",
    trained_on: Annotated[str, typer.Option(help="For manifest and card.")] = "",
    images: Annotated[int, typer.Option(min=1, help="Training images to calibrate with.")] = (
        CALIBRATION_IMAGES
    ),
    seed: SeedOption = 0,
    limit: LimitOption = None,
    cache: KeptOption = None,
) -> None:
    """Make a model file of a network trained elsewhere, and compare it with its original."""
    from quantize.importing.options import checked_of, facts_of, network_options
    from quantize.importing.pipeline import Request, import_model

    network = network_options(size, mean, std, resize, head, output)
    called = name or out.stem.lower()
    if not NAME.fullmatch(called):
        raise typer.BadParameter(f"{called!r}: lower-case letters, digits, '.', '_' and '-' only")
    if not out.parent.is_dir():
        raise typer.BadParameter(f"{out.parent} is no folder to write the model file to")
    facts = facts_of(licence=licence, intended_use=intended_use, trained_on=trained_on)
    request = Request(
        *(model, data, labels, out, called, network, facts, cache, images, seed, limit, reference),
        checked_of(input_check),
        int8_only,
    )
    made, passed = import_model(request, console)
    say(
        console,
        f"written: {made.path}, {made.precision}; "
        f"next: edge-cxr classify --model {made.path} IMAGE",
    )
    if data is not None:
        _require_gates(made)
    if not passed:
        raise typer.Exit(EXIT_GATE)


@app.command()
def card(
    model: Annotated[Path, typer.Argument(help="A model file.")],
    reports: Annotated[Path, typer.Argument(help="Folder of its reports; the card goes there.")],
    data: DataArgument,
    limit: LimitOption = None,
    cache: CacheOption = CACHE,
) -> None:
    """Write the model card, and the subgroup report that it needs, from a model's reports."""
    from edge_app.model.model_file import read
    from quantize.reproduce import write_card

    shipped = read(model)
    labels = LabelSet.of_manifest(shipped.manifest)
    side = shipped.input_spec.height
    write_card(shipped, reports, read_data(data, side, cache, limit, labels))


@app.command("image-level")
def image_level(
    model: Annotated[Path, typer.Argument(help="A model file; it is written anew.")],
    validation: Annotated[Path, typer.Argument(help="Report that its calibration is from.")],
    test: Annotated[Path, typer.Argument(help="Its own report on test images.")],
    others: Annotated[
        list[Path] | None, typer.Argument(help="Further reports to add it to.")
    ] = None,
) -> None:
    """Fit how a model scores and flags images as a whole; write it into model file and reports."""
    from edge_app.evaluation.report import read as read_report
    from edge_app.evaluation.report import write as write_report
    from edge_app.model.model_file import read
    from quantize.overall import scored_as_a_whole, with_overall

    written = scored_as_a_whole(read(model), read_report(validation), read_report(test)).save()
    for path in (validation, test, *(others or ())):
        write_report(with_overall(read_report(path), written), path)
    for name, point in written.manifest["overall"]["operating_points"].items():
        say(console, f"{name}: {point}")


@app.command()
def edgetpu(
    model: Annotated[
        str, typer.Argument(help="A model file or a shipped model's name; to check, any .tflite.")
    ],
    out: ModelOutOption = None,
    check_only: Annotated[bool, typer.Option(help="Predict from the documentation.")] = False,
    allow_cpu: Annotated[bool, typer.Option(help="Parts of it may run on the CPU.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    seconds: Annotated[
        int, typer.Option("--time-limit", min=1, help="Seconds that the compiler may take.")
    ] = 600,
) -> None:
    """Compile for the Edge TPU of a Coral; the model file then holds both networks."""
    from edge_app.model.model_file import locate
    from quantize.edgetpu.command import Request, run

    if out is not None and (check_only or not out.parent.is_dir()):
        why = "--check-only writes none" if check_only else f"{out.parent} is no folder"
        raise typer.BadParameter(f"--out {out}: {why}")
    request = Request(locate(model), out, check_only, allow_cpu, as_json, seconds)
    raise typer.Exit(run(request, Console(), console))


@app.command()
def table(
    reports: Annotated[list[Path], typer.Argument(help="Folders of reports, one a model.")],
) -> None:
    """Print several models' reports over the same images as one Markdown table."""
    from quantize.model_table import side_by_side

    print(side_by_side(reports))


@app.command()
def reproduce(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(SHIPPED)}.")],
    data: DataArgument,
    runs: Annotated[Path, typer.Option(help="Folder of run folders.")] = Path("runs"),
    cache: CacheOption = CACHE,
    kept_teachers: Annotated[
        bool,
        typer.Option("--kept-teachers", help="Take teachers from networks/ if they are there."),
    ] = False,
) -> None:
    """Make a shipped model from the data: hours; after a stop the same command resumes."""
    from quantize.reproduce import reproduce as make
    from train.source_files import kept_names

    if name not in SHIPPED:
        raise typer.BadParameter(f"{name!r}; there are {', '.join(SHIPPED)}")
    kept = kept_names() if kept_teachers else []
    for needed in runs_of(name, kept):
        if RECIPES[needed].needs_imagenet:
            require_imagenet(RECIPES[needed].network)
    model = make(name, data, runs, cache, console, kept)
    say(console, f"written: {model.path} and its card")
    _require_gates(model)


for study in STUDIES:
    app.command(study.name, help=study.help)(command(study))


def main() -> None:
    run_reporting_errors(app)
