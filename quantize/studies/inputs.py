"""The inputs of studies, opened from the values of the command line.

Each `open_…` function has the arguments and options of one kind of study; `registry.py` says
which study takes which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from edge_app.core.errors import DatasetError
from edge_app.evaluation.report import Report
from edge_app.evaluation.report import read as read_report
from edge_app.evaluation.second_reference import SecondReference
from edge_app.evaluation.second_reference import read as read_second
from edge_app.model.model_file import ModelFile, locate, read
from quantize.studies.bench import Bench
from train.cache import Cached
from train.console import console
from train.finished_run import FinishedRun, images_to_judge, open_run
from train.labels import LabelSet
from train.options import (
    CACHE,
    CacheOption,
    DataArgument,
    LimitOption,
    ModelArgument,
    RunArgument,
    SeedOption,
    SplitOption,
    read_data,
    read_split,
    require_split,
)

FOLDER: Final = "quantization"
"""The folder of a run for the results of studies of its network."""

REPORTS: Final = Path("reports")
"""The folder for results of studies of model files, with a folder for each model."""

RunOutOption = Annotated[
    Path | None, typer.Option(help=f"Folder for what is written; default: RUN/{FOLDER}.")
]
ModelOutFolderOption = Annotated[
    Path | None, typer.Option(help=f"Folder for what is written; default: {REPORTS}/NAME.")
]


def open_bench(
    run: RunArgument,
    data: DataArgument,
    split: SplitOption = "test",
    seed: SeedOption = 0,
    out: RunOutOption = None,
    limit: LimitOption = None,
    cache: CacheOption = CACHE,
) -> Bench:
    """RUN DATA: a float network, training images, and those of a split to measure on."""
    finished = open_run(run)
    chosen = require_split(split)
    whole = read_data(data, finished.recipe.side, cache, limit, finished.labels)
    training, measured = whole.split("train"), images_to_judge(finished, whole, chosen)
    if not len(training):
        raise DatasetError(f"{data}: needs training images to calibrate with")
    return Bench(finished, training, measured, split, seed, out or run / FOLDER, console)


@dataclass(frozen=True)
class ModelInputs:
    """A model file and a data set whose test images it is judged on.

    Attributes:
        model: read and found whole.
        data: the data set's place.
        seed: of what the study chooses at random.
        folder: where results go.
        console: for progress.
        cache: folder of decoded images.
        limit: images of each split, at most.
    """

    model: ModelFile
    data: Path
    seed: int
    folder: Path
    console: Console
    cache: Path
    limit: int | None

    @cached_property
    def images(self) -> Cached:
        """The test images at the model's size."""
        side = self.model.input_spec.height
        labels = LabelSet.of_manifest(self.model.manifest)
        return read_split(self.data, side, self.cache, self.limit, "test", labels)


def open_model(
    model: ModelArgument,
    data: DataArgument,
    seed: SeedOption = 0,
    out: ModelOutFolderOption = None,
    limit: LimitOption = None,
    cache: CacheOption = CACHE,
) -> ModelInputs:
    """MODEL DATA: a model file and test images."""
    found = read(locate(model))
    folder = out or REPORTS / found.name
    return ModelInputs(found, data, seed, folder, console, cache, limit)


@dataclass(frozen=True)
class ModelAndRunInputs(ModelInputs):
    """A model file, test images, and the finished run that the model was made from."""

    run_folder: Path

    @cached_property
    def run(self) -> FinishedRun:
        """The run, with its float network."""
        return open_run(self.run_folder)

    @cached_property
    def images(self) -> Cached:
        """The test images at the model's size, with what the run may know of them."""
        side = self.model.input_spec.height
        labels = LabelSet.of_manifest(self.model.manifest)
        whole = read_data(self.data, side, self.cache, self.limit, labels)
        return images_to_judge(self.run, whole, "test")

    @property
    def notes(self) -> Sequence[str]:
        """What the images cannot show of the run."""
        return self.images.notes


def open_model_and_run(
    model: ModelArgument,
    run: RunArgument,
    data: Annotated[Path, typer.Argument(help="The NIH release's folder, with its box list.")],
    seed: SeedOption = 0,
    out: ModelOutFolderOption = None,
    limit: LimitOption = None,
    cache: CacheOption = CACHE,
) -> ModelAndRunInputs:
    """MODEL RUN DATA: a model file, the run that it was made from, and test images."""
    found = read(locate(model))
    folder = out or REPORTS / found.name
    return ModelAndRunInputs(found, data, seed, folder, console, cache, limit, run)


@dataclass(frozen=True)
class ModelAndFolderInputs:
    """A model file and a labelled folder that the device application reads by itself.

    Attributes:
        limit: images, at most.
        folder: where results go.
    """

    model: ModelFile
    data: Path
    limit: int | None
    folder: Path


def open_model_and_folder(
    model: ModelArgument,
    data: Annotated[Path, typer.Argument(help="A labelled folder, as edge-cxr evaluate reads it.")],
    out: Annotated[Path, typer.Option(help="Folder for what is written.")] = Path("runtimes"),
    limit: LimitOption = None,
) -> ModelAndFolderInputs:
    """MODEL DATA: a model file and a labelled folder."""
    return ModelAndFolderInputs(read(locate(model)), data, limit, out)


def _notes(report: Report) -> list[str]:
    dataset = report.content["dataset"]
    return [f"of the {dataset['split']} images: {note}" for note in dataset.get("notes", ())]


@dataclass(frozen=True)
class ModelAndReportsInputs:
    """A model file, and evaluation reports that were made before.

    Attributes:
        validation: on images that choices may be made by.
        test: on images that nothing was chosen by.
        folder: where results go.
    """

    model: ModelFile
    validation: Report
    test: Report
    folder: Path

    @property
    def notes(self) -> Sequence[str]:
        """The notes of both reports on their images."""
        return [note for each in (self.validation, self.test) for note in _notes(each)]


def open_model_and_reports(
    model: ModelArgument,
    validation: Annotated[Path, typer.Argument(help="A report on validation images.")],
    test: Annotated[Path, typer.Argument(help="A report on test images.")],
    out: ModelOutFolderOption = None,
) -> ModelAndReportsInputs:
    """MODEL VALIDATION TEST: a model file and two reports."""
    found = read(locate(model))
    reports = read_report(validation), read_report(test)
    return ModelAndReportsInputs(found, *reports, out or REPORTS / found.name)


@dataclass(frozen=True)
class ModelAndReportInputs:
    """A model file and its report.

    Attributes:
        folder: where results go.
    """

    model: ModelFile
    report: Report
    folder: Path

    @property
    def notes(self) -> Sequence[str]:
        """The report's notes on its images."""
        return _notes(self.report)


def open_model_and_report(
    model: ModelArgument,
    report: Annotated[Path, typer.Argument(help="Its report on test images.")],
    out: ModelOutFolderOption = None,
) -> ModelAndReportInputs:
    """MODEL REPORT: a model file and its report."""
    found = read(locate(model))
    return ModelAndReportInputs(found, read_report(report), out or REPORTS / found.name)


@dataclass(frozen=True)
class ModelAndAdjudicatedInputs(ModelAndReportInputs):
    """A model file, its report, and a second reference standard for some of its images."""

    second: SecondReference


def open_model_and_adjudicated(
    model: ModelArgument,
    report: Annotated[Path, typer.Argument(help="Its report on images that some judged again.")],
    adjudicated: Annotated[Path, typer.Argument(help="CSV of image, and YES or NO a column.")],
    out: ModelOutFolderOption = None,
) -> ModelAndAdjudicatedInputs:
    """MODEL REPORT CSV: a model file, its report, and a second reference standard."""
    known = open_model_and_report(model, report, out)
    second = read_second(adjudicated, {})
    return ModelAndAdjudicatedInputs(known.model, known.report, known.folder, second)
