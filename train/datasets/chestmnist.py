"""MedMNIST's ChestMNIST: one `.npz` with the images and labels of three splits."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edge_app.evaluation.label_names import channel_of, listed
from edge_app.evaluation.splits import Split
from edge_app.model.labels import NORMAL, Label, Labels
from train.datasets.dataset import Dataset, Pixels, stamp_of
from train.errors import DatasetError
from train.labels import OF_NIH, LabelSet

# MedMNIST v2's ChestMNIST, in its own order and words (Yang et al., Scientific Data 2023).
CHESTMNIST_LABELS: Final = (
    "Atelectasis",
    "Cardiomegaly",
    "Effusion",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pneumonia",
    "Pneumothorax",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Fibrosis",
    "Pleural_Thickening",
    "Hernia",
)


PARTS: Final[tuple[tuple[Split, str], ...]] = (
    ("train", "train"),
    ("validation", "val"),
    ("test", "test"),
)
"""The splits by our names and the file's."""


OTHERWISE: Final = "other arrays are images, labels and names, see docs/train.md"
DAMAGED: Final = "is damaged, or no .npz of plain arrays (Python objects in it are not loaded)"


def read_chestmnist(path: Path, limit: int | None, requested: LabelSet | None = None) -> Dataset:
    """Index a ChestMNIST file of any size of image.

    Raises:
        DatasetError: it is damaged, or a requested label is missing.
    """
    known = requested or OF_NIH
    places = _places(path, known)
    try:
        with zipfile.ZipFile(path) as archive, np.load(path, allow_pickle=False) as arrays:
            members = {name.removesuffix(".npy") for name in archive.namelist()}
            needed = {f"{key}_{kind}" for _, key in PARTS for kind in ("images", "labels")}
            if not needed <= members:
                raise DatasetError(
                    f"{path}: no {min(needed - members)} in it; not a ChestMNIST file: {OTHERWISE}"
                )
            labels = {split: arrays[f"{key}_labels"] for split, key in PARTS}
            lengths = {split: _length(path, archive, f"{key}_images") for split, key in PARTS}
    except OSError as error:
        raise DatasetError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    except (zipfile.BadZipFile, ValueError):
        raise DatasetError(f"{path}: {DAMAGED}") from None
    rows, targets, takes = [], [], []
    for split, key in PARTS:
        answers = labels[split]
        if answers.ndim != 2 or answers.shape[1] != len(CHESTMNIST_LABELS):
            raise DatasetError(
                f"{path}: {key}_labels is {answers.shape}, not N×{len(CHESTMNIST_LABELS)}: "
                f"{OTHERWISE}"
            )
        if len(answers) != lengths[split]:
            raise DatasetError(
                f"{path}: {len(answers)} {key}_labels for {lengths[split]} {key}_images"
            )
        if not np.isin(answers, (0, 1)).all():
            raise DatasetError(f"{path}: {key}_labels holds other values than 0 and 1")
        count = len(answers) if limit is None else min(limit, len(answers))
        every = np.column_stack([answers[:count], ~answers[:count].any(axis=1)])
        # The file names no patients: each image counts as one, so intervals are too narrow.
        rows += [(f"{key}_{i:06d}", f"{key}_{i:06d}", split) for i in range(count)]
        targets.append(every[:, places].astype(np.uint8))
        takes.append((f"{key}_images", count))

    def pixels(min_side: int | None = None) -> Iterator[Pixels]:
        images = (image for member, count in takes for image in islice(_rows(path, member), count))
        for index, image in enumerate(images):
            yield index, image, hashlib.sha256(image.tobytes()).hexdigest()

    return Dataset(
        name=f"ChestMNIST, {path.name}",
        table=pd.DataFrame(rows, columns=["image", "patient", "split"]),
        targets=np.concatenate(targets),
        pixels=pixels,
        identity=f"{path.name} {stamp_of(path)} {limit}",
        labels=known,
        tells_patients=False,
    )


def _places(path: Path, requested: LabelSet) -> list[int]:
    """The column of each requested label; the normal one comes after the file's own columns."""
    written = Labels([*(Label(name) for name in CHESTMNIST_LABELS), Label("No Finding", NORMAL)])
    found = [channel_of(name, written) for name in requested.names]
    strange = [name for name, place in zip(requested.names, found, strict=True) if place is None]
    if strange:
        raise DatasetError(
            f"{path}: a ChestMNIST file has no label {strange[0]!r}; it has {listed(written.names)}"
        )
    return [place for place in found if place is not None]


def _length(path: Path, archive: zipfile.ZipFile, member: str) -> int:
    with archive.open(f"{member}.npy") as file:
        return _read_shape(path, member, file)[0]


def _read_shape(path: Path, member: str, file: IO[bytes]) -> tuple[int, int, int]:
    """The shape in an `.npy` header; `file` is then at the first pixel."""
    version = np.lib.format.read_magic(file)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read_header is None:
        raise DatasetError(f"{path}: {member} is in .npy format {version}, not 1.0 or 2.0")
    shape, fortran, dtype = read_header(file)
    if len(shape) != 3 or dtype != np.uint8 or fortran:
        raise DatasetError(f"{path}: {member} is {dtype} {shape}, not N×H×W uint8")
    return shape


def _rows(path: Path, member: str) -> Iterator[NDArray[np.uint8]]:
    """One array of an `.npz`, image by image: 224×224 ChestMNIST would be 5.6 GB in memory."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{member}.npy") as file:
            count, height, width = _read_shape(path, member, file)
            for _ in range(count):
                row = file.read(height * width)
                yield np.frombuffer(row, np.uint8).reshape(height, width)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError):
        raise DatasetError(f"{path}: {member}: {DAMAGED}") from None
