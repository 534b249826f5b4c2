"""`edge-cxr doctor`: what works on this machine."""

from __future__ import annotations

import typer

from edge_app.backends.options import BackendOptions
from edge_app.cli.backend_option import BackendOption, DelegateOption, RuntimeOption, chosen
from edge_app.cli.options import JsonOption


def doctor(
    backend: BackendOption = None,
    runtime: RuntimeOption = None,
    delegate: DelegateOption = None,
    json: JsonOption = False,
) -> None:
    """What works on this machine: versions, CPU, backends, the models' self-tests."""
    from edge_app.inspection import doctor as examination

    raise typer.Exit(examination.examine(BackendOptions(chosen(backend, runtime, delegate)), json))
