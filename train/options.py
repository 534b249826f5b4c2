"""Arguments and options that commands of `train` and `quantize` share, and reading their data.

Command lines import this module, never each other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, cast

import typer

from edge_app.evaluation.splits import NO_PATIENTS, Split
from edge_app.model.preprocess import InputSpec
from train.cache import Cached, open_cache
from train.console import console, say
from train.datasets.registry import NAMES, load
from train.errors import DatasetError
from train.labels import LabelSet

RunArgument = Annotated[Path, typer.Argument(help="A finished run folder.")]
DataArgument = Annotated[Path, typer.Argument(help=f"{NAMES[0].upper()}{NAMES[1:]}.")]
ModelArgument = Annotated[str, typer.Argument(help="A model file, or a shipped model's name.")]
ModelToChangeArgument = Annotated[
    str, typer.Argument(help="A model file or a shipped model's name, to be written anew.")
]
SplitOption = Annotated[str, typer.Option(help="test or validation.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Of all that is chosen at random.")]
LimitOption = Annotated[int | None, typer.Option(min=1, help="Images a split, for a trial.")]
CacheOption = Annotated[Path, typer.Option(help="Folder of decoded images.")]
ModelOutOption = Annotated[
    Path | None, typer.Option(help="Model file to write; default: MODEL itself.")
]

CACHE: Final = Path("cache")
"""Default of `CacheOption`."""


def read_data(
    data: Path,
    side: int,
    cache: Path,
    limit: int | None = None,
    labels: LabelSet | None = None,
) -> Cached:
    """Index and decode a data set; prints what is left out.

    Args:
        data: see `DataArgument`.
        side: of the decoded images, in pixels.
        cache: folder of decoded images.
        limit: images of each split; None for all.
        labels: that an image can have; None for the data set's own.

    Raises:
        DatasetError: nothing usable is there, or more than 1 % of it cannot be read.
    """
    dataset = load(data, limit=limit, labels=labels)
    cached, problems = open_cache(dataset, InputSpec.square(side), cache, console)
    for note in dataset.notes:
        say(console, f"{data}: {note}")
    if not dataset.tells_patients:
        say(console, f"{data}: {NO_PATIENTS}")
    for image, reason in problems[:10]:
        say(console, f"left out: {image}: {reason}")
    say(console, f"{dataset.name}: {len(cached)} images, {len(problems)} left out")
    return cached


def read_split(
    data: Path,
    side: int,
    cache: Path,
    limit: int | None,
    split: str,
    labels: LabelSet | None = None,
) -> Cached:
    """The images of one split of a data set, test or validation; see `read_data`.

    Raises:
        typer.BadParameter: there is no such split.
        DatasetError: no image is in it.
    """
    chosen = require_split(split)
    cached = read_data(data, side, cache, limit, labels).split(chosen)
    if not len(cached):
        raise DatasetError(f"{data}: no {split} images in it")
    return cached


def read_training_and_split(
    data: Path,
    side: int,
    cache: Path,
    limit: int | None,
    split: str,
    labels: LabelSet | None = None,
) -> tuple[Cached, Cached]:
    """The training images of a data set and those of one split, test or validation.

    Raises:
        typer.BadParameter: there is no such split.
        DatasetError: one of the two has no images.
    """
    chosen = require_split(split)
    cached = read_data(data, side, cache, limit, labels)
    training, others = cached.split("train"), cached.split(chosen)
    if not len(training) or not len(others):
        raise DatasetError(f"{data}: needs training images to calibrate and {split} images")
    return training, others


def require_split(split: str) -> Split:
    """The name of a split as a type, if results may be measured on it.

    Raises:
        typer.BadParameter: it is neither test nor validation.
    """
    if split not in ("test", "validation"):
        raise typer.BadParameter(f"{split!r}; there are test and validation")
    return cast(Split, split)
