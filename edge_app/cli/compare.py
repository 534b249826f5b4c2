"""`edge-cxr compare`: two evaluation reports, or files of scores, of the same images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_app.cli.options import (
    ExclusiveOption,
    JsonOption,
    LabelOption,
    NormalOption,
    ScaleOption,
)
from edge_app.core.errors import EXIT_DONE, EXIT_GATE


def compare(
    reference: Annotated[
        Path,
        typer.Argument(help="The float network's evaluation report, or scores: CSV, NPZ, Parquet."),
    ],
    candidate: Annotated[
        Path, typer.Argument(help="The int8 network's, or other scores, on the same images.")
    ],
    json: JsonOption = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page that opens offline.")
    ] = None,
    gate: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Change a limit; repeatable.")
    ] = None,
    resamples: Annotated[
        int, typer.Option(min=100, max=100_000, help="Bootstrap samples of patients.")
    ] = 2000,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What the scored images bear; not beside a report."),
    ] = None,
    label: LabelOption = None,
    normal: NormalOption = None,
    scale: ScaleOption = "auto",
    exclusive: ExclusiveOption = False,
) -> None:
    """What a quantized model does differently, label by label, and whether that is too much."""
    from edge_app.comparison.compare import compare as compare_reports
    from edge_app.comparison.gates import Gates, as_json, judge
    from edge_app.comparison.sides import sides
    from edge_app.core.console import complain
    from edge_app.evaluation.of_scores import Options

    gates = Gates.of(gate or [])
    options = Options.of(scale, label or (), exclusive)
    first, second = sides(reference, candidate, labels, options, normal)
    comparison = compare_reports(first, second, resamples)
    verdicts = judge(comparison, gates)
    if html:
        from edge_app.comparison.html import write_page

        write_page(comparison, verdicts, html)
    if json:
        print(as_json(comparison, verdicts))
    else:
        from edge_app.comparison.tables import print_comparison

        print_comparison(comparison, verdicts)
    broken = [verdict for verdict in verdicts if not verdict.passed]
    for verdict in broken:
        complain(verdict.message)
    raise typer.Exit(EXIT_GATE if broken else EXIT_DONE)
