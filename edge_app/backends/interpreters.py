"""TensorFlow Lite's interpreters, in order of preference; delegates run in any of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from edge_app.backends.litert import Litert
from edge_app.backends.tflite_interpreter import NO_INTERPRETER, Interpreter
from edge_app.backends.tflite_runtime import TfliteRuntime
from edge_app.core.errors import RuntimeUnavailableError, UsageError

INTERPRETERS: Final[tuple[type[Interpreter], ...]] = (Litert, TfliteRuntime)


def interpreters_for(option: str, name: str = "") -> Sequence[Interpreter]:
    """The interpreters that a delegate may run in: the installed ones, or all if there are none.

    Args:
        option: the value of ``--backend``, for the error message.
        name: of the interpreter; empty for any.

    Raises:
        UsageError: there is none of this name.
    """
    known = [kind() for kind in INTERPRETERS if name in ("", kind.name)]
    if not known:
        names = ", ".join(kind.name for kind in INTERPRETERS)
        raise UsageError(f"--backend {option}:{name}: what runs it is one of {names}")
    return [each for each in known if each.installed] or known


def find_interpreter() -> Interpreter:
    """The first interpreter that can be imported; it is not tried.

    Raises:
        RuntimeUnavailableError: none can; says what to install, and why each failed.
    """
    reasons = []
    for kind in INTERPRETERS:
        found = kind()
        try:
            _ = found.interpreter
        except (ImportError, OSError) as error:  # OSError: a shared library of it is missing
            reasons.append(f"{found.distribution}: {error}")
        else:
            return found
    install = f"pip install {INTERPRETERS[0].distribution}"
    raise RuntimeUnavailableError(f"{NO_INTERPRETER} ({'; '.join(reasons)}): {install}")
