"""Where the images lie that a CSV names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

SUFFIXES: Final = frozenset((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".dcm"))


class ImageFiles:
    """The image files of a folder, found by name.

    Looked at are the folder itself and, with all below, those in it whose name begins with
    ``images``: NIH's release has ``images/`` or ``images_001/images/`` to ``images_012/images/``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._below: dict[str, Path] = {}
        self._alike: dict[str, list[Path]] = {}
        self.doubles: list[str] = []
        for path, is_below in _files(folder):
            for key in {path.name.casefold(), path.stem.casefold()}:
                self._alike.setdefault(key, []).append(path)
            if is_below:
                if path.name in self._below:
                    self.doubles.append(path.name)
                self._below[path.name] = path

    def of(self, names: Sequence[str]) -> dict[str, Path]:
        """The file of each name that has one.

        The file of just that path or name comes first, then one whose name differs in the case of
        its letters, then one that differs in its ending: a PNG that was made a JPEG.
        """
        found = {}
        for name in names:
            path = self._of(name)
            if path:
                found[name] = path
        return found

    def _of(self, name: str) -> Path | None:
        path = self.folder / name
        if os.path.isfile(path):  # and no error where a name is longer than any file's
            return path
        if name in self._below:
            return self._below[name]
        pure = PurePosixPath(name.casefold())
        if len(pure.parts) > 1:
            return None
        for key in (pure.name, pure.stem):
            alike = self._alike.get(key, [])
            if len(alike) == 1:
                return alike[0]
        return None

    def strange(self, found: dict[str, Path]) -> list[str]:
        """Names of files below ``images*`` that no name of the CSV led to."""
        used = set(found.values())
        return sorted(name for name, path in self._below.items() if path not in used)


def _files(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Each image file, and whether it lies below a folder of images."""
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if path.name.lower().startswith("images"):
                yield from ((each, True) for each in _below(path))
        elif _is_image(path):
            yield path, False


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
