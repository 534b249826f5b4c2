"""An installed package: its folder and version, found without importing it."""

from __future__ import annotations

import os
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any


class Package:
    """A package that may be installed here.

    Args:
        name: in pip.
        module: in Python.
    """

    def __init__(self, name: str, module: str) -> None:
        self.name, self.module = name, module

    @cached_property
    def folder(self) -> Path | None:
        """The folder where it is installed; None if it is not."""
        try:
            spec = find_spec(self.module)
        except (ImportError, ValueError):
            return None
        return None if spec is None or spec.origin is None else Path(spec.origin).parent

    @property
    def version(self) -> str:
        """Its version, by its `.dist-info`'s name: importlib.metadata takes 20 times as long."""
        stem, suffix = self.name.replace("-", "_") + "-", ".dist-info"
        try:
            names = os.listdir(self.folder.parent) if self.folder else []
        except OSError:
            names = []
        found = [name for name in names if name.startswith(stem) and name.endswith(suffix)]
        if len(found) == 1:
            return found[0][len(stem) : -len(suffix)]
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version(self.name)
        except PackageNotFoundError:
            return "of unknown version"

    @property
    def label(self) -> str:
        """Name and version, for people."""
        return f"{self.name} {self.version}"

    def facts(self) -> dict[str, Any]:
        """For JSON: its version and its native libraries, which change when it is replaced."""
        loaded: list[list[Any]] = []
        for folder in (self.folder, self.folder and self.folder / "libs"):
            if folder is None or not folder.is_dir():
                continue
            with os.scandir(folder) as entries:
                for entry in entries:
                    if ".so" in entry.name or entry.name == "interpreter.py":
                        status = entry.stat()
                        loaded.append([entry.path, status.st_size, status.st_mtime_ns])
        return {"package": self.name, "version": self.version, "files": sorted(loaded)}
