"""`edge-cxr classify`: score radiographs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from edge_app.backends.options import BackendOptions
from edge_app.cli.backend_option import BackendOption, DelegateOption, RuntimeOption, chosen
from edge_app.cli.options import (
    LIMITS,
    ForceOption,
    IsolateOption,
    MaxBytesOption,
    MaxPixelsOption,
    ModelOption,
    OperatingPointOption,
    SiteOption,
    ThreadsOption,
    WorkersOption,
    at_once,
    decoding,
    open_classifier,
)
from edge_app.core.console import complain
from edge_app.core.errors import EXIT_MODEL, UsageError
from edge_app.core.resources import cores
from edge_app.images.radiograph import Limits, Reader
from edge_app.model.shipped import DEFAULT_MODEL

if TYPE_CHECKING:
    from edge_app.classifier import Classifier
    from edge_app.images.read import Decoder
    from edge_app.pipeline.heatmaps import HeatmapWriter
    from edge_app.pipeline.html import HtmlWriter
    from edge_app.pipeline.sources import Sources
    from edge_app.pipeline.tally import Tally
    from edge_app.pipeline.writers import Writer


ImagesArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="IMAGE...", help="Files, folders, or - for standard input."),
]
TopOption = Annotated[int | None, typer.Option(min=1, help="Only the first N labels.")]
RecursiveOption = Annotated[bool, typer.Option("--recursive", "-r", help="Enter subfolders.")]
JsonLinesOption = Annotated[
    bool,
    typer.Option(
        "--json", help="JSON; one object a line for many. Go by raised; per label, by above."
    ),
]
CsvOption = Annotated[
    bool, typer.Option("--csv", help="One CSV row an image. Go by raised; per label, by above.")
]
FilmOption = Annotated[
    bool, typer.Option("--film", help="They are photographs of films or screens.")
]
CameraOption = Annotated[
    int | None, typer.Option(min=0, metavar="N", help="Photograph a film with this camera.")
]
HeatmapOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Also draw what raised findings rest on: no outline of disease."
    ),
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace heatmaps that are already there.")
]
HtmlOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE.html", help="Also write a page with pictures and answers."),
]


def classify(
    images: ImagesArgument = None,
    model: ModelOption = DEFAULT_MODEL,
    operating_point: OperatingPointOption = None,
    site: SiteOption = None,
    backend: BackendOption = None,
    runtime: RuntimeOption = None,
    delegate: DelegateOption = None,
    threads: ThreadsOption = None,
    workers: WorkersOption = None,
    top: TopOption = None,
    recursive: RecursiveOption = False,
    json: JsonLinesOption = False,
    csv: CsvOption = False,
    film: FilmOption = False,
    camera: CameraOption = None,
    heatmap: HeatmapOption = None,
    overwrite: OverwriteOption = False,
    html: HtmlOption = None,
    force: ForceOption = False,
    isolate: IsolateOption = False,
    max_bytes: MaxBytesOption = LIMITS.max_bytes,
    max_pixels: MaxPixelsOption = LIMITS.max_pixels,
) -> None:
    """Score radiographs: PNG, JPEG, TIFF, BMP, WebP, and DICOM with the dicom extra."""
    # At once, and not by a module that another one imports: so deep, hundreds of calls of its
    # start-up would cross the end of a piece of the interpreter's stack, and map the next one anew.
    import numpy  # noqa: F401

    from edge_app.pipeline.batch import classify_all
    from edge_app.pipeline.sources import Sources

    if (camera is None) == (not images):
        raise UsageError("give IMAGE... or --camera N: one of them, not both")
    if json and csv:
        raise UsageError("--json and --csv exclude each other")
    many = len(images or ()) > 1 or any(map(os.path.isdir, images or ()))
    workers = workers or (cores() if many else 1)
    options = BackendOptions(chosen(backend, runtime, delegate), threads, workers)
    limits = Limits(max_bytes, max_pixels)
    workers = at_once(workers, isolate)
    whole = bool(heatmap or html)
    with _output(outlive=whole) as out, decoding(isolate, workers, limits) as decoder:
        classifier = open_classifier(model, operating_point, options, force=force, site=site)
        # Only JSON and a heatmap's name hold the file's digest.
        digest = bool(json or heatmap)
        read = _reader(classifier, film, camera, decoder, whole=whole, digest=digest)
        sources = Sources(images or [f"camera {camera}"], recursive)
        printer = _printer(classifier, top, many, json, csv, out)
        writer, heatmaps, page = _with_pictures(printer, classifier, heatmap, overwrite, html)
        shown = _with_bar(sources) if many else sources
        tally = classify_all(shown, classifier, writer, limits, workers, read)
        if tally.answered:
            writer.close()
        out.flush()
        if page and (tally.answered or tally.refused):
            _write_page(page, tally.interrupted)
        code = _ended(tally, sources, heatmaps, many)
    raise typer.Exit(code)


def _output(*, outlive: bool) -> AbstractContextManager[TextIO]:
    """Standard output; `outlive`: files are written, whether or not it is still read."""
    if not outlive:
        return nullcontext(sys.stdout)
    from edge_app.pipeline.reader_gone import outliving_reader

    return outliving_reader(sys.stdout)


def _write_page(page: HtmlWriter, interrupted: bool) -> None:
    page.write(interrupted)
    complain(f"written: {page.path}")
    if page.left_out:
        complain(f"{page.path}: has no place for {page.left_out} more images")


def _reader(
    classifier: Classifier,
    film: bool,
    camera: int | None,
    decoder: Decoder | None,
    *,
    whole: bool,
    digest: bool,
) -> Reader[str]:
    """The reader of sources; `whole`: at full size, because the picture is drawn on."""
    from edge_app.pipeline.reader import read_source

    spec = classifier.model.input_spec
    min_side = None if whole or film else spec.min_side
    read: Reader[str] = partial(read_source, min_side=min_side, digest=digest, decoder=decoder)
    if camera is not None:
        from edge_app.film.camera import camera_reader

        read = camera_reader(camera)
    if film or camera is not None:
        from edge_app.film.rectify import film_reader

        read = film_reader(read, classifier.check, spec)
    return read


def _printer(
    classifier: Classifier, top: int | None, many: bool, json: bool, csv: bool, out: TextIO
) -> Writer:
    """What prints answers."""
    from edge_app.pipeline.writers import CsvWriter, JsonWriter, TableWriter

    if json:
        return JsonWriter(classifier, top, many, out)
    if csv:
        return CsvWriter(classifier, out)
    return TableWriter(classifier, top, out)


def _with_pictures(
    writer: Writer, classifier: Classifier, heatmap: Path | None, overwrite: bool, html: Path | None
) -> tuple[Writer, HeatmapWriter | None, HtmlWriter | None]:
    """What prints, writes heatmaps and keeps a page, and those two, as far as they are wanted."""
    heatmaps = page = None
    if heatmap:
        from edge_app.pipeline.heatmaps import HeatmapWriter

        writer = heatmaps = HeatmapWriter(writer, classifier, heatmap, overwrite=overwrite)
    if html:
        from edge_app.pipeline.html import HtmlWriter

        writer = page = HtmlWriter(writer, classifier, html)
    return writer, heatmaps, page


def _with_bar(sources: Sources) -> Iterable[str]:
    """With a progress bar, unless the answers go to the terminal too and would be mixed with it."""
    if not sys.stderr.isatty() or sys.stdout.isatty():
        return sources
    from edge_app.pipeline.progress import with_progress

    return with_progress(sources, "classifying")


def _ended(tally: Tally, sources: Sources, heatmaps: HeatmapWriter | None, many: bool) -> int:
    """Print how the batch went; returns the exit code."""
    if sources.left_out:
        hidden = "hidden entries"
        what = hidden if sources.recursive else f"{hidden} and subfolders (see --recursive)"
        complain(f"left out: {sources.left_out} {what}")
    if tally.interrupted:
        complain(f"interrupted after {tally.answered} answers")
    elif not tally.answered and not tally.refused:
        raise UsageError("no image was found in what was named")
    elif many and (tally.refused or tally.withheld):
        scored = tally.answered - tally.withheld
        withheld = f" ({scored} scored, {tally.withheld} not)" if tally.withheld else ""
        complain(f"{tally.answered} answered{withheld}, {tally.refused} refused")
    if heatmaps and heatmaps.undrawn:
        images = f"{heatmaps.undrawn} image{'' if heatmaps.undrawn == 1 else 's'}"
        complain(f"no heatmap of {images}: not scored")
    if heatmaps and heatmaps.failed and not tally.interrupted:
        complain(f"{heatmaps.failed} heatmap(s) not written")
        return EXIT_MODEL
    return tally.exit_code
