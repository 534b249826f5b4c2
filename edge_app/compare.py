"""Two evaluation reports side by side."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from edge_app.labels import LABELS
from edge_app.report import Report


def side_by_side(reference: Report, candidate: Report) -> Table:
    """A table of both reports' AUROC, sensitivity and specificity per label."""
    left, right = reference.content, candidate.content
    names = [
        f"{content['model']['name']} {content['model']['format']}" for content in (left, right)
    ]
    table = Table(title=f"{names[0]} | {names[1]}", title_justify="left", box=None)
    table.add_column("label")
    table.add_column("support", justify="right")
    for metric in ("AUROC", "sensitivity", "specificity"):
        table.add_column(metric, justify="right")
        table.add_column("", justify="right")
        table.add_column("Δ", justify="right")
    rows = [*zip(LABELS, left["labels"], right["labels"], strict=True)]
    for label, first, second in rows:
        table.add_row(label, str(first["support"]), *_cells(first, second))
    table.add_row("macro, findings", "", *_cells(left["macro"], right["macro"]), style="bold")
    return table


def _cells(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    cells = []
    for metric in ("auroc", "recall", "specificity"):
        a, b = first[metric]["value"], second[metric]["value"]
        cells += ["none" if value is None else f"{value:.3f}" for value in (a, b)]
        cells.append("" if a is None or b is None else f"{b - a:+.4f}")
    return cells
