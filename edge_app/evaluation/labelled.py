"""A folder of labelled radiographs: who is in them, what they bear, which split.

Two kinds of CSV are read, told apart by their header: the NIH release's (``Image Index``,
``Finding Labels``, ``Patient ID``) and a plain one of ``image``, ``labels`` and, if known,
``patient`` and ``split``. Labels are joined by ``|``, and an image that bears none of them says
``none``, which of exclusive labels is the normal one; or each label has a column of 0 and 1. The
same may be arrays of a ``labels.npz``.
Images are named relative to the folder or to its ``images/``, or by the end of a path below
``images*/`` that no other path has; official lists lie beside the table. Workstation and device
both read them here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_app.core.errors import DatasetError
from edge_app.evaluation.image_files import RELATIVE, ImageFiles
from edge_app.evaluation.label_names import (
    NORMAL_NAMES,
    channel_of,
    denied,
    encode,
    listed,
    plain_name,
    require_just_one,
)
from edge_app.evaluation.label_table import Row, Table, read_table
from edge_app.evaluation.official_lists import OfficialLists, read_lists
from edge_app.evaluation.splits import SPLITS, Split, alike, assign
from edge_app.model.labels import Labels

SPLIT_WORDS: Final[dict[str, Split]] = {
    **{split: split for split in SPLITS},
    **dict.fromkeys(("training",), "train"),
    **dict.fromkeys(("val", "valid", "dev"), "validation"),
    **dict.fromkeys(("testing",), "test"),
}
"""What a column of splits may hold, in lower case."""

MISSING: Final = "missing"
"""Why an image is left out that has no file."""


@dataclass(frozen=True)
class LabelledImage:
    """One image of the list that has a file and labels.

    Attributes:
        name: as in the CSV.
        path: its file.
        patient: whose it is; the image's own name where the CSV tells no patients.
        targets: one a label, uint8, 0 or 1.
        split: see `splits.assign`.
        about: what else the CSV says, by `ABOUT`.
    """

    name: str
    path: Path
    patient: str
    targets: NDArray[np.uint8]
    split: Split
    about: dict[str, str]


@dataclass(frozen=True)
class LeftOut:
    """An image that is not evaluated, and why.

    Attributes:
        split: where it would have been; None where it is in none.
    """

    name: str
    reason: str
    split: Split | None


@dataclass(frozen=True)
class Labelled:
    """A folder's labelled images, in the order of their list.

    Attributes:
        name: the layout and the folder, for people.
        tells_patients: whether the CSV does.
        has_test_list: whether an official list says which images are test.
        notes: one line each, of what a person should know before they trust the splits.
    """

    name: str
    images: list[LabelledImage]
    left_out: list[LeftOut]
    tells_patients: bool
    has_test_list: bool
    notes: list[str]


def load(
    folder: Path,
    labels: Labels,
    table: Path | None = None,
    *,
    exclusive: bool = False,
) -> Labelled:
    """Index a folder; no image is opened.

    Args:
        folder: with the images.
        labels: those that an image can bear.
        table: which image bears which; if None, the folder's own (see `find_labels`).
        exclusive: see `label_names.encode`.

    Raises:
        DatasetError: the table is missing, damaged or contradicts itself; names the line. Or
            labels are exclusive, and an image does not bear just one; counts them.
    """
    require_folder(folder)
    read = read_table(table or find_labels(folder))
    found = load_table(folder, read, labels, exclusive=exclusive)
    if exclusive:
        label_counts = [int(image.targets.sum()) for image in found.images]
        require_just_one(label_counts, [image.name for image in found.images])
    return found


def require_folder(folder: Path) -> None:
    """Refuse what is no folder, or none that can be read.

    Raises:
        DatasetError: it is so.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder}: is no folder")
    try:
        next(folder.iterdir(), None)
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be read: {error.strerror}") from None


def load_table(
    folder: Path,
    table: Table,
    labels: Labels,
    *,
    numbered: bool = False,
    exclusive: bool = False,
) -> Labelled:
    """The same with the table read, whatever number of labels an image bears; see `load`."""
    _require_columns(table, labels)
    _require_inside(table)
    rows = table.rows
    image_names = [row.name for row in rows]
    try:
        files = ImageFiles(folder)
    except OSError as error:
        place = error.filename or folder
        raise DatasetError(f"{place}: cannot be read: {error.strerror}") from None
    found = files.of(image_names)
    lists = read_lists(folder, image_names)
    images, left_out = [], []
    splits = _splits_of_column(table) if table.tells("split") else _splits(folder, rows, lists)
    if table.tells("split") and (lists.test is not None or lists.train is not None):
        raise DatasetError(
            f"{table.path}: has a column 'split', and official lists lie beside it: take one away"
        )
    for row, split in zip(rows, splits, strict=True):
        file = found.get(row.name)
        targets = _targets(table, row, labels, numbered, exclusive)
        if file is None:
            left_out.append(LeftOut(row.name, MISSING, split))
        elif targets is None:
            left_out.append(LeftOut(row.name, "unlabelled", split))
        elif split is None:
            nowhere = "in no split" if table.tells("split") else "in no official list"
            left_out.append(LeftOut(row.name, nowhere, None))
        else:
            images.append(LabelledImage(row.name, file, row.patient, targets, split, row.about))
    if table.nih:
        left_out += [LeftOut(name, "not in the CSV", None) for name in files.strange(found)]
    layout = "NIH ChestX-ray14 layout" if table.nih else "labelled folder"
    return Labelled(
        name=f"{layout}, {folder.resolve().name}",
        images=images,
        left_out=left_out,
        tells_patients=table.tells("patient"),
        has_test_list=lists.test is not None or ("test" in splits and table.tells("split")),
        notes=([] if table.tells("split") else lists.notes)
        + _without_files(left_out)
        + (alike(row.patient for row in rows) if table.tells("patient") else [])
        + _set_aside(table, labels, {image.name for image in images})
        + denied([image.targets for image in images], labels),
    )


def _without_files(left_out: Sequence[LeftOut]) -> list[str]:
    missing = [each.name for each in left_out if each.reason == MISSING]
    if not missing:
        return []
    return [f"{len(missing)} images have no file, first {missing[0]}: {RELATIVE}"]


def facts(path: Path) -> dict[str, dict[str, str]]:
    """What a table of labels says of age, sex and view, by image.

    Raises:
        DatasetError: it is missing, damaged or contradicts itself; names the line.
    """
    return {row.name: row.about for row in read_table(path).rows}


def find_labels(folder: Path) -> Path:
    """``Data_Entry_2017*.csv`` of the NIH release, ``labels.csv``, the only CSV, ``labels.npz``.

    Raises:
        DatasetError: none of them is there.
    """
    tables = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv")
    for pattern in (r"data_entry_2017.*", r"labels\.csv"):
        found = [path for path in tables if re.fullmatch(pattern, path.name.lower())]
        if found:
            return found[-1]
    if not tables and (folder / "labels.npz").is_file():
        return folder / "labels.npz"
    if len(tables) != 1:
        how_many = "several .csv files" if tables else "no .csv file"
        raise DatasetError(
            f"{folder}: {how_many} in it, and neither Data_Entry_2017*.csv nor labels.csv: "
            "which images bear which labels? Write image,labels,patient into labels.csv"
        )
    return tables[0]


def _require_columns(table: Table, labels: Labels) -> None:
    """Refuse a table of label columns that lacks one: its images would seem not to bear it."""
    if not table.columns:
        return
    known = {channel_of(name, labels) for name in table.columns}
    for name, wrong in table.mixed.items():
        if channel_of(name, labels) not in {None, *known}:
            raise DatasetError(wrong)
    missing = [label.name for channel, label in enumerate(labels) if channel not in known]
    if missing:
        raise DatasetError(
            f"{table.path}: no column {missing[0]!r} of 0 and 1; it has {listed(table.columns)}: "
            f"add a column for each of {listed(labels.names)}"
        )


def _require_inside(table: Table) -> None:
    """Refuse names that lead out of the folder."""
    for row in table.rows:
        name = PurePosixPath(row.name)
        if name.is_absolute() or ".." in name.parts:
            raise DatasetError(
                f"{table.path}, line {row.line}: {row.name!r} names no image of the folder"
            )


def _set_aside(table: Table, labels: Labels, used: Set[str]) -> list[str]:
    others = [name for name in table.columns if channel_of(name, labels) is None]
    if not others:
        return []
    said = f"columns of 0 and 1 that are none of the labels are set aside: {listed(others)}"
    ill = {name for name in others if plain_name(name) not in NORMAL_NAMES}
    bare = (set(row.present or ()) for row in table.rows if row.name in used)
    count = sum(bool(names & ill) and names <= set(others) for names in bare)
    if count and labels.normal is None:
        said += f"; {count} images bear nothing but these, and count as normal"
    return [said]


def _targets(
    table: Table, row: Row, labels: Labels, numbered: bool, exclusive: bool
) -> NDArray[np.uint8] | None:
    if row.present is None or any(channel_of(name, labels) is not None for name in row.unsaid):
        return None
    present: Sequence[str] = row.present
    if table.columns:  # another label's column is none of the asked ones
        present = [name for name in present if channel_of(name, labels) is not None]
    return encode(present, labels, table.where(row), numbered=numbered, exclusive=exclusive)


def _splits_of_column(table: Table) -> list[Split | None]:
    return drawn_splits(
        [row.name for row in table.rows],
        [row.patient for row in table.rows],
        [row.cells["split"] for row in table.rows],
        str(table.path),
    )


def drawn_splits(
    names: Sequence[str], patients: Sequence[str], words: Sequence[str] | None, where: str
) -> list[Split | None]:
    """The split of each image as its own word says; what no word names is drawn by patient.

    Args:
        names, patients: of each image.
        words: train, validation or test, or nothing for none; None: there are no words.
        where: begins the message of an error.

    Returns:
        As the words say; validation is drawn from train where no word names it.

    Raises:
        DatasetError: a word is no split, or a patient is in two.
    """
    if words is None:
        return [*assign(patients, None)]
    found: list[Split | None] = []
    splits: dict[str, Split] = {}
    for name, patient, word in zip(names, patients, words, strict=True):
        if word and word.lower() not in SPLIT_WORDS:
            raise DatasetError(
                f"{where}: {name}: {word[:40]!r} is no split: write train, validation or test"
            )
        split = SPLIT_WORDS.get(word.lower())
        found.append(split)
        if split and splits.setdefault(patient, split) != split:
            raise DatasetError(
                f"{where}: patient {patient} is in {splits[patient]} and in {split}: "
                "put all images of a patient into one split"
            )
    if "validation" in found:
        return found
    inside = [(patient, split) for patient, split in zip(patients, found, strict=True) if split]
    drawn = iter(assign([patient for patient, _ in inside], [s == "test" for _, s in inside]))
    return [next(drawn) if split else None for split in found]


def _splits(folder: Path, rows: list[Row], lists: OfficialLists) -> list[Split | None]:
    """The split of each row; None where official lists name it in neither."""
    if lists.test is None and lists.train is None:
        return [*assign([row.patient for row in rows], None)]
    tested = lists.test or set()
    if lists.train is not None and tested & lists.train:
        both = len(tested & lists.train)
        raise DatasetError(f"{folder}: {both} images are in both official lists")
    inside = [
        row for row in rows if lists.train is None or row.name in lists.train or row.name in tested
    ]
    is_test = [row.name in tested for row in inside]
    splits = assign([row.patient for row in inside], is_test)
    testing = {row.patient for row, test in zip(inside, is_test, strict=True) if test}
    others = {row.patient for row, test in zip(inside, is_test, strict=True) if not test}
    if testing & others:
        raise DatasetError(f"{folder}: {len(testing & others)} patients are in both official lists")
    found = {row.name: split for row, split in zip(inside, splits, strict=True)}
    return [found.get(row.name) for row in rows]
