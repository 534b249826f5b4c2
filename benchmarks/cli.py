"""The command line of the suite: parse, call, print."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from edge_app.core.errors import EXIT_INTERRUPTED, ReportError
from edge_app.core.files import UnreadableError, read_bounded
from edge_app.model.model_file import locate, read, shipped_models
from edge_app.model.shipped import DEFAULT_MODEL
from train.start import run_reporting_errors

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
console = Console(stderr=True, markup=False, highlight=False)

RESULTS = Path(__file__).parent / "results"


@app.callback()
def commands() -> None:
    """This package compared with its alternatives, on this machine."""


@app.command()
def run(
    name: Annotated[str, typer.Argument(help="Of the result: NAME.json, .md and pictures.")],
    model: Annotated[str, typer.Option(help="The int8 model.")] = DEFAULT_MODEL,
    keras: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its float network; default: as it ships.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0, help="For the rounds of contestants.")] = 600,
    out: Annotated[Path, typer.Option(help="Folder of the result.")] = RESULTS,
) -> None:
    """Make the peers' environments, measure everything, write the report: 15 minutes."""
    from benchmarks.report import write
    from benchmarks.suite import run as run_suite

    _require(out)
    result = run_suite(read(locate(model)), keras, seconds, _command(), console.print)
    for path in [_write_json(result, out, name), *write(result, out, name)]:
        console.print(f"written: {path}", soft_wrap=True)
    for warning in result["warnings"]:
        console.print(f"warning: {warning}", soft_wrap=True)
    if result["partial"]:
        raise typer.Exit(EXIT_INTERRUPTED)


@app.command()
def versions(
    revision: Annotated[str, typer.Argument(help="An earlier commit of this checkout.")],
    name: Annotated[str, typer.Option(help="Of the result: NAME.json and .md.")] = "versions",
    seconds: Annotated[float, typer.Option(min=0, help="For the rounds.")] = 120,
    only: Annotated[str, typer.Option(help="Scenarios whose name holds this: evaluate.")] = "",
    out: Annotated[Path, typer.Option(help="Folder of the result.")] = RESULTS,
) -> None:
    """Compare this checkout with an earlier commit: classify, evaluate, import, wheel size."""
    from benchmarks.versions import compare, markdown

    _require(out)
    result = compare(revision, seconds, _command(), console.print, only)
    _write_json(result, out, name)
    (out / f"{name}.md").write_text(markdown(result))
    print(markdown(result), end="")
    if result["partial"]:
        raise typer.Exit(EXIT_INTERRUPTED)


@app.command()
def wheel(
    revision: Annotated[str, typer.Argument(help="An earlier commit of this checkout.")],
) -> None:
    """What each folder takes in the wheel, now and in an earlier commit: seconds."""
    from benchmarks.versions import wheel_table, wheels_of

    print(wheel_table(wheels_of(revision)), end="")


@app.command()
def sizes(
    rounds: Annotated[int, typer.Option(min=1, help="In which all models are timed.")] = 20,
    out: Annotated[Path, typer.Option(help="Folder of the result.")] = RESULTS,
) -> None:
    """Compare the models that ship: bytes, work, time here, and time predicted for boards."""
    from benchmarks.sizes import markdown
    from benchmarks.sizes import sizes as measured

    _require(out)
    result = measured(shipped_models(), rounds, _command())
    _write_json(result, out, "sizes")
    (out / "sizes.md").write_text(markdown(result))
    print(markdown(result), end="")


@app.command()
def report(result: Annotated[Path, typer.Argument(help="A result's JSON.")]) -> None:
    """Write a result's Markdown and pictures again."""
    from benchmarks.report import write

    for path in write(_read(result), result.parent, result.stem):
        console.print(f"written: {path}", soft_wrap=True)


@app.command()
def table(result: Annotated[Path, typer.Argument(help="A result's JSON.")]) -> None:
    """Print the table of docs/benchmark.md."""
    from benchmarks.report import readme_table

    print(readme_table(_read(result)), end="")


def _require(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(f"{out}: {error.strerror}") from None


def _command() -> str:
    """The command line, for the result."""
    return " ".join(["python -m benchmarks", *sys.argv[1:]])


def _write_json(result: Mapping[str, object], folder: Path, name: str) -> Path:
    path = folder / f"{name}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    return path


def _read(path: Path) -> dict[str, object]:
    from benchmarks.suite import KIND

    try:
        content = json.loads(read_bounded(path, 64 << 20))
    except UnreadableError as error:
        raise ReportError(f"{path}: {error}") from None
    except (ValueError, RecursionError):
        raise ReportError(f"{path}: is not JSON") from None
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise ReportError(f"{path}: is no result of python -m benchmarks run")
    return content


def main() -> None:
    run_reporting_errors(app)
