"""The names on the command line → the files to score, in order."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

STANDARD_INPUT = "-"


class Sources:
    """Files to classify, in the order given; folders stand for their files, sorted by name.

    Every file of a folder counts, whatever its name: a radiograph without a suffix must not be
    passed over silently. Hidden entries and, unless `recursive`, subfolders are left out and
    counted in `left_out`.
    """

    def __init__(self, named: Iterable[str], recursive: bool = False) -> None:
        self.named, self.recursive = named, recursive
        self.left_out = 0

    def __iter__(self) -> Iterator[str]:
        for name in self.named:
            if name != STANDARD_INPUT and os.path.isdir(name):
                yield from self._folder(name)
            else:
                yield name

    def _folder(self, folder: str) -> Iterator[str]:
        folders = []
        try:
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError:
            yield folder  # reading it as an image will name the reason
            return
        for entry in entries:
            if entry.name.startswith("."):
                self.left_out += 1
            elif entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            else:
                yield entry.path
        if not self.recursive:
            self.left_out += len(folders)
            return
        for path in folders:
            yield from self._folder(path)
