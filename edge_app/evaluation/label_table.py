"""A table of labels: a CSV, or the arrays of an `.npz`, row by row as they are written.

Labels stand in one column, joined by ``|``, or in a column of 0 and 1 each. Whose labels they are
is not known here.
"""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np

from edge_app.core.errors import DatasetError
from edge_app.core.files import UnreadableError, read_bounded
from edge_app.core.plain_text import plain
from edge_app.evaluation.label_names import listed, plain_name
from edge_app.evaluation.official_lists import decoded

MAX_BYTES: Final = 32 << 20
MAX_ARRAY_BYTES: Final = 256 << 20
MAX_IMAGES: Final = 250_000
"""More than twice the whole NIH release."""

COLUMNS: Final = {
    "image": ("image index", "image"),
    "findings": ("finding labels", "labels"),
    "patient": ("patient id", "patient"),
    "split": ("split",),
    "age": ("patient age", "age"),
    "sex": ("patient gender", "patient sex", "gender", "sex"),
    "view": ("view position", "view"),
}
"""What is known of an image, and the headings it stands under.

Spaces, underscores, hyphens and the case of letters do not count in a heading.
"""

ALSO_FINDINGS: Final = (
    *("label", "class", "classes", "target", "targets", "finding", "findings"),
    *("diagnosis", "category", "y"),
)
"""Further headings of the findings, where none of the usual ones is there."""

ABOUT: Final = ("age", "sex", "view")

YES: Final = frozenset(("1", "1.0", "true"))
NO: Final = frozenset(("0", "0.0", "false"))
UNKNOWN: Final = frozenset(("", "-1", "-1.0", "nan"))
"""What a label's own column may hold, in lower case."""


@dataclass(frozen=True)
class Row:
    """An image's line.

    Attributes:
        line: where it stands, from 1.
        cells: what it says, by the keys of `COLUMNS`.
        borne: names of the labels that it bears; None where the image is unlabelled.
    """

    line: int
    cells: dict[str, str]
    borne: tuple[str, ...] | None

    @property
    def name(self) -> str:
        return self.cells["image"]

    @property
    def patient(self) -> str:
        return self.cells.get("patient", self.name)

    @property
    def about(self) -> dict[str, str]:
        return {str(key): self.cells[key] for key in ABOUT if key in self.cells}


@dataclass(frozen=True)
class Table:
    """The lines of a table, no image twice.

    Attributes:
        path: its file.
        nih: it has the headings of NIH's release.
        rows: in their order.
        columns: names of the labels that have a column of 0 and 1 each; nothing where one column
            holds all names.
    """

    path: Path
    nih: bool
    rows: list[Row]
    columns: tuple[str, ...]

    def tells(self, key: str) -> bool:
        """Whether it has that column of `COLUMNS`."""
        return any(key in row.cells for row in self.rows)

    def where(self, row: Row) -> str:
        """Begins what is said of a row."""
        return f"{self.path}, line {row.line}: {row.name}"


def read_table(path: Path) -> Table:
    """Read the CSV or the `.npz` of labels at `path`.

    Raises:
        DatasetError: it is missing, damaged or contradicts itself; names the line.
    """
    try:
        data = read_bounded(path, MAX_BYTES)
    except UnreadableError as error:
        raise DatasetError(f"{path}: {error}") from None
    if path.suffix.lower() == ".npz":
        header, lines = _arrays(path, data)
    else:
        header, lines = _text(path, data)
    columns = _columns(path, header)
    if "findings" not in columns:
        lines = list(lines)
        own = _label_columns(path, header, lines, columns)
        if not own:
            _refuse_without_labels(path, header)
        return Table(path, False, _distinct(path, _rows(path, lines, columns, own)), tuple(own))
    nih = plain_name(header[columns["image"]]) == "imageindex"
    return Table(path, nih, _distinct(path, _rows(path, lines, columns, {})), ())


Lines = Iterable[tuple[int, list[str]]]


def _text(path: Path, data: bytes) -> tuple[list[str], Lines]:
    """A CSV's header, and its other lines by number."""
    text = decoded(data)
    if text is None:
        line = _line_of_no_text(data)
        raise DatasetError(f"{path}, line {line}: is not UTF-8 text")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines = _lines(path, reader)
    _, header = next(lines, (1, []))
    return header, _equally_long(path, header, lines)


def _lines(path: Path, reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    """Lines that are not blank, by number; the first one even so."""
    try:
        for place, cells in enumerate(reader):
            if cells or not place:
                yield reader.line_num, cells  # type: ignore[attr-defined]
    except csv.Error as error:
        fault = next((said for key, said in CSV_FAULTS.items() if key in str(error)), QUOTES)
        line = reader.line_num  # type: ignore[attr-defined]
        raise DatasetError(f"{path}, line {line}: is no CSV: {fault}") from None


def _equally_long(path: Path, header: Sequence[str], lines: Lines) -> Lines:
    for count, (line, cells) in enumerate(lines):
        if count >= MAX_IMAGES:
            raise DatasetError(f"{path}, line {line}: more than {MAX_IMAGES} images")
        if len(cells) != len(header):
            raise DatasetError(f"{path}, line {line}: {len(cells)} cells, not {len(header)}")
        yield line, [cell.strip() for cell in cells]


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


ARRAYS: Final = "arrays image (N names), labels (N×K of 0 and 1) and names (K)"


def _arrays(path: Path, data: bytes) -> tuple[list[str], Lines]:
    """An `.npz`'s arrays as the header and lines of a CSV with a column of 0 and 1 a label."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(member.file_size for member in archive.infolist()) > MAX_ARRAY_BYTES:
                raise DatasetError(f"{path}: holds more than {MAX_ARRAY_BYTES >> 20} MB")
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            found: dict[str, Any] = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
        raise DatasetError(
            f"{path}: is damaged, or no .npz of plain arrays: it takes {ARRAYS}"
        ) from None
    missing = [key for key in ("image", "labels", "names") if key not in found]
    if missing:
        raise DatasetError(f"{path}: no {missing[0]} in it: it takes {ARRAYS}")
    labels, names = found["labels"], [str(name) for name in found["names"].ravel()]
    count = len(found["image"]) if found["image"].ndim == 1 else -1
    if labels.shape != (count, len(names)):
        raise DatasetError(
            f"{path}: labels is {labels.shape}, not {found['image'].shape} images × "
            f"{len(names)} names: it takes {ARRAYS}"
        )
    if not np.isin(labels, (0, 1)).all():
        raise DatasetError(f"{path}: labels holds other values than 0 and 1")
    more = [key for key in ("patient", "split", *ABOUT) if key in found]
    for key in more:
        if found[key].shape != (count,):
            raise DatasetError(f"{path}: {key} is {found[key].shape}, not one for each image")
    columns = [[str(value) for value in found[key]] for key in ("image", *more)]
    bits = [[str(int(value)) for value in row] for row in labels]
    rows = zip(*columns, bits, strict=True)
    lines = [(place + 1, [*cells, *of_labels]) for place, (*cells, of_labels) in enumerate(rows)]
    return ["image", *more, *names], lines


def _columns(path: Path, header: Sequence[str]) -> dict[str, int]:
    """Where in a row each of `COLUMNS` stands; the findings may have columns of their own."""
    columns = {}
    cells = [plain_name(cell) for cell in header]
    for key, headings in COLUMNS.items():
        wanted = {plain_name(heading) for heading in headings}
        places = [place for place, cell in enumerate(cells) if cell in wanted]
        if key == "findings" and not places:
            places = [place for place, cell in enumerate(cells) if cell in ALSO_FINDINGS]
        if len(places) > 1:
            raise DatasetError(
                f"{path}, line 1: has two columns for the {key}, "
                f"{listed([plain(header[place].strip()[:40]) for place in places])}: take one out"
            )
        if places:
            columns[key] = places[0]
        elif key == "image":
            _refuse(path, header, key)
    return columns


def _refuse(path: Path, header: Sequence[str], key: str, more: str = "") -> None:
    names = " or ".join(repr(heading) for heading in COLUMNS[key])
    there = ", ".join(plain(cell.strip()[:40]) for cell in header[:12])
    raise DatasetError(
        f"{path}, line 1: no column {names}, in any case of letters{more}; there are: {there}"
    )


def _refuse_without_labels(path: Path, header: Sequence[str]) -> None:
    _refuse(path, header, "findings", ", nor one of 0 and 1 for each label")


def _label_columns(
    path: Path, header: Sequence[str], lines: Lines, columns: dict[str, int]
) -> dict[str, int]:
    """Columns of 0 and 1, by heading: where no column holds names, each is a label's own."""
    found: dict[str, int] = {}
    for place, heading in enumerate(header):
        name = heading.replace("\ufeff", "").strip().strip("\"'")
        if place in columns.values() or not name:
            continue
        values = {cells[place].lower() for _, cells in lines}
        if values & (YES | NO) and values <= YES | NO | UNKNOWN:
            if any(plain_name(name) == plain_name(other) for other in found):
                raise DatasetError(f"{path}, line 1: has two columns {name!r}: take one out")
            found[name] = place
    return found


def _rows(path: Path, lines: Lines, columns: dict[str, int], own: dict[str, int]) -> Iterator[Row]:
    for line, cells in lines:
        told = {key: cells[place] for key, place in columns.items()}
        written, patient = told["image"], told.get("patient", told["image"])
        name = PurePosixPath(written)
        if not written or not written.isprintable() or name.is_absolute() or ".." in name.parts:
            raise DatasetError(f"{path}, line {line}: {written!r} names no image of the folder")
        told["image"] = str(name)
        if not patient or not patient.isprintable():
            raise DatasetError(f"{path}, line {line}: {written} has no patient: write one for each")
        yield Row(line, told, _borne(told.get("findings"), cells, own))


def _borne(joined: str | None, cells: Sequence[str], own: dict[str, int]) -> tuple[str, ...] | None:
    if joined is not None:
        return tuple(name.strip() for name in joined.split("|")) if joined else None
    said = {name: cells[place].lower() for name, place in own.items()}
    if any(value in UNKNOWN for value in said.values()):
        return None
    return tuple(name for name, value in said.items() if value in YES)


def _distinct(path: Path, rows: Iterable[Row]) -> list[Row]:
    """Without lines that say the same twice."""
    seen: dict[str, Row] = {}
    for row in rows:
        first = seen.setdefault(row.name, row)
        same = all(first.cells.get(key) == row.cells.get(key) for key in ("patient", "split"))
        if first.borne != row.borne or not same:
            raise DatasetError(
                f"{path}, lines {first.line} and {row.line}: two lines disagree about {row.name}: "
                "take one out"
            )
    return list(seen.values())
