"""`edge-cxr archive`: whole archives, resumable, into Parquet; `archive merge`: of shards, one."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from edge_app.backends.options import BackendOptions
from edge_app.cli.backend_option import BackendOption, chosen
from edge_app.cli.options import (
    LIMITS,
    ForceOption,
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
from edge_app.core.errors import EXIT_INTERRUPTED, UsageError
from edge_app.core.resources import cores
from edge_app.images.radiograph import Limits
from edge_app.model.shipped import DEFAULT_MODEL

if TYPE_CHECKING:
    from edge_app.archive.answers import Answering
    from edge_app.archive.listing import Listing
    from edge_app.archive.progress import Progress
    from edge_app.classifier import Classifier

MERGE: Final = "merge"
STANDARD_INPUT: Final = "-"
SECONDS, SECONDS_UNSEEN = 1.0, 60.0
"""Seconds between two lines of progress, at a terminal and elsewhere."""


def archive(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE...",
            help="Folders, with all below them, and files; - is a list of names on standard input. "
            "merge ARCHIVE...: put finished archives together.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The archive's folder; going on if it is one."),
    ] = None,
    names: Annotated[
        list[str] | None,
        typer.Option("--names", metavar="FILE", help="A list of names, one a line; repeatable."),
    ] = None,
    null: Annotated[
        bool, typer.Option("--null", "-0", help="Names in lists end with a NUL byte.")
    ] = False,
    shard: Annotated[
        str, typer.Option(metavar="I/N", help="Only the I-th of N parts of the sources.")
    ] = "1/1",
    model: ModelOption = DEFAULT_MODEL,
    operating_point: OperatingPointOption = None,
    site: SiteOption = None,
    backend: BackendOption = None,
    threads: ThreadsOption = None,
    workers: WorkersOption = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="Score on this Ray cluster; local: start one on this machine."
        ),
    ] = None,
    force: ForceOption = False,
    max_bytes: MaxBytesOption = LIMITS.max_bytes,
    max_pixels: MaxPixelsOption = LIMITS.max_pixels,
) -> None:
    """Score a whole archive into Parquet files; interrupted at any moment, it can go on."""
    from edge_app.archive.listing import Listing, shard_of

    if out is None:
        raise UsageError("--out DIR is missing: where do the answers go?")
    if sources and sources[0] == MERGE:
        raise typer.Exit(_merge([Path(folder) for folder in sources[1:]], out))
    lists = [*(names or ()), *(STANDARD_INPUT for name in sources or () if name == STANDARD_INPUT)]
    named = [name for name in sources or () if name != STANDARD_INPUT]
    if not (lists or named):
        raise UsageError("SOURCE... or --names FILE is missing: what is to be scored?")
    listing = Listing(named, lists, null, shard_of(shard), str(out))
    many = workers or cores()
    # Of several workers each computes in one thread, and each of a cluster has one processor.
    options = BackendOptions(chosen(backend, None, None), threads, max(many, 2) if ray else many)
    classifier = open_classifier(model, operating_point, options, force=force, site=site)
    limits = Limits(max_bytes, max_pixels)
    _answer(listing, out, classifier, limits, _answering(classifier, limits, ray, workers))
    raise typer.Exit(_ended(out, listing))


def _answer(
    listing: Listing, out: Path, classifier: Classifier, limits: Limits, answering: Answering
) -> None:
    from edge_app.archive.run import archive as answer_all
    from edge_app.archive.run import subject_of

    subject = subject_of(classifier, limits, listing)
    try:
        answer_all(listing, answering, out, subject, _progress(listing))
    except KeyboardInterrupt:
        complain(f"interrupted: what was answered is in {out}; the same command goes on")
        raise typer.Exit(EXIT_INTERRUPTED) from None


def _answering(
    classifier: Classifier, limits: Limits, ray: str | None, workers: int | None
) -> Answering:
    """Who answers: this process, or a cluster."""
    if ray is None:
        from edge_app.archive.answers import answers

        return partial(
            answers, classifier=classifier, limits=limits, workers=classifier.options.workers
        )
    from edge_app.archive import cluster

    return partial(
        cluster.answers, classifier=classifier, limits=limits, address=ray, workers=workers
    )


def _progress(listing: Listing) -> Progress:
    from edge_app.archive.progress import Progress

    again = None if STANDARD_INPUT in listing.lists else listing.copy()
    return Progress(again, complain, SECONDS if sys.stderr.isatty() else SECONDS_UNSEEN)


def _ended(out: Path, listing: Listing) -> int:
    from edge_app.archive.progress import summary_of

    summary = summary_of(out)
    print(summary.text())
    if listing.left_out:
        complain(f"{listing.left_out} hidden entries and DICOM directories are left out")
    return summary.exit_code


def _merge(folders: list[Path], out: Path) -> int:
    from edge_app.archive.merge import merge
    from edge_app.archive.progress import summary_of

    if not folders:
        raise UsageError("merge ARCHIVE...: name the folders that are to be put together")
    merge(folders, out)
    summary = summary_of(out)
    print(summary.text())
    return summary.exit_code
