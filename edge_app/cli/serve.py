"""`edge-cxr serve`: the box in the clinic."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_app.core.console import complain
from edge_app.core.errors import EXIT_USAGE, UsageError

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


def serve(
    settings: SettingsArgument,
    check: CheckOption = False,
    purge: PurgeOption = False,
    unfinished: UnfinishedOption = False,
) -> None:
    """Receive radiographs as a DICOM node or from a folder, and send the answers back."""
    from edge_app.clinic.settings import read_settings

    if check and purge:
        raise UsageError("--check and --purge exclude each other")
    if unfinished and not purge:
        raise UsageError("--unfinished belongs to --purge")
    known = read_settings(settings)
    if purge:
        _purge(known.spool, unfinished)
        return
    from edge_app.clinic.check import faults, missing

    found = list(faults(known) if check else missing(known))
    for fault in found:
        complain(f"{settings}: {fault}")
    if found:
        raise typer.Exit(EXIT_USAGE)
    if check:
        print(f"{settings}: nothing is wrong")
        return
    from edge_app.clinic.box import Box

    Box(known).run()


def _purge(folder: Path, unfinished: bool) -> None:
    from edge_app.clinic.retention import purge, sweep
    from edge_app.clinic.store import Store

    if not folder.is_dir():
        raise UsageError(f"{folder}: there is no spool")
    store = Store(folder)
    try:
        removed = purge(store, unfinished=unfinished)
        sweep(store)
        left = store.value("SELECT count(*) FROM image")
    finally:
        store.close()
    print(f"{removed} images removed, with their answers; {left} are left")
