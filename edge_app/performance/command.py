"""`edge-cxr benchmark` after parsing: measure or compare, print, draw."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from edge_app.core.console import complain
from edge_app.core.errors import (
    EXIT_DONE,
    EXIT_GATE,
    EXIT_INTERRUPTED,
    EXIT_MODEL,
    OutputError,
    ReportError,
    UsageError,
)
from edge_app.performance import combinations as matrix
from edge_app.performance import images, result
from edge_app.performance.compare import compare
from edge_app.performance.document import BenchmarkDocument


def measure(
    named: Sequence[str],
    axes: matrix.Axes,
    workers: int | None,
    seconds: float,
    precision: float,
    as_json: bool,
    plot: Path | None,
) -> int:
    """Measure, print, draw; returns the exit code."""
    if plot is not None and not plot.absolute().parent.is_dir():
        raise OutputError(f"--plot {plot}: there is no such folder to write it to")
    combined = matrix.combine(axes)
    with TemporaryDirectory(prefix="edge-cxr-") as folder:
        pictures = images.gather(named) if named else images.draw(Path(folder))
        found = result.measure(
            combined,
            pictures,
            matrix.worker_counts(workers),
            seconds=seconds,
            precision=precision,
            command=["edge-cxr", *sys.argv[1:]],
            progress=complain if sys.stderr.isatty() else lambda line: None,
        )
    try:  # before printing, because a reader that goes away ends the process
        if plot is not None:
            from edge_app.performance.plot import write_picture

            write_picture(found, plot)
    finally:
        _print(found, as_json)
    if found["partial"]:
        return EXIT_INTERRUPTED
    return EXIT_MODEL if found["not_measured"] else EXIT_DONE


def _print(found: BenchmarkDocument, as_json: bool) -> None:
    if as_json:
        print(json.dumps(found, indent=1))
        for line in (*found["warnings"], *result.not_measured(found)):
            complain(line)
    else:
        from edge_app.performance.tables import print_result

        print_result(found)


def side_by_side(paths: Sequence[str], as_json: bool) -> int:
    """Compare each further result with the first; returns the exit code."""
    from edge_app.performance.tables import as_dict, name_of, print_comparison

    if len(paths) < 2:
        raise UsageError("--compare takes two results or more, the first to compare others with")
    first, *others = paths
    before = result.load(Path(first))
    slower, found = 0, []
    for name in others:
        after = result.load(Path(name))
        try:
            comparison = compare(before, after)
        except ReportError as error:
            raise ReportError(f"{first} and {name}: {error}") from None
        if as_json:
            found.append({"before": first, "after": name, **as_dict(comparison)})
        else:
            print_comparison((first, name), (before, after), comparison)
        for each in comparison.slower:
            complain(f"{name}: slower: {each.cell}: {name_of(each.quantity).strip()}")
        slower += len(comparison.slower)
    if as_json:
        print(json.dumps(found, indent=1))
    return EXIT_GATE if slower else EXIT_DONE
