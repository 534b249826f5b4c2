"""The programs' commands and options, read from typer, for the reference and for tests."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any, Final, NamedTuple

import typer

from tools.manual.markdown import cell, table

PROGRAMS: Final = {
    "edge-cxr": "edge_app.cli.app",
    "python -m train": "train.cli",
    "python -m quantize": "quantize.cli",
    "python -m benchmarks": "benchmarks.cli",
    "python -m boards": "boards.cli",
}
"""Program → the module with its typer application."""


Command = Any
"""A command of click's. Typer brings its own copy of click or imports it, by its version."""


class Described(NamedTuple):
    """A command by the words that start it."""

    words: str
    command: Command
    context: typer.Context


def application(program: str) -> Command:
    """The click command of one of the `PROGRAMS`, with all its subcommands."""
    module = import_module(PROGRAMS[program])
    app = module.application() if hasattr(module, "application") else module.app
    return typer.main.get_command(app)


def commands(
    words: str, command: Command, above: typer.Context | None = None
) -> Iterator[Described]:
    """A command and, depth first, its subcommands, without hidden ones."""
    context = typer.Context(command, info_name=words.split(" ")[-1], parent=above)
    yield Described(words, command, context)
    for name, each in getattr(command, "commands", {}).items():
        if not each.hidden:
            yield from commands(f"{words} {name}", each, context)


def page(program: str) -> str:
    """A page of the reference: each command with its arguments and options."""
    first, *others = commands(program, application(program))
    lines = [f"# {program}", "", first.command.help or "", ""]
    for each in others:
        lines += [f"## {each.words}", "", (each.command.help or "").replace("\b\n", ""), ""]
        if not hasattr(each.command, "commands"):
            lines += _usage(each)
    return "\n".join(lines)


def _usage(described: Described) -> list[str]:
    """The usage line, and a table of arguments and options."""
    words, command, context = described
    rows = []
    for parameter in command.params:
        if getattr(parameter, "hidden", False):
            continue
        rows.append((f"`{_names(parameter, context)}`", cell(_said(parameter))))
    usage = " ".join((words, *command.collect_usage_pieces(context)))
    return ["```", usage, "```", "", *table(("argument or option", "meaning"), rows), ""]


def _names(parameter: Any, context: typer.Context) -> str:
    """`--model -m TEXT`, `--map / --no-map`, or an argument's name."""
    metavar = parameter.metavar or _kind(parameter.make_metavar(context))
    if parameter.param_type_name == "argument":
        return metavar
    names = ", ".join(parameter.opts)
    if parameter.secondary_opts:
        names += " / " + ", ".join(parameter.secondary_opts)
    return names if getattr(parameter, "is_flag", False) else f"{names} {metavar}"


def _kind(metavar: str) -> str:
    """A typer type as a word: `<int range>` and `INTEGER RANGE` are a `NUMBER`."""
    word = metavar.strip("<>").split(" ")[0].upper()
    return {"STR": "TEXT", "INT": "NUMBER", "INTEGER": "NUMBER", "FLOAT": "NUMBER"}.get(word, word)


def _said(parameter: Any) -> str:
    """A parameter's help, and its default if that is a word or a number."""
    said = getattr(parameter, "help", None) or ""
    default = parameter.default
    shown = isinstance(default, str | int | float) and not isinstance(default, bool)
    if getattr(parameter, "show_default", True) and shown and str(default):
        said += f" Default: `{default}`."
    if parameter.required:
        said += " Required."
    return said.strip()
