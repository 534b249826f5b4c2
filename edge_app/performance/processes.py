"""Child processes that measure. Ctrl-C does not reach them: the parent ends them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from edge_app.core.errors import (
    EXIT_INPUT,
    EXIT_USAGE,
    EdgeCxrError,
    ImageError,
    ModelError,
    UsageError,
)

LAUNCH: Final = str(Path(__file__).with_name("launch.py"))
PATIENCE: Final = 600.0
"""Seconds after which a child counts as hanging; on a Zero 2 W starting takes one or two."""


class ProcessError(EdgeCxrError):
    """A process that was to be measured failed."""

    kind = "benchmark"


def launch(command: Sequence[str], environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run a command: `wall` and `cpu` in seconds, `peak` memory in bytes.

    Raises:
        ProcessError: it fails.
    """
    launcher = [sys.executable, "-I", "-S", LAUNCH]
    out, said = _run([*launcher, *command], None, environment)
    measured: dict[str, Any] = json.loads(out)
    if measured["code"] != 0:
        raise ProcessError(f"a process that was to be measured failed: {said or measured['code']}")
    return measured


def ask(
    command: Sequence[str],
    question: Mapping[str, Any],
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A child's answer; it reads a JSON object from standard input and writes one to its output.

    Raises:
        ImageError, ModelError, UsageError, ProcessError: the child's error, by its exit code.
    """
    out, said = _run(command, json.dumps(question), environment)
    try:
        answer: dict[str, Any] = json.loads(out)
    except ValueError:
        raise ProcessError(f"a measuring process answered nothing: {said}") from None
    return answer


def _run(
    command: Sequence[str], question: str | None, environment: Mapping[str, str] | None
) -> tuple[str, str]:
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE if question is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
        text=True,
    ) as child:
        try:
            out, errors = child.communicate(question, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            _end(child)
            raise ProcessError(f"a measuring process hung for {PATIENCE:g} s: given up") from None
        except BaseException:
            _end(child)
            raise
    lines = errors.strip().splitlines()
    said = lines[-1].removeprefix("edge-cxr: ") if lines else ""
    if child.returncode < 0:
        name = signal.Signals(-child.returncode).name
        raise ProcessError(f"a measuring process was killed by {name}: out of memory, or a fault")
    if child.returncode:
        kinds = {EXIT_INPUT: ImageError, EXIT_USAGE: UsageError}
        raise kinds.get(child.returncode, ModelError)(said or f"exit code {child.returncode}")
    return out, said


def _end(child: subprocess.Popen[str]) -> None:
    """Kill a child and all processes of its session."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
