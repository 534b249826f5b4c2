"""`edge-cxr evaluate`: score a labelled folder, write its report."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from edge_app.backends.options import BackendOptions
from edge_app.cli.backend_option import BackendOption, DelegateOption, RuntimeOption, chosen
from edge_app.cli.options import (
    LIMITS,
    ExclusiveOption,
    IsolateOption,
    JsonOption,
    LabelOption,
    MaxBytesOption,
    MaxPixelsOption,
    ModelOption,
    NormalOption,
    OperatingPointOption,
    ScaleOption,
    SiteOption,
    ThreadsOption,
    WorkersOption,
    at_once,
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


FolderArgument = Annotated[
    Path | None, typer.Argument(help="With images and a CSV of their labels.")
]
LabelsOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The labels; default: the folder's own CSV.")
]
ScoresOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Instead of FOLDER: anyone's scores: CSV, NPZ, Parquet."),
]
PointsOption = Annotated[
    Path | None,
    typer.Option(metavar="REPORT.json", help="Of scores: decide at its thresholds."),
]
OutOption = Annotated[
    Path | None, typer.Option(metavar="REPORT.json", help="Default: MODEL-SPLIT.json, here.")
]
SplitOption = Annotated[
    str | None,
    typer.Option(
        help="test, validation, train or all; default: test where an official list says which."
    ),
]
SecondOption = Annotated[
    Path | None,
    typer.Option(metavar="CSV", help="What others said of some of the images: YES or NO."),
]
GroupOption = Annotated[
    list[str] | None,
    typer.Option(metavar="COLUMN=LABEL|…", help="Labels that a column of it stands for."),
]
RetestOption = Annotated[
    bool, typer.Option(help="Also measure how steady the model is; takes five times as long.")
]
LimitOption = Annotated[int | None, typer.Option(min=1, help="Only so many images.")]


def evaluate(
    folder: FolderArgument = None,
    labels: LabelsOption = None,
    model: ModelOption = DEFAULT_MODEL,
    out: OutOption = None,
    split: SplitOption = None,
    operating_point: OperatingPointOption = None,
    site: SiteOption = None,
    second_reference: SecondOption = None,
    group: GroupOption = None,
    retest: RetestOption = False,
    scores: ScoresOption = None,
    points_of: PointsOption = None,
    label: LabelOption = None,
    normal: NormalOption = None,
    scale: ScaleOption = "auto",
    exclusive: ExclusiveOption = False,
    backend: BackendOption = None,
    runtime: RuntimeOption = None,
    delegate: DelegateOption = None,
    threads: ThreadsOption = None,
    workers: WorkersOption = None,
    limit: LimitOption = None,
    isolate: IsolateOption = False,
    json: JsonOption = False,
    max_bytes: MaxBytesOption = LIMITS.max_bytes,
    max_pixels: MaxPixelsOption = LIMITS.max_pixels,
) -> None:
    """Score a labelled folder and write the evaluation report; interrupted, it can go on.

    With --scores the report is of scores that any classifier gave, and no model is opened.
    """
    _require_json(out)
    reading: dict[str, object] = {"--points-of": points_of, "--label": label, "--normal": normal}
    reading |= {"--scale": scale != "auto", "--exclusive": exclusive}
    scoring: dict[str, object] = {"FOLDER": folder, "--split": split, "--site": site}
    scoring |= {"--limit": limit, "--operating-point": operating_point, "--retest": retest}
    scoring |= {"--isolate": isolate}
    _require_none(scoring | {"--second-reference": second_reference} if scores else reading, scores)
    if scores is not None:
        how = (scale, label or (), exclusive)
        raise typer.Exit(_of_scores(scores, labels, points_of, out, json, normal, how))
    if folder is None:
        raise UsageError("FOLDER of images, or --scores FILE and --labels FILE, is missing")
    from edge_app.evaluation.evaluate import part
    from edge_app.evaluation.labelled import load

    workers = workers or cores()
    options = BackendOptions(chosen(backend, runtime, delegate), threads, workers)
    limits = Limits(max_bytes, max_pixels)
    workers = at_once(workers, isolate)
    with decoding(isolate, workers, limits) as decoder:
        classifier = open_classifier(model, per_label(operating_point), options, site=site)
        exclusive = classifier.model.head == "exclusive"
        selection = part(load(folder, classifier.labels, labels, exclusive=exclusive), split, limit)
        place = out or Path(f"{classifier.model.name}-{selection.split}.json")
        second = _second(second_reference, group or [])
        more: dict[str, Any] = {"retest": retest, "limits": limits, "workers": workers}
        made = _written(selection, classifier, place, second=second, decoder=decoder, **more)
    raise typer.Exit(_printed(made, place, json))


def _printed(made: Report, place: Path, json: bool) -> int:
    """The exit code, once the report is printed."""
    from edge_app.evaluation.report_text import summary

    print(dumps(made.content, indent=2) if json else summary(made))
    complain(f"written: {place} and {place.with_suffix('.npz').name}")
    return EXIT_INPUT if made.content["dataset"]["left_out"]["images"] else EXIT_DONE


def _require_none(excluded: dict[str, object], scores: Path | None) -> None:
    """Refuse what would be passed over."""
    for name, value in excluded.items():
        if value:
            words = "excludes" if scores else "belongs to"
            raise UsageError(f"{name} {words} --scores")


def _of_scores(
    scores: Path,
    labels: Path | None,
    points_of: Path | None,
    out: Path | None,
    json: bool,
    normal: str | None,
    reading: tuple[str, Sequence[str], bool],
) -> int:
    """The exit code, once the report of a file of scores is written and printed."""
    from edge_app.evaluation import of_scores, truth
    from edge_app.evaluation.report import read

    options = of_scores.Options.of(*reading)
    like = read(points_of) if points_of else None
    if like and options.labels:
        raise UsageError("--label: the labels are those of --points-of")
    if labels:
        exclusive = options.exclusive or bool(like and like.head == "exclusive")
        ground_truth = truth.read(labels, normal, exclusive=exclusive)
    elif like:
        ground_truth = truth.of_report(like)
    else:
        raise UsageError("--labels FILE: which of the scored images bear which labels?")
    place = out or Path(f"{scores.stem}.json")
    made = of_scores.report_of(scores, ground_truth, options, like)
    of_scores.write(made, place)
    return _printed(made, place, json)


def _require_json(out: Path | None) -> None:
    if out is not None and out.suffix != ".json":
        raise UsageError(f"--out {out}: a report's name ends in .json")


def _written(selection: Part, classifier: Classifier, place: Path, **options: Any) -> Report:
    """The report, written; after Ctrl-C it is said how to go on."""
    from edge_app.evaluation.evaluate import evaluate as write_report
    from edge_app.evaluation.evaluate import journal_of
    from edge_app.evaluation.journal import HOW_TO_GO_ON

    try:
        return write_report(
            selection, classifier, place, progress=_progress(), say=complain, **options
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
