"""Modules that stand in for the workstation's packages while its commands are documented.

The commands of `train`, `quantize` and `benchmarks` import TensorFlow, Keras and others: 3 GB that
the manual does not need. Every attribute of a stand-in is a stand-in, so that modules which derive
classes from it or decorate functions with it can be imported, but not run.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final

PACKAGES: Final = (
    *("tensorflow", "keras", "jax", "scipy", "sklearn", "pandas", "h5py", "matplotlib"),
    "tensorboard",
)
"""The packages of the extra `workstation`, by their names in imports."""

KNOWING: Final = ("train", "quantize", "benchmarks")
"""The project's own packages that import them."""


def _attribute(name: str) -> type[StandIn]:
    """An attribute of a stand-in; Python's own special names do not exist."""
    if name.startswith("__"):
        raise AttributeError(name)
    return StandIn


class _Meta(type):
    def __getattr__(cls, name: str) -> type[StandIn]:
        return _attribute(name)


class StandIn(metaclass=_Meta):
    """A class, a function or a decorator of a missing package."""

    def __init__(self, *arguments: object, **named: object) -> None: ...

    def __call__(self, *arguments: object, **named: object) -> object:
        """As a decorator it leaves what it decorates as it is."""
        return arguments[0] if arguments else self

    def __getattr__(self, name: str) -> type[StandIn]:
        return _attribute(name)


class _Finder(MetaPathFinder, Loader):
    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.split(".")[0] in PACKAGES:
            return ModuleSpec(name, self, is_package=True)
        return None

    def exec_module(self, module: ModuleType) -> None:
        module.__getattr__ = _attribute  # type: ignore[method-assign]


@contextmanager
def stand_ins() -> Iterator[None]:
    """A context in which the workstation's packages are stand-ins, whether installed or not.

    Modules that were imported with stand-ins are forgotten afterwards.
    """
    finder, before = _Finder(), set(sys.modules)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in set(sys.modules) - before:
            if name.split(".")[0] in (*PACKAGES, *KNOWING):
                del sys.modules[name]
