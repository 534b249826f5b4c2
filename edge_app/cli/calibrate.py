"""`edge-cxr calibrate`: what a model's answers mean at one site."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_app.cli.options import JsonOption, ModelOption
from edge_app.core.errors import UsageError
from edge_app.model.shipped import DEFAULT_MODEL


def calibrate(
    reports: Annotated[
        list[Path], typer.Argument(metavar="REPORT...", help="Of evaluate, on the site's images.")
    ],
    model: ModelOption = DEFAULT_MODEL,
    out: Annotated[Path, typer.Option(metavar="FILE.json", help="The site file.")] = Path(
        "site.json"
    ),
    sensitivity: Annotated[
        float | None, typer.Option(help="At least this share of images with a finding is flagged.")
    ] = None,
    specificity: Annotated[
        float | None, typer.Option(help="At least this share of normal images is not flagged.")
    ] = None,
    false_alarms: Annotated[
        float | None,
        typer.Option(metavar="N", help="At most one normal image in N is flagged. [default: 10]"),
    ] = None,
    cost_ratio: Annotated[
        float | None, typer.Option(metavar="R", help="A miss weighs as much as R false alarms.")
    ] = None,
    certainty: Annotated[
        float, typer.Option(help="That the target is kept, where it is a share.")
    ] = 0.95,
    prevalence: Annotated[
        float | None,
        typer.Option(help="Of findings in routine, if the set was not drawn from routine."),
    ] = None,
    subgroups: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Of labels, with age, sex or view.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Also the curve, to pick from.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Fit probabilities and a threshold for one site, from evaluation reports of its images."""
    from edge_app.site import command
    from edge_app.site.target import target

    aim = target(sensitivity, specificity, false_alarms, cost_ratio, certainty)
    if prevalence is not None and not 0.0001 <= prevalence <= 0.9999:
        raise UsageError(f"--prevalence {prevalence:g}: a share from 0.0001 to 0.9999")
    command.calibrate_site(reports, model, out, aim, prevalence, subgroups, html, json)
