"""`--backend`, and the two older options that it replaces."""

from __future__ import annotations

import os
from itertools import product
from typing import Annotated

import typer

from edge_app.backends.options import AUTO, CPU
from edge_app.backends.registry import BACKENDS
from edge_app.core.errors import UsageError

BackendOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME or PATH",
        help=f"What computes: auto, cpu, {', '.join(BACKENDS)}, or a delegate's library.",
    ),
]
RuntimeOption = Annotated[str | None, typer.Option(hidden=True)]
DelegateOption = Annotated[str | None, typer.Option(hidden=True)]


def chosen(backend: str | None, runtime: str | None, delegate: str | None) -> str:
    """The backend that the command line names, as `registry.find` takes it.

    Where the older options are used, standard error says what they are called now.

    Raises:
        UsageError: both kinds of options are used, or an older one has an unknown value.
    """
    if runtime is None and delegate is None:
        return backend or AUTO
    if backend is not None:
        raise UsageError("--backend says what --runtime and --delegate said: give it alone")
    from edge_app.core.console import complain

    option = translated(runtime or AUTO, delegate or AUTO)
    older = {"--runtime": runtime, "--delegate": delegate}
    used = " ".join(f"{name} {value}" for name, value in older.items() if value is not None)
    complain(f"{used} is now --backend {option}")
    return option


def all_chosen(
    backends: list[str] | None, runtimes: list[str] | None, delegates: list[str] | None
) -> list[str]:
    """The same for options that can be repeated: each runtime with each delegate.

    Raises:
        UsageError: as `chosen`.
    """
    if not runtimes and not delegates:
        return backends or [AUTO]
    first = backends[0] if backends else None
    nothing: list[str | None] = [None]
    pairs = product(runtimes or nothing, delegates or nothing)
    return [chosen(first, *pair) for pair in pairs]


def translated(runtime: str, delegate: str) -> str:
    """The backend that ``--runtime`` and ``--delegate`` lead to.

    Raises:
        UsageError: the runtime is unknown, or the delegate is neither known nor a path.
    """
    from edge_app.backends.interpreters import INTERPRETERS
    from edge_app.backends.registry import kinds

    runtimes = [AUTO, *(kind.name for kind in INTERPRETERS)]
    if runtime not in runtimes:
        raise UsageError(f"--runtime {runtime}: there are {', '.join(runtimes)}")
    delegates = [AUTO, CPU, *(kind.name for kind in kinds() if kind.exclusive)]
    if delegate not in delegates and os.sep not in delegate and not os.path.exists(delegate):
        raise UsageError(
            f"--delegate {delegate}: there are {', '.join(delegates)}, or a library's path"
        )
    if delegate not in delegates:
        delegate = delegate if os.sep in delegate else os.path.join(os.curdir, delegate)
    if runtime == AUTO:
        return delegate
    return runtime if delegate == CPU else f"{delegate}:{runtime}"
