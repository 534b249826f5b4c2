"""The backends there are, by the names of ``--backend``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from edge_app.backends.delegate import Delegate
from edge_app.backends.edgetpu import EdgeTpu
from edge_app.backends.interpreters import INTERPRETERS
from edge_app.backends.litert import Litert
from edge_app.backends.openvino import OpenVino
from edge_app.backends.options import AUTO, CPU
from edge_app.backends.protocol import Backend
from edge_app.backends.tflite_runtime import TfliteRuntime
from edge_app.core.errors import UsageError

BACKENDS: Final[tuple[type[Backend], ...]] = (
    EdgeTpu,
    Litert,
    TfliteRuntime,
    OpenVino,
)
"""In the order in which ``auto`` tries them."""


def names() -> list[str]:
    """Of the backends, as the command line takes them."""
    return [kind.name for kind in BACKENDS]


class Candidates(NamedTuple):
    """What a ``--backend`` may lead to.

    Attributes:
        backends: best first, installed or not.
        software_named: the user named the package that computes.
        device_named: the user named the device, or the processor.
    """

    backends: Sequence[Backend]
    software_named: bool
    device_named: bool


def find(option: str = AUTO) -> Candidates:
    """What an option of ``--backend`` may lead to.

    Args:
        option: ``auto``; ``cpu``; a backend's name, a delegate's path, or ``auto``, each with
            ``:PART`` behind it for a part: the interpreter that a delegate runs in, the device
            of one that has several.

    Raises:
        UsageError: there is no such backend, or no such part of it.
    """
    name, _, part = option.partition(":")
    if name == AUTO:
        return Candidates(_automatic(part), bool(part), False)
    if option == CPU:
        return Candidates([each for kind in _on_processor() for each in kind.find()], False, True)
    known = {kind.name: kind for kind in BACKENDS}
    if name in known:
        kind = known[name]
        return Candidates(kind.find(part), bool(part) or not kind.exclusive, True)
    return _at_path(option)


def _automatic(part: str) -> list[Backend]:
    """All backends; with a part only the processor's of this name, and the devices that use it."""
    known = [kind.name for kind in _on_processor()]
    if part and part not in known:
        raise UsageError(f"--backend {AUTO}:{part}: there are {', '.join(known)}")
    found: list[Backend] = []
    for kind in BACKENDS:
        if kind.exclusive:
            found += _with(kind, part)
        elif part in ("", kind.name):
            found += kind.find()
    return found


def _with(kind: type[Backend], part: str) -> Sequence[Backend]:
    """A device, in the package of this name; none where it does not run in it."""
    try:
        return kind.find(part)
    except UsageError:
        return ()


def _on_processor() -> list[type[Backend]]:
    return [kind for kind in BACKENDS if not kind.exclusive]


def _at_path(option: str) -> Candidates:
    """A delegate by its library's path, and perhaps the interpreter to run it in."""
    path, _, interpreter = option.rpartition(":")
    if not path or interpreter not in [kind.name for kind in INTERPRETERS]:
        path, interpreter = option, ""
    if os.sep not in path and not os.path.exists(path):
        known = ", ".join((AUTO, CPU, *names()))
        raise UsageError(f"--backend {option}: there are {known}, or a delegate's library's path")
    library = Path(os.path.abspath(path))
    delegates: list[type[Delegate]] = [kind for kind in BACKENDS if issubclass(kind, Delegate)]
    delegates.append(Delegate)
    kind = next(kind for kind in delegates if kind.claims(library))
    return Candidates(kind.at(library, interpreter), bool(interpreter), True)


def without_devices(option: str) -> str:
    """The same option, but that ``auto`` leaves devices alone."""
    name, _, part = option.partition(":")
    return (part or CPU) if name == AUTO else option


def all_backends() -> list[Backend]:
    """The preferred one of each kind, installed or not."""
    return [kind.find()[0] for kind in BACKENDS]


def packages() -> tuple[str, ...]:
    """What pip calls the packages that backends need, each once."""
    return tuple(dict.fromkeys(name for each in all_backends() for name in each.packages))
