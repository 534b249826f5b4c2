"""Trying a backend in a child process, because native code may crash or hang.

The child does what the application would do (`trial_process`) and reports each step before it
begins, so that the step of a crash or a hang is known. Each step has a time limit; output is
discarded.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from edge_app.backends.fault import CRASH, HANG, KILLED, MODEL, UNTRIED, WRONG, Fault
from edge_app.backends.protocol import END, FILE, START, Backend, Failure
from edge_app.backends.self_test import SelfTest
from edge_app.backends.trial_results import TrialResult
from edge_app.core.errors import ModelError, UsageError
from edge_app.core.plain_text import printable
from edge_app.core.resources import cores
from edge_app.model.model_file import ModelFile

SECONDS: Final = 60
SECONDS_VARIABLE: Final = "EDGE_CXR_TRIAL_SECONDS"
"""The environment variable that changes the time limit of a step, for very slow machines."""

MAX_RESULTS: Final = 1 << 20
MAX_SAID: Final = 4096

BOOTSTRAP: Final = (
    "import sys; sys.path[:] = sys.argv[2:]; "
    "from edge_app.backends.trial_process import main; main(sys.argv[1])"
)
"""The child gets the parent's search path; with `-m` or a bare `-c` it would also import from the
current folder, which may hold anybody's files."""

UNBLAMED: Final = (START, FILE)
"""Steps that do not involve the backend."""

STEPS: Final = 9
"""About how many steps a trial has."""

OUTSIDE: Final = (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP)
"""Signals that do not come from the backend: out of memory, or somebody ended the child."""


@dataclass
class Outcome:
    """What a child reported and how it ended.

    Attributes:
        stage: the last step that it began.
        doing: the same in words.
        versions: of the software in use, in words.
        facts: its other messages, merged.
        status: its exit code, negative for a signal; None: it was ended at the time limit.
        last_words: the last line that it printed on standard error.
    """

    stage: str = START
    doing: str = "starting"
    versions: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    status: int | None = None
    last_words: str = ""


def run(model: ModelFile, backend: Backend) -> TrialResult:
    """Try a backend with a model in another process, and measure it."""
    seconds = limit()
    request = {
        "model": os.fspath(model.path),
        "sha256": model.sha256,
        "backend": backend.option,
        "threads": [n for n in backend.more_threads if n <= cores()],
        "seconds": SECONDS + STEPS * seconds,
    }
    try:
        outcome = _child(request, seconds)
    except OSError as error:
        reason = error.strerror or str(error)
        return TrialResult(Fault(UNTRIED, f"no other process can be started to try it: {reason}"))
    return _judge(outcome, model, backend, seconds)


def limit() -> int:
    """Seconds that a step of a trial may take."""
    value = os.environ.get(SECONDS_VARIABLE, str(SECONDS))
    if not value.isdecimal() or not 1 <= int(value) <= 3600:
        raise UsageError(f"{SECONDS_VARIABLE}={value}: it takes whole seconds, 1 to 3600")
    return int(value)


def _child(request: dict[str, Any], seconds: int) -> Outcome:
    reading, writing = os.pipe()
    try:
        question = json.dumps({**request, "results": writing})
        process = subprocess.Popen(
            [sys.executable, "-c", BOOTSTRAP, question, *sys.path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(writing,),
            start_new_session=True,
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    assert process.stderr is not None
    with open(reading, "rb", buffering=0) as results, process.stderr as errors:
        try:
            said, words, ended = _listen(process, results.fileno(), errors.fileno(), seconds)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    outcome = Outcome(status=process.returncode if ended else None, last_words=_last_line(words))
    for message in _messages(said):
        for name in ("stage", "doing", "versions"):
            setattr(outcome, name, str(message.pop(name, getattr(outcome, name))))
        outcome.facts |= message
    return outcome


def _listen(
    process: subprocess.Popen[bytes], results: int, errors: int, seconds: int
) -> tuple[bytes, bytes, bool]:
    """Results and standard error, both bounded, and whether the child ended by itself."""
    streams = {results: b"", errors: b""}
    deadline = time.monotonic() + _limit_of_step(b"", seconds)
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            selector.register(stream, selectors.EVENT_READ)
        while True:
            ended = _has_ended(process)
            ready = selector.select(0 if ended else 0.02)
            for key, _ in ready:
                chunk = os.read(key.fd, 1 << 16)
                if not chunk:
                    selector.unregister(key.fd)
                kept = streams[key.fd] + chunk
                streams[key.fd] = kept[:MAX_RESULTS] if key.fd == results else kept[-MAX_SAID:]
                if chunk and key.fd == results:
                    deadline = time.monotonic() + _limit_of_step(streams[results], seconds)
            if time.monotonic() > deadline or (ended and not ready):
                return streams[results], streams[errors], ended


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether a child has ended. It is not reaped yet, so its process group is still its own."""
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # where SIGCHLD is ignored, the system reaps it
        return True


def _limit_of_step(said: bytes, seconds: int) -> int:
    """The time limit of the step that began last, in seconds.

    A short limit holds only for the backend's steps: reading the model file takes long on a busy
    machine, and a backend that could not be tried for this reason would be used untried.
    """
    steps = [message["stage"] for message in _messages(said) if "stage" in message]
    return max(seconds, SECONDS) if not steps or steps[-1] in UNBLAMED else seconds


def _messages(said: bytes) -> Iterator[dict[str, Any]]:
    for line in said.splitlines():
        with suppress(ValueError):  # a line that was cut off
            message = json.loads(line)
            if isinstance(message, dict):
                yield message


def _last_line(output: bytes) -> str:
    lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines()]
    kept = [line for line in lines if line and not line.startswith(("INFO:", "W0000", "I0000"))]
    return printable(kept[-1])[:160] if kept else ""


def _judge(outcome: Outcome, model: ModelFile, backend: Backend, seconds: int) -> TrialResult:
    what, hint, doing = backend.label, backend.hint, outcome.doing
    said = f'; it said "{outcome.last_words}"' if outcome.last_words else ""
    if "error" in outcome.facts:
        return TrialResult(_error(outcome, backend))
    if outcome.status is None and outcome.stage in UNBLAMED:
        return TrialResult(Fault(UNTRIED, f"{what} could not be tried: {doing} takes too long"))
    if outcome.status is None:
        return TrialResult(
            Fault(HANG, f"{what} hangs: after {seconds} s it is still {doing}{said}: {hint}")
        )
    if outcome.status in OUTSIDE:
        name = signal.Signals(-outcome.status).name
        return TrialResult(
            Fault(KILLED, f"{what} was ended from outside while {doing} ({name}): try again")
        )
    if outcome.stage == START:
        return TrialResult(Fault(UNTRIED, f"{what} could not be tried in another process{said}"))
    if outcome.status or outcome.stage != END:
        how = _ending(outcome.status)
        versions = f", {outcome.versions}" if outcome.versions else ""
        return TrialResult(
            Fault(CRASH, f"{what} crashes ({how}) while {doing}{versions}{said}: {hint}")
        )
    return _answers(outcome, model, what, hint)


def _ending(status: int) -> str:
    if status >= 0:
        return f"it ends the process with code {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def _error(outcome: Outcome, backend: Backend) -> Fault:
    """The fault behind an exception in the child, by the step where it was raised."""
    reason = printable(" ".join(str(outcome.facts["error"]).split()))[:300]
    is_model = outcome.facts.get("kind") == ModelError.kind
    if outcome.stage in UNBLAMED:
        return Fault(MODEL if is_model else UNTRIED, reason)
    return backend.explain(Failure(outcome.stage, reason, is_model))


def _answers(outcome: Outcome, model: ModelFile, what: str, hint: str) -> TrialResult:
    try:
        test = SelfTest(**outcome.facts["answers"])
        times = {int(n): float(t) for n, t in outcome.facts["milliseconds"].items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        return TrialResult(Fault(UNTRIED, f"{what}: its trial ended without an answer: {hint}"))
    if not test.passed:
        return TrialResult(Fault(WRONG, f"{model.path}: {test.failure(what)}"))
    return TrialResult(None, max(test.logits, test.map), times)
