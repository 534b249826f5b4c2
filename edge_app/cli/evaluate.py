"""`edge-cxr evaluate`: score a labelled folder, write its report."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import partial
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from edge_app.backends.options import BackendOptions
from edge_app.cli.backend_option import BackendOption, DelegateOption, RuntimeOption, chosen
from edge_app.cli.options import (
    LIMITS,
    IsolateOption,
    JsonOption,
    MaxBytesOption,
    MaxPixelsOption,
    ModelOption,
    OperatingPointOption,
    SiteOption,
    ThreadsOption,
    WorkersOption,
    decoding,
    open_classifier,
)
from edge_app.core.console import complain
from edge_app.core.errors import EXIT_DONE, EXIT_INPUT, EXIT_INTERRUPTED, UsageError
from edge_app.core.resources import cores
from edge_app.images.radiograph import Limits
from edge_app.model.operating_points import per_label
from edge_app.model.shipped import DEFAULT_MODEL

if TYPE_CHECKING:
    from edge_app.classifier import Classifier
    from edge_app.evaluation.evaluate import Part
    from edge_app.evaluation.report import Report
    from edge_app.evaluation.second_reference import SecondReference

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
    second_reference: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="What others said of some of the images: YES or NO."),
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=LABEL|…", help="Labels that a column of it stands for."),
    ] = None,
    retest: Annotated[
        bool, typer.Option(help="Also measure how steady the model is; takes five times as long.")
    ] = False,
    backend: BackendOption = None,
    runtime: RuntimeOption = None,
    delegate: DelegateOption = None,
    threads: ThreadsOption = None,
    workers: WorkersOption = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many images.")] = None,
    isolate: IsolateOption = False,
    json: JsonOption = False,
    max_bytes: MaxBytesOption = LIMITS.max_bytes,
    max_pixels: MaxPixelsOption = LIMITS.max_pixels,
) -> None:
    """Score a labelled folder and write the evaluation report; interrupted, it can go on."""
    from edge_app.evaluation.evaluate import part
    from edge_app.evaluation.labelled import load
    from edge_app.evaluation.report_text import summary

    _require_json(out)
    options = BackendOptions(chosen(backend, runtime, delegate), threads, workers or cores())
    limits = Limits(max_bytes, max_pixels)
    with decoding(isolate, options.workers, limits) as decoder:
        classifier = open_classifier(model, per_label(operating_point), options, site=site)
        wanted = part(load(folder, classifier.labels, labels), split, limit)
        place = out or Path(f"{classifier.model.name}-{wanted.split}.json")
        second = _second(second_reference, group or [])
        how = {"retest": retest, "limits": limits, "workers": options.workers}
        made = _written(wanted, classifier, place, second=second, decoder=decoder, **how)
    print(dumps(made.content, indent=2) if json else summary(made))
    complain(f"written: {place} and {place.with_suffix('.npz').name}")
    raise typer.Exit(EXIT_INPUT if made.content["dataset"]["left_out"]["images"] else EXIT_DONE)


def _require_json(out: Path | None) -> None:
    if out is not None and out.suffix != ".json":
        raise UsageError(f"--out {out}: a report's name ends in .json")


def _written(wanted: Part, classifier: Classifier, place: Path, **options: Any) -> Report:
    """The report, written; after Ctrl-C it is said how to go on."""
    from edge_app.evaluation.evaluate import evaluate as write_report
    from edge_app.evaluation.evaluate import journal_of
    from edge_app.evaluation.journal import HOW_TO_GO_ON

    try:
        return write_report(
            wanted, classifier, place, progress=_progress(), say=complain, **options
        )
    except KeyboardInterrupt:
        complain(f"interrupted: what was answered is in {journal_of(place)}; {HOW_TO_GO_ON}")
        raise typer.Exit(EXIT_INTERRUPTED) from None


def _second(path: Path | None, groups: list[str]) -> SecondReference | None:
    if path is None:
        if groups:
            raise UsageError("--group belongs to --second-reference: name its CSV")
        return None
    from edge_app.evaluation.second_reference import groups_of, read

    return read(path, groups_of(groups))


def _progress() -> Callable[[Iterable[Item]], Iterable[Item]]:
    if not sys.stderr.isatty():
        return iter
    from edge_app.pipeline.progress import with_progress

    return partial(with_progress, doing="evaluating")
