"""The other process of a trial: does what the application would do, and says where it is.

Whatever it tries may end it, stop it or print; its parent learns from the last line how far it
came. See `trial.run`.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import time
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from edge_app.backends.registry import candidates, make_delegate
from edge_app.backends.self_test import measure
from edge_app.backends.session import Session
from edge_app.core import native_stderr
from edge_app.core.errors import DelegateError, EdgeCxrError
from edge_app.model.model_file import read

ENOUGH_SECONDS = 0.05
ENOUGH_RUNS = 3
MOST_SECONDS = 0.5

ENTRY_POINTS = ("tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate")


def main(asked: str) -> None:
    """Try a runtime, with a delegate if one is given, on a model file's first golden vector.

    Args:
        asked: JSON: ``model``, ``sha256``, ``runtime``, ``delegate`` and ``library`` (or None),
            ``threads`` to measure beside one, ``results`` (a file descriptor), and ``seconds``
            that it may take.
    """
    native_stderr.silenced = nullcontext  # type: ignore[assignment]  # the parent listens
    request = json.loads(asked)
    signal.alarm(request["seconds"])  # if nobody is left to end it
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    results = os.fdopen(request["results"], "w", buffering=1)

    def tell(**what: Any) -> None:
        results.write(json.dumps(what) + "\n")

    try:
        _try(request, tell)
    except Exception as error:
        reason = error.reason if isinstance(error, DelegateError) else str(error)
        known = error.kind if isinstance(error, EdgeCxrError) else type(error).__name__
        tell(error=reason or known, kind=known)
    results.close()


def _try(request: dict[str, Any], tell: Any) -> None:
    tell(stage="import")
    (runtime,) = candidates(request["runtime"])
    _ = runtime.interpreter
    delegate = None
    if request["library"]:
        tell(stage="library")
        delegate = make_delegate(request["delegate"], Path(request["library"]))
        tell(built=_examine(delegate.library))
    tell(stage="file")
    model = read(Path(request["model"]))
    if model.sha256 != request["sha256"]:
        raise ValueError("the file changed while it was read")
    session = Session(model, runtime, 1, delegate, lambda name: tell(stage=name))
    tell(stage="run")
    tell(answers=asdict(measure(session, 1)))
    last = _milliseconds(session)
    times = {1: last}
    tell(stage="close")
    del session
    tell(stage="run")
    for threads in request["threads"]:
        times[threads] = _milliseconds(Session(model, runtime, threads, delegate))
        if times[threads] > last:
            break  # more will not help
        last = times[threads]
    tell(milliseconds=times)
    tell(stage="end")


def _examine(library: Path) -> str | None:
    """Load a delegate's library, and read libedgetpu's own version where it has one.

    Raises:
        OSError, AttributeError: it does not load, or is no delegate.
    """
    loaded = ctypes.CDLL(str(library))
    for name in ENTRY_POINTS:
        getattr(loaded, name)
    try:
        version = loaded.edgetpu_version
    except AttributeError:
        return None
    version.restype = ctypes.c_char_p
    return (version() or b"").decode(errors="replace")


def _milliseconds(session: Session) -> float:
    """The fastest of several runs: what else runs here only makes it slower."""
    tensor = np.ascontiguousarray(session.model.golden.inputs[:1])
    session.run(tensor)
    times: list[float] = []
    while (spent := sum(times)) < ENOUGH_SECONDS or len(times) < ENOUGH_RUNS:
        if spent > MOST_SECONDS:
            break
        begun = time.perf_counter()
        session.run(tensor)
        times.append(time.perf_counter() - begun)
    return round(min(times) * 1000, 3)
