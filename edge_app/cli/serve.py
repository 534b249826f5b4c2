"""`edge-cxr serve`: the box in the clinic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_app.core.console import complain
from edge_app.core.errors import EXIT_USAGE, UsageError

if TYPE_CHECKING:
    from edge_app.clinic.settings import Settings
    from edge_app.clinic.store import Store

SettingsArgument = Annotated[Path, typer.Argument(metavar="SETTINGS", help="A TOML file.")]
CheckOption = Annotated[
    bool, typer.Option("--check", help="Say what is wrong with the settings and this machine.")
]
PurgeOption = Annotated[
    bool, typer.Option("--purge", help="Remove images and answers that are finished.")
]
UnfinishedOption = Annotated[
    bool, typer.Option("--unfinished", help="With --purge: unanswered and undelivered ones, too.")
]
StatusOption = Annotated[
    bool, typer.Option("--status", help="What waits, and what the receivers still have to get.")
]
UrgentOption = Annotated[
    int | None, typer.Option(metavar="NUMBER", help="Have this image answered before all others.")
]
PasswordOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Let a reader in at the page; asks for a password."),
]
TokenOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Let a program in; prints its token, once.")
]
ForgetOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Let a reader or a program in no more.")
]


def serve(
    settings: SettingsArgument,
    check: CheckOption = False,
    status: StatusOption = False,
    urgent: UrgentOption = None,
    purge: PurgeOption = False,
    unfinished: UnfinishedOption = False,
    password: PasswordOption = None,
    token: TokenOption = None,
    forget: ForgetOption = None,
) -> None:
    """Receive radiographs as a DICOM node, from a folder or on a page, and give the answers."""
    from edge_app.clinic.settings import read_settings

    actions = (urgent, password, token, forget)
    if sum((check, status, purge, *(each is not None for each in actions))) > 1:
        raise UsageError(
            "--check, --status, --urgent, --purge, --password, --token and --forget exclude each "
            "other"
        )
    if unfinished and not purge:
        raise UsageError("--unfinished belongs to --purge")
    if check:
        _check(settings)
        return
    known = read_settings(settings)
    if status or urgent is not None:
        _inspect(known, urgent)
    elif purge:
        _purge(known.spool, unfinished)
    elif any(each is not None for each in (password, token, forget)):
        _account(known, password, token, forget)
    else:
        _serve(known)


def _account(known: Settings, password: str | None, token: str | None, forget: str | None) -> None:
    """Change who may come in; a running box takes it at once."""
    from edge_app.clinic.page import accounts

    if known.users is None:
        raise UsageError(f"{known.file}: users is missing: say in which file users are kept")
    if password is not None:
        accounts.set_password(known.users, password, _read_password())
        print(f"{password} may sign in")
    elif token is not None:
        print(accounts.set_token(known.users, token))
    elif forget is not None and not accounts.forget(known.users, forget):
        raise UsageError(f"{known.users}: there is no {forget!r}")


def _read_password() -> str:
    """Twice from a person; the first line of standard input from a program."""
    import getpass
    import sys

    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass("Password: ")
    if first != getpass.getpass("Again: "):
        raise UsageError("the two differ: try again")
    return first


def _check(file: Path) -> None:
    from edge_app.clinic.check import examined

    found = examined(file)
    for fault in found.faults:
        complain(fault)
    if found.faults:
        raise typer.Exit(EXIT_USAGE)
    for caution in found.cautions:
        complain(caution)
    print(found.remark)


def _serve(known: Settings) -> None:
    from edge_app.clinic.check import cautions, missing

    found = list(missing(known))
    for fault in found:
        complain(f"{known.file}: {fault}")
    if found:
        raise typer.Exit(EXIT_USAGE)
    for caution in cautions(known):
        complain(f"{known.file}: {caution}")
    from edge_app.clinic.box import Box

    Box(known).run()


def _inspect(known: Settings, urgent: int | None) -> None:
    """Look into the spool of a box, whether it runs or not."""
    from edge_app.clinic.status import lines

    store = _opened(known.spool, alone=False)
    try:
        if urgent is not None:
            from edge_app.clinic.spool import Spool

            if not Spool(store).hasten(urgent):
                raise UsageError(f"no image with the number {urgent} waits")
            print(f"image {urgent} is next")
        else:
            print("\n".join(lines(store, known)))
    finally:
        store.close()


def _opened(folder: Path, *, alone: bool) -> Store:
    from edge_app.clinic.store import Store, is_there

    if not is_there(folder):  # it would be made where its disk is not mounted
        raise UsageError(f"{folder}: there is no spool")
    return Store(folder, alone=alone)


def _purge(folder: Path, unfinished: bool) -> None:
    from edge_app.clinic.retention import purge
    from edge_app.clinic.strays import sweep

    store = _opened(folder, alone=True)
    try:
        removed = purge(store, unfinished=unfinished)
        sweep(store)
        left = store.value("SELECT count(*) FROM image")
    finally:
        store.close()
    print(f"{removed} images removed, with their answers; {left} are left")
