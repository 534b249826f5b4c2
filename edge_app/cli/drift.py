"""`edge-cxr drift`: whether a period's answers still look as they did."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_app.cli.options import JsonOption, ModelOption, SiteOption, site_file
from edge_app.model.shipped import DEFAULT_MODEL


def drift(
    results: Annotated[
        list[Path],
        typer.Argument(metavar="RESULTS...", help="Of archive, or of classify --json or --csv."),
    ],
    model: ModelOption = DEFAULT_MODEL,
    site: SiteOption = None,
    looks: Annotated[
        int, typer.Option(min=1, max=1000, help="How many times you are going to look.")
    ] = 12,
    json: JsonOption = False,
) -> None:
    """Whether a period's answers still look as they did; exit code 5 if not."""
    from edge_app.site import command

    raise typer.Exit(command.drift_of(results, model, site_file(site), looks, json))
