"""One `.npz` of images and labels: `images` N×H×W uint8, `labels` N×K of 0 and 1, `names` K.

`patient` and `split`, N each, are optional; so are `names` where a list of labels is given.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edge_app.evaluation.label_names import channel_of, denied
from edge_app.evaluation.labelled import drawn_splits
from edge_app.evaluation.splits import NOBODY, alike
from edge_app.model.labels import Labels
from train.datasets.dataset import Dataset, Pixels, first_of_each_split, stamp_of
from train.errors import DatasetError
from train.labels import LabelSet
from train.own_labels import HOW, labels_from_columns, require_names

TAKES: Final = "it takes arrays images (N×H×W uint8), labels (N×K of 0 and 1) and names (K)"


def is_arrays(path: Path) -> bool:
    """Whether a path is an `.npz` with an array `images`; ChestMNIST's are named by split."""
    if path.suffix != ".npz" or not path.is_file():
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return "images.npy" in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def read_arrays(path: Path, limit: int | None, requested: LabelSet | None = None) -> Dataset:
    """Index an `.npz` of images and labels.

    Raises:
        DatasetError: an array is missing or has another shape, or a requested label is missing.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
        raise DatasetError(f"{path}: is damaged, or no .npz of plain arrays: {TAKES}") from None
    images, targets = _checked(path, arrays)
    labels, channels, notes = _labels(path, arrays, targets.shape[1], requested)
    names = [f"image_{i:06d}" for i in range(len(images))]
    has_patients = "patient" in arrays
    patients = arrays["patient"].astype(str).tolist() if has_patients else names
    nobodys = [name for name, patient in zip(names, patients, strict=True) if patient in NOBODY]
    if nobodys:
        raise DatasetError(
            f"{path}: {len(nobodys)} images have no patient, first {nobodys[0]}: write one for each"
        )
    words = arrays["split"].astype(str).tolist() if "split" in arrays else None
    splits = drawn_splits(names, patients, words, str(path))
    table = pd.DataFrame({"image": names, "patient": patients, "split": splits})
    nowhere = table["split"].isna()
    problems = [(image, "in no split") for image in table["image"][nowhere]]
    table = first_of_each_split(table[~nowhere], limit)
    rows = table.index.to_list()
    kept = targets[np.ix_(rows, channels)].astype(np.uint8)
    _require_no_contradiction(path, kept, table["image"].tolist(), labels.labels)

    def pixels(min_side: int | None = None) -> Iterator[Pixels]:
        for index, row in enumerate(rows):
            image = np.ascontiguousarray(images[row])
            yield index, image, hashlib.sha256(image.tobytes()).hexdigest()

    return Dataset(
        name=f"arrays, {path.name}",
        table=table.reset_index(drop=True),
        targets=kept,
        pixels=pixels,
        identity=f"{path.name} {stamp_of(path)} {limit}",
        problems=problems,
        notes=notes + alike(patients) * has_patients + denied(kept, labels.labels),
        labels=labels,
        tells_patients=has_patients,
        names_test=words is not None,
    )


def _checked(path: Path, arrays: dict[str, Any]) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """The images, and their labels as N×K."""
    for key in ("images", "labels"):
        if key not in arrays:
            raise DatasetError(f"{path}: no {key} in it: {TAKES}")
    images, targets = arrays["images"], arrays["labels"]
    if images.ndim != 3 or images.dtype != np.uint8 or 0 in images.shape:
        raise DatasetError(f"{path}: images is {images.dtype} {images.shape}: {TAKES}")
    if targets.ndim != 2 or len(targets) != len(images):
        raise DatasetError(
            f"{path}: labels is {targets.shape} for {len(images)} images, not N×K: a column for "
            "each label, also where just one applies"
        )
    if not np.isin(targets, (0, 1)).all():
        raise DatasetError(f"{path}: labels holds other values than 0 and 1")
    for key in ("patient", "split"):
        if key in arrays and arrays[key].shape != (len(images),):
            raise DatasetError(f"{path}: {key} is {arrays[key].shape}, not one for each image")
    return images, targets


def _require_no_contradiction(
    path: Path, targets: NDArray[np.uint8], names: list[str], labels: Labels
) -> None:
    """Refuse images with both the normal label and a finding."""
    if labels.normal is None:
        return
    both = np.flatnonzero((targets[:, labels.normal] == 1) & (targets.sum(axis=1) > 1))
    if len(both):
        raise DatasetError(
            f"{path}: {len(both)} images bear {labels[labels.normal].name!r} and a finding at "
            f"once, first {names[both[0]]}: take one of the two out"
        )


def _labels(
    path: Path, arrays: dict[str, Any], count: int, requested: LabelSet | None
) -> tuple[LabelSet, list[int], list[str]]:
    """The labels, the column of each, and notes for the user."""
    written = [str(name) for name in arrays["names"].ravel()] if "names" in arrays else None
    if written is not None and len(written) != count:
        raise DatasetError(f"{path}: {len(written)} names for {count} columns of labels")
    if requested is None:
        if written is None:
            raise DatasetError(f"{path}: no names of its {count} labels: add them, or {HOW}")
        require_names(str(path), written)
        labels, notes = labels_from_columns(written, str(path))
        return labels, list(range(count)), notes
    if written is None:
        if not requested.numbered or len(requested.labels) != count:
            raise DatasetError(
                f"{path}: no names of its {count} labels: add them, or give --labels FILE with "
                f"{count} names"
            )
        return requested, list(range(count)), []
    place: dict[int | None, int] = {}
    for i, name in enumerate(written):
        channel = channel_of(name, requested.labels)
        first = place.setdefault(channel, i)
        if channel is not None and first != i:
            raise DatasetError(
                f"{path}: {written[first]!r} and {name!r} both stand for "
                f"{requested.names[channel]!r}: take one column out"
            )
    missing = [name for channel, name in enumerate(requested.names) if channel not in place]
    if missing:
        raise DatasetError(
            f"{path}: no column {missing[0]!r} among its labels, {', '.join(written[:12])}"
        )
    return requested, [place[channel] for channel in range(len(requested.labels))], []
