"""What readers say of answers, kept when the image is gone, and exported as labels.

The export is a CSV that `edge-cxr evaluate --labels` reads: an image's name, its patient as a
digest, and what the reader saw in it; with it stands what was answered. A row without labels counts
there as unlabelled.
"""

from __future__ import annotations

import csv
import io
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from edge_app.clinic import durable
from edge_app.clinic.faults import SpoolError
from edge_app.clinic.header import is_dicom
from edge_app.clinic.store import Store
from edge_app.core.plain_text import cell, plain
from edge_app.evaluation.label_names import NONE
from edge_app.model.labels import Labels

AGREES: Final = "agrees"
DISAGREES: Final = "disagrees"
OPEN: Final = "open"
OPINIONS: Final = (AGREES, DISAGREES, OPEN)
LONGEST_NOTE: Final = 2000
NAME_DIGITS: Final = 24

MARK: Final = ".edge-cxr"
"""A file in a folder for copies that says that it is one: its mount point has none."""

COLUMNS: Final = (
    *("image", "labels", "patient", "reader", "time", "opinion", "note"),
    *("answer", "probability", "operating_point", "model_sha256"),
)


class Reading(NamedTuple):
    """What one reader says of one answer.

    Attributes:
        opinion: one of `OPINIONS`.
        labels: what they see, by the model's names; none where they do not say.
        nothing: they see none of the findings, and say so.
        note: their own words.
    """

    opinion: str
    labels: tuple[str, ...]
    nothing: bool
    note: str


class ReadingError(Exception):
    """A reading that contradicts itself; the text's key says how."""


def reading_of(form: Sequence[tuple[str, str]], labels: Labels) -> Reading:
    """The reading in a form.

    Raises:
        ReadingError: see the key.
    """
    fields = dict(form)
    seen = {value for key, value in form if key == "label"}
    findings = tuple(labels[i].name for i in labels.findings if labels[i].name in seen)
    opinion, nothing = fields.get("opinion", ""), fields.get("nothing") == "yes"
    if opinion not in OPINIONS:
        raise ReadingError("error.no-opinion")
    if nothing and findings:
        raise ReadingError("error.nothing-and-findings")
    note = " ".join(
        plain(fields.get("note", "").replace("\r\n", "\n").replace("\n", " / ")).split()
    )
    return Reading(opinion, findings, nothing, note[:LONGEST_NOTE])


def file_name(sha256: str, dicom: bool) -> str:
    """What an image is called where readings are exported."""
    return f"{sha256[:NAME_DIGITS]}.{'dcm' if dicom else 'png'}"


class Readings:
    """The readings of a store.

    Args:
        store: whose.
        labels: of the model; an image that bears no finding is exported with its normal label.
        collect: a folder that gets a copy of what is labelled, made once; None for none.
        kept: gives an image's file, by its row; see `read_kept`.
    """

    def __init__(
        self,
        store: Store,
        labels: Labels,
        collect: Path | None,
        kept: Callable[[sqlite3.Row], bytes],
    ) -> None:
        self.store, self.labels, self.collect, self._kept = store, labels, collect, kept

    def keep(
        self,
        image: sqlite3.Row,
        reader: str,
        reading: Reading,
        patient: str,
        answer: dict[str, str],
    ) -> None:
        """Keep a reading, in place of what this reader said of this image before.

        Args:
            image: its row.
            patient: a digest.
            answer: the model's digest and the operating point, by `model` and `operating_point`.

        Raises:
            SpoolError: the database fails; or the folder for copies was here, and is gone.
            OSError: the copy cannot be made.
            ImageError: the image is not as it came, or cannot be read.
        """
        name = self._collected(image, reading)
        normal = self.labels.normal
        labels = "|".join(reading.labels)
        if reading.nothing:
            labels = NONE if normal is None else self.labels[normal].name
        with self.store.transaction() as database:
            database.execute(
                "INSERT INTO reading (sha256, reader, time, opinion, labels, note, file, patient, "
                "state, score, model, operating_point) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (sha256, reader) DO UPDATE SET time = excluded.time, opinion = "
                "excluded.opinion, labels = excluded.labels, note = excluded.note, file = "
                "excluded.file, state = excluded.state, score = excluded.score, model = "
                "excluded.model, operating_point = excluded.operating_point",
                (
                    *(image["sha256"], reader, time.time(), reading.opinion, labels),
                    *(reading.note, name, patient, image["state"], image["score"]),
                    *(answer["model"], answer["operating_point"]),
                ),
            )

    def _collected(self, image: sqlite3.Row, reading: Reading) -> str:
        """The image's name in exports; it is copied where the settings say so."""
        path = self.store.images / image["file"]
        name = file_name(image["sha256"], is_dicom(path))
        if self.collect and (reading.labels or reading.nothing):
            self._require_folder(self.collect)
            if not os.path.lexists(self.collect / name):
                durable.replace(self.collect / name, self._kept(image))
        return name

    def _require_folder(self, folder: Path) -> None:
        """Have a folder for copies; one that was made before lies on a disk that is not mounted."""
        mark, made = folder / MARK, f"collect {os.path.abspath(folder)}"
        if not mark.is_file():
            if self.store.rows("SELECT 1 FROM fact WHERE name = ?", made):
                raise SpoolError(
                    f"{folder}: the folder for labelled images that was here is gone: mount its "
                    f"disk; to begin a new one, make it, with an empty file {MARK} in it"
                )
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            durable.replace(mark, b"")
        with self.store.transaction(synced=False) as database:
            database.execute("INSERT OR IGNORE INTO fact VALUES (?, ?)", (made, b""))

    def of(self, sha256: str) -> list[sqlite3.Row]:
        """All readings of an image."""
        return self.store.rows("SELECT * FROM reading WHERE sha256 = ? ORDER BY time", sha256)

    def count(self) -> int:
        """How many there are."""
        return int(self.store.value("SELECT count(*) FROM reading"))

    def csv(self) -> Iterator[str]:
        """All readings, a line each, the columns' names first."""
        yield _line(COLUMNS)
        for row in self.store.rows("SELECT * FROM reading ORDER BY file, time"):
            score = "" if row["score"] is None else f"{row['score']:.6f}"
            when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(row["time"]))
            yield _line(
                (
                    *(row["file"], row["labels"], row["patient"], row["reader"], when),
                    *(row["opinion"], cell(row["note"]), row["state"], score),
                    *(row["operating_point"], row["model"]),
                )
            )


def _line(cells: Sequence[str]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerow(cells)
    return file.getvalue()
