"""Every form of labelled data set that training reads, and the choice among them.

A form is one file with one function, and one line here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from train.datasets.arrays import is_arrays, read_arrays
from train.datasets.chestmnist import read_chestmnist
from train.datasets.dataset import Dataset
from train.datasets.folder import read_folder
from train.datasets.joined import is_joined, read_joined
from train.datasets.packed import is_packed, read_packed
from train.datasets.pixel_csv import read_pixel_csv
from train.errors import DatasetError
from train.labels import LabelSet
from train.own_labels import require_exclusive


class Form(NamedTuple):
    """A form of data set.

    Attributes:
        name: for people, as in "Labelled folder, ChestMNIST .npz, or …".
        matches: whether a path looks like it; the content is not read.
        read: (path, images of each split or None for all, labels or None for its own) → the
            indexed data set, its images not decoded. Raises DatasetError.
    """

    name: str
    matches: Callable[[Path], bool]
    read: Callable[[Path, int | None, LabelSet | None], Dataset]


def _one(path: Path, limit: int | None, labels: LabelSet | None) -> Dataset:
    """One data set of a list; it cannot be another list."""
    if is_joined(path):
        raise DatasetError(f"{path}: a list of data sets names data sets, not another list")
    return load(path, limit=limit, labels=labels)


FORMS: Final = (
    Form("labelled folder", Path.is_dir, read_folder),
    Form(".npz of images and labels", is_arrays, read_arrays),
    Form("ChestMNIST .npz", lambda path: path.suffix == ".npz", read_chestmnist),
    Form("packed pictures (.zip)", is_packed, read_packed),
    Form("list of data sets (.toml)", is_joined, partial(read_joined, _one)),
    Form("CSV of a label and 784 pixels", lambda path: path.suffix == ".csv", read_pixel_csv),
)
"""The first that matches a path reads it."""

NAMES: Final = "{}, or {}".format(", ".join(form.name for form in FORMS[:-1]), FORMS[-1].name)


def load(path: Path, *, limit: int | None = None, labels: LabelSet | None = None) -> Dataset:
    """Recognise and index the data set at `path`.

    Args:
        path: what to read.
        limit: keep the first `limit` images of each split only; for trials.
        labels: that an image can have; None for the data set's own.

    Raises:
        DatasetError: it has none of the forms, or nothing usable is there.
    """
    form = next((form for form in FORMS if form.matches(path)), None)
    if form is None:
        raise DatasetError(f"{path}: is no data set that is known: {NAMES}")
    dataset = form.read(path, limit, labels)
    if not len(dataset.table):
        left_out = dataset.problems
        why = f"{len(left_out)} were left out, first {left_out[0]}" if left_out else "it is empty"
        raise DatasetError(f"{path}: no labelled image is left; {why}")
    counts, images = dataset.targets.sum(axis=1).tolist(), dataset.table["image"].tolist()
    require_exclusive(counts, images, dataset.labels)
    return dataset
