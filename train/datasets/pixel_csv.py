"""A CSV with a label column and 784 pixel columns, one 28×28 image a row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edge_app.core.errors import ImageError
from edge_app.evaluation.labelled import encode
from edge_app.evaluation.splits import assign
from train.datasets.dataset import Dataset, Pixels, first_of_each_split, read_csv
from train.errors import DatasetError
from train.labels import LABELS

PIXEL_COLUMNS: Final = 28 * 28
CSV_CHUNK: Final = 2_000


def read_pixel_csv(path: Path, limit: int | None) -> Dataset:
    """Index a CSV of pixels; patients are not known, so each image is one.

    Raises:
        DatasetError: it has other columns, or a label that is not known.
    """
    beginning = read_csv(path, header=None, nrows=2, dtype=str)
    if beginning.shape[1] != PIXEL_COLUMNS + 1:
        raise DatasetError(
            f"{path}: {beginning.shape[1]} columns, not a label and {PIXEL_COLUMNS} pixels"
        )
    header = beginning.iloc[0].tolist()
    column = "label" if "label" in header else header[0]
    if set(_names(column)) <= set(LABELS):
        raise DatasetError(f"{path}: the first line is a picture's, not the columns' names")
    labels = read_csv(path, dtype={column: str}, usecols=[column])[column]
    names = [f"row_{i:06d}" for i in range(len(labels))]
    unlabelled = labels.isna() | (labels.astype(str).str.strip() == "")
    problems = [(names[i], "unlabelled") for i in np.flatnonzero(unlabelled)]
    table = pd.DataFrame({"image": names, "patient": names, "row": range(len(labels))})
    table = table[~unlabelled.to_numpy()]
    table = table.assign(split=assign(table["patient"].tolist(), None))
    table = first_of_each_split(table, limit)
    rows = table["row"].tolist()
    targets = [encode(_names(labels[row]), LABELS, names[row]) for row in rows]

    def pixels(least: int | None = None) -> Iterator[Pixels]:
        wanted = iter(enumerate(rows))
        index, row = next(wanted, (0, -1))
        start = 0
        try:
            for chunk in pd.read_csv(path, chunksize=CSV_CHUNK, low_memory=False):
                values = chunk.drop(columns=column).to_numpy()
                while start <= row < start + len(values):
                    yield _pixel_row(index, values[row - start])
                    index, row = next(wanted, (0, -1))
                start += len(values)
        except ValueError as error:
            raise DatasetError(f"{path}: {str(error).strip()}") from None

    status = path.stat()
    return Dataset(
        name=f"pixel CSV, {path.name}",
        table=table[["image", "patient", "split"]].reset_index(drop=True),
        targets=np.array(targets, np.uint8).reshape(-1, len(LABELS)),
        pixels=pixels,
        identity=f"{path.name} {status.st_size} {status.st_mtime_ns} {limit}",
        problems=problems,
    )


def _names(label: str) -> list[str]:
    """A label cell: an output channel such as ``3``, or names such as ``Mass|Edema``."""
    label = label.strip()
    if label.isdigit() and int(label) < len(LABELS):
        return [LABELS[int(label)]]
    return label.split("|")


def _pixel_row(index: int, values: NDArray[np.generic]) -> Pixels:
    try:
        numbers = values.astype(np.float64)
    except ValueError:
        return index, ImageError("a pixel is not a number"), ""
    if not np.all((numbers >= 0) & (numbers <= 255) & (numbers == np.floor(numbers))):
        return index, ImageError("a pixel is not a whole number in 0..255"), ""
    image = numbers.astype(np.uint8).reshape(28, 28)
    return index, image, hashlib.sha256(image.tobytes()).hexdigest()
