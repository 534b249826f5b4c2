"""`edge-cxr evaluate`: score a labelled folder, write its report."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import partial
from json import dumps
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from edge_app.backends.options import BackendOptions
from edge_app.cli.backend_option import BackendOption, DelegateOption, RuntimeOption, chosen
from edge_app.cli.options import (
    LIMITS,
    JsonOption,
    MaxBytesOption,
    MaxPixelsOption,
    ModelOption,
    OperatingPointOption,
    SiteOption,
    ThreadsOption,
    WorkersOption,
    open_classifier,
)
from edge_app.core.console import complain
from edge_app.core.errors import EXIT_DONE, EXIT_INPUT, EXIT_INTERRUPTED, UsageError
from edge_app.core.resources import cores
from edge_app.images.radiograph import Limits
from edge_app.model.operating_points import PER_LABEL
from edge_app.model.shipped import DEFAULT_MODEL

Item = TypeVar("Item")


def evaluate(
    folder: Annotated[Path, typer.Argument(help="With images and a CSV of their labels.")],
    labels: Annotated[
        Path | None, typer.Option(metavar="CSV", help="The labels; default: the folder's own CSV.")
    ] = None,
    model: ModelOption = DEFAULT_MODEL,
    out: Annotated[
        Path | None, typer.Option(metavar="REPORT.json", help="Default: MODEL-SPLIT.json, here.")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="test, validation, train or all; default: test where an official list says which."
        ),
    ] = None,
    operating_point: OperatingPointOption = None,
    site: SiteOption = None,
    retest: Annotated[
        bool, typer.Option(help="Also measure how steady the model is; takes five times as long.")
    ] = False,
    backend: BackendOption = None,
    runtime: RuntimeOption = None,
    delegate: DelegateOption = None,
    threads: ThreadsOption = None,
    workers: WorkersOption = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many images.")] = None,
    json: JsonOption = False,
    max_bytes: MaxBytesOption = LIMITS.max_bytes,
    max_pixels: MaxPixelsOption = LIMITS.max_pixels,
) -> None:
    """Score a labelled folder and write the evaluation report; interrupted, it can go on."""
    from edge_app.evaluation.evaluate import evaluate as write_report
    from edge_app.evaluation.evaluate import journal_of, part
    from edge_app.evaluation.journal import HOW_TO_GO_ON
    from edge_app.evaluation.labelled import load
    from edge_app.evaluation.report_text import summary

    if out is not None and out.suffix != ".json":
        raise UsageError(f"--out {out}: a report's name ends in .json")
    options = BackendOptions(chosen(backend, runtime, delegate), threads, workers or cores())
    # All image-level points are in the report: what can be chosen is the labels' thresholds.
    by_label = operating_point and PER_LABEL + operating_point.removeprefix(PER_LABEL)
    classifier = open_classifier(model, by_label, options, site=site)
    wanted = part(load(folder, classifier.labels.names, labels), split, limit)
    place = out or Path(f"{classifier.model.name}-{wanted.split}.json")
    try:
        made = write_report(
            wanted,
            classifier,
            place,
            retest=retest,
            limits=Limits(max_bytes, max_pixels),
            workers=options.workers,
            progress=_progress(),
            say=complain,
        )
    except KeyboardInterrupt:
        complain(f"interrupted: what was answered is in {journal_of(place)}; {HOW_TO_GO_ON}")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    print(dumps(made.content, indent=2) if json else summary(made))
    complain(f"written: {place} and {place.with_suffix('.npz').name}")
    raise typer.Exit(EXIT_INPUT if made.content["dataset"]["left_out"]["images"] else EXIT_DONE)


def _progress() -> Callable[[Iterable[Item]], Iterable[Item]]:
    if not sys.stderr.isatty():
        return iter
    from edge_app.pipeline.progress import with_progress

    return partial(with_progress, doing="evaluating")
