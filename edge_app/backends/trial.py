"""Is it safe to use? A runtime or delegate that may end the process is tried in another first.

The child does what the application would do (`trial_child`) and says each step before it is done,
so a crash or a hang is known by its place. Each step has a time limit, and what it prints goes
nowhere.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from edge_app.backends.delegate import Delegate
from edge_app.backends.fault import (
    ABI,
    ABSENT,
    CRASH,
    HANG,
    KILLED,
    MODEL,
    REFUSED,
    UNTRIED,
    WRONG,
    Fault,
)
from edge_app.backends.runtime import Runtime
from edge_app.backends.self_test import SelfTest
from edge_app.backends.trial_results import TrialResult
from edge_app.core.errors import ModelError, UsageError
from edge_app.core.plain_text import printable
from edge_app.core.resources import cores
from edge_app.model.model_file import ModelFile

SECONDS: Final = 60
SECONDS_VARIABLE: Final = "EDGE_CXR_TRIAL_SECONDS"
"""Changes how long a step of a trial may take, e.g. for a machine that is slower still."""

MORE_THREADS: Final = (2, 4)
MAX_RESULTS: Final = 1 << 20
MAX_SAID: Final = 4096

BOOTSTRAP: Final = (
    "import sys; sys.path[:] = sys.argv[2:]; "
    "from edge_app.backends.trial_process import main; main(sys.argv[1])"
)
"""With the parent's own search path: neither `-m` nor a bare `-c` would keep the current folder,
where anybody's files may lie, out of it."""

DOING: Final = {
    "start": "starting",
    "import": "importing {runtime}",
    "library": "loading the library",
    "file": "reading the model file",
    "delegate": "making the delegate",
    "model": "loading the model",
    "run": "computing",
    "close": "closing",
    "end": "ending",
}

UNBLAMED: Final = ("start", "file")
"""Steps in which nothing of what is tried has a part."""

OUTSIDE: Final = (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP)
"""Not the doing of what was tried: out of memory, or somebody ended it."""

MISSING: Final = re.compile(r"([^\s:]+): cannot open shared object file: No such file")
MISMATCH: Final = re.compile(r"undefined symbol: \S+|version `[^']+' not found|wrong ELF class")


@dataclass
class Heard:
    """What a child said and how it ended.

    Attributes:
        stage: the last step that it began.
        facts: its other messages, merged.
        status: its exit code, negative for a signal; None if it had to be ended at a limit.
        last_words: the end of what it printed on standard error.
    """

    stage: str = "start"
    facts: dict[str, Any] = field(default_factory=dict)
    status: int | None = None
    last_words: str = ""


def run(model: ModelFile, runtime: Runtime, delegate: Delegate | None) -> TrialResult:
    """Try in another process what a session of these would do, and measure it."""
    seconds = limit()
    request = {
        "model": os.fspath(model.path),
        "sha256": model.sha256,
        "runtime": runtime.name,
        "delegate": delegate.name if delegate else None,
        "library": os.fspath(delegate.library) if delegate else None,
        "threads": [] if delegate else [n for n in MORE_THREADS if n <= cores()],
        "seconds": SECONDS + len(DOING) * seconds,
    }
    try:
        heard = _child(request, seconds)
    except OSError as error:
        reason = error.strerror or str(error)
        return TrialResult(Fault(UNTRIED, f"no other process can be started to try it: {reason}"))
    return _judge(heard, model, runtime, delegate, seconds)


def limit() -> int:
    """Seconds that a step of a trial may take."""
    given = os.environ.get(SECONDS_VARIABLE, str(SECONDS))
    if not given.isdecimal() or not 1 <= int(given) <= 3600:
        raise UsageError(f"{SECONDS_VARIABLE}={given}: it takes whole seconds, 1 to 3600")
    return int(given)


def _child(request: dict[str, Any], seconds: int) -> Heard:
    reading, writing = os.pipe()
    try:
        asked = json.dumps({**request, "results": writing})
        process = subprocess.Popen(
            [sys.executable, "-c", BOOTSTRAP, asked, *sys.path],
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
    heard = Heard(status=process.returncode if ended else None, last_words=_last_line(words))
    for message in _messages(said):
        heard.stage = str(message.pop("stage", heard.stage))
        heard.facts |= message
    return heard


def _listen(
    process: subprocess.Popen[bytes], results: int, errors: int, seconds: int
) -> tuple[bytes, bytes, bool]:
    """Both streams, bounded, and whether the child came to an end by itself.

    The clock starts anew with each step; before the first there is nothing yet that may hang.
    """
    streams = {results: b"", errors: b""}
    deadline = time.monotonic() + max(seconds, SECONDS)
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            selector.register(stream, selectors.EVENT_READ)
        while True:
            ended = process.poll() is not None
            ready = selector.select(0 if ended else 0.02)
            for key, _ in ready:
                chunk = os.read(key.fd, 1 << 16)
                if not chunk:
                    selector.unregister(key.fd)
                elif key.fd == results:
                    deadline = time.monotonic() + seconds
                kept = streams[key.fd] + chunk
                streams[key.fd] = kept[:MAX_RESULTS] if key.fd == results else kept[-MAX_SAID:]
            if time.monotonic() > deadline or (ended and not ready):
                return streams[results], streams[errors], ended


def _messages(said: bytes) -> Iterator[dict[str, Any]]:
    for line in said.splitlines():
        with suppress(ValueError):  # a line that was cut off
            message = json.loads(line)
            if isinstance(message, dict):
                yield message


def _last_line(words: bytes) -> str:
    lines = [line.strip() for line in words.decode("utf-8", "replace").splitlines()]
    told = [line for line in lines if line and not line.startswith(("INFO:", "W0000", "I0000"))]
    return printable(told[-1])[:160] if told else ""


def _judge(
    heard: Heard, model: ModelFile, runtime: Runtime, delegate: Delegate | None, seconds: int
) -> TrialResult:
    what = delegate.label if delegate else runtime.label
    doing = DOING.get(heard.stage, heard.stage).format(runtime=runtime.package)
    hint = delegate.hint if delegate else runtime.remedy
    with_what = _versions(heard, runtime, delegate)
    said = f'; it said "{heard.last_words}"' if heard.last_words else ""
    if "error" in heard.facts:
        return TrialResult(_error(heard, runtime, delegate))
    if heard.status is None and heard.stage in UNBLAMED:
        return TrialResult(Fault(UNTRIED, f"{what} could not be tried: {doing} takes too long"))
    if heard.status is None:
        return TrialResult(
            Fault(HANG, f"{what} hangs: after {seconds} s it is still {doing}{said}: {hint}")
        )
    if heard.status in OUTSIDE:
        name = signal.Signals(-heard.status).name
        return TrialResult(
            Fault(KILLED, f"{what} was ended from outside while {doing} ({name}): try again")
        )
    if heard.stage == "start":
        return TrialResult(Fault(UNTRIED, f"{what} could not be tried in another process{said}"))
    if heard.status or heard.stage != "end":
        how = _ending(heard.status)
        return TrialResult(
            Fault(CRASH, f"{what} crashes ({how}) while {doing}{with_what}{said}: {hint}")
        )
    return _answers(heard, model, what, hint)


def _ending(status: int) -> str:
    if status >= 0:
        return f"it ends the process with code {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def _versions(heard: Heard, runtime: Runtime, delegate: Delegate | None) -> str:
    if delegate is None:
        return ""
    built = re.search(r"RuntimeVersion\(\w+\)", str(heard.facts.get("built") or ""))
    return f", with {runtime.label}" + (f" and libedgetpu {built[0]}" if built else "")


def _error(heard: Heard, runtime: Runtime, delegate: Delegate | None) -> Fault:
    """The fault behind an exception in the child, by the step where it was raised."""
    reason = printable(" ".join(str(heard.facts["error"]).split()))[:300]
    explained = runtime.explain(reason)
    if explained:
        return Fault(ABI, explained)
    if heard.stage == "import":
        return Fault(ABSENT, f"{runtime.package} does not import: {reason}")
    if heard.stage in UNBLAMED or delegate is None:
        return Fault(MODEL if heard.facts.get("kind") == ModelError.kind else UNTRIED, reason)
    if heard.stage == "library":
        return _library_fault(reason, runtime, delegate)
    if heard.stage == "delegate":
        reason = reason.replace(f"Failed to load delegate from {delegate.library}", "")
        return delegate.refusal(reason.strip("; ").removesuffix("ValueError").strip("; "))
    return Fault(REFUSED, f"{delegate.label} refuses the model: {reason}: {delegate.hint}")


def _library_fault(reason: str, runtime: Runtime, delegate: Delegate) -> Fault:
    missing = MISSING.search(reason)
    if missing:
        return Fault(
            ABSENT,
            f"{delegate.label} needs {missing[1]}, which is not installed: install the package "
            f"that holds it{' (libusb-1.0-0)' if 'libusb' in missing[1] else ''}",
        )
    if "undefined symbol: tflite_plugin" in reason:
        return Fault(
            ABI,
            f"{delegate.library}: is no TensorFlow Lite delegate (it has no entry point "
            "tflite_plugin_create_delegate): name another library",
        )
    if MISMATCH.search(reason):
        return Fault(
            ABI,
            f"{delegate.label} does not fit this system or {runtime.label}: {reason}: "
            f"{delegate.hint}",
        )
    return Fault(REFUSED, f"{delegate.label} does not load: {reason}")


def _answers(heard: Heard, model: ModelFile, what: str, hint: str) -> TrialResult:
    try:
        test = SelfTest(**heard.facts["answers"])
        times = {int(n): float(t) for n, t in heard.facts["milliseconds"].items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        return TrialResult(Fault(UNTRIED, f"{what}: its trial ended without an answer: {hint}"))
    if not test.passed:
        return TrialResult(Fault(WRONG, f"{model.path}: {test.failure(what)}"))
    return TrialResult(None, max(test.logits, test.map), times)
