"""A CSV with a label column and 784 pixel columns, one 28×28 image a row."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edge_app.core.errors import ImageError
from edge_app.evaluation.label_names import denied, encode
from edge_app.evaluation.splits import assign
from train.datasets.dataset import (
    Dataset,
    Pixels,
    csv_fault,
    first_of_each_split,
    read_csv,
    stamp_of,
)
from train.errors import DatasetError
from train.labels import LabelSet
from train.own_labels import labels_from_names

PIXEL_COLUMNS: Final = 28 * 28
LABEL_HEADINGS: Final = frozenset(
    (
        *("label", "labels", "class", "classes", "target", "targets", "finding", "findings"),
        *("findinglabel", "findinglabels", "diagnosis", "category", "y"),
    )
)
"""Headings of the column of labels, in lower case and without spaces."""

PIXEL_HEADING: Final = re.compile(r"(pixels?|px|pix|p|x)?\d+(x\d+)?")
UNKNOWN: Final = frozenset(("", "nan", "na", "n/a", "<na>", "null"))
"""Cells of images whose labels are not known, in lower case; ``None`` means no findings."""

NUMBER: Final = re.compile(r"\d+")
CSV_CHUNK: Final = 2_000


class Columns(NamedTuple):
    """The places of label and pixels in a row.

    Attributes:
        label: of the label.
        pixels: of the pixels, row by row of the picture.
        notes: what a person should know about the choice.
    """

    label: int
    pixels: list[int]
    notes: list[str]


def read_pixel_csv(path: Path, limit: int | None, requested: LabelSet | None = None) -> Dataset:
    """Index a CSV of pixels; patients are not known, so each image counts as one.

    Raises:
        DatasetError: it has other columns, or a label that is not known.
    """
    columns = read_columns(path)
    options = {"usecols": [columns.label], "dtype": str, "keep_default_na": False}
    labels = read_csv(path, **options).iloc[:, 0]
    names = [f"row_{i:06d}" for i in range(len(labels))]
    unlabelled = labels.str.strip().str.lower().isin(UNKNOWN)
    problems = [(names[i], "unlabelled") for i in np.flatnonzero(unlabelled)]
    table = pd.DataFrame({"image": names, "patient": names, "row": range(len(labels))})
    table = table[~unlabelled.to_numpy()]
    table = table.assign(split=assign(table["patient"].tolist(), None))
    names_of = {row: tuple(each.strip() for each in labels[row].split("|")) for row in table["row"]}
    known, label_notes = (
        (requested, []) if requested else labels_from_names(names_of.values(), str(path))
    )
    table = first_of_each_split(table, limit)
    rows = table["row"].tolist()
    how = {"numbered": known.numbered, "exclusive": known.head == "exclusive"}
    targets = [encode(names_of[row], known.labels, f"{path}: {names[row]}", **how) for row in rows]

    def pixels(min_side: int | None = None) -> Iterator[Pixels]:
        remaining = iter(enumerate(rows))
        index, row = next(remaining, (0, -1))
        start = 0
        try:
            for chunk in pd.read_csv(path, chunksize=CSV_CHUNK, low_memory=False):
                values = chunk.iloc[:, columns.pixels].to_numpy()
                while start <= row < start + len(values):
                    yield _pixel_row(index, values[row - start])
                    index, row = next(remaining, (0, -1))
                start += len(values)
        except ValueError as error:
            raise DatasetError(f"{path}: {csv_fault(error)}") from None

    return Dataset(
        name=f"pixel CSV, {path.name}",
        table=table[["image", "patient", "split"]].reset_index(drop=True),
        targets=np.array(targets, np.uint8).reshape(-1, len(known.labels)),
        pixels=pixels,
        identity=f"{path.name} {stamp_of(path)} {limit}",
        problems=problems,
        notes=columns.notes + label_notes + denied(targets, known.labels),
        labels=known,
        tells_patients=False,
        names_test=False,
    )


def read_columns(path: Path) -> Columns:
    """The places of a CSV's label and pixels, by the headings in its first line.

    Raises:
        DatasetError: there are other columns, none is surely the label, or there are no headings.
    """
    beginning = read_csv(path, header=None, nrows=2, dtype=str, keep_default_na=False)
    header = [_plain(heading) for heading in beginning.iloc[0]]
    if len(header) != PIXEL_COLUMNS + 1:
        raise DatasetError(f"{path}: {len(header)} columns, not a label and {PIXEL_COLUMNS} pixels")
    if len(set(header)) < len(header) // 2:
        raise DatasetError(f"{path}: the first line is a picture's, not the columns' names")
    named = [place for place, heading in enumerate(header) if heading in LABEL_HEADINGS]
    unlike = [place for place, heading in enumerate(header) if not PIXEL_HEADING.fullmatch(heading)]
    found = named or unlike
    if len(found) != 1:
        what = [str(beginning.iloc[0, place])[:30] for place in found[:5]]
        shown = " or ".join(repr(each) for each in what) or "none of them has a name of its own"
        ends = f"{beginning.iloc[0, 0]!r}, {beginning.iloc[0, 1]!r} … {beginning.iloc[0, -1]!r}"
        raise DatasetError(
            f"{path}: which column holds the labels? ({shown}; the columns are {ends}): name one "
            "'label'"
        )
    label = found[0]
    pixels = [place for place in range(len(header)) if place != label]
    notes = []
    if header[label] != "label":
        notes.append(f"the labels are taken from the column {str(beginning.iloc[0, label])!r}")
    numbers = [tuple(map(int, NUMBER.findall(header[place]))) for place in pixels]
    if all(numbers) and len(set(numbers)) == len(pixels) and numbers != sorted(numbers):
        pixels = [place for _, place in sorted(zip(numbers, pixels, strict=True))]
        notes.append("the pixels are taken in the order of their columns' numbers")
    return Columns(label, pixels, notes)


def _plain(heading: str) -> str:
    """A heading without what people change in it: case, spaces, underscores, byte order marks."""
    return re.sub(r"[\s_\-\ufeff\"'.]", "", heading).lower()


def _pixel_row(index: int, values: NDArray[np.generic]) -> Pixels:
    try:
        numbers = values.astype(np.float64)
    except ValueError:
        return index, ImageError("a pixel is not a number"), ""
    if not np.all((numbers >= 0) & (numbers <= 255) & (numbers == np.floor(numbers))):
        return index, ImageError("a pixel is not a whole number in 0..255"), ""
    image = numbers.astype(np.uint8).reshape(28, 28)
    return index, image, hashlib.sha256(image.tobytes()).hexdigest()
