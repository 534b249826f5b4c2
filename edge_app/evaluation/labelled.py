"""A folder of labelled radiographs: who is in them, what they bear, which split.

Two kinds of CSV are read, told apart by their header: the NIH release's (``Image Index``,
``Finding Labels``, ``Patient ID``) and a plain one of ``image``, ``labels`` and, if known,
``patient``. Images are named relative to the folder, or lie anywhere below ``images*/``; official
lists lie beside the CSV. Labels are joined by ``|``; an image that bears none of them says
``none``. Workstation and device both read them here.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_app.core.errors import DatasetError
from edge_app.core.files import UnreadableError, read_bounded
from edge_app.evaluation.image_files import ImageFiles
from edge_app.evaluation.official_lists import OfficialLists, decoded, read_lists
from edge_app.evaluation.splits import Split, assign
from edge_app.model.labels import NORMAL_OF_VERSION_1

MAX_CSV_BYTES: Final = 32 << 20
MAX_IMAGES: Final = 250_000
"""More than twice the whole NIH release."""

COLUMNS: Final = {
    "image": ("image index", "image"),
    "findings": ("finding labels", "labels"),
    "patient": ("patient id", "patient"),
    "age": ("patient age",),
    "sex": ("patient gender", "patient sex"),
    "view": ("view position",),
}
"""What is known of an image, and the headings it stands under.

Spaces, underscores, hyphens and the case of letters do not count in a heading.
"""

ABOUT: Final = ("age", "sex", "view")

NONE: Final = "none"
"""Stands in a CSV for no label at all: with an empty cell an image counts as unlabelled."""


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


@dataclass(frozen=True)
class _Row:
    line: int
    cells: dict[str, str]

    @property
    def name(self) -> str:
        return self.cells["image"]

    @property
    def patient(self) -> str:
        return self.cells.get("patient", self.name)


def load(folder: Path, names: Sequence[str], labels: Path | None = None) -> Labelled:
    """Index a folder; no image is opened.

    Args:
        folder: with the images.
        names: the labels that an image can bear, in the order of their targets.
        labels: their CSV; if None, the folder's own (see `find_labels`).

    Raises:
        DatasetError: the CSV is missing, damaged or contradicts itself; names the line.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder}: is no folder")
    try:
        next(folder.iterdir(), None)
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be read: {error.strerror}") from None
    path = labels or find_labels(folder)
    nih, rows = _read(path)
    rows = _distinct(path, rows)
    image_names = [row.name for row in rows]
    try:
        files = ImageFiles(folder)
    except OSError as error:
        place = error.filename or folder
        raise DatasetError(f"{place}: cannot be read: {error.strerror}") from None
    found = files.of(image_names)
    lists = read_lists(folder, image_names)
    images, left_out = [], []
    for row, split in zip(rows, _splits(folder, rows, lists), strict=True):
        targets, file = _targets(path, row, names), found.get(row.name)
        if file is None:
            left_out.append(LeftOut(row.name, "missing", split))
        elif targets is None:
            left_out.append(LeftOut(row.name, "unlabelled", split))
        elif split is None:
            left_out.append(LeftOut(row.name, "in no official list", None))
        else:
            about = {str(key): row.cells[key] for key in ABOUT if key in row.cells}
            images.append(LabelledImage(row.name, file, row.patient, targets, split, about))
    if nih:
        left_out += [LeftOut(name, "not in the CSV", None) for name in files.strange(found)]
    layout = "NIH ChestX-ray14 layout" if nih else "labelled folder"
    return Labelled(
        name=f"{layout}, {folder.resolve().name}",
        images=images,
        left_out=left_out,
        tells_patients=any("patient" in row.cells for row in rows),
        has_test_list=lists.test is not None,
        notes=lists.notes + _doubles(files),
    )


def _doubles(files: ImageFiles) -> list[str]:
    if not files.doubles:
        return []
    count, first = len(files.doubles), files.doubles[0]
    return [f"{count} images are in several folders, first {first}: the last one was taken"]


def facts(path: Path) -> dict[str, dict[str, str]]:
    """What a CSV of labels says of age, sex and view, by image.

    Raises:
        DatasetError: it is missing, damaged or contradicts itself; names the line.
    """
    _, rows = _read(path)
    return {
        row.name: {key: row.cells[key] for key in ABOUT if key in row.cells}
        for row in _distinct(path, rows)
    }


def find_labels(folder: Path) -> Path:
    """``Data_Entry_2017*.csv`` of the NIH release, ``labels.csv``, or the folder's only CSV.

    Raises:
        DatasetError: none of them is there.
    """
    tables = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv")
    for pattern in (r"data_entry_2017.*", r"labels\.csv"):
        found = [path for path in tables if re.fullmatch(pattern, path.name.lower())]
        if found:
            return found[-1]
    if len(tables) != 1:
        how_many = "several .csv files" if tables else "no .csv file"
        raise DatasetError(
            f"{folder}: {how_many} in it, and neither Data_Entry_2017*.csv nor labels.csv: "
            "which images bear which labels?"
        )
    return tables[0]


def encode(borne: Sequence[str], names: Sequence[str], where: str) -> NDArray[np.uint8]:
    """The labels that an image bears → 0 or 1 for each of all `names`.

    Raises:
        DatasetError: one is no label, or one says that there is no finding beside others; the
            message begins with `where`.
    """
    row = np.zeros(len(names), np.uint8)
    if list(borne) == [NONE] and NONE not in names:
        return row
    for name in borne:
        if name not in names:
            raise DatasetError(f"{where}: {name!r} is not one of the labels {', '.join(names)}")
        row[names.index(name)] = 1
    if NORMAL_OF_VERSION_1 in borne and row.sum() > 1:
        raise DatasetError(f"{where}: bears {NORMAL_OF_VERSION_1!r} and a finding at once")
    return row


def _targets(path: Path, row: _Row, names: Sequence[str]) -> NDArray[np.uint8] | None:
    if not row.cells["findings"]:
        return None
    borne = [name.strip() for name in row.cells["findings"].split("|")]
    return encode(borne, names, f"{path}, line {row.line}: {row.name}")


def _read(path: Path) -> tuple[bool, list[_Row]]:
    """Whether a CSV has the NIH release's headings, and its rows, their cells by `COLUMNS`."""
    try:
        data = read_bounded(path, MAX_CSV_BYTES)
    except UnreadableError as error:
        raise DatasetError(f"{path}: {error}") from None
    text = decoded(data)
    if text is None:
        line = _line_of_no_text(data)
        raise DatasetError(f"{path}, line {line}: is not UTF-8 text")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        columns = _columns(path, header)
        rows = list(_rows(path, reader, len(header), columns))
    except csv.Error as error:
        fault = next((said for key, said in CSV_FAULTS.items() if key in str(error)), QUOTES)
        raise DatasetError(f"{path}, line {reader.line_num}: is no CSV: {fault}") from None
    return _plain(header[columns["image"]]) == "imageindex", rows


CSV_FAULTS: Final = {
    "unexpected end": "unexpected end of data within quotes",
    "field larger": f"field larger than {csv.field_size_limit()} letters",
    "new-line": "line ends of several kinds",
}
"""By what Python says of them."""

QUOTES: Final = "a quote within a cell is not doubled"


def _line_of_no_text(data: bytes) -> int:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return data.count(b"\n", 0, error.start) + 1
    return 1


def _plain(heading: str) -> str:
    """A heading without what people change in it: case, spaces, underscores, byte order marks."""
    return re.sub(r"[\s_\-\ufeff\"']", "", heading).lower()


def _columns(path: Path, header: list[str]) -> dict[str, int]:
    """Where in a row each of `COLUMNS` stands."""
    columns = {}
    plain = [_plain(cell) for cell in header]
    for key, headings in COLUMNS.items():
        wanted = {_plain(heading) for heading in headings}
        places = [place for place, cell in enumerate(plain) if cell in wanted]
        if len(places) > 1:
            raise DatasetError(f"{path}, line 1: has two columns for the {key}")
        if places:
            columns[key] = places[0]
        elif key in ("image", "findings"):
            names = " or ".join(repr(heading) for heading in headings)
            there = ", ".join(cell.strip()[:40] for cell in header[:12])
            raise DatasetError(
                f"{path}, line 1: no column {names}, in any case of letters; there are: {there}"
            )
    return columns


def _rows(
    path: Path, reader: Iterator[list[str]], width: int, columns: dict[str, int]
) -> Iterator[_Row]:
    for count, cells in enumerate(filter(None, reader)):
        line = reader.line_num  # type: ignore[attr-defined]
        if count >= MAX_IMAGES:
            raise DatasetError(f"{path}, line {line}: more than {MAX_IMAGES} images")
        if len(cells) != width:
            raise DatasetError(f"{path}, line {line}: {len(cells)} cells, not {width}")
        row = _Row(line, {key: cells[place].strip() for key, place in columns.items()})
        name = PurePosixPath(row.name)
        if not row.name or not row.name.isprintable() or name.is_absolute() or ".." in name.parts:
            raise DatasetError(f"{path}, line {line}: {row.name!r} names no image of the folder")
        row.cells["image"] = str(name)
        if not row.patient or not row.patient.isprintable():
            raise DatasetError(f"{path}, line {line}: {row.name} has no patient")
        yield row


def _distinct(path: Path, rows: list[_Row]) -> list[_Row]:
    """Without lines that say the same twice."""
    seen: dict[str, _Row] = {}
    for row in rows:
        first = seen.setdefault(row.name, row)
        if any(first.cells.get(key) != row.cells.get(key) for key in ("patient", "findings")):
            raise DatasetError(
                f"{path}, lines {first.line} and {row.line}: two lines disagree about {row.name}"
            )
    return list(seen.values())


def _splits(folder: Path, rows: list[_Row], lists: OfficialLists) -> list[Split | None]:
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
