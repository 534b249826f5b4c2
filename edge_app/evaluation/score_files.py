"""Scores that anybody's classifier gave → numbers, whatever wrote their file.

A CSV has a column ``image``, if known ``patient``, and one a label; what `classify --csv` printed
is such a file. An `.npz` holds ``images`` (N names), ``labels`` (L names), if known ``patients``,
and N×L numbers as ``probabilities``, ``logits`` or ``scores``. Nothing is unpickled. A Parquet
file has a CSV's columns, or is an archive's, whose whole folder may be named.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal, cast

import numpy as np
from numpy.typing import NDArray

from edge_app.core.errors import ReportError
from edge_app.core.files import PIECE, UnreadableError, read_bounded
from edge_app.evaluation.label_names import channel_of, plain_name
from edge_app.evaluation.report import DAMAGED, MAX_SCORES_BYTES, arrays_of
from edge_app.evaluation.splits import NOBODY
from edge_app.model.labels import Labels
from edge_app.pipeline import parquet

Floats = NDArray[np.float64]

Scale = Literal["probabilities", "logits"]
AUTO: Final = "auto"
SCALES: Final = (AUTO, "probabilities", "logits")

MAX_IMAGES: Final = 250_000
MAX_LABELS: Final = 64
"""As many as a model may have."""
MAX_COLUMNS: Final = 1000
MAX_LOGIT: Final = 1e30

IMAGE: Final = ("imageindex", "image", "images", "file", "filename")
PATIENT: Final = ("patientid", "patient", "patients")
NO_SCORES: Final = (
    *("overall", "percentile", "flagged", "above", "aboveppv", "raised"),
    *("operatingpoint", "modelsha256", "site", "warnings", "withheld", "error", "note"),
    *("modeldigest", "threshold", "usually", "caution"),
)
"""Columns of `classify --csv` that are no label's."""


MAKERS: Final = ("modelsha256", "modeldigest", "site")
"""Those of them that tell who made a row."""

OTHER_MAKER: Final = (
    "{} was scored by another model file or site file than {}: keep the answers of each apart"
)


class ScoresError(ReportError):
    """A file of scores or of labels cannot be used."""

    kind = "scores"


def matched(
    path: Path, scored: Sequence[str], known: Sequence[str], others: Sequence[str] = ()
) -> list[int | None]:
    """Where each image that was scored stands among the known ones, if it does.

    It stands there under its own name, or else under the longest end of its path that is a known
    name, part by part: ``/data/siteA/1.png`` under ``siteA/1.png`` rather than ``1.png``.

    Args:
        path: the file that names them, for messages.
        scored: their names.
        known: the names that are looked for.
        others: all else that the table of labels names. Whoever is one of these is no known image
            by a shorter end of its path; their places follow those of `known`.

    Raises:
        ScoresError: two that were scored would be one known image; names both.
    """
    places = _Places(known, others)
    found = [places.of(name) for name in scored]
    taken: dict[int, str] = {}
    for name, place in zip(scored, found, strict=True):
        if place is None or place >= len(known):
            continue
        if taken.setdefault(place, name) != name:
            raise ScoresError(
                f"{path}: {taken[place]} and {name} would both be {known[place]} of the labels: "
                "write more of their paths into the table of labels"
            )
    return found


class _Places:
    """Names by their parts: those that are looked for, then others; see `matched`."""

    def __init__(self, known: Sequence[str], others: Sequence[str]) -> None:
        self._known = len(known)
        self._places: dict[tuple[str, ...], int] = {}
        for place, name in enumerate((*known, *others)):
            self._places.setdefault(PurePosixPath(name).parts, place)
        self._lengths = sorted({len(parts) for parts in self._places}, reverse=True)

    def of(self, name: str) -> int | None:
        """The place of the longest end of a path that is here; no end is longer than a name."""
        parts = PurePosixPath(name).parts
        ends = (parts[-length:] for length in self._lengths if 0 < length <= len(parts))
        return next((self._places[end] for end in ends if end in self._places), None)

    def is_known(self, name: str) -> bool:
        """Whether it is one of those that are looked for."""
        place = self.of(name)
        return place is not None and place < self._known


@dataclass(frozen=True)
class Table:
    """A file's columns, and which of them are numbers.

    Attributes:
        path: the file.
        sha256: of it.
        images: N names, each once.
        patients: N names; None where the file tells none.
        columns: by heading, N cells: text of a CSV, numbers of an array.
        stated: the scale that the file itself states, if it does.
        lines: N places for messages, such as ``line 7``.
    """

    path: Path
    sha256: str
    images: list[str]
    patients: list[str] | None
    columns: dict[str, Any]
    stated: str
    lines: Sequence[str]

    def fail(self, why: str, row: int | None = None) -> ScoresError:
        place = f", {self.lines[row]}" if row is not None else ""
        return ScoresError(f"{self.path}{place}: {why}")

    def numbers(self, heading: str) -> Floats:
        """A column as finite numbers.

        Raises:
            ScoresError: a cell is none; names the line.
        """
        cells = self.columns[heading]
        if isinstance(cells, np.ndarray):
            numbers = cells.astype(np.float64)
        else:
            numbers = np.array([_number(cell) for cell in cells])
        wrong = np.flatnonzero(~np.isfinite(numbers))
        if len(wrong):
            said = str(cells[wrong[0]])[:40]
            raise self.fail(
                f"{heading} of {self.images[wrong[0]]} is {said!r}, no number", wrong[0]
            )
        return numbers

    def without(self, rows: set[int]) -> Table:
        """The same without some rows."""
        keep = [row for row in range(len(self.images)) if row not in rows]

        def kept(cells: Any) -> Any:
            if isinstance(cells, np.ndarray):
                return cells[keep]
            return [cells[row] for row in keep]

        return Table(
            *(self.path, self.sha256, kept(self.images)),
            None if self.patients is None else kept(self.patients),
            {name: kept(cells) for name, cells in self.columns.items()},
            self.stated,
            kept(self.lines),
        )


def _number(cell: str) -> float:
    try:
        return float(cell) if cell.isascii() and "_" not in cell else np.nan
    except ValueError:
        return np.nan


@dataclass(frozen=True)
class Scores:
    """What a classifier said of N images.

    Attributes:
        path, sha256: of the file.
        images: N names.
        patients: N names; None where the file tells none.
        labels: L names, as in the file.
        values: N×L, on the file's `scale`.
        refused: ``(image, reason)`` of those that the file says were not scored.
        others: how many more images an archive holds, of which nothing was asked.
    """

    path: Path
    sha256: str
    images: list[str]
    patients: list[str] | None
    labels: tuple[str, ...]
    values: Floats
    scale: Scale
    refused: list[tuple[str, str]]
    others: int = 0

    @property
    def all_images(self) -> list[str]:
        """Names of all images that the file tells of: `images`, then those refused."""
        return [*self.images, *(name for name, _ in self.refused)]

    def columns_of(self, labels: Labels) -> dict[int, int]:
        """Where the scores of each label stand, as far as there are any; see `channel_of`.

        Raises:
            ScoresError: a label has two columns.
        """
        places: dict[int, int] = {}
        for place, name in enumerate(self.labels):
            channel = channel_of(name, labels)
            if channel is not None and places.setdefault(channel, place) != place:
                first = self.labels[places[channel]]
                raise ScoresError(
                    f"{self.path}: {first!r} and {name!r} both stand for {labels[channel].name!r}: "
                    "take one column out"
                )
        return places

    def of(self, labels: Labels) -> Floats:
        """N×len(labels), in that order.

        Raises:
            ScoresError: a label has no column, or two.
        """
        places = self.columns_of(labels)
        missing = [label.name for i, label in enumerate(labels) if i not in places]
        if missing:
            raise ScoresError(
                f"{self.path}: has no scores of {', '.join(missing[:5])}; its columns are "
                f"{', '.join(self.labels[:12])}: name the labels to be looked at with --label"
            )
        return self.values[:, [places[channel] for channel in range(len(labels))]]


def read(
    path: Path,
    scale: str = AUTO,
    known: Sequence[str] | None = None,
    others: Sequence[str] = (),
) -> Scores:
    """Read a file of scores.

    Args:
        path: CSV, `.npz`, Parquet, or an archive's folder.
        scale: ``probabilities`` or ``logits``; ``auto``: what the file states, otherwise
            probabilities where every number lies from 0 to 1, and logits where at least half of
            them do not and one is negative, or above 100: others may be percentages.
        known: the images that something is known of; all else of an archive is only counted.
        others: see `matched`.

    Raises:
        ScoresError: it cannot be read, names an image twice, or a cell is no finite number.
    """
    if is_of_archive(path):
        return _of_archive(path, known, others)
    table = read_table(path)
    unscored = dict(_unscored(table))
    refused = [(table.images[row], why) for row, why in unscored.items()]
    if unscored:
        table = table.without(set(unscored))
    _require_one_maker(table)
    names = [name for name in table.columns if plain_name(name) not in NO_SCORES]
    if not names:
        raise table.fail("has no column of scores")
    if len(names) > MAX_LABELS:
        raise table.fail(f"has {len(names)} columns of scores, more than {MAX_LABELS}")
    if not table.images:
        raise table.fail("holds no image that was scored")
    values = np.column_stack([table.numbers(name) for name in names])
    found = _scale(table, names, values, scale)
    return Scores(
        *(path, table.sha256, table.images, table.patients), tuple(names), values, found, refused
    )


def _require_one_maker(table: Table) -> None:
    """Refuse rows of `classify --csv` that are not all of one model file and one site file."""
    by_name = {plain_name(name): cells for name, cells in table.columns.items()}
    maker_columns = [by_name[name] for name in MAKERS if name in by_name]
    if "modelsha256" not in by_name or "withheld" not in by_name:
        return
    makers = list(zip(*maker_columns, strict=True))
    other = next((row for row, maker in enumerate(makers) if maker != makers[0]), None)
    if other is not None:
        raise table.fail(OTHER_MAKER.format(table.images[other], table.images[0]), other)


def _unscored(table: Table) -> Iterator[tuple[int, str]]:
    """Rows of `classify --csv` that hold no scores, and why."""
    by_name = {plain_name(name): cells for name, cells in table.columns.items()}
    if not {"withheld", "error", "modelsha256"} <= by_name.keys():
        return
    for row, (withheld, error) in enumerate(
        zip(by_name["withheld"], by_name["error"], strict=True)
    ):
        if error:
            yield row, str(error)[:200]
        elif withheld != "false":
            yield row, "its findings were withheld"


def _scale(table: Table, names: list[str], values: Floats, requested: str) -> Scale:
    """What the numbers are; see `read`."""
    if table.stated == "targets":
        raise table.fail("holds the truth about its images, not scores")
    stated = table.stated if table.stated in SCALES else ""  # and not, as an array may be, scores
    if stated and requested not in (AUTO, stated):
        raise table.fail(f"holds {stated}, not {requested}: see --scale")
    outside = (values < 0) | (values > 1)
    scale = requested if requested != AUTO else stated
    if not scale:
        share = outside.mean()
        if 0 < share < 0.5:
            row, column = np.argwhere(outside)[0]
            raise table.fail(
                f"{names[column]} of {table.images[row]} is {values[row, column]:g}, and most "
                "other numbers lie from 0 to 1: correct it, or say what they are with --scale",
                row,
            )
        if share and values.min() >= 0 and values.max() <= 100:
            raise table.fail(
                "its numbers lie from 0 to 100: percentages are divided by 100 first; of logits "
                "say --scale logits"
            )
        scale = "logits" if share else "probabilities"
    if scale == "probabilities" and outside.any():
        row, column = np.argwhere(outside)[0]
        raise table.fail(
            f"{names[column]} of {table.images[row]} is {values[row, column]:g}, no probability: "
            "correct it, or see --scale",
            row,
        )
    if np.abs(values).max() > MAX_LOGIT:
        raise table.fail("holds a number that is no score")
    return cast("Scale", scale)


def read_table(path: Path) -> Table:
    """The columns of a CSV or an `.npz`.

    Raises:
        ScoresError: it is neither, damaged, too large, or names an image twice.
    """
    try:
        data = read_bounded(path, MAX_SCORES_BYTES)
    except UnreadableError as error:
        raise ScoresError(f"{path}: {error}") from None
    digest = hashlib.sha256(data).hexdigest()
    table = READERS.get(data[:4], _of_csv)(path, data, digest)
    seen: dict[str, int] = {}
    for row, name in enumerate(table.images):
        if not name or not name.isprintable():
            raise table.fail(f"{name!r} is no name of an image", row)
        if name in seen:
            raise table.fail(f"{name} is there already, in {table.lines[seen[name]]}", row)
        seen[name] = row
    for row, name in enumerate(table.patients or ()):
        if name in NOBODY or not name.isprintable():
            raise table.fail(f"{table.images[row]} has no patient", row)
    if not table.images:
        raise table.fail("holds no image")
    return table


def _of_csv(path: Path, data: bytes, digest: str) -> Table:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ScoresError(f"{path}: is neither a CSV in UTF-8 nor an .npz") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        image, patient = _places(path, header)
        rows: list[list[str]] = []
        lines: list[str] = []
        for cells in filter(None, reader):
            line = f"line {reader.line_num}"
            if len(cells) != len(header):
                raise ScoresError(f"{path}, {line}: {len(cells)} cells, not {len(header)}")
            if len(rows) >= MAX_IMAGES:
                raise ScoresError(f"{path}, {line}: more than {MAX_IMAGES} images")
            rows.append([cell.strip() for cell in cells])
            lines.append(line)
    except csv.Error:
        raise ScoresError(f"{path}, line {reader.line_num}: is no CSV") from None
    columns = {
        name: [row[place] for row in rows]
        for place, name in enumerate(header)
        if place not in (image, patient)
    }
    patients = None if patient is None else [row[patient] for row in rows]
    return Table(path, digest, [row[image] for row in rows], patients, columns, "", lines)


def _of_parquet(path: Path, data: bytes, digest: str) -> Table:
    if parquet.count(path) > MAX_IMAGES:
        raise ScoresError(f"{path}: more than {MAX_IMAGES} images")
    columns: dict[str, Any] = parquet.plain_columns(path)
    header = list(columns)
    image, patient = _places(path, header)
    names = columns.pop(header[image])
    patients = None if patient is None else columns.pop(header[patient])
    for name, cells in columns.items():
        columns[name] = ["" if cell is None else str(cell) for cell in cells]
    return Table(
        *(path, digest, _words(names), None if patients is None else _words(patients)),
        *(columns, "", [f"row {row + 1}" for row in range(len(names))]),
    )


def _words(cells: list[Any]) -> list[str]:
    return ["" if cell is None else str(cell) for cell in cells]


def is_of_archive(path: Path) -> bool:
    """Whether it is an archive's folder, or one of its files."""
    parts = parquet.parts_of(path)
    return bool(parts) and parts[0].is_file() and parquet.is_archive(parts[0])


def _of_archive(path: Path, known: Sequence[str] | None, more: Sequence[str]) -> Scores:
    """The scores in an archive, of known images alone where these are told."""
    digest = hashlib.sha256()
    places = None if known is None else _Places(known, more)
    images: list[str] = []
    refused: list[tuple[str, str]] = []
    values: list[list[float]] = []
    labels: tuple[str, ...] = ()
    makers: set[tuple[str | None, ...]] = set()
    others = 0
    for part in parquet.parts_of(path):
        with part.open("rb") as file:
            for piece in iter(partial(file.read, PIECE), b""):
                digest.update(piece)
        for row in parquet.read([part], ("file", "error", "findings", "model", "site")):
            name = row["file"]
            if places is not None and not places.is_known(name):
                others += 1
                continue
            if row["error"] is not None or not row["findings"]:
                why = row["error"]["message"] if row["error"] else "its findings were withheld"
                refused.append((name, str(why)[:200]))
                continue
            row_labels = tuple(finding["label"] for finding in row["findings"])
            if row_labels != (labels or row_labels):
                raise ScoresError(f"{path}: {name} was scored for other labels than others")
            labels = row_labels
            by = row["model"] or {}
            makers.add((by.get("sha256"), by.get("digest"), row["site"]))
            if len(makers) > 1:
                raise ScoresError(f"{path}: {OTHER_MAKER.format(name, images[0])}")
            images.append(name)
            values.append([finding["probability"] for finding in row["findings"]])
            if len(images) > MAX_IMAGES:
                raise ScoresError(f"{path}: more than {MAX_IMAGES} of the images are labelled")
    if not images:
        raise ScoresError(f"{path}: no image that anything is known of was scored")
    if len(set(images)) < len(images):
        raise ScoresError(f"{path}: has an image twice")
    array = np.array(values, np.float64)
    if not ((array >= 0) & (array <= 1)).all():
        raise ScoresError(f"{path}: holds a probability that is none")
    return Scores(
        *(path, digest.hexdigest(), images, None, labels, array, "probabilities", refused, others)
    )


def _places(path: Path, header: list[str]) -> tuple[int, int | None]:
    """Where image and patient stand in a CSV's heading."""
    plain = [plain_name(name) for name in header]
    if len(header) > MAX_COLUMNS:
        raise ScoresError(f"{path}, line 1: {len(header)} columns, more than {MAX_COLUMNS}")
    twice = next((name for name in header if plain.count(plain_name(name)) > 1), None)
    if twice is not None:
        raise ScoresError(f"{path}, line 1: has two columns {twice!r}")
    images = [place for place, name in enumerate(plain) if name in IMAGE]
    patients = [place for place, name in enumerate(plain) if name in PATIENT]
    if len(images) != 1 or len(patients) > 1:
        there = ", ".join(name[:40] for name in header[:12])
        raise ScoresError(
            f"{path}, line 1: needs one column 'image', and 'patient' where it is known; "
            f"there are: {there}"
        )
    return images[0], patients[0] if patients else None


ARRAYS: Final = ("probabilities", "logits", "scores", "targets")
"""Names of the array of numbers in an `.npz`, N×L; one of them is there."""


def _of_npz(path: Path, data: bytes, digest: str) -> Table:
    try:
        arrays = arrays_of(data)
        stated = [name for name in ARRAYS if name in arrays]
        unknown = arrays.keys() - {"images", "patients", "labels", *ARRAYS}
        missing = {"images", "labels"} - arrays.keys()
        if len(stated) != 1 or missing or unknown:
            raise ScoresError(
                f"{path}: needs images, labels, patients where they are known, and one of "
                f"{', '.join(ARRAYS)}; it holds {', '.join(sorted(arrays))[:200]}"
            )
        names = {name: arrays[name] for name in ("images", "labels", "patients") if name in arrays}
        for name, array in names.items():
            if array.dtype.kind != "U" or array.ndim != 1:
                raise ScoresError(f"{path}: its {name} are {array.dtype} {array.shape}, no names")
        values, count = arrays[stated[0]], len(names["images"])
        if values.dtype.kind not in "fiub" or values.shape != (count, len(names["labels"])):
            raise ScoresError(
                f"{path}: its {stated[0]} are {values.dtype} {values.shape}, and it has {count} "
                f"images and {len(names['labels'])} labels"
            )
        if any(len(array) != count for name, array in names.items() if name != "labels"):
            raise ScoresError(f"{path}: not every image has a patient")
        if count > MAX_IMAGES or values.shape[1] > MAX_COLUMNS:
            raise ScoresError(f"{path}: more than {MAX_IMAGES} images or {MAX_COLUMNS} labels")
        labels = names["labels"].tolist()
        if len({plain_name(label) for label in labels}) < len(labels):
            raise ScoresError(f"{path}: has a label twice")
    except DAMAGED as error:
        if isinstance(error, ScoresError):
            raise
        raise ScoresError(f"{path}: is damaged or no .npz of plain arrays") from None
    return Table(
        *(path, digest, names["images"].tolist()),
        names["patients"].tolist() if "patients" in names else None,
        {label: values[:, place] for place, label in enumerate(labels)},
        stated[0],
        [f"image {row + 1}" for row in range(count)],
    )


READERS: Final = {b"PK\x03\x04": _of_npz, b"PAR1": _of_parquet}
"""The first bytes of a file → its reader."""

LARGEST_STEP: Final = 0.01
SMALLEST_STEP: Final = 1e-300


def log_odds(values: Floats, scale: Scale, exclusive: bool) -> NDArray[np.float32]:
    """N×L scores → logits, such that a sigmoid (a softmax of exclusive labels) gives the scores.

    A probability of exactly 0 or 1 has no logit: it stands at half the smallest distance from 0,
    or from 1, of any other in the file, and at 0.005 at most.
    """
    if scale == "logits":
        return values.astype(np.float32)
    inside = (values > 0) & (values < 1)
    low, high = (
        max(distances.min(initial=LARGEST_STEP) / 2, SMALLEST_STEP)
        for distances in (values[inside], 1 - values[inside])
    )
    zero, one = values <= 0, values >= 1
    known = np.where(inside, values, 0.5)
    if exclusive:
        found = np.where(zero, np.log(low), np.where(one, 0.0, np.log(known)))
    else:
        odds = np.log(known) - np.log1p(-known)
        found = np.where(zero, np.log(low), np.where(one, -np.log(high), odds))
    return found.astype(np.float32)
