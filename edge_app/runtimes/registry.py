"""Which interpreters and delegates there are, by the names of the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from edge_app.errors import RuntimeUnavailableError, UsageError
from edge_app.runtimes import edgetpu
from edge_app.runtimes.asked import AUTO, CPU
from edge_app.runtimes.delegate import Delegate
from edge_app.runtimes.edgetpu import EdgeTpu
from edge_app.runtimes.litert import LITERT
from edge_app.runtimes.runtime import Runtime
from edge_app.runtimes.tflite import TFLITE

RUNTIMES: Final[tuple[Runtime, ...]] = (LITERT, TFLITE)
"""In order of preference."""

NO_RUNTIME: Final = "no TensorFlow Lite runtime works here"
INSTALL: Final = f"pip install {RUNTIMES[0].package}"


def installed(name: str = AUTO) -> list[Runtime]:
    """The installed runtimes, or the one of this name, best first; nothing is imported.

    Raises:
        UsageError: there is no such runtime.
        RuntimeUnavailableError: none is installed, or this one is not.
    """
    known = {runtime.name: runtime for runtime in RUNTIMES}
    if name not in (AUTO, *known):
        raise UsageError(f"--runtime {name}: there are {', '.join((AUTO, *known))}")
    wanted = RUNTIMES if name == AUTO else (known[name],)
    found = [runtime for runtime in wanted if runtime.folder]
    if not found:
        packages = " or ".join(runtime.package for runtime in wanted)
        raise RuntimeUnavailableError(f"{NO_RUNTIME}: pip install {packages}")
    return found


def find_runtime() -> Runtime:
    """The preferred runtime that imports here, without trying what it computes.

    Raises:
        RuntimeUnavailableError: none imports; says what to install, and why each failed.
    """
    reasons = []
    for runtime in installed():
        try:
            _ = runtime.interpreter
        except (ImportError, OSError) as error:  # OSError: a shared library of it is missing
            reasons.append(f"{runtime.package}: {error}")
        else:
            return runtime
    raise RuntimeUnavailableError(f"{NO_RUNTIME} ({'; '.join(reasons)}): {INSTALL}")


def find_delegate(asked: str = AUTO) -> Delegate | None:
    """The delegate of this name or path; None for the CPU, which auto takes where no other is.

    Raises:
        UsageError: it is neither a name nor a path.
        RuntimeUnavailableError: the Edge TPU is asked for and its library is not installed.
    """
    if asked == CPU:
        return None
    if asked in (AUTO, EdgeTpu.name):
        found = edgetpu.locate()
        if found is None and asked != AUTO:
            raise RuntimeUnavailableError(edgetpu.NOT_INSTALLED)
        return found
    if os.sep not in asked and not os.path.exists(asked):
        raise UsageError(
            f"--delegate {asked}: there are {AUTO}, {CPU}, {EdgeTpu.name}, or a library's path"
        )
    path = Path(os.path.abspath(asked))
    return EdgeTpu(path) if path.name.startswith("libedgetpu") else Delegate(path)
