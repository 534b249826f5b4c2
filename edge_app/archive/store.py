"""An archive's folder: finished Parquet files, and a journal of the answers after them.

Answers go into the journal as they come. When it is full they become a Parquet file, whole or not
at all, and the next journal begins. A journal whose file is there is done with. So each answer is
in one place, at whatever moment the work ends.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from edge_app.archive.seen import Seen, key_of
from edge_app.core import strict_json
from edge_app.core.errors import MachineError, OutputError
from edge_app.core.files import UnreadableError, read_bounded, write_whole
from edge_app.evaluation.journal import HOW_TO_GO_ON, Journal
from edge_app.pipeline import parquet as rows

SUBJECT: Final = "archive.json"
LOCK: Final = "lock"
DONE: Final = "done.json"
"""A file that exists while every named source is answered."""
KIND: Final = "edge-cxr archive"
SCHEMA_VERSION: Final = 1
ROWS: Final = 2000
"""Rows of a Parquet file."""
SHARED: Final = (
    *("model", "site", "operating_point", "label_operating_point"),
    *("preprocessing", "runtime", "disclaimer"),
)
"""Keys with the same value in all answers: a journal holds each once."""
MAX_SUBJECT: Final = 1 << 20


class Store:
    """An archive's folder, locked against a second writer.

    Args:
        folder: made if it is not there.
        subject: JSON-able; all that decides an answer.
        rows_a_part: rows of a Parquet file.

    Attributes:
        answered: how many sources are answered.

    Raises:
        OutputError: the folder cannot be written, is in use, or is about something else.
    """

    def __init__(self, folder: Path, subject: Mapping[str, Any], rows_a_part: int = ROWS) -> None:
        rows.packages()
        self.folder, self._rows = folder, rows_a_part
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        except OSError as error:
            raise _unwritable(folder, error) from None
        try:
            self._open(subject)
        except BaseException:
            os.close(self._lock)
            raise

    def _open(self, subject: Mapping[str, Any]) -> None:
        self._take_lock()
        try:
            self._subject = _held_to(self.folder, subject)
            (self.folder / DONE).unlink(missing_ok=True)
            self._clear()
        except OSError as error:
            raise _unwritable(self.folder, error) from None
        parts = rows.parts_of(self.folder)
        self._number = 1 + max((_number(part) for part in parts), default=-1)
        self.answered = sum(rows.count(part) for part in parts)
        self._pending: set[bytes] = set()
        self._held, self._keys = rows.Rows(), list[bytes]()
        self._shared: dict[str, Any] = {}
        self._unanswered, self._example = 0, ""
        self._seen = Seen(self.folder, parts)
        try:
            self._begin()
        except BaseException:
            self._seen.close()
            raise

    def is_new(self, name: str) -> bool:
        """Whether a source is neither answered nor being answered; then it is from now on."""
        key = key_of(name)
        if key in self._pending or key in self._seen:
            return False
        self._pending.add(key)
        return True

    def add(self, answer: Mapping[str, Any]) -> None:
        """Keep an answer; not one that blames the machine, which says nothing of the source.

        Raises:
            OutputError: it cannot be written; what was there before is safe.
        """
        if answer.get("error", {}).get("kind") == MachineError.kind:
            self._unanswered += 1
            self._example = f"{answer['file']}: {answer['error']['message']}"
            return
        self._journal.append(self._news(answer))
        self._take(answer)
        if len(self._held) >= self._rows:
            self._finish_part()

    def finish(self) -> None:
        """All sources are answered: make a Parquet file of what the journal holds.

        Raises:
            MachineError: some are not, because the machine lacked what it takes to read them.
        """
        if self._unanswered:
            raise MachineError(
                f"sources not answered: {self._unanswered}, such as {self._example}: {HOW_TO_GO_ON}"
            )
        if self._held:
            self._finish_part()
        self._journal.remove()
        write_whole(self.folder / DONE, f"{json.dumps({'answered': self.answered})}\n".encode())

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._journal.__exit__(kind, error, trace)
        finally:
            self._seen.close()
            os.close(self._lock)

    def _take_lock(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(
                f"{self.folder}: another process is writing to it: wait for it, or give another "
                "--out"
            ) from None

    def _take(self, answer: Mapping[str, Any]) -> None:
        key = key_of(answer["file"])
        self._held.append(answer)
        self._keys.append(key)
        self._pending.add(key)
        self.answered += 1

    def _news(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """What an answer says that the one before it in the journal has not said of all."""
        news = {
            key: value
            for key, value in answer.items()
            if not (key in SHARED and key in self._shared and self._shared[key] == value)
        }
        self._shared.update((key, news[key]) for key in SHARED if key in news)
        return news

    def _begin(self) -> None:
        """Begin the journal of the next part, or go on with it."""
        about = {"kind": f"{KIND} journal", "part": self._number, "archive": self._subject}
        self._journal = Journal(self._path("journal"), about)
        self._shared.clear()
        for news in self._journal.records:
            self._take({**self._shared, **news})
            self._shared.update((key, news[key]) for key in SHARED if key in news)
        self._journal.records.clear()

    def _finish_part(self) -> None:
        part, before = self._path("parquet"), self._journal
        try:
            write_whole(part, self._held.encoded())
        except OSError as error:
            raise _unwritable(part, error) from None
        self._seen.add(part.name, self._keys)
        self._pending.difference_update(self._keys)
        self._held, self._keys = rows.Rows(), []
        self._number += 1
        self._begin()
        before.remove()
        before.__exit__(None, None, None)

    def _clear(self) -> None:
        """Remove what a kill between two steps left: journals that became a part, torn files."""
        for path in self.folder.glob("part-*.journal"):
            if path.with_suffix(".parquet").exists():
                path.unlink()
        for path in self.folder.glob(".*.partial"):
            path.unlink()

    def _path(self, ending: str) -> Path:
        return self.folder / f"part-{self._number:08d}.{ending}"


def _number(part: Path) -> int:
    try:
        return int(part.stem.removeprefix("part-"))
    except ValueError:
        raise OutputError(f"{part}: was not written by edge-cxr archive: take it away") from None


def _held_to(folder: Path, subject: Mapping[str, Any]) -> str:
    """The subject's digest, once it is on the disk and the same as before."""
    stated = {"kind": KIND, "schema_version": SCHEMA_VERSION, **subject}
    path = folder / SUBJECT
    before = subject_of(folder)
    if before is None:
        write_whole(path, f"{json.dumps(stated, indent=1)}\n".encode())
    else:
        now = json.loads(json.dumps(stated))
        changed = [key for key in now | before if now.get(key) != before.get(key)]
        if changed:
            raise OutputError(
                f"{folder}: was begun with another {', '.join(changed)}: go on with the command it "
                "was begun with, or give another --out"
            )
    return hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()


def subject_of(folder: Path) -> dict[str, Any] | None:
    """What an archive's folder says it is about; None where it is a new one.

    Raises:
        OutputError: what lies there is no archive.
    """
    path = folder / SUBJECT
    if not path.exists():
        return None
    try:
        found = strict_json.parse(read_bounded(path, MAX_SUBJECT))
        if found["kind"] != KIND or found["schema_version"] > SCHEMA_VERSION:
            raise ValueError
    except (UnreadableError, ValueError, KeyError, TypeError):
        raise OutputError(f"{path}: is no archive's, or of a newer version: update") from None
    stated: dict[str, Any] = found
    return stated


def _unwritable(path: Path, error: OSError) -> OutputError:
    advice = "choose a folder that can be written with --out"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
        advice = f"make room, then {HOW_TO_GO_ON}"
    return OutputError(f"{path}: cannot be written: {error.strerror or error}: {advice}")
