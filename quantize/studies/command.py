"""A registered study as a command: its options, and the publication of its result."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, get_type_hints

import typer
from rich.console import Console

from edge_app.core.errors import EXIT_GATE
from quantize.studies.registry import Judging, Study
from quantize.studies.result import Result
from train.console import console, say

WIDTH: Final = 200
"""Width of a table in a file or a pipe, which has none of its own."""

DocumentOption = Annotated[
    Path | None, typer.Option(help="Markdown file whose place for this table is written anew.")
]


def command(study: Study) -> Callable[..., None]:
    """A function with the options of a study, for typer to make a command of.

    They are the parameters of `study.open`, those of `study.function` but its first, and
    `--document`.
    """
    opened = _parameters(study.open)
    options = _parameters(study.function)[1:]
    document = inspect.Parameter(
        "document", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=DocumentOption
    )

    def run(**values: Any) -> None:
        chosen = {option.name: values.pop(option.name) for option in options}
        place = values.pop("document")
        inputs = study.open(**values)
        result = study.function(inputs, **chosen)
        if isinstance(inputs, Judging):
            result = result.noting(inputs.notes)
        publish(result, inputs.folder, place)

    parameters = [
        parameter.replace(default=study.defaults.get(parameter.name, parameter.default))
        for parameter in (*opened, *options, document)
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _parameters(function: Callable[..., object]) -> list[inspect.Parameter]:
    """A function's parameters as keywords, with their annotations as types."""
    types = get_type_hints(function, include_extras=True)
    return [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=types[parameter.name])
        for parameter in inspect.signature(function).parameters.values()
    ]


def publish(result: Result, folder: Path, document: Path | None) -> None:
    """Print a result, write its files, and put its table into a document if there is one.

    Raises:
        ConversionError: the document has no place for the table.
        typer.Exit: with exit code 5, if the result tells of a failure.
    """
    result.print(Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH))
    result.write(folder)
    if document is not None:
        result.insert(document)
    say(console, f"written: {folder / result.name}.json and .md")
    if result.failure is not None:
        say(console, result.failure)
        raise typer.Exit(EXIT_GATE)
