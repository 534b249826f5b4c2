"""A shared library that computes in the interpreter's stead, whatever is behind it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar

from edge_app.backends.fault import REFUSED, Fault
from edge_app.backends.shared_library import LINKER_CACHE, stamp, unusable


class Delegate:
    """A library with TensorFlow Lite's external-delegate interface, given by its path.

    Args:
        library: its file, absolute.
    """

    name: ClassVar[str] = "external"
    hint: ClassVar[str] = "use a build of it for this interpreter"
    """What to do about a library that crashes, hangs or computes something else."""

    def __init__(self, library: Path) -> None:
        self.library = library

    @property
    def label(self) -> str:
        return f"delegate {self.library}"

    def unavailable(self) -> Fault | None:
        """What is known to be wrong without running any of its code."""
        return unusable(self.library)

    def refusal(self, reason: str) -> Fault:
        """Why it made no delegate, from what it said, which may be nothing."""
        said = f": {reason}" if reason else " and does not say why"
        return Fault(REFUSED, f"{self.label} refuses{said}: see its own documentation")

    def facts(self) -> dict[str, Any]:
        """What a verdict about it depends on: its file, and what it would be linked with."""
        return {
            "name": self.name,
            "library": stamp(self.library),
            "linker": [stamp(LINKER_CACHE), os.environ.get("LD_LIBRARY_PATH")],
        }
