"""Where the images lie that a CSV names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from edge_app.core.errors import DatasetError

SUFFIXES: Final = frozenset((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".dcm"))

RELATIVE: Final = "names are relative to the folder or to its images/"
"""Advice where a table's name leads to no file, or to several."""


def without_suffix(name: str) -> str:
    """A name without the ending of an image file: what else follows a dot belongs to the name, as
    in the UID ``1.2.840.113.7``."""
    stem, _, suffix = name.rpartition(".")
    named = bool(stem) and not stem.endswith("/")
    return stem if named and f".{suffix.lower()}" in SUFFIXES else name


Parts = tuple[str, ...]
"""Parts of a path below a folder of images."""


class ImageFiles:
    """The image files of a folder, found by name.

    Looked at are the folder itself and, with all below, those in it whose name begins with
    ``images``: NIH's release has ``images/`` or ``images_001/images/`` to ``images_012/images/``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._below: list[Path] = []
        self._whole: dict[Parts, list[Path]] = {}
        self._ends: dict[Parts, list[Path]] = {}
        self._alike: dict[str, list[Path]] = {}
        for path, is_below in _files(folder):
            for key in {path.name.casefold(), path.stem.casefold()}:
                self._alike.setdefault(key, []).append(path)
            if is_below:
                self._below.append(path)
                parts = path.relative_to(folder).parts[1:]
                self._whole.setdefault(parts, []).append(path)
                for begin in range(len(parts)):
                    self._ends.setdefault(parts[begin:], []).append(path)

    def of(self, names: Sequence[str]) -> dict[str, Path]:
        """The file of each name that has one.

        A name is relative to the folder or to its ``images/``, or the end of a path below that, as
        far as no other path has it. Then come files whose name differs in the case of its letters,
        or in its ending: a PNG that was made a JPEG. A file to which several names lead is that of
        the longest one that its path ends with, and nobody's if it ends with none of them.

        Raises:
            DatasetError: a name is the end of several paths, or of a file's in the folder and of
                one below its images; names two of them.
        """
        found = {name: path for name in dict.fromkeys(names) if (path := self._of(name))}
        self._require_alone(found)
        owners = _owners(found)
        return {name: path for name, path in found.items() if owners[path] == name}

    def _of(self, name: str) -> Path | None:
        path = self.folder / name
        if os.path.isfile(path):  # and no error where a name is longer than any file's
            return path
        if below := self._below_images(name):
            return below
        pure = PurePosixPath(name.casefold())
        if len(pure.parts) > 1:
            return None
        for key in (pure.name, without_suffix(pure.name)):
            alike = self._alike.get(key, [])
            if len(alike) == 1:
                return alike[0]
        return None

    def _require_alone(self, found: dict[str, Path]) -> None:
        """Refuse a file of the folder where one below its images, to which no name leads, may be
        the one that is meant."""
        used = set(found.values())
        for name, path in found.items():
            parts = PurePosixPath(name).parts
            if _is_of_images(parts[0]) or path != self.folder / name:
                continue
            for other in self._ends.get(parts, []):
                if other not in used:
                    there = other.relative_to(self.folder)
                    raise DatasetError(
                        f"{self.folder}: {name} may be {path.relative_to(self.folder)} or {there}: "
                        f"move one of them away, or write {there} into the table of labels"
                    )

    def _below_images(self, name: str) -> Path | None:
        parts = PurePosixPath(name).parts
        found = self._whole.get(parts) or self._ends.get(parts, [])
        if len(found) > 1:
            one, other = (path.relative_to(self.folder) for path in found[:2])
            raise DatasetError(
                f"{self.folder}: {name} may be {one} or {other}: write more of its path into the "
                f"table of labels; {RELATIVE}"
            )
        return found[0] if found else None

    def strange(self, found: dict[str, Path]) -> list[str]:
        """Names of files below ``images*`` that no name of the CSV led to."""
        used = set(found.values())
        return sorted(path.name for path in self._below if path not in used)


def _owners(found: dict[str, Path]) -> dict[Path, str | None]:
    """Whose each file is; see `ImageFiles.of`."""
    claims: dict[Path, list[str]] = {}
    for name, path in found.items():
        claims.setdefault(path, []).append(name)
    return {
        path: names[0] if len(names) == 1 else max(_ends_of(path, names), key=_length, default=None)
        for path, names in claims.items()
    }


def _ends_of(path: Path, names: Sequence[str]) -> list[str]:
    """Those of the names that a path ends with, part by part."""
    return [name for name in names if path.parts[-_length(name) :] == PurePosixPath(name).parts]


def _length(name: str) -> int:
    return len(PurePosixPath(name).parts)


def _files(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Each image file, and whether it lies below a folder of images."""
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if _is_of_images(path.name):
                yield from ((each, True) for each in _below(path))
        elif _is_image(path):
            yield path, False


def _is_of_images(name: str) -> bool:
    """Whether a folder of this name holds images, with all below."""
    return name.lower().startswith("images")


def _below(folder: Path) -> Iterator[Path]:
    """Each image file in a folder and its subfolders; one that cannot be listed is no empty one."""
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if not path.is_symlink():
                yield from _below(path)
        elif _is_image(path):
            yield path


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file()
