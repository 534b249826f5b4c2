"""A TensorFlow Lite delegate: a shared library that computes in place of an interpreter."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final

from edge_app.backends.fault import ABI, ABSENT, REFUSED, Fault
from edge_app.backends.interpreters import interpreters_for
from edge_app.backends.protocol import (
    DEVICE,
    IMPORT,
    LIBRARY,
    ONE_THREAD,
    UNNAMED,
    Backend,
    Failure,
    SessionOptions,
)
from edge_app.backends.shared_library import LINKER_CACHE, stamp, unusable
from edge_app.backends.tflite_interpreter import Interpreter
from edge_app.core import native_stderr
from edge_app.core.errors import BackendError
from edge_app.model.model_file import ModelFile

if TYPE_CHECKING:
    from edge_app.backends.tflite_session import TfliteSession

ENTRY_POINTS: Final = ("tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate")

MISSING: Final = r"([^\s:]+): cannot open shared object file: No such file"
MISMATCH: Final = r"undefined symbol: \S+|version `[^']+' not found|wrong ELF class"
"""Regular expressions of the dynamic linker's messages."""


class Delegate(Backend):
    """A library with TensorFlow Lite's external-delegate interface, given by its path.

    Args:
        library: its file, absolute.
        interpreter: the one that loads it.

    Attributes:
        sources: library → the operating system's package that holds it.
    """

    name = UNNAMED
    title = "delegate"
    hint = "use a build of it for this interpreter"
    sources: ClassVar[Mapping[str, str]] = MappingProxyType({})

    def __init__(self, library: Path, interpreter: Interpreter) -> None:
        self.library, self.interpreter = library, interpreter
        self.packages = interpreter.packages

    @classmethod
    def claims(cls, library: Path) -> bool:
        """Whether a library, given by its path, is of this kind."""
        return False

    @property
    def option(self) -> str:
        return f"{self.library}:{self.interpreter.name}"

    @property
    def label(self) -> str:
        return f"delegate {self.library}"

    @property
    def software(self) -> str:
        return self.interpreter.label

    @property
    def installed(self) -> bool:
        return True

    def available(self) -> Fault | None:
        return unusable(self.library) or self.interpreter.available()

    def facts(self) -> dict[str, Any]:
        """Its file, what it would be linked with, and its interpreter."""
        return {
            "library": stamp(self.library),
            "linker": [stamp(LINKER_CACHE), os.environ.get("LD_LIBRARY_PATH")],
            "interpreter": self.interpreter.facts(),
        }

    def identity(self) -> dict[str, Any]:
        return {
            **self.interpreter.identity(),
            "delegate": self.name,
            "library": str(self.library),
        }

    def open(self, model: ModelFile, options: SessionOptions = ONE_THREAD) -> TfliteSession:
        from edge_app.backends.tflite_session import TfliteSession

        versions = f"with {self.interpreter.label}"
        self.interpreter.load(options.stage, versions)
        options.stage(LIBRARY, "loading the library", versions)
        version = self._examine()
        versions += f" and {version}" if version else ""
        return TfliteSession(model, self, self.interpreter, options, self.library, versions)

    def _examine(self) -> str:
        """Load the library; returns its version.

        Raises:
            BackendError: it does not load, or is no delegate.
        """
        with native_stderr.silenced():
            try:
                loaded = ctypes.CDLL(str(self.library))
                for name in ENTRY_POINTS:
                    getattr(loaded, name)
            except (OSError, AttributeError) as error:
                raise BackendError(self.label, str(error)) from None
            return self.version(loaded)

    def version(self, loaded: ctypes.CDLL) -> str:
        """A loaded library's version, for people; empty if it does not report one."""
        return ""

    def explain(self, failure: Failure) -> Fault:
        explained = self.interpreter.misfit(failure.reason)
        if explained:
            return Fault(ABI, explained)
        if failure.stage == IMPORT:
            return self.interpreter.explain(failure)
        if failure.stage == LIBRARY:
            return self._library_fault(failure.reason)
        if failure.stage == DEVICE:
            reason = failure.reason.replace(f"Failed to load delegate from {self.library}", "")
            return self.refusal(reason.strip("; ").removesuffix("ValueError").strip("; "))
        return Fault(REFUSED, f"{self.label} refuses the model: {failure.reason}: {self.hint}")

    def refusal(self, reason: str) -> Fault:
        """The fault of a library that makes no delegate; `reason` may be empty."""
        said = f": {reason}" if reason else " and does not say why"
        return Fault(REFUSED, f"{self.label} refuses{said}: see its own documentation")

    def _library_fault(self, reason: str) -> Fault:
        missing = re.search(MISSING, reason)
        if missing:
            holds = [package for name, package in self.sources.items() if name in missing[1]]
            return Fault(
                ABSENT,
                f"{self.label} needs {missing[1]}, which is not installed: install the package "
                f"that holds it{f' ({holds[0]})' if holds else ''}",
            )
        if "undefined symbol: tflite_plugin" in reason:
            return Fault(
                ABI,
                f"{self.library}: is no TensorFlow Lite delegate (it has no entry point "
                "tflite_plugin_create_delegate): name another library",
            )
        if re.search(MISMATCH, reason):
            return Fault(
                ABI,
                f"{self.label} does not fit this system or {self.software}: {reason}: {self.hint}",
            )
        return Fault(REFUSED, f"{self.label} does not load: {reason}")


def at_path(library: Path, interpreter: str, kinds: Sequence[type[Backend]]) -> Sequence[Delegate]:
    """A library in each interpreter that may run it, or in the one of this name.

    Args:
        library: its file, absolute.
        interpreter: a name; empty for any.
        kinds: all kinds of backends; one of them may know this library.

    Raises:
        UsageError: there is no such interpreter.
    """
    known: list[Callable[[Path, Interpreter], Delegate]] = [
        kind for kind in kinds if issubclass(kind, Delegate) and kind.claims(library)
    ]
    make = (*known, Delegate)[0]
    return [make(library, each) for each in interpreters_for(str(library), interpreter)]
