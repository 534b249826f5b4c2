"""Results and comparisons as tables on a terminal."""

from __future__ import annotations

from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge_app.core.plain_text import plain
from edge_app.performance.compare import Comparison
from edge_app.performance.document import BenchmarkDocument, CellDocument
from edge_app.performance.interval import Interval
from edge_app.performance.result import not_measured
from edge_app.performance.rounds import BUDGET, INTERRUPTED, PRECISE
from edge_app.performance.stages import STAGES

FILE_WIDTH: Final = 120

NAMES: Final = {
    "cold_start": "classify one image, whole process",
    "cold_start_cpu": "  of that, CPU time",
    "peak_memory": "  its peak memory",
    "model_load": "model load",
    "first_inference": "first inference",
    "total": "an image",
    **{stage: f"  {stage}" for stage in STAGES},
    "yardstick_inflate": "yardstick: inflate",
    "yardstick_parse": "yardstick: parse",
}

ENDED: Final = {
    PRECISE: "ended when the median time of an image was known to ± {precision:.1%} everywhere",
    BUDGET: "ended after {seconds:g} s; the goal was ± {precision:.1%}",
    INTERRUPTED: "PARTIAL: interrupted",
}


def name_of(quantity: str) -> str:
    """A quantity in words."""
    if quantity in NAMES:
        return NAMES[quantity]
    kind, _, workers = quantity.rpartition("_")
    many = f"{workers} workers" if workers != "1" else "1 worker"
    return f"  peak memory, {many}" if kind == "peak_memory" else f"a folder, {many}"


def number(value: float | None, unit: str) -> str:
    """With three significant digits: `1.84 ms`."""
    if value is None:
        return "unknown"
    if unit == "B":
        return f"{value / (1 << 20):.1f} MiB"
    if unit == "images/s":
        return f"{_digits(value)}/s"
    for scale, name in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if value >= scale:
            return f"{_digits(value / scale)} {name}"
    return f"{_digits(value / 1e-9)} ns"


def _digits(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def print_result(result: BenchmarkDocument) -> None:
    """Machine, warnings, and a table for each combination."""
    console = _console()
    for line in heading(result):
        console.print(Text(line))
    for cell in result["cells"]:
        console.print()
        console.print(_table(cell))
    if result["warnings"] or result["not_measured"]:
        console.print()
    for line in (*(f"warning: {warning}" for warning in result["warnings"]), *not_measured(result)):
        console.print(Text(plain(line)))


def heading(result: BenchmarkDocument) -> list[str]:
    """Machine, images, and how it ended."""
    machine, images, settings = result["machine"], result["images"], result["settings"]
    board = f"{machine['board']}, " if machine["board"] else ""
    kinds = ", ".join(f"{count} × {kind}" for kind, count in images["kinds"].items())
    clock = f", {machine['max_mhz']} MHz at most" if machine["max_mhz"] else ""
    governor = f", governor {machine['governor']}" if machine["governor"] else ""
    return [
        plain(f"{board}{machine['cpu']}, {machine['cores']} cores{clock}{governor}"),
        plain(f"{machine['kernel']}; edge-cxr {result['edge_cxr']}"),
        plain(f"{images['source']} images: {kinds}, {images['bytes'] / images['count']:.0f} bytes")
        + " each on average, from the page cache",
        ENDED[result["ended"]].format(**settings),
    ]


def _table(cell: CellDocument) -> Table:
    model, runtime, quantities = cell["model"], cell["runtime"], cell["quantities"]
    delegate = runtime["library"] or runtime["delegate"]
    title = (
        f"{model['name']}, {model['dtype']}, {model['bytes'] / 1e6:.2f} MB; {runtime['name']} "
        f"{runtime['version']}, {delegate}, threads: {runtime['threads']}"
    )
    table = Table(title=Text(plain(title)), title_justify="left", box=None, header_style="bold")
    table.add_column("")
    for column in ("median", "95 % interval", "min", "p90", "p99", "samples", "spread"):
        table.add_column(column, justify="right")
    names = [*NAMES, *(name for name in quantities if name not in NAMES)]
    for name in names:
        if name not in quantities:
            continue
        one = quantities[name]
        unit = one["unit"]
        many = one["count"] > len(one["runs"])
        table.add_row(
            name_of(name),
            number(one["value"], unit),
            _interval(one["value"], one["low"], one["high"]),
            number(one["min"], unit),
            number(one["p90"], unit) if many else "",
            number(one["p99"], unit) if many else "",
            f"{one['count']} in {len(one['runs'])}" if many else str(one["count"]),
            f"{one['spread']:.1%}",
        )
    return table


def _interval(value: float, low: float | None, high: float | None) -> str:
    """Relative to the value."""
    if low is None or high is None:
        return "one run only"
    return f"−{1 - low / value:.1%} +{high / value - 1:.1%}"


def print_comparison(
    names: tuple[str, str],
    results: tuple[BenchmarkDocument, BenchmarkDocument],
    comparison: Comparison,
) -> None:
    """Notes, then a line for each quantity of each combination."""
    console = _console()
    for name, result in zip(names, results, strict=True):
        console.print(Text(plain(f"{name}: {heading(result)[0]}; edge-cxr {result['edge_cxr']}")))
    for note in comparison.notes:
        console.print(Text(plain(f"note: {note}")))
    pace = "ratio, adjusted" if comparison.same_machine else "ratio"
    for cell in dict.fromkeys(each.cell for each in comparison.differences):
        console.print()
        table = Table(title=Text(plain(cell)), title_justify="left", box=None)
        table.add_column("")
        for column in ("of a process", "first", "second", pace, "interval"):
            table.add_column(column, justify="right")
        table.add_column("")
        for each in comparison.differences:
            if each.cell == cell:
                table.add_row(
                    name_of(each.quantity),
                    each.statistic,
                    number(each.before, each.unit),
                    number(each.after, each.unit),
                    f"{each.ratio.value:.3f}",
                    _ends(each.ratio),
                    each.verdict or "",
                )
        console.print(table)


def _ends(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return "one run only"
    return f"{interval.low:.3f} to {interval.high:.3f}"


def as_dict(comparison: Comparison) -> dict[str, Any]:
    """For JSON."""
    return {
        "same_machine": comparison.same_machine,
        "notes": list(comparison.notes),
        "differences": [
            {
                "cell": each.cell,
                "quantity": each.quantity,
                "statistic": each.statistic,
                "unit": each.unit,
                "before": each.before,
                "after": each.after,
                "ratio": each.ratio.value,
                "low": each.ratio.low,
                "high": each.ratio.high,
                "verdict": each.verdict,
            }
            for each in comparison.differences
        ],
    }


def _console() -> Console:
    console = Console(highlight=False)
    if not console.is_terminal:  # a file or a pipe has no width to fit into
        console = Console(highlight=False, width=FILE_WIDTH)
    return console
