"""The command line of quantization: parse, call, print."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from quantize.convert import CALIBRATION_IMAGES
from train.cli import CacheOption, DataArgument, LimitOption, read_data, run_reporting_errors

NAME = re.compile("[a-z0-9][a-z0-9._-]{0,63}")

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
console = Console(stderr=True, markup=False)


@app.callback()
def commands() -> None:
    """Turn trained networks into int8 model files. Research software, not a medical device."""


@app.command()
def int8(
    run: Annotated[Path, typer.Argument(help="A finished run folder.")],
    data: DataArgument,
    name: Annotated[str, typer.Option(help="The model's name.")] = "cxr",
    out: Annotated[Path | None, typer.Option(help="Model file; default: RUN/NAME.tflite.")] = None,
    images: Annotated[int, typer.Option(min=1, help="Training images to calibrate with.")] = (
        CALIBRATION_IMAGES
    ),
    seed: Annotated[int, typer.Option(min=0)] = 0,
    limit: LimitOption = None,
    cache: CacheOption = Path("cache"),
) -> None:
    """Quantize to int8, write the model file, evaluate it beside the float network."""
    from quantize.ship import quantize_run
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


def main() -> None:
    run_reporting_errors(app)
