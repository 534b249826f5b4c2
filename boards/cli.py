"""`python -m boards`: parse, call, print."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from boards import board as known
from boards import kit as kits
from boards import sysroot
from boards.errors import BoardsError
from edge_app.core import signing, trust
from edge_app.core.errors import EdgeCxrError
from edge_app.core.files import write_whole

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A board's own Python under emulation, offline kits for boards, and what runs where.",
)
CacheOption = Annotated[Path, typer.Option(help="Where downloads and systems are kept.")]
CACHE = Path(".boards")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@app.command()
def prepare(
    boards: Annotated[
        list[str] | None, typer.Argument(metavar="[BOARD]...", help="Default: all.")
    ] = None,
    cache: CacheOption = CACHE,
) -> None:
    """Make the boards' systems; installs qemu-user-static where it is missing and this is root."""
    for name in boards or known.BOARDS:
        made = sysroot.get(known.find(name), cache, _say)
        print(f"{name}: {made.board.title}, Python {made.board.python}: {made.python}")


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def run(
    board: Annotated[str, typer.Argument()],
    line: Annotated[list[str], typer.Argument(metavar="COMMAND...")],
    cache: CacheOption = CACHE,
) -> None:
    """Run a command with the board's python3 first on the PATH."""
    made = sysroot.get(known.find(board), cache, _say)
    try:
        os.execvpe(line[0], line, made.environment())
    except OSError as error:
        raise BoardsError(f"{line[0]}: {error.strerror}") from None


@app.command()
def kit(
    target: Annotated[str, typer.Option(help=f"One of {', '.join(kits.TARGETS)}.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where to.")] = Path("dist"),
    python: Annotated[
        list[str] | None, typer.Option(metavar="X.Y", help="Only this version; repeatable.")
    ] = None,
    model: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="A model file to bring beside the shipped ones, under its own name; one with the "
            "name of a shipped model takes its place. Repeatable.",
        ),
    ] = None,
    sign: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Sign it with this secret key.")
    ] = None,
    serial: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=trust.MAX_SERIAL,
            metavar="N",
            help="Of the signature, higher than before; default: seconds since 1970.",
        ),
    ] = None,
    cache: CacheOption = CACHE,
) -> None:
    """Build edge-cxr-kit-TARGET.tar.gz: installs on a board without network."""
    from getpass import getpass

    key = None if sign is None else signing.read(sign, lambda: getpass("Password: "))
    number = int(time.time()) if serial is None else serial
    chosen = kits.find(target)
    made = kits.build(
        chosen, out, cache, python or (), model or (), key=key, serial=number, say=_say
    )
    print(f"{made}  {made.stat().st_size / 1e6:.0f} MB; SHA-256 in {made.name}.sha256")


@app.command()
def deb(
    target: Annotated[str, typer.Option(help=f"One of {', '.join(kits.TARGETS)}.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where to.")] = Path("dist"),
    python: Annotated[
        list[str] | None, typer.Option(metavar="X.Y", help="Only this version; repeatable.")
    ] = None,
    cache: CacheOption = CACHE,
) -> None:
    """Build edge-cxr_VERSION_ARCHITECTURE.deb: the application, and the box as a service."""
    from boards import deb as package

    made = package.build(kits.find(target), out, cache, python or (), _say)
    print(f"{made}  {made.stat().st_size / 1e6:.0f} MB")


@app.command()
def matrix(
    boards: Annotated[
        list[str] | None, typer.Argument(metavar="[BOARD]...", help="Beside x86-64; default: all.")
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where matrix.md and matrix.json go.")
    ] = Path("reports/boards"),
    data: Annotated[
        Path | None, typer.Option(help="The NIH subset; default: EDGE_CXR_DATA.")
    ] = None,
    cache: CacheOption = CACHE,
) -> None:
    """Install and run the application on every board, and compare its scores with x86-64's."""
    import tempfile

    from boards import verification as table

    chosen = [known.find(name).name for name in boards or known.BOARDS]
    places = [each for each in table.places() if each.name in (table.REFERENCE, *chosen)]
    named = os.environ.get("EDGE_CXR_DATA")
    subset = data or (None if named is None else Path(named))
    with tempfile.TemporaryDirectory() as work:
        folder, source = table.images(subset, Path(work))
        rows = table.examine(places, folder.resolve(), cache, Path(work), _say)
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / "matrix.json", table.as_json(rows, source).encode())
    write_whole(out / "matrix.md", table.as_markdown(rows, source).encode())
    print(table.as_markdown(rows, source), end="")


def main() -> NoReturn:
    """Entry point: every error one line and an exit code of its own."""
    try:
        app()
    except EdgeCxrError as error:
        print(f"boards: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    sys.exit(0)
