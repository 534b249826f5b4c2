"""`edge-cxr classify`: score radiographs."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from edge_app.backends.options import BackendOptions
from edge_app.cli.backend_option import BackendOption, DelegateOption, RuntimeOption, chosen
from edge_app.cli.options import (
    LIMITS,
    MaxBytesOption,
    MaxPixelsOption,
    ModelOption,
    OperatingPointOption,
    ThreadsOption,
    open_classifier,
)
from edge_app.core.errors import EXIT_MODEL, UsageError
from edge_app.core.resources import cores
from edge_app.images.radiograph import Limits
from edge_app.model.shipped import DEFAULT_MODEL


def classify(
    images: Annotated[
        list[str] | None,
        typer.Argument(metavar="IMAGE...", help="Files, folders, or - for standard input."),
    ] = None,
    model: ModelOption = DEFAULT_MODEL,
    operating_point: OperatingPointOption = None,
    backend: BackendOption = None,
    runtime: RuntimeOption = None,
    delegate: DelegateOption = None,
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
    from edge_app.core.console import complain
    from edge_app.pipeline.batch import classify_all, read_source, with_progress
    from edge_app.pipeline.sources import Sources
    from edge_app.pipeline.workers import Reader
    from edge_app.pipeline.writers import CsvWriter, JsonWriter, TableWriter, Writer

    if (camera is None) == (not images):
        raise UsageError("give IMAGE... or --camera N: one of them, not both")
    if json and csv:
        raise UsageError("--json and --csv exclude each other")
    many = len(images or ()) > 1 or any(map(os.path.isdir, images or ()))
    workers = workers or (cores() if many else 1)
    options = BackendOptions(chosen(backend, runtime, delegate), threads, workers)
    classifier = open_classifier(model, operating_point, options, force=force)
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
        from edge_app.pipeline.heatmaps import HeatmapWriter

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
