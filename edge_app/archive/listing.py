"""Sources one after the other, each as soon as its name is known.

Nothing is sorted and nothing is held: the first of ten million names comes at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import IO, Final

from edge_app.archive.remote import below, is_address
from edge_app.archive.seen import key_of
from edge_app.core.errors import DatasetError, UsageError
from edge_app.core.plain_text import printable
from edge_app.pipeline.sources import STANDARD_INPUT

MAX_NAME: Final = 1 << 16
DICOM_DIRECTORY: Final = "DICOMDIR"
"""The name of the file that lists the images of a DICOM medium."""


class Listing:
    """The sources that were named.

    Args:
        folders: folders, with all below them, single files, addresses, see `remote`, and
            DICOMDIR files, for the images that they name.
        lists: files of names, one a line; ``-`` is standard input.
        null: names in lists end with a NUL byte.
        shard: only the I-th of N parts, as (I, N), by a digest of each name.
        out: where the answers go; it is no source.

    Attributes:
        left_out: hidden entries and DICOM directories within folders, whose files are found without
            them.
    """

    def __init__(
        self,
        folders: Sequence[str],
        lists: Sequence[str] = (),
        null: bool = False,
        shard: tuple[int, int] = (1, 1),
        out: str | None = None,
    ) -> None:
        self.folders, self.lists, self.null, self.shard = folders, lists, null, shard
        self.out = None if out is None else os.path.realpath(out)
        self.left_out = 0
        self._roots: dict[str, tuple[int, int]] = {}

    def __iter__(self) -> Iterator[str]:
        part, parts = self.shard
        for name in self._names():
            if parts == 1 or place_of(printable(name), parts) == part - 1:
                yield name

    def copy(self) -> Listing:
        """The same sources, to be gone through once more."""
        return Listing(self.folders, self.lists, self.null, self.shard, self.out)

    def require_there(self) -> None:
        """Raise a DatasetError where a folder that was named is not the one it was.

        A share that vanishes leaves an empty folder, or errors: they say nothing of an image.
        """
        for root, before in self._roots.items():
            try:
                now = _identity(root)
            except OSError as error:
                raise DatasetError(
                    f"{printable(root)}: is gone ({error.strerror}): once it is back, the same "
                    "command goes on where it stopped"
                ) from None
            if now != before:
                raise DatasetError(
                    f"{printable(root)}: is another folder than it was: once it is back, the same "
                    "command goes on where it stopped"
                )

    def _names(self) -> Iterator[str]:
        for name in self.folders:
            if is_address(name):
                yield from below(name)
                continue
            if not os.path.lexists(name):
                raise DatasetError(f"{printable(name)}: no such file or folder")
            if os.path.isdir(name):
                try:
                    self._roots[name] = _identity(name)
                except OSError as error:
                    raise DatasetError(f"{printable(name)}: {error.strerror}") from None
                yield from self._below(name)
            elif os.path.basename(name).upper() == DICOM_DIRECTORY:
                from edge_app.archive.medium import images_in

                folder = os.path.dirname(name) or "."
                self._roots[folder] = _identity(folder)
                yield from images_in(name)
            else:
                yield name
        for name in self.lists:
            yield from self._listed(name)

    def _below(self, folder: str) -> Iterator[str]:
        todo = [folder]
        while todo:
            place = todo.pop()
            try:
                with os.scandir(place) as entries:
                    for entry in entries:
                        if entry.name.startswith(".") or entry.name.upper() == DICOM_DIRECTORY:
                            self.left_out += 1
                        elif entry.is_dir(follow_symlinks=False):
                            if os.path.realpath(entry.path) != self.out:
                                todo.append(entry.path)
                        else:
                            yield entry.path
            except OSError:
                self.require_there()
                yield place  # reading it as an image will name the reason

    def _listed(self, path: str) -> Iterator[str]:
        try:
            if path == STANDARD_INPUT:
                if sys.stdin is None:
                    raise UsageError("standard input is closed: no names can come from it")
                yield from _names_in(sys.stdin.buffer, self.null)
            else:
                with open(path, "rb") as file:
                    yield from _names_in(file, self.null)
        except OSError as error:
            raise DatasetError(f"{printable(path)}: {error.strerror}") from None


def _names_in(file: IO[bytes], null: bool) -> Iterator[str]:
    """Names in a list, one after the other as they arrive; empty ones are passed over."""
    end = b"\0" if null else b"\n"
    rest = b""
    while piece := (file.read1 if hasattr(file, "read1") else file.read)(MAX_NAME):
        *whole, rest = (rest + piece).split(end)
        if len(rest) > MAX_NAME:
            raise DatasetError("a list holds a name of more than 65536 bytes: see --null")
        yield from (os.fsdecode(name if null else name.rstrip(b"\r")) for name in whole if name)
    if rest:
        yield os.fsdecode(rest if null else rest.rstrip(b"\r"))


def place_of(name: str, parts: int) -> int:
    """Which of N shards a source belongs to, on every machine alike."""
    return int.from_bytes(key_of(name)[:8], "big") % parts


def _identity(folder: str) -> tuple[int, int]:
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def shard_of(text: str) -> tuple[int, int]:
    """``I/N`` → (I, N).

    Raises:
        UsageError: it is not of that form.
    """
    first, slash, last = text.partition("/")
    if not (slash and first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last)):
        raise UsageError(f"--shard {text}: write I/N, such as 1/4 for the first of four")
    return int(first), int(last)
