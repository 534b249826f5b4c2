"""Labelled radiographs, wherever they come from: who is in them, what they bear, which split.

Three layouts are read: a folder of images with their CSV (the NIH release's, or a plain one),
MedMNIST's ChestMNIST `.npz` and a CSV with a label column and 784 pixel columns. All become one
`Dataset`; patients never cross a split.
"""

from __future__ import annotations

import hashlib
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edge_app.core.errors import ImageError
from edge_app.evaluation.labelled import encode
from edge_app.evaluation.labelled import load as load_folder
from edge_app.evaluation.splits import Split, assign
from edge_app.images.read import read_image
from train.errors import DatasetError
from train.labels import LABELS, NO_FINDING

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

WORKERS: Final = 4

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


def load(path: Path, *, limit: int | None = None) -> Dataset:
    """Recognise and index the data set at `path` (a folder, an `.npz` or a `.csv`).

    Args:
        path: what to read.
        limit: keep the first `limit` images of each split only; for trials.

    Raises:
        DatasetError: nothing usable is there.
    """
    if path.is_dir():
        dataset = _folder(path, limit)
    elif path.suffix == ".npz":
        dataset = _chestmnist(path, limit)
    elif path.suffix == ".csv":
        dataset = _pixel_csv(path, limit)
    else:
        raise DatasetError(f"{path}: neither a folder of images, an .npz nor a .csv")
    if not len(dataset.table):
        raise DatasetError(f"{path}: no labelled image is left; {_first(dataset.problems)}")
    return dataset


def _first(problems: Sequence[tuple[str, str]]) -> str:
    return f"{len(problems)} were left out, first {problems[0]}" if problems else "it is empty"


def _assign_splits(table: pd.DataFrame) -> pd.DataFrame:
    """Add the `split` column, where nobody else has said who is test."""
    return table.assign(split=assign(table["patient"].tolist(), None))


def _read_csv(path: Path, **options: Any) -> pd.DataFrame:
    try:
        with warnings.catch_warnings():
            # pandas only warns that a row has more cells than the header, and drops them.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(path, index_col=False, **options)
    except (OSError, ValueError, pd.errors.ParserWarning) as error:
        raise DatasetError(f"{path}: {str(error).strip()}") from None


# --- a folder of labelled images --------------------------------------------------------------


def _folder(root: Path, limit: int | None) -> Dataset:
    labelled = load_folder(root, LABELS)
    rows = [
        {"image": each.name, "patient": each.patient, "split": each.split, **each.about}
        for each in labelled.images
    ]
    table = pd.DataFrame(rows, columns=None if rows else ["image", "patient", "split"])
    if "age" in table:
        table["age"] = pd.to_numeric(table["age"], errors="coerce")
    table = _limited(table, limit)
    images = [labelled.images[row] for row in table.index]
    paths = [each.path for each in images]
    stamps = "\n".join(f"{p.name} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in paths)
    return Dataset(
        name=labelled.name,
        table=table.reset_index(drop=True),
        targets=np.array([each.targets for each in images], np.uint8).reshape(-1, len(LABELS)),
        pixels=partial(_read_files, paths),
        identity=hashlib.sha256(stamps.encode()).hexdigest(),
        problems=[(each.name, each.reason) for each in labelled.left_out],
    )


def _unlabelled(cells: pd.Series) -> pd.Series:
    return cells.isna() | (cells.astype(str).str.strip() == "")


def _limited(table: pd.DataFrame, limit: int | None) -> pd.DataFrame:
    return table if limit is None else table.groupby("split", sort=False).head(limit)


def _read_files(paths: Sequence[Path], least: int | None = None) -> Iterator[Pixels]:
    """Decode in threads (Pillow releases the lock while it does), a bounded number ahead."""

    def read(index: int) -> Pixels:
        try:
            image = read_image(paths[index], least=least)
        except ImageError as error:
            return index, error, ""
        return index, image.pixels, image.facts["sha256"]

    with ThreadPoolExecutor(WORKERS) as pool:
        indices = iter(range(len(paths)))
        ahead: list[Future[Pixels]] = [pool.submit(read, i) for i in islice(indices, 4 * WORKERS)]
        while ahead:
            yield ahead.pop(0).result()
            ahead += [pool.submit(read, i) for i in islice(indices, 1)]


# --- ChestMNIST -----------------------------------------------------------------------------


def _chestmnist(path: Path, limit: int | None) -> Dataset:
    parts: list[tuple[Split, str]] = [
        ("train", "train"),
        ("validation", "val"),
        ("test", "test"),
    ]
    try:
        with zipfile.ZipFile(path) as archive, np.load(path, allow_pickle=False) as arrays:
            known = {name.removesuffix(".npy") for name in archive.namelist()}
            needed = {f"{key}_{kind}" for _, key in parts for kind in ("images", "labels")}
            if not needed <= known:
                raise DatasetError(f"{path}: no {min(needed - known)} in it; not a ChestMNIST file")
            labels = {split: arrays[f"{key}_labels"] for split, key in parts}
            lengths = {split: _length(path, archive, f"{key}_images") for split, key in parts}
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise DatasetError(f"{path}: {error}") from None
    rows, targets, takes = [], [], []
    order = [LABELS.index(name) for name in CHESTMNIST_LABELS]
    for split, key in parts:
        given = labels[split]
        if given.ndim != 2 or given.shape[1] != len(order):
            raise DatasetError(f"{path}: {key}_labels is {given.shape}, not N×{len(order)}")
        if len(given) != lengths[split]:
            raise DatasetError(
                f"{path}: {len(given)} {key}_labels for {lengths[split]} {key}_images"
            )
        if not np.isin(given, (0, 1)).all():
            raise DatasetError(f"{path}: {key}_labels holds other values than 0 and 1")
        count = len(given) if limit is None else min(limit, len(given))
        encoded = np.zeros((count, len(LABELS)), np.uint8)
        encoded[:, order] = given[:count]
        encoded[:, NO_FINDING] = ~given[:count].any(axis=1)
        # The file tells no patients: each image stands for one, so intervals come out too narrow.
        rows += [(f"{key}_{i:06d}", f"{key}_{i:06d}", split) for i in range(count)]
        targets.append(encoded)
        takes.append((f"{key}_images", count))

    def pixels(least: int | None = None) -> Iterator[Pixels]:
        images = (image for member, count in takes for image in islice(_rows(path, member), count))
        for index, image in enumerate(images):
            yield index, image, hashlib.sha256(image.tobytes()).hexdigest()

    status = path.stat()
    return Dataset(
        name=f"ChestMNIST, {path.name}",
        table=pd.DataFrame(rows, columns=["image", "patient", "split"]),
        targets=np.concatenate(targets),
        pixels=pixels,
        identity=f"{path.name} {status.st_size} {status.st_mtime_ns} {limit}",
    )


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
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
        raise DatasetError(f"{path}: {member}: {error}") from None


# --- a label and 784 pixels a row -----------------------------------------------------------

PIXEL_COLUMNS: Final = 28 * 28
CSV_CHUNK: Final = 2_000


def _pixel_csv(path: Path, limit: int | None) -> Dataset:
    beginning = _read_csv(path, header=None, nrows=2, dtype=str)
    if beginning.shape[1] != PIXEL_COLUMNS + 1:
        raise DatasetError(
            f"{path}: {beginning.shape[1]} columns, not a label and {PIXEL_COLUMNS} pixels"
        )
    header = beginning.iloc[0].tolist()
    column = "label" if "label" in header else header[0]
    if set(_names(column)) <= set(LABELS):
        raise DatasetError(f"{path}: the first line is a picture's, not the columns' names")
    labels = _read_csv(path, dtype={column: str}, usecols=[column])[column]
    names = [f"row_{i:06d}" for i in range(len(labels))]
    unlabelled = _unlabelled(labels)
    problems = [(names[i], "unlabelled") for i in np.flatnonzero(unlabelled)]
    table = pd.DataFrame({"image": names, "patient": names, "row": range(len(labels))})
    table = _limited(_assign_splits(table[~unlabelled.to_numpy()]), limit)
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
