"""All backends by their names in ``--backend``; each is imported when it is first needed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edge_app.backends.options import AUTO, CPU
from edge_app.core.errors import UsageError

if TYPE_CHECKING:
    from edge_app.backends.protocol import Backend

BACKENDS: Final = {
    "edgetpu": "edgetpu.EdgeTpu",
    "litert": "litert.Litert",
    "tflite": "tflite_runtime.TfliteRuntime",
    "openvino": "openvino.OpenVino",
}
"""Name → module and class, in the order in which ``auto`` tries them."""


def kind_of(name: str) -> type[Backend]:
    """The class of a backend."""
    module, _, kind = BACKENDS[name].partition(".")
    found: Any = import_module(f"edge_app.backends.{module}")
    return getattr(found, kind)


def kinds() -> list[type[Backend]]:
    """The classes of all backends, in their order."""
    return [*_each_kind()]


def _each_kind() -> Iterator[type[Backend]]:
    """`kinds`, imported one by one: a caller that stops early does not import the rest."""
    return map(kind_of, BACKENDS)


class Candidates(NamedTuple):
    """The backends for a value of ``--backend``.

    Attributes:
        backends: best first, installed or not; each is made when the iterator reaches it.
        software_named: the user named the package that computes.
        device_named: the user named the device, or the processor.
    """

    backends: Iterator[Backend]
    software_named: bool
    device_named: bool


def find(option: str = AUTO) -> Candidates:
    """The backends for a value of ``--backend``.

    Args:
        option: ``auto``, ``cpu``, a backend's name, or a delegate's path. All but ``cpu`` may be
            followed by ``:PART``: the interpreter that a delegate runs in, or one of several
            devices.

    Raises:
        UsageError: there is no such backend, or no such part of it.
    """
    name, _, part = option.partition(":")
    if name == AUTO:
        return Candidates(_automatic(part), bool(part), False)
    if option == CPU:
        found = (each for kind in _on_processor() for each in kind.find())
        return Candidates(found, False, True)
    if name in BACKENDS:
        kind = kind_of(name)
        return Candidates(iter(kind.find(part)), bool(part) or not kind.exclusive, True)
    return _at_path(option)


def _automatic(part: str) -> Iterator[Backend]:
    """All backends; with a part, that interpreter alone and the devices that run in it."""
    if part:
        known = [kind.name for kind in _on_processor()]
        if part not in known:
            raise UsageError(f"--backend {AUTO}:{part}: there are {', '.join(known)}")
    for kind in _each_kind():
        if kind.exclusive:
            yield from _with(kind, part)
        elif part in ("", kind.name):
            yield from kind.find()


def _with(kind: type[Backend], part: str) -> Sequence[Backend]:
    """The backends of a device in an interpreter; none if it does not run in it."""
    try:
        return kind.find(part)
    except UsageError:
        return ()


def _on_processor() -> Iterator[type[Backend]]:
    return (kind for kind in _each_kind() if not kind.exclusive)


def _at_path(option: str) -> Candidates:
    """A delegate by its library's path, and perhaps the interpreter to run it in."""
    from edge_app.backends.delegate import at_path

    path, _, part = option.rpartition(":")
    if not path or part not in BACKENDS:
        path, part = option, ""
    if os.sep not in path and not os.path.exists(path):
        known = ", ".join((AUTO, CPU, *BACKENDS))
        raise UsageError(f"--backend {option}: there are {known}, or a delegate's library's path")
    found = at_path(Path(os.path.abspath(path)), part, kinds())
    return Candidates(iter(found), bool(part), True)


def without_devices(option: str) -> str:
    """An option of ``--backend`` without devices: ``auto`` becomes the processor."""
    name, _, part = option.partition(":")
    return (part or CPU) if name == AUTO else option


def all_backends() -> list[Backend]:
    """The preferred one of each kind, installed or not."""
    return [kind.find()[0] for kind in kinds()]


def packages() -> tuple[str, ...]:
    """The packages that backends need, each once, by their names in pip."""
    return tuple(dict.fromkeys(name for each in all_backends() for name in each.packages))
