"""Records that outlive a power cut, one line each, appended as they come.

The first line says what the records are about; a journal is only gone on with as the same thing.
Each line carries its own checksum: where the power failed, the last ones may be torn or zeros, and
everything from the first broken line on is thrown away, to be done again.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import time
import zlib
from io import BufferedReader, FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from edge_app.core import strict_json
from edge_app.core.errors import OutputError
from edge_app.core.files import SPECIAL, sync_folder

SYNC_SECONDS: Final = 5.0
"""What a power cut may cost; each sync wears a memory card."""

MAX_LINE: Final = 64 << 10
MAX_BYTES: Final = 512 << 20

HOW_TO_GO_ON: Final = "the same command goes on where it stopped"


class Journal:
    """An open journal, locked against a second writer.

    Args:
        path: its file; made if it is not there.
        subject: JSON-able; what the records are about.

    Attributes:
        records: those that an earlier call left, in their order.

    Raises:
        OutputError: the file cannot be written, is in use, is no journal, or is about something
            else; says what to do.
    """

    def __init__(self, path: Path, subject: dict[str, Any]) -> None:
        self.path = path
        self.records: list[dict[str, Any]] = []
        self._synced, self._removed = time.monotonic(), False
        try:
            self._file = _open(path)
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            self._lock()
            self._recover(json.loads(json.dumps(subject)))
            self.sync()
            sync_folder(path.parent)
        except OSError as error:
            self._file.close()
            raise self._unwritable(error) from None
        except OutputError:
            self._file.close()
            raise

    def append(self, record: dict[str, Any]) -> None:
        """Add a record: it survives the end of this process at once, a power cut soon.

        Raises:
            OutputError: it cannot be written; what was there before is safe.
        """
        try:
            self._write(record)
            if time.monotonic() - self._synced > SYNC_SECONDS:
                self.sync()
        except OSError as error:
            raise self._unwritable(error) from None

    def sync(self) -> None:
        """Have everything on the medium."""
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    def remove(self) -> None:
        """Its records are kept elsewhere now."""
        self._removed = True
        self.path.unlink(missing_ok=True)
        sync_folder(self.path.parent)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if not self._removed:
                self.sync()
        except OSError as failed:
            if error is None:
                raise self._unwritable(failed) from None
        finally:
            self._file.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(
                f"{self.path}: another evaluation is writing to it: wait for it, or give another "
                "--out"
            ) from None

    def _recover(self, subject: dict[str, Any]) -> None:
        """Read what is whole, cut off what is not, and begin an empty file."""
        if os.fstat(self._file.fileno()).st_size > MAX_BYTES:
            raise OutputError(f"{self.path}: is too large for a journal: delete it")
        reader = BufferedReader(self._file)
        lines = iter(lambda: reader.readline(MAX_LINE), b"")
        first = next(lines, b"")
        whole = 0
        if not _is_torn(first, subject):
            self._require(subject, _parsed(first))
            whole = len(first)
            for line in lines:
                record = _parsed(line)
                if record is None:
                    break
                self.records.append(record)
                whole += len(line)
        reader.detach()
        self._file.seek(whole)
        self._file.truncate()
        if not whole:
            self._write(subject)

    def _require(self, subject: dict[str, Any], before: dict[str, Any] | None) -> None:
        if before is None:
            raise OutputError(
                f"{self.path}: is no journal of an evaluation, or damaged: delete it, or give "
                "another --out"
            )
        changed = [key for key in subject | before if subject.get(key) != before.get(key)]
        if changed:
            raise OutputError(
                f"{self.path}: was begun with another {', '.join(changed)}: finish it with the "
                "command it was begun with, delete it, or give another --out"
            )

    def _write(self, record: dict[str, Any]) -> None:
        left = memoryview(_line(record))
        while left:  # a disk that is nearly full takes a part, and only then refuses
            left = left[self._file.write(left) :]

    def _unwritable(self, error: OSError) -> OutputError:
        advice = "choose a folder that exists and can be written with --out"
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
            advice = f"make room, then {HOW_TO_GO_ON}"
        return OutputError(f"{self.path}: cannot be written: {error.strerror or error}: {advice}")


def _open(path: Path) -> FileIO:
    """For reading and writing, unbuffered; a link, a pipe or a device is refused."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o666)
    kind = SPECIAL.get(stat.S_IFMT(os.fstat(descriptor).st_mode))
    if kind:
        os.close(descriptor)
        raise OSError(errno.EINVAL, f"it is {kind}")
    return FileIO(descriptor, "r+b")


def _line(record: dict[str, Any]) -> bytes:
    text = json.dumps(record, allow_nan=False).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _is_torn(first: bytes, subject: dict[str, Any]) -> bool:
    """Whether the power failed before even the first line was whole: nothing is lost."""
    return not first.endswith(b"\n") and _line(subject).startswith(first.rstrip(b"\0"))


def _parsed(line: bytes) -> dict[str, Any] | None:
    """The record of a whole line, None for any other."""
    check, _, text = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or check != b"%08x" % zlib.crc32(text):
        return None
    try:
        record = strict_json.parse(text)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
