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


def serve(
    settings: SettingsArgument,
    check: CheckOption = False,
    status: StatusOption = False,
    urgent: UrgentOption = None,
    purge: PurgeOption = False,
    unfinished: UnfinishedOption = False,
) -> None:
    """Receive radiographs as a DICOM node or from a folder, and send the answers back."""
    from edge_app.clinic.settings import read_settings

    if sum((check, status, urgent is not None, purge)) > 1:
        raise UsageError("--check, --status, --urgent and --purge exclude each other")
    if unfinished and not purge:
        raise UsageError("--unfinished belongs to --purge")
    known = read_settings(settings)
    if status or urgent is not None:
        _beside(known, urgent)
    elif purge:
        _purge(known.spool, unfinished)
    else:
        _serve(known, check)


def _serve(known: Settings, check: bool) -> None:
    from edge_app.clinic.check import faults, missing

    found = list(faults(known) if check else missing(known))
    for fault in found:
        complain(f"{known.file}: {fault}")
    if found:
        raise typer.Exit(EXIT_USAGE)
    if check:
        print(f"{known.file}: nothing is wrong")
        return
    from edge_app.clinic.box import Box

    Box(known).run()


def _beside(known: Settings, urgent: int | None) -> None:
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
    from edge_app.clinic.store import Store

    if not folder.is_dir():
        raise UsageError(f"{folder}: there is no spool")
    return Store(folder, alone=alone)


def _purge(folder: Path, unfinished: bool) -> None:
    from edge_app.clinic.retention import purge, sweep

    store = _opened(folder, alone=True)
    try:
        removed = purge(store, unfinished=unfinished)
        sweep(store)
        left = store.value("SELECT count(*) FROM image")
    finally:
        store.close()
    print(f"{removed} images removed, with their answers; {left} are left")
