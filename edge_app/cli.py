"""`edge-cxr`: parse, call, print. What a command needs is imported when it is called."""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import suppress
from functools import partial
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from edge_app import DISCLAIMER, __version__
from edge_app.errors import (
    EXIT_DONE,
    EXIT_GATE,
    EXIT_INTERRUPTED,
    EXIT_MODEL,
    EdgeCxrError,
    OutputError,
    UsageError,
    not_loaded,
)
from edge_app.images.radiograph import Limits
from edge_app.models import DEFAULT_MODEL
from edge_app.resources import cores
from edge_app.runtimes.asked import AUTO, Asked

if TYPE_CHECKING:
    from edge_app.inference.classifier import Classifier

LIMITS: Final = Limits()

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help=f"Score chest radiographs offline with int8 networks. {DISCLAIMER}",
)
models_app = typer.Typer(no_args_is_help=True, help="List, inspect and verify model files.")
app.add_typer(models_app, name="models")

ModelOption = Annotated[
    str, typer.Option("--model", "-m", help="A shipped model's name, or a model file.")
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(min=1, max=64, help="Of the interpreter; default: the fastest when tried here."),
]
RuntimeOption = Annotated[str, typer.Option(help="auto, litert or tflite.")]
DelegateOption = Annotated[
    str, typer.Option(metavar="NAME or PATH", help="auto, cpu, edgetpu, or a delegate's library.")
]
OperatingPointOption = Annotated[
    str | None, typer.Option(help="Which of the model's threshold sets; see 'models inspect'.")
]
MaxBytesOption = Annotated[int, typer.Option(min=1, help="Refuse larger files.")]
MaxPixelsOption = Annotated[int, typer.Option(min=1, help="Refuse larger images.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _version(asked: bool) -> None:
    if asked:
        print(f"edge-cxr {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _classifier(
    model: str, operating_point: str | None, asked: Asked, *, force: bool = False
) -> Classifier:
    """Ready to answer; what was hoped for and is not used is said."""
    from edge_app.inference.classifier import Classifier
    from edge_app.inference.model_file import locate, read
    from edge_app.output import complain

    classifier = Classifier(read(locate(model)), operating_point, asked, force=force)
    for note in classifier.choice.notes:
        complain(note)
    return classifier


@app.command()
def classify(
    images: Annotated[
        list[str] | None,
        typer.Argument(metavar="IMAGE...", help="Files, folders, or - for standard input."),
    ] = None,
    model: ModelOption = DEFAULT_MODEL,
    operating_point: OperatingPointOption = None,
    runtime: RuntimeOption = AUTO,
    delegate: DelegateOption = AUTO,
    threads: ThreadsOption = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Images worked on at once; default: cores.")
    ] = None,
    top: Annotated[int | None, typer.Option(min=1, max=15, help="Only the first N labels.")] = None,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Enter subfolders.")] = False,
    json: Annotated[bool, typer.Option("--json", help="JSON; one object a line for many.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="One CSV row an image.")] = False,
    film: Annotated[
        bool, typer.Option("--film", help="They are photographs of films or screens.")
    ] = False,
    camera: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Photograph a film with this camera.")
    ] = None,
    heatmap: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Also draw where the top findings are seen, as PNG."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace heatmaps that are already there.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Score what does not look like a chest radiograph, too.")
    ] = False,
    max_bytes: MaxBytesOption = LIMITS.max_bytes,
    max_pixels: MaxPixelsOption = LIMITS.max_pixels,
) -> None:
    """Score radiographs: PNG, JPEG, TIFF, BMP, WebP, and DICOM with the dicom extra."""
    from edge_app.batch import classify_all, read_source, with_progress
    from edge_app.output import CsvWriter, JsonWriter, TableWriter, Writer, complain
    from edge_app.sources import Sources
    from edge_app.workers import Reader

    if (camera is None) == (not images):
        raise UsageError("give IMAGE... or --camera N: one of them, not both")
    if json and csv:
        raise UsageError("--json and --csv exclude each other")
    many = len(images or ()) > 1 or any(map(os.path.isdir, images or ()))
    workers = workers or (cores() if many else 1)
    asked = Asked(runtime, delegate, threads, workers)
    classifier = _classifier(model, operating_point, asked, force=force)
    # What is drawn on, or rectified, is read at its full size.
    whole = bool(heatmap or film)
    least = None if whole else classifier.model.input_spec.least
    # Only JSON and a heatmap's name hold the file's digest.
    read_one: Reader = partial(read_source, least=least, digest=json or heatmap is not None)
    if camera is not None:
        from edge_app.film.camera import camera_reader

        images, read_one = [f"camera {camera}"], camera_reader(camera)
    if film or camera is not None:
        from edge_app.film.rectify import film_reader

        read_one = film_reader(read_one, classifier.check, classifier.model.input_spec)
    images = images or []
    sources = Sources(images, recursive)
    writer: Writer
    if json:
        writer = JsonWriter(classifier, top, many, sys.stdout)
    elif csv:
        writer = CsvWriter(classifier, sys.stdout)
    else:
        writer = TableWriter(classifier, top, sys.stdout)
    heatmaps = None
    if heatmap:
        from edge_app.heatmap.writer import HeatmapWriter

        writer = heatmaps = HeatmapWriter(writer, classifier, heatmap, overwrite=overwrite)
    # A bar among the answers would tear them: it is for output that goes elsewhere.
    shown = many and sys.stderr.isatty() and not sys.stdout.isatty()
    tally = classify_all(
        with_progress(sources, "classifying") if shown else sources,
        classifier,
        writer,
        Limits(max_bytes, max_pixels),
        workers,
        read_one,
    )
    if tally.answered:
        writer.close()
    sys.stdout.flush()
    if sources.left_out:
        what = "hidden entries" if recursive else "hidden entries and subfolders (see --recursive)"
        complain(f"left out: {sources.left_out} {what}")
    if tally.interrupted:
        complain(f"interrupted after {tally.answered} answers")
    elif not tally.answered and not tally.refused:
        raise UsageError("no image was found in what was named")
    elif many and (tally.refused or tally.withheld):
        withheld = f"; findings of {tally.withheld} withheld" if tally.withheld else ""
        complain(f"{tally.answered} answered, {tally.refused} refused{withheld}")
    if heatmaps and heatmaps.failed and not tally.interrupted:
        complain(f"{heatmaps.failed} heatmap(s) not written")
        raise typer.Exit(EXIT_MODEL)
    raise typer.Exit(tally.exit_code)


@app.command()
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
    retest: Annotated[
        bool, typer.Option(help="Also measure how steady the model is; takes five times as long.")
    ] = False,
    runtime: RuntimeOption = AUTO,
    delegate: DelegateOption = AUTO,
    threads: ThreadsOption = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many images.")] = None,
    json: JsonOption = False,
    max_bytes: MaxBytesOption = LIMITS.max_bytes,
    max_pixels: MaxPixelsOption = LIMITS.max_pixels,
) -> None:
    """Score a labelled folder and write the evaluation report; interrupted, it can go on."""
    from functools import partial

    from edge_app.batch import with_progress
    from edge_app.evaluation import evaluate as evaluation
    from edge_app.evaluation.labelled import load
    from edge_app.evaluation.report_text import summary
    from edge_app.output import complain

    if out is not None and out.suffix != ".json":
        raise UsageError(f"--out {out}: a report's name ends in .json")
    wanted = evaluation.part(load(folder, labels), split, limit)
    classifier = _classifier(model, operating_point, Asked(runtime, delegate, threads))
    place = out or Path(f"{classifier.model.name}-{wanted.split}.json")
    made, code = evaluation.evaluate(
        wanted,
        classifier,
        place,
        retest=retest,
        limits=Limits(max_bytes, max_pixels),
        progress=partial(with_progress, doing="evaluating") if sys.stderr.isatty() else iter,
    )
    if made is not None:
        print(dumps(made.content, indent=2) if json else summary(made))
        complain(f"written: {place} and {place.with_suffix('.npz').name}")
    raise typer.Exit(code)


@models_app.command("list")
def models_list(json: JsonOption = False) -> None:
    """The models that came with this package."""
    from edge_app import catalogue
    from edge_app.inference.model_file import shipped_models

    catalogue.print_list(shipped_models(), DEFAULT_MODEL, json)


@models_app.command("inspect")
def models_inspect(
    model: Annotated[str, typer.Argument(help="A shipped model's name, or a model file.")],
    json: JsonOption = False,
) -> None:
    """Manifest, metrics, input and outputs of a model."""
    from edge_app import catalogue
    from edge_app.inference.model_file import locate, read

    catalogue.print_model(read(locate(model)), json)


@models_app.command("verify")
def models_verify(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="Default: all shipped models.")
    ] = None,
    runtime: RuntimeOption = AUTO,
    delegate: DelegateOption = AUTO,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Check digest, schema and tensors, and run the golden vectors on this machine."""
    from edge_app import catalogue
    from edge_app.inference.model_file import locate, shipped_models

    paths = [locate(name) for name in models] if models else shipped_models()
    raise typer.Exit(catalogue.verify(paths, Asked(runtime, delegate, threads), json))


@app.command()
def compare(
    reference: Annotated[Path, typer.Argument(help="The float network's evaluation report.")],
    candidate: Annotated[Path, typer.Argument(help="The int8 network's, on the same images.")],
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
) -> None:
    """What a quantized model does differently, label by label, and whether that is too much."""
    from edge_app.comparison.compare import compare as compare_reports
    from edge_app.comparison.gates import Gates, as_json, judge
    from edge_app.evaluation.report import read as read_report
    from edge_app.output import complain

    gates = Gates.of(gate or [])
    comparison = compare_reports(read_report(reference), read_report(candidate), resamples)
    verdicts = judge(comparison, gates)
    if html:
        from edge_app.comparison.html import write_page

        write_page(comparison, verdicts, html)
    if json:
        print(as_json(comparison, verdicts))
    else:
        from edge_app.comparison.text import print_comparison

        print_comparison(comparison, verdicts)
    broken = [verdict for verdict in verdicts if not verdict.passed]
    for verdict in broken:
        complain(verdict.message)
    raise typer.Exit(EXIT_GATE if broken else EXIT_DONE)


@app.command()
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
    runtime: Annotated[list[str] | None, typer.Option(help="As of classify; repeatable.")] = None,
    delegate: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME or PATH", help="As of classify; repeatable."),
    ] = None,
    threads: Annotated[
        list[int] | None, typer.Option(min=1, max=64, help="Of the interpreter; repeatable.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="A folder by 1 to so many; default: cores.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0, help="No round of measurements begins after so long.")
    ] = 120,
    precision: Annotated[
        float, typer.Option(min=0.001, max=1, help="Enough is a median known to ± this share.")
    ] = 0.02,
    json: JsonOption = False,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.svg", help="Draw it.")] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="What is named are results of --json.")
    ] = False,
) -> None:
    """How fast this machine answers, stage by stage, and how sure that is."""
    from edge_app.benchmarking import command
    from edge_app.benchmarking.matrix import Axes

    if compare:
        if model or runtime or delegate or threads or workers or plot:
            raise UsageError("--compare takes results, and --json, but no other option")
        raise typer.Exit(command.side_by_side(named or [], json))
    axes = Axes(model or [DEFAULT_MODEL], runtime or [AUTO], delegate or [AUTO], threads or [1])
    code = command.measure(named or [], axes, workers, seconds, precision, json, plot)
    raise typer.Exit(code)


@app.command()
def doctor(
    runtime: RuntimeOption = AUTO, delegate: DelegateOption = AUTO, json: JsonOption = False
) -> None:
    """What works on this machine: versions, CPU, runtimes, delegate, the models' self-tests."""
    from edge_app import doctor as examination

    raise typer.Exit(examination.examine(Asked(runtime, delegate), json))


def main() -> NoReturn:
    """Every error one line and an exit code of its own, never a traceback."""
    _keep_only(sys.argv[1] if len(sys.argv) > 1 else "")
    from edge_app.output import complain

    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `edge-cxr … | head` is no fault
    if sys.stderr is None:  # closed by the caller: there is nobody to complain to
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    if sys.stdout is None:
        complain("standard output is closed: there is nowhere to print the answers")
        sys.exit(EXIT_MODEL)
    for stream in (sys.stdout, sys.stderr):
        # By line: what is answered is out, whatever happens next.
        stream.reconfigure(errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    try:
        code = _run()
    except EdgeCxrError as error:
        complain(str(error))
        code = error.exit_code
    except KeyboardInterrupt:
        complain("interrupted")
        code = EXIT_INTERRUPTED
    except MemoryError:
        complain("out of memory: close other programs, or lower --max-pixels")
        code = EXIT_MODEL
    except ImportError as error:
        complain(not_loaded(error))
        code = EXIT_MODEL
    gc.freeze()  # the collector need not look through what goes away with the process
    sys.exit(code)


def _keep_only(called: str) -> None:
    """Forget the other commands: typer works out all options of each before it calls one."""
    found = [each for each in app.registered_commands if each.callback.__name__ == called]  # type: ignore[union-attr]
    if found:
        app.registered_commands, app.registered_groups = found, []


def _run() -> int:
    """Typer's own exit code, with everything printed by the time it is known."""
    try:
        try:
            app()
        except SystemExit as ended:
            sys.stdout.flush()
            return ended.code if isinstance(ended.code, int) else EXIT_DONE
    except OSError as error:  # reading files has errors of its own: this is printing
        with suppress(OSError):  # what is still buffered is not to fail once more at the end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OutputError(f"cannot write the output: {error.strerror}") from None
    return EXIT_DONE
