"""`edge-cxr`: finds the command, and turns every error into one line and an exit code."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Final, NoReturn

import typer

from edge_app.core.about import DISCLAIMER, __version__
from edge_app.core.console import complain
from edge_app.core.errors import (
    EXIT_DONE,
    EXIT_INTERRUPTED,
    EXIT_MODEL,
    EdgeCxrError,
    MachineError,
    OutputError,
    not_loaded,
)
from edge_app.core.shortage import NO_MEMORY, shortage_of

COMMANDS: Final = (
    *("classify", "archive", "evaluate", "calibrate", "drift", "compare", "benchmark", "doctor"),
    *("serve", "upgrade"),
)
"""Each is a function of its name in a module of its name."""

GROUPS: Final = ("models",)
"""Each is a module of its name, with an `app` of commands."""

MIN_MEMORY: Final = 256 << 20
"""Bytes of address space that numpy, Pillow and a small model take, and a small picture."""


def application(called: str = "") -> typer.Typer:
    """The command line.

    Args:
        called: the command that is going to run. Only that one is imported, because typer works
            out all options of every command that it knows. For any other word all are there.
    """
    app = typer.Typer(
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help=f"Score chest radiographs offline with int8 networks. {DISCLAIMER}",
    )
    app.callback()(options)
    known = called in (*COMMANDS, *GROUPS)
    for name in GROUPS:
        if not known or name == called:
            app.add_typer(import_module(f"edge_app.cli.{name}").app, name=name)
    for name in COMMANDS:
        if not known or name == called:
            app.command(name)(getattr(import_module(f"edge_app.cli.{name}"), name))
    return app


def _version(requested: bool) -> None:
    if requested:
        print(f"edge-cxr {__version__}")
        raise typer.Exit


def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of the command line itself."""


def main() -> NoReturn:
    """This process as a command: its arguments, its streams, its exit code."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `edge-cxr … | head` is no fault
    if sys.stderr is None:  # closed by the caller: nobody reads it
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    if sys.stdout is None:
        complain("standard output is closed: there is nowhere to print the answers")
        sys.exit(EXIT_MODEL)
    for stream in (sys.stdout, sys.stderr):
        # Line by line: an answer is out before the next image is read.
        stream.reconfigure(errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    code = _short_of_memory() or run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError:  # `run` has said so; what is still buffered must not fail again at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    gc.freeze()  # nothing has to be collected: the process ends
    sys.exit(code)


def _short_of_memory() -> int:
    """An exit code where so little may be used that numpy would end the process by itself."""
    import resource

    allowed, _ = resource.getrlimit(resource.RLIMIT_AS)
    if allowed == resource.RLIM_INFINITY or allowed >= MIN_MEMORY:
        return 0
    complain(
        f"out of memory: {allowed >> 20} MiB are allowed (ulimit -v), "
        f"{MIN_MEMORY >> 20} are the least"
    )
    return EXIT_MODEL


def run(arguments: Sequence[str], program: str | None = None) -> int:
    """Run one command line, with every error as one line on `sys.stderr`, never a traceback.

    It prints to `sys.stdout`, flushes it, and leaves the process as it is: signal handlers, streams
    and the garbage collector are the caller's.

    Args:
        arguments: of the command line, without the program's name.
        program: its name in usage lines; default: what this process was started as.

    Returns:
        The exit code, see `edge_app.core.errors`.
    """
    try:
        return _run(application(arguments[0] if arguments else ""), arguments, program)
    except EdgeCxrError as error:
        complain(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        complain("interrupted")
        return EXIT_INTERRUPTED
    except MemoryError:
        complain(NO_MEMORY)
        return EXIT_MODEL
    except ImportError as error:
        complain(not_loaded(error))
        return EXIT_MODEL


def _run(app: typer.Typer, arguments: Sequence[str], program: str | None) -> int:
    """Typer's own exit code, with everything printed by the time it is known."""
    try:
        try:
            app(arguments, prog_name=program)
        except SystemExit as ended:
            sys.stdout.flush()
            return ended.code if isinstance(ended.code, int) else EXIT_DONE
    except OSError as error:  # reading files has errors of its own: this is printing
        shortage = shortage_of(
            error
        )  # or a module, or a file of the package, that was needed only now
        if shortage:
            raise MachineError(shortage) from None
        raise OutputError(f"cannot write the output: {error.strerror}") from None
    return EXIT_DONE
