"""`edge-cxr doctor`: what works on this machine."""

from __future__ import annotations

import typer

from edge_app.backends.options import AUTO, Asked
from edge_app.cli.options import DelegateOption, JsonOption, RuntimeOption


def doctor(
    runtime: RuntimeOption = AUTO, delegate: DelegateOption = AUTO, json: JsonOption = False
) -> None:
    """What works on this machine: versions, CPU, runtimes, delegate, the models' self-tests."""
    from edge_app.inspection import doctor as examination

    raise typer.Exit(examination.examine(Asked(runtime, delegate), json))
