"""The child process of a trial: does what the application would do, and reports each step.

The backend may end it, stop it or print anything; the last reported step shows the parent how far
it came. See `trial.run`.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from edge_app.backends.protocol import CLOSE, END, FILE, RUN, Session, SessionOptions
from edge_app.backends.registry import find
from edge_app.backends.self_test import measure
from edge_app.core import native_stderr
from edge_app.core.errors import BackendError, EdgeCxrError
from edge_app.model.model_file import read

ENOUGH_SECONDS = 0.05
ENOUGH_RUNS = 3
MAX_SECONDS = 0.5


def main(question: str) -> None:
    """Try a backend on a model file's first golden vector.

    Args:
        question: JSON: ``model``, ``sha256``, ``backend`` (as of ``--backend``), ``threads`` to
            measure besides one, ``results`` (a file descriptor), and ``seconds``: the time limit.
    """
    native_stderr.silenced = nullcontext  # type: ignore[assignment]  # the parent reads it
    request = json.loads(question)
    signal.alarm(request["seconds"])  # ends it if the parent is gone
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    results = os.fdopen(request["results"], "w", buffering=1)

    def tell(**what: Any) -> None:
        results.write(json.dumps(what) + "\n")

    try:
        _try(request, tell)
    except Exception as error:
        reason = error.reason if isinstance(error, BackendError) else str(error)
        known = error.kind if isinstance(error, EdgeCxrError) else type(error).__name__
        tell(error=reason or known, kind=known)
    results.close()


def _try(request: dict[str, Any], tell: Callable[..., None]) -> None:
    def stage(name: str, doing: str, versions: str = "") -> None:
        tell(stage=name, doing=doing, **({"versions": versions} if versions else {}))

    stage(FILE, "reading the model file")
    model = read(Path(request["model"]))
    if model.sha256 != request["sha256"]:
        raise ValueError("the file changed while it was read")
    backend = next(find(request["backend"]).backends)
    session = backend.open(model, SessionOptions(1, stage))
    stage(RUN, "computing")
    tell(answers=asdict(measure(session, 1)))
    last = _milliseconds(session)
    times = {1: last}
    stage(CLOSE, "closing")
    del session
    stage(RUN, "computing")
    for threads in request["threads"]:
        times[threads] = _milliseconds(backend.open(model, SessionOptions(threads)))
        if times[threads] > last:
            break  # more will not help
        last = times[threads]
    tell(milliseconds=times)
    stage(END, "ending")


def _milliseconds(session: Session) -> float:
    """Milliseconds of the fastest of several runs: other programs only make a run slower."""
    tensor = np.ascontiguousarray(session.model.golden.inputs[:1])
    session.run(tensor)
    times: list[float] = []
    while (spent := sum(times)) < ENOUGH_SECONDS or len(times) < ENOUGH_RUNS:
        if spent > MAX_SECONDS:
            break
        begun = time.perf_counter()
        session.run(tensor)
        times.append(time.perf_counter() - begun)
    return round(min(times) * 1000, 3)
