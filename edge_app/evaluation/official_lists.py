"""The lists that say which images of a release train and which test, in the forms people have them.

NIH's release has ``test_list.txt`` and ``train_val_list.txt``, a name a line; they are found under
longer names too (``test_list_NIH.txt``), with a byte order mark, in UTF-16, with Windows line ends,
with folders before the names, other letter case, or further cells behind them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from edge_app.core.errors import DatasetError
from edge_app.core.files import UnreadableError, read_bounded
from edge_app.evaluation.image_files import without_suffix

MAX_BYTES: Final = 32 << 20
NAMES: Final = {
    "test": re.compile(r"test[ _-]?list.*\.txt"),
    "train": re.compile(r"train[ _-]?val[ _-]?list.*\.txt"),
}
"""The names of the two lists, in lower case."""

NIH_NAME: Final = re.compile(r"\d{8}_\d{3}\.\w+")
CELLS: Final = re.compile(r"[,;\t]")


class OfficialLists(NamedTuple):
    """What official lists say about the images of a folder.

    Attributes:
        test: names of images that are test; None without such a list.
        train: names of images that train or validate; None without such a list.
        notes: one line each, where a list does not fit the images.
    """

    test: set[str] | None
    train: set[str] | None
    notes: list[str]


def read_lists(folder: Path, images: Sequence[str]) -> OfficialLists:
    """The lists in a folder, as names among `images`.

    Raises:
        DatasetError: a list is there twice, is unreadable, or names none of the images.
    """
    notes: list[str] = []
    known = _Known(images)
    test, train = (_read_list(folder, key, known, notes) for key in ("test", "train"))
    if test is None and train is None:
        named = sum(bool(NIH_NAME.fullmatch(PurePosixPath(image).name)) for image in images)
        if named:
            notes.append(
                f"{named} images are named as in NIH's release, but neither test_list.txt nor "
                "train_val_list.txt is there: official test patients may be trained on"
            )
    elif test is None:
        notes.append("there is no test_list.txt beside the list of train and validation images")
    if test is not None or train is not None:
        listed = len((test or set()) | (train or set()))
        if train is not None and listed < len(set(images)):
            notes.append(f"{len(set(images)) - listed} images are in no official list")
    return OfficialLists(test, train, notes)


def _read_list(folder: Path, key: str, known: _Known, notes: list[str]) -> set[str] | None:
    found = sorted(path for path in folder.iterdir() if NAMES[key].fullmatch(path.name.lower()))
    if not found:
        return None
    lines = [_lines(path) for path in found]
    if any(set(each) != set(lines[0]) for each in lines):
        names = " and ".join(path.name for path in found)
        raise DatasetError(f"{folder}: {names} differ: which is the official list?")
    return _matched(found[0], lines[0], known, notes)


def _lines(path: Path) -> list[str]:
    try:
        data = read_bounded(path, MAX_BYTES)
    except UnreadableError as error:
        raise DatasetError(f"{path}: {error}") from None
    text = decoded(data)
    if text is None:
        raise DatasetError(f"{path}: is not UTF-8 or UTF-16 text")
    return [line.strip().strip("\"'") for line in text.splitlines() if line.strip()]


def decoded(data: bytes) -> str | None:
    """UTF-8 or UTF-16 text, with or without a byte order mark; None if it is neither."""
    beginning = data[:32]
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif len(beginning) > 1 and not any(beginning[1::2]):
        encoding = "utf-16-le"
    elif len(beginning) > 1 and not any(beginning[::2]):
        encoding = "utf-16-be"
    else:
        encoding = "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _matched(path: Path, lines: list[str], known: _Known, notes: list[str]) -> set[str]:
    """The images that the lines name."""
    named: set[str] = set()
    strange: list[str] = []
    for line in lines:
        found = known.of(line, path)
        named |= found
        strange += [] if found else [line]
    if lines and not named:
        raise DatasetError(
            f"{path}: names {len(lines)} images, first {lines[0][:80]!r}, and none of them is "
            f"among the {len(known.images)} of the CSV"
        )
    if strange:
        notes.append(
            f"{path.name}: {len(strange)} of its {len(lines)} names, first {strange[0][:80]!r}, "
            "are not in the CSV"
        )
    return named


class _AmbiguousError(Exception):
    """Several images that a list may mean."""


class _Known:
    """Images by all that a list may call them.

    Two names are of one image where one is the end of the other, part by part, whatever the case
    of their letters and the ending of the file: ``1.png`` and ``images/1.jpg``, but not
    ``siteA/1.png`` and ``siteB/1.png``.
    """

    def __init__(self, images: Sequence[str]) -> None:
        self.images = dict.fromkeys(images)

    @cached_property
    def _longest(self) -> int:
        """Parts of a name at most."""
        return max((len(PurePosixPath(image).parts) for image in self.images), default=0)

    @cached_property
    def _keys(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        """The images by their whole names, and by the ends of these; few lists need them."""
        whole: dict[str, list[str]] = {}
        parts: dict[str, list[str]] = {}
        for image in self.images:
            ends = _ends(image)
            for key in {*_with_and_without_suffix(ends[0])}:
                whole.setdefault(key, []).append(image)
            for key in {key for end in ends for key in _with_and_without_suffix(end)}:
                parts.setdefault(key, []).append(image)
        return whole, parts

    def of(self, line: str, path: Path) -> set[str]:
        """The images that a line of a list names: itself, its first cell, or each of its words.

        Raises:
            DatasetError: it may mean several; names two of them.
        """
        unclear: _AmbiguousError | None = None
        for cells in ([line], CELLS.split(line)[:1], line.split(), line.split()[:1]):
            try:
                found = [self._one(cell) for cell in cells]
            except _AmbiguousError as error:
                unclear = unclear or error
                continue
            if found and all(found):
                return {name for name in found if name}
        if unclear:
            one, other, *_ = unclear.args
            raise DatasetError(
                f"{path}: {line[:80]!r} may be {one} or {other}: write more of its path"
            )
        return set()

    def _one(self, cell: str) -> str | None:
        cell = cell.strip().strip("\"'").replace("\\", "/")
        if cell in self.images:
            return cell
        first, *others = _ends(cell, self._longest)
        whole, parts = self._keys
        tries = [(whole, first), (parts, first), *((whole, end) for end in others)]
        for names, end in tries:
            for key in _with_and_without_suffix(end):
                if found := names.get(key):
                    if len(found) > 1:
                        raise _AmbiguousError(*found)
                    return found[0]
        return None


def _ends(name: str, longest: int | None = None) -> list[str]:
    """The path, then what is left of it without its first folders, of at most `longest` parts."""
    parts = PurePosixPath(name.casefold()).parts
    second = 1 if longest is None else max(1, len(parts) - longest)
    return ["/".join(parts[begin:]) for begin in (0, *range(second, len(parts)))]


def _with_and_without_suffix(path: str) -> tuple[str, str]:
    return path, without_suffix(path)
