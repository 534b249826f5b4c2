"""A table of labels: a CSV, an `.npz` or a Parquet file, row by row as it is written.

Labels stand in one column, joined by ``|``, or in a column of 0 and 1 each. An `.npz` has its
labels as N×L ``labels`` with ``image`` and ``names``, or as N×L ``targets`` with ``images`` and
``labels``, as a file of scores has its scores. Whose labels they are is not known here.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np

from edge_app.core.errors import DatasetError, ReportError
from edge_app.core.files import UnreadableError, read_bounded
from edge_app.core.plain_text import plain
from edge_app.evaluation.label_names import listed, plain_name
from edge_app.evaluation.official_lists import decoded
from edge_app.evaluation.report import DAMAGED, MAX_SCORES_BYTES, arrays_of
from edge_app.evaluation.splits import NOBODY
from edge_app.pipeline import parquet

MAX_BYTES: Final = 32 << 20
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
"""What is known of an image → its column headings. Spaces, underscores, hyphens and the case of
letters do not count in a heading."""

ALSO: Final = {
    "image": ("images", "file", "filename"),
    "patient": ("patients",),
    "findings": (
        *("label", "class", "classes", "target", "targets", "finding", "findings"),
        *("diagnosis", "category", "y"),
    ),
}
"""Further headings, where none of the usual ones is there."""

ABOUT: Final = ("age", "sex", "view")

YES: Final = frozenset(("1", "1.0", "true", "yes"))
NO: Final = frozenset(("0", "0.0", "false", "no"))
UNKNOWN: Final = frozenset(("", "-1", "-1.0", "nan"))
"""What a label's own column may hold, in lower case."""


@dataclass(frozen=True)
class Row:
    """An image's line.

    Attributes:
        line: where it stands, from 1.
        cells: what it says, by the keys of `COLUMNS`.
        present: names of the labels that it bears; None where one column holds all names, and this
            image's cell is empty.
        unsaid: names of the labels whose own column does not say whether it bears them.
    """

    line: int
    cells: dict[str, str]
    present: tuple[str, ...] | None
    unsaid: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.cells["image"]

    @property
    def patient(self) -> str:
        return self.cells.get("patient", self.name)

    @property
    def labelled(self) -> bool:
        """Whether all labels of the table are told of it."""
        return self.present is not None and not self.unsaid

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
        mixed: what is wrong with each column that holds 0 or 1 and other words as well.
    """

    path: Path
    nih: bool
    rows: list[Row]
    columns: tuple[str, ...]
    mixed: dict[str, str]

    def tells(self, key: str) -> bool:
        """Whether it has that column of `COLUMNS`."""
        return any(key in row.cells for row in self.rows)

    def where(self, row: Row) -> str:
        """Begins what is said of a row."""
        return f"{self.path}, line {row.line}: {row.name}"


def read_table(path: Path) -> Table:
    """Read the CSV, the `.npz` or the Parquet file of labels at `path`.

    Raises:
        DatasetError: it is missing, damaged or contradicts itself; names the line.
    """
    try:
        data = read_bounded(path, MAX_BYTES)
    except UnreadableError as error:
        raise DatasetError(f"{path}: {error}") from None
    reader = READERS.get(data[:4], _arrays if path.suffix.lower() == ".npz" else _text)
    header, lines = reader(path, data)
    columns = _columns(path, header)
    if "findings" not in columns:
        lines = list(lines)
        own, mixed = _label_columns(path, header, lines, columns)
        if not own and mixed:
            raise DatasetError(next(iter(mixed.values())))
        if not own:
            _refuse_without_labels(path, header)
        rows = _distinct(path, _rows(path, lines, columns, own))
        return Table(path, False, rows, tuple(own), mixed)
    nih = plain_name(header[columns["image"]]) == "imageindex"
    return Table(path, nih, _distinct(path, _rows(path, lines, columns, {})), (), {})


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
"""Python's message about a CSV → ours."""

QUOTES: Final = "a quote within a cell is not doubled"


def _line_of_no_text(data: bytes) -> int:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return data.count(b"\n", 0, error.start) + 1
    return 1


ARRAYS: Final = "arrays image (N names), labels (N×K of 0 and 1) and names (K)"
OF_SCORES: Final = {
    "images": "image", "targets": "labels", "labels": "names", "patients": "patient",
}  # fmt: skip
"""Names of the arrays of a file like one of scores → the same by their names in `ARRAYS`."""


def _arrays(path: Path, data: bytes) -> tuple[list[str], Lines]:
    """An `.npz`'s arrays as the header and lines of a CSV with a column of 0 and 1 a label."""
    found = _loaded(path, data)
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


def _loaded(path: Path, data: bytes) -> dict[str, Any]:
    """The arrays of an `.npz`, by their names in `ARRAYS`."""
    try:
        found = arrays_of(data)
    except DAMAGED:
        raise DatasetError(
            f"{path}: is damaged, no .npz of plain arrays, or larger than "
            f"{MAX_SCORES_BYTES >> 20} MB: it takes {ARRAYS}"
        ) from None
    scores = [key for key in ("probabilities", "logits", "scores") if key in found]
    if scores:
        raise DatasetError(
            f"{path}: holds {scores[0]}, not labels: their array would be called targets"
        )
    if "targets" not in found:
        return found
    return {OF_SCORES.get(key, key): array for key, array in found.items()}


def _parquet(path: Path, data: bytes) -> tuple[list[str], Lines]:
    """A Parquet file's columns as the header and lines of a CSV."""
    try:
        if parquet.count(path) > MAX_IMAGES:
            raise DatasetError(f"{path}: more than {MAX_IMAGES} images")
        columns = parquet.plain_columns(path)
    except ReportError as error:
        raise DatasetError(str(error)) from None
    cells = [["" if cell is None else str(cell) for cell in column] for column in columns.values()]
    return list(columns), [
        (place + 1, list(row)) for place, row in enumerate(zip(*cells, strict=True))
    ]


READERS: Final = {b"PAR1": _parquet, b"PK\x03\x04": _arrays}
"""The first bytes of a file → its reader."""


def _columns(path: Path, header: Sequence[str]) -> dict[str, int]:
    """Where in a row each of `COLUMNS` stands; the findings may have columns of their own."""
    columns = {}
    cells = [plain_name(cell) for cell in header]
    for key, headings in COLUMNS.items():
        plain_headings = {plain_name(heading) for heading in headings}
        places = [place for place, cell in enumerate(cells) if cell in plain_headings]
        if not places:
            places = [place for place, cell in enumerate(cells) if cell in ALSO.get(key, ())]
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
) -> tuple[dict[str, int], dict[str, str]]:
    """Where no column holds names, each of 0 and 1 is a label's own.

    Returns:
        Their places by heading, and what is wrong with columns that hold other words as well.
    """
    found: dict[str, int] = {}
    mixed: dict[str, str] = {}
    for place, heading in enumerate(header):
        name = heading.replace("\ufeff", "").strip().strip("\"'")
        if place in columns.values() or not name:
            continue
        values = {cells[place].lower() for _, cells in lines}
        if not values & (YES | NO):
            continue
        if any(plain_name(name) == plain_name(other) for other in (*found, *mixed)):
            raise DatasetError(f"{path}, line 1: has two columns {name!r}: take one out")
        others = values - YES - NO - UNKNOWN
        if others:
            mixed[name] = next(
                f"{path}, line {line}: {plain(name[:40])} of "
                f"{plain(cells[columns['image']][:80])} is "
                f"{plain(cells[place][:40])!r}: write 0 or 1"
                for line, cells in lines
                if cells[place].lower() in others
            )
        else:
            found[name] = place
    return found, mixed


def _rows(path: Path, lines: Lines, columns: dict[str, int], own: dict[str, int]) -> Iterator[Row]:
    for line, cells in lines:
        values = {key: cells[place] for key, place in columns.items()}
        written, patient = values["image"], values.get("patient", values["image"])
        if not written or not written.isprintable():
            raise DatasetError(f"{path}, line {line}: {written!r} names no image")
        values["image"] = str(PurePosixPath(written))
        if patient in NOBODY or not patient.isprintable():
            but = f", but {patient!r}" if patient else ""
            raise DatasetError(
                f"{path}, line {line}: {written} has no patient{but}: write one for each"
            )
        if "findings" in values:
            yield Row(line, values, _joined(values["findings"]))
            continue
        said = {name: cells[place].lower() for name, place in own.items()}
        present = tuple(name for name, value in said.items() if value in YES)
        yield Row(line, values, present, tuple(name for name in said if said[name] in UNKNOWN))


def _joined(names: str) -> tuple[str, ...] | None:
    return tuple(name.strip() for name in names.split("|")) if names else None


def _distinct(path: Path, rows: Iterable[Row]) -> list[Row]:
    """Without lines that say the same twice."""
    seen: dict[str, Row] = {}
    for row in rows:
        first = seen.setdefault(row.name, row)
        same = all(first.cells.get(key) == row.cells.get(key) for key in ("patient", "split"))
        if (first.present, first.unsaid) != (row.present, row.unsaid) or not same:
            raise DatasetError(
                f"{path}, lines {first.line} and {row.line}: two lines disagree about {row.name}: "
                "take one out"
            )
    return list(seen.values())
