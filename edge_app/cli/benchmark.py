"""`edge-cxr benchmark`: how fast this machine answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_app.cli.backend_option import all_chosen
from edge_app.cli.options import JsonOption, SiteOption, site_file
from edge_app.core.errors import UsageError
from edge_app.core.site_place import NONE
from edge_app.model.shipped import DEFAULT_MODEL


def benchmark(
    named: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[IMAGE]...", help="Files or folders; default: synthetic radiographs."
        ),
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", "-m", help="As of classify; repeatable.")
    ] = None,
    backend: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME or PATH", help="As of classify; repeatable."),
    ] = None,
    runtime: Annotated[list[str] | None, typer.Option(hidden=True)] = None,
    delegate: Annotated[list[str] | None, typer.Option(hidden=True)] = None,
    threads: Annotated[
        list[int] | None, typer.Option(min=1, max=64, help="Of the interpreter; repeatable.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="A folder by 1 to so many; default: cores.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0, help="No round of measurements begins after so long.")
    ] = 120,
    site: SiteOption = None,
    precision: Annotated[
        float, typer.Option(min=0.001, max=1, help="Enough is a median known to ± this share.")
    ] = 0.02,
    json: JsonOption = False,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.svg", help="Draw it.")] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="What is named are results of --json.")
    ] = False,
) -> None:
    """How fast this machine answers, stage by stage, with confidence intervals."""
    from edge_app.performance import command
    from edge_app.performance.combinations import Axes

    if compare:
        if model or backend or runtime or delegate or threads or workers or plot or site:
            raise UsageError("--compare takes results, and --json, but no other option")
        raise typer.Exit(command.side_by_side(named or [], json))
    backends = all_chosen(backend, runtime, delegate)
    decides = site_file(site)
    place = str(decides.path) if decides else NONE
    axes = Axes(model or [DEFAULT_MODEL], backends, threads or [1], place)
    code = command.measure(named or [], axes, workers, seconds, precision, json, plot)
    raise typer.Exit(code)
