"""An interpreter package, found without importing it and imported without a word on stderr."""

from __future__ import annotations

import os
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from edge_app.core import native_stderr


class Runtime:
    """TensorFlow Lite's interpreter, as one package brings it.

    Attributes:
        name: on the command line and in reports.
        package: what pip calls it.
        module: what Python calls it.
        remedy: what helps where it does not work.
    """

    name: ClassVar[str]
    package: ClassVar[str]
    module: ClassVar[str]
    remedy: ClassVar[str]

    @cached_property
    def folder(self) -> Path | None:
        """Where it is installed; None if it is not."""
        try:
            spec = find_spec(self.module)
        except (ImportError, ValueError):
            return None
        return None if spec is None or spec.origin is None else Path(spec.origin).parent

    @property
    def version(self) -> str:
        """Read off its `.dist-info`: importlib.metadata takes twenty times as long to import."""
        stem, suffix = self.package.replace("-", "_") + "-", ".dist-info"
        try:
            names = os.listdir(self.folder.parent) if self.folder else []
        except OSError:
            names = []
        found = [name for name in names if name.startswith(stem) and name.endswith(suffix)]
        if len(found) == 1:
            return found[0][len(stem) : -len(suffix)]
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version(self.package)
        except PackageNotFoundError:
            return "of unknown version"

    @property
    def label(self) -> str:
        return f"{self.package} {self.version}"

    def facts(self) -> dict[str, Any]:
        """What a verdict about it depends on: its version and the code that is loaded."""
        loaded = []
        if self.folder:
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    if entry.name.endswith(".so") or entry.name == "interpreter.py":
                        status = entry.stat()
                        loaded.append([entry.path, status.st_size, status.st_mtime_ns])
        return {"name": self.name, "version": self.version, "files": sorted(loaded)}

    @property
    def interpreter(self) -> Any:
        """Its `Interpreter` class.

        Raises:
            ImportError, OSError: it does not import; a shared library of it is missing.
        """
        return self._import().Interpreter

    def load_delegate(self, library: Path) -> Any:
        """Its handle of the delegate in a shared library.

        Raises:
            OSError, AttributeError, ValueError: the library does not load, is no delegate, refuses.
        """
        return self._import().load_delegate(str(library))

    def _import(self) -> Any:
        with native_stderr.silenced():
            return import_module(f"{self.module}.interpreter")

    def explain(self, reason: str) -> str | None:
        """What an error of its own means where its words do not tell; None if they do."""
        return None
