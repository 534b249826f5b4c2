"""A labelled data set in memory, and what the readers of all forms share."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edge_app.core.errors import ImageError
from train.errors import DatasetError
from train.labels import OF_NIH, LabelSet

Pixels = tuple[int, NDArray[np.uint8] | ImageError, str]
"""An image's index, its H×W uint8 pixels or why there are none, and the SHA-256 of its source."""


UNLABELLED: Final[Literal["unlabelled"]] = "unlabelled"
"""The split of images without labels, which train on teachers' scores alone."""


class Decode(Protocol):
    def __call__(self, min_side: int | None = None) -> Iterator[Pixels]: ...


class Further(NamedTuple):
    """A further data set of a list, see `joined`; its images only train.

    Attributes:
        name: the layout and folder, for people.
        origin: where it is from, and its licence, in its user's words.
        apart: whether its user says that none of its patients validates or tests.
        unlabelled: whether it has no labels.
        tells_patients: whether it is known whose the images are.
    """

    name: str
    origin: str
    apart: bool
    unlabelled: bool
    tells_patients: bool


@dataclass(frozen=True)
class Dataset:
    """N labelled images, not yet decoded.

    Attributes:
        name: the layout and folder, for people.
        table: N rows with columns `image`, `patient`, `split`, and what else is known (`age`,
            `sex`, `view`); without unlabelled and missing images.
        targets: N×L, uint8, 0 or 1, in the order of `labels`.
        pixels: yields each image once, in the order of the table; where a decoder can shrink a
            picture, each side keeps at least `min_side` pixels.
        problems: what was left out, as ``(image, reason)``.
        notes: one line each: what a person should know before they trust the data.
        identity: the cache's key; changes when the source does.
        labels: that an image can have.
        tells_patients: whether the images' patients are known; otherwise each counts as a patient.
        names_test: whether the data name the test images; otherwise these were drawn.
        further: data sets that only train, see `joined`; column `source` counts them from 1.
    """

    name: str
    table: pd.DataFrame
    targets: NDArray[np.uint8]
    pixels: Decode
    identity: str
    problems: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    labels: LabelSet = OF_NIH
    tells_patients: bool = True
    names_test: bool = True
    further: tuple[Further, ...] = ()


def first_of_each_split(table: pd.DataFrame, limit: int | None) -> pd.DataFrame:
    """The first `limit` rows of each split; all rows if there is no limit."""
    return table if limit is None else table.groupby("split", sort=False).head(limit)


def stamp_of(path: Path) -> str:
    """Changes when the file does, or when another of the same name, size and date replaces it."""
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"


def read_csv(path: Path, **options: Any) -> pd.DataFrame:
    """A CSV file by pandas.

    Raises:
        DatasetError: it cannot be read, or a row has more cells than the header.
    """
    try:
        with warnings.catch_warnings():
            # pandas only warns that a row has more cells than the header, and drops them.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(path, index_col=False, **options)
    except (OSError, ValueError, pd.errors.ParserWarning) as error:
        raise DatasetError(f"{path}: {csv_fault(error)}") from None


def csv_fault(error: Exception) -> str:
    """What pandas found wrong with a CSV, in words for its user."""
    if isinstance(error, OSError):
        return (error.strerror or "cannot be read").lower()
    if isinstance(error, UnicodeDecodeError):
        return "is not UTF-8 text"
    if isinstance(error, pd.errors.EmptyDataError):
        return "is empty"
    widths = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
    if widths:
        expected, line, saw = widths.groups()
        return f"line {line}: expected {expected} cells, saw {saw}"
    if isinstance(error, pd.errors.ParserWarning):
        return "its rows have more cells than its first line"
    return "is no CSV, or a damaged one"
