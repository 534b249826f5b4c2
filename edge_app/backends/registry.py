"""Which interpreters and delegates there are, by the names of the command line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge_app.backends.litert import Litert
from edge_app.backends.options import AUTO, CPU, EDGETPU
from edge_app.backends.runtime import Runtime
from edge_app.backends.shared_library import find
from edge_app.backends.tflite import Tflite
from edge_app.core.errors import RuntimeUnavailableError, UsageError

if TYPE_CHECKING:
    from edge_app.backends.delegate import Delegate

RUNTIMES: Final[tuple[Runtime, ...]] = (Litert(), Tflite())
"""In order of preference."""

NO_RUNTIME: Final = "no TensorFlow Lite runtime works here"
INSTALL: Final = f"pip install {RUNTIMES[0].package}"

EDGETPU_LIBRARY: Final = "libedgetpu.so.1"
EDGETPU_VARIABLE: Final = "EDGE_CXR_EDGETPU_LIBRARY"
"""Names the library where it lies elsewhere than the dynamic linker looks."""

EDGETPU_ABSENT: Final = (
    f"{EDGETPU_LIBRARY} is not installed: install libedgetpu1-std (coral.ai/software), "
    f"or name the library in {EDGETPU_VARIABLE}"
)


def candidates(name: str = AUTO) -> tuple[Runtime, ...]:
    """The runtimes that may be used, or the one of this name, best first; installed or not.

    Raises:
        UsageError: there is no such runtime.
    """
    known = {runtime.name: runtime for runtime in RUNTIMES}
    if name not in (AUTO, *known):
        raise UsageError(f"--runtime {name}: there are {', '.join((AUTO, *known))}")
    return RUNTIMES if name == AUTO else (known[name],)


def not_installed(runtimes: Sequence[Runtime]) -> RuntimeUnavailableError:
    packages = " or ".join(runtime.package for runtime in runtimes)
    return RuntimeUnavailableError(f"{NO_RUNTIME}: pip install {packages}")


def find_runtime() -> Runtime:
    """The preferred runtime that imports here, without trying what it computes.

    Raises:
        RuntimeUnavailableError: none imports; says what to install, and why each failed.
    """
    reasons = []
    for runtime in RUNTIMES:
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
    if asked in (AUTO, EDGETPU):
        given = os.environ.get(EDGETPU_VARIABLE)
        library = Path(os.path.abspath(given)) if given else find(EDGETPU_LIBRARY)
        if library is None and asked != AUTO:
            raise RuntimeUnavailableError(EDGETPU_ABSENT)
        return make_delegate(EDGETPU, library, found=not given) if library else None
    if os.sep not in asked and not os.path.exists(asked):
        raise UsageError(
            f"--delegate {asked}: there are {AUTO}, {CPU}, {EDGETPU}, or a library's path"
        )
    path = Path(os.path.abspath(asked))
    return make_delegate(EDGETPU if path.name.startswith("libedgetpu") else "", path)


def make_delegate(name: str, library: Path, found: bool = False) -> Delegate:
    """The delegate behind a library, by its name; most machines have none, so it loads late.

    Args:
        name: ``edgetpu``, or anything else for a library of which no more is known.
        library: its file.
        found: see `EdgeTpu`.
    """
    from edge_app.backends.delegate import Delegate
    from edge_app.backends.edgetpu import EdgeTpu

    return EdgeTpu(library, found) if name == EDGETPU else Delegate(library)
