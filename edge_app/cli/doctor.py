"""`edge-cxr doctor`: what works on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from edge_app.backends.options import BackendOptions
from edge_app.cli.backend_option import BackendOption, DelegateOption, RuntimeOption, chosen
from edge_app.cli.options import JsonOption

INSTALLED: Final = Path("/etc/edge-cxr/box.toml")
"""The settings of the box that runs as a service."""

SettingsOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Of the box, to say what 'serve --check' does. Default: /etc/edge-cxr/box.toml, if it "
        "is there.",
    ),
]


def doctor(
    backend: BackendOption = None,
    runtime: RuntimeOption = None,
    delegate: DelegateOption = None,
    settings: SettingsOption = None,
    json: JsonOption = False,
) -> None:
    """What works on this machine: versions, CPU, backends, the models' self-tests, the box."""
    from edge_app.inspection import doctor as examination

    box = None
    if settings or INSTALLED.is_file():
        from edge_app.clinic.check import examined

        box = examined(settings or INSTALLED, as_visitor=True)._asdict()
    options = BackendOptions(chosen(backend, runtime, delegate))
    raise typer.Exit(examination.examine(options, json, box))
