"""`edge-cxr models`: which model files there are, what is in them, whether they work here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_app.backends.options import BackendOptions
from edge_app.cli.backend_option import BackendOption, DelegateOption, RuntimeOption, chosen
from edge_app.cli.options import JsonOption, ThreadsOption
from edge_app.core.trust import MAX_SERIAL
from edge_app.model.shipped import DEFAULT_MODEL

if TYPE_CHECKING:
    from edge_app.inspection.installing import Installed

app = typer.Typer(no_args_is_help=True, help="List, inspect, verify, sign and install model files.")


@app.command("list")
def models_list(json: JsonOption = False) -> None:
    """The models that came with this package, and those that were installed."""
    from edge_app.inspection import catalogue
    from edge_app.model.model_file import known_models

    catalogue.print_list(known_models(), DEFAULT_MODEL, json)


@app.command("inspect")
def models_inspect(
    model: Annotated[str, typer.Argument(help="A shipped model's name, or a model file.")],
    json: JsonOption = False,
) -> None:
    """Manifest, metrics, input and outputs of a model."""
    from edge_app.inspection import catalogue
    from edge_app.model.model_file import locate, read

    catalogue.print_model(read(locate(model)), json)


@app.command("verify")
def models_verify(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="Default: all known models.")
    ] = None,
    backend: BackendOption = None,
    runtime: RuntimeOption = None,
    delegate: DelegateOption = None,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Check signature, digests and tensors, and run the golden vectors on this machine."""
    from edge_app.inspection import catalogue
    from edge_app.model.model_file import known_models, locate

    paths = [locate(name) for name in models] if models else known_models()
    options = BackendOptions(chosen(backend, runtime, delegate), threads)
    raise typer.Exit(catalogue.verify(paths, options, json))


@app.command("key")
def models_key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Of the secret key.")],
    password: Annotated[
        bool, typer.Option(help="Ask for a password that the secret key is kept under.")
    ] = True,
) -> None:
    """Make a pair of keys: FILE to sign with, and the .pub file for who is to trust it."""
    from edge_app.core import signing
    from edge_app.core.errors import OutputError

    secret = _new_password() if password else ""
    try:
        public = signing.make(file, secret)
    except OSError as error:
        raise OutputError(f"{file}: cannot be written: {error.strerror}") from None
    print(f"secret: {file}, keep it; public: {signing.public_place(file)}")
    print(public.text)


@app.command("sign")
def models_sign(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Model files, or .pub files of keys.")
    ],
    key: Annotated[Path, typer.Option(metavar="FILE", help="The secret key, as minisign's.")],
    serial: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=MAX_SERIAL,
            metavar="N",
            help="Higher than before; default: seconds since 1970.",
        ),
    ] = None,
) -> None:
    """Write a signature beside each file, which minisign -V checks too."""
    from edge_app.core import signing
    from edge_app.inspection import signatures

    secret = signing.read(key, lambda: _password("Password: "))
    for place, stated in signatures.sign(files, secret, serial):
        print(f"{place}: {stated}")


@app.command("trust")
def models_trust(
    key: Annotated[str, typer.Argument(metavar="KEY", help="A .pub file, or the key itself.")],
    owner: Annotated[str, typer.Option(help="Whose key it is, for messages.")] = "",
    signed_only: Annotated[
        bool, typer.Option("--signed-only", help="Refuse what is not signed from now on.")
    ] = False,
) -> None:
    """Trust a key here: the first as you give it, a further one if a trusted one signed it."""
    from edge_app.inspection import signatures

    place, known, why = signatures.add_key(key, owner, signed_only)
    print(f"{place}: {known.id}, {why}\n{known.text}")


@app.command("install")
def models_install(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A model file.")],
    backend: BackendOption = None,
    runtime: RuntimeOption = None,
    delegate: DelegateOption = None,
    threads: ThreadsOption = None,
) -> None:
    """Let a model answer to its name, once its signature and golden vectors are found good."""
    from edge_app.inspection.installing import install

    options = BackendOptions(chosen(backend, runtime, delegate), threads)
    _print_installed(install(file, options))


@app.command("rollback")
def models_rollback(
    name: Annotated[str, typer.Argument(help="Of an installed model.")],
) -> None:
    """Let the version before answer to the name again; a second time changes back."""
    from edge_app.inspection.installing import roll_back

    _print_installed(roll_back(name))


def _print_installed(done: Installed) -> None:
    print(f"{done.name}: version {done.version} answers now; it {done.origin.words}")
    if done.before is not None:
        print(f"back to {done.before}: edge-cxr models rollback {done.name}")


def _new_password() -> str:
    """A password that was typed twice alike, so that the key is not lost to a slip."""
    from edge_app.core.errors import UsageError

    secret = _password("New password: ")
    if not secret:
        raise UsageError("no password was given: --no-password makes a key without one")
    if _password("Once more: ") != secret:
        raise UsageError("the two passwords differ: nothing was made")
    return secret


def _password(prompt: str) -> str:
    """A password, from the terminal or from standard input; it is shown nowhere."""
    import getpass
    import sys

    if sys.stdin is not None and not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    return getpass.getpass(prompt)
