"""What every form of data set becomes, and what their readers share."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edge_app.core.errors import ImageError
from train.errors import DatasetError

Pixels = tuple[int, NDArray[np.uint8] | ImageError, str]
"""An image's index, its H×W uint8 pixels or why there are none, and the SHA-256 of its source."""


class Decode(Protocol):
    def __call__(self, least: int | None = None) -> Iterator[Pixels]: ...


@dataclass(frozen=True)
class Dataset:
    """N labelled images, not yet decoded.

    Attributes:
        name: the layout and folder, for people.
        table: N rows with columns `image`, `patient`, `split`, and what else is known (`age`,
            `sex`, `view`); unlabelled and missing images are not among them.
        targets: N×15, uint8, 0 or 1, in the order of `LABELS`.
        pixels: yields each image once, in the order of the table; `least` is as for `read_image`.
        problems: what was left out, as ``(image, reason)``.
        identity: what the cache is keyed by; changes when the source does.
    """

    name: str
    table: pd.DataFrame
    targets: NDArray[np.uint8]
    pixels: Decode
    identity: str
    problems: list[tuple[str, str]] = field(default_factory=list)


def first_of_each_split(table: pd.DataFrame, limit: int | None) -> pd.DataFrame:
    """The first `limit` rows of each split; all rows if there is no limit."""
    return table if limit is None else table.groupby("split", sort=False).head(limit)


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
        raise DatasetError(f"{path}: {str(error).strip()}") from None
