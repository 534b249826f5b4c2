"""Files out of a form, written to the disk while they arrive.

The form's fields come first, its files after them: what says that the form is this page's is known
before a byte of a file is kept. Files lie in the spool's folder of images, so that accepting one
moves no bytes; what a kill leaves of them is swept away at the next start.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from email.message import Message
from pathlib import Path
from typing import Any, Final, NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser
from starlette.concurrency import run_in_threadpool

from edge_app.clinic import durable
from edge_app.clinic.faults import SpoolError, SpoolFullError
from edge_app.clinic.strays import ARRIVING

MAX_FILES: Final = 100
MAX_FIELDS: Final = 20
LONGEST_FIELD: Final = 1024
OVERHEAD: Final = 64 << 10
"""Bytes of a form that are no file's."""

LONGEST_SECONDS: Final = 900.0
BETWEEN_LOOKS: Final = 16 << 20
"""Bytes between two looks whether there is still room."""


class UploadError(Exception):
    """Why a form cannot be taken, with the HTTP status that says so.

    Attributes:
        key: of the text for it.
    """

    def __init__(self, status: int, key: str) -> None:
        super().__init__(key)
        self.status, self.key = status, key


class File(NamedTuple):
    """A file that has arrived.

    Attributes:
        name: as its sender calls it.
        path: where it is; whoever takes it moves it away.
    """

    name: str
    path: Path
    sha256: str
    size: int


class Form:
    """A form as it arrives.

    Args:
        content_type: of the request.
        folder: for files.
        max_bytes: of all files together.
        admit: is given the fields before the first file.

    Attributes:
        fields, files: what has arrived.

    Raises:
        UploadError: it is no form.
    """

    def __init__(
        self,
        content_type: str,
        folder: Path,
        max_bytes: int,
        admit: Callable[[dict[str, str]], None],
    ) -> None:
        self.folder, self.max_bytes, self._admit = folder, max_bytes, admit
        self.fields: dict[str, str] = {}
        self.files: list[File] = []
        self._size, self._parts = 0, 0
        self._header, self._value = b"", b""
        self._headers: dict[str, str] = {}
        self._field: str | None = None
        self._data = bytearray()
        self._open: tuple[str, Path, int, Any] | None = None
        self._admitted = self._ended = False
        head = _parsed("content-type", content_type)
        boundary = head.get_param("boundary")
        if head.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
            raise UploadError(415, "error.no-form")
        try:
            self._parser = MultipartParser(
                boundary.encode("latin-1", "replace"),
                {
                    "on_part_begin": self._part_begins,
                    "on_part_data": self._part_data,
                    "on_part_end": self._part_ends,
                    "on_header_field": self._header_field,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_ends,
                    "on_headers_finished": self._headers_finished,
                    "on_end": self._end,
                },
            )
        except (FormParserError, ValueError):
            raise UploadError(400, "error.damaged-form") from None

    async def read(self, chunks: AsyncIterator[bytes], room: Callable[[int], None]) -> None:
        """Read the whole form.

        Args:
            chunks: of the request's body.
            room: is asked now and then whether there is some.

        Raises:
            UploadError: it is damaged, too large, or takes too long.
            SpoolFullError: there is no room.
            SpoolError: the disk fails.
        """
        end, looked = time.monotonic() + LONGEST_SECONDS, 0
        async for chunk in chunks:
            self._size += len(chunk)
            if self._size > self.max_bytes + OVERHEAD:
                raise UploadError(413, "error.too-large")
            if time.monotonic() > end:
                raise UploadError(408, "error.too-slow")
            if self._size - looked > BETWEEN_LOOKS:
                looked = self._size
                await run_in_threadpool(room, 0)
            if chunk:
                await run_in_threadpool(self._write, chunk)
        if not self._ended:
            raise UploadError(400, "error.damaged-form")

    def _write(self, chunk: bytes) -> None:
        try:
            self._parser.write(chunk)
        except FormParserError:
            raise UploadError(400, "error.damaged-form") from None
        except OSError as error:
            if error.errno in durable.FULL:
                raise SpoolFullError(f"{self.folder}: its disk is full: make room") from None
            raise SpoolError(f"{self.folder}: cannot be written: {error.strerror}") from None

    def close(self) -> None:
        """Remove files that nobody has taken."""
        if self._open:
            os.close(self._open[2])
        for path in [each.path for each in self.files] + ([self._open[1]] if self._open else []):
            with suppress(OSError):
                path.unlink()
        self._open = None

    def _part_begins(self) -> None:
        self._parts += 1
        if self._parts > MAX_FILES + MAX_FIELDS:
            raise UploadError(413, "error.too-many")
        self._headers, self._header, self._value = {}, b"", b""
        self._field, self._data = None, bytearray()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_ends(self) -> None:
        name = self._header.decode("latin-1").lower()
        self._headers[name] = self._value.decode("utf-8", "replace")
        self._header, self._value = b"", b""

    def _headers_finished(self) -> None:
        said = _parsed("content-disposition", self._headers.get("content-disposition", ""))
        name = said.get_param("name", None, "content-disposition")
        if not isinstance(name, str):
            raise UploadError(400, "error.damaged-form")
        file = said.get_filename()
        if file is None:
            self._field = name[:LONGEST_FIELD]
            return
        if not self._admitted:
            self._admit(self.fields)
            self._admitted = True
        if len(self.files) >= MAX_FILES:
            raise UploadError(413, "error.too-many")
        path = self.folder / f"{secrets.token_hex(16)}{ARRIVING}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        short = file.replace("\\", "/").rpartition("/")[2]
        self._open = (short, path, descriptor, hashlib.sha256())

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        piece = memoryview(data)[start:end]
        if self._open is None:
            self._data += piece
            if len(self._data) > LONGEST_FIELD:
                raise UploadError(413, "error.damaged-form")
            return
        self._open[3].update(piece)
        while piece:
            piece = piece[os.write(self._open[2], piece) :]

    def _part_ends(self) -> None:
        if self._open is None:
            if self._field is not None:
                self.fields[self._field] = self._data.decode("utf-8", "replace")
            return
        name, path, descriptor, made = self._open
        self._open = None
        size = os.fstat(descriptor).st_size
        os.close(descriptor)
        if not size and not name:  # a form that was sent without choosing a file
            path.unlink()
            return
        self.files.append(File(name, path, made.hexdigest(), size))

    def _end(self) -> None:
        self._ended = True


def _parsed(name: str, value: str) -> Message:
    """A header with parameters (RFC 2183, RFC 7578)."""
    made = Message()
    made[name] = value.replace("\r", " ").replace("\n", " ")
    return made
