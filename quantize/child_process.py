"""Running a command in a child process, because native code may end a process instead of failing.

TensorFlow Lite's converter does so on some unusual networks. The process that the user started
waits for the child, and prints in one line what the child was doing. The child starts before
TensorFlow is loaded, whose threads a fork would lose, so it costs no time.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NoReturn

from edge_app.core.errors import EXIT_MODEL

MAX_LINE: Final = 1 << 12
"""The longest description in bytes; a pipe takes as many in one piece."""
UNSAID: Final = "running"
PR_SET_PDEATHSIG: Final = 1

FROM_OUTSIDE: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AWAITED: Final = (*FROM_OUTSIDE, signal.SIGCHLD)

_telling: int | None = None
"""The writing end of the pipe to the waiting process; None if no process waits."""


def doing(what: str, then: str) -> None:
    """Note what begins now, in case it ends the process.

    Args:
        what: completes "the process ended while …".
        then: what a user can do about it.
    """
    if _telling is not None:
        line = "\t".join(" ".join(each.split()) for each in (what, then))
        with suppress(OSError):
            os.write(_telling, line.encode(errors="replace")[: MAX_LINE - 1] + b"\n")


def run_in_child(command: Callable[[], None]) -> None:
    """Run a command in a child process and end like it; run it here if that is not possible.

    It is not possible in a notebook, or once TensorFlow is loaded: the child would have none of
    its threads, and would wait for them for ever.

    Raises:
        SystemExit: with the child's exit code, or `EXIT_MODEL` where native code ended it.
    """
    if not hasattr(os, "pipe2") or threading.active_count() > 1 or "tensorflow" in sys.modules:
        command()
        return
    global _telling
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # if ignored, the exit code would be lost
    before = signal.pthread_sigmask(signal.SIG_BLOCK, AWAITED)
    parent, child = os.getpid(), os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(reading)
        _telling = writing
        _end_with(parent)
        command()
        return
    os.close(writing)
    _wait(child, reading)


def _end_with(parent: int) -> None:
    """Have Linux kill this process when its parent ends, for whatever reason."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended already
        raise SystemExit(EXIT_MODEL)


def _wait(child: int, reading: int) -> NoReturn:
    done = 0
    while not done:
        got = signal.sigwaitinfo(AWAITED)
        if got.si_signo == signal.SIGCHLD:
            done, status = os.waitpid(child, os.WNOHANG)
        elif got.si_signo != signal.SIGINT or got.si_code <= 0:
            os.kill(child, got.si_signo)  # but not Ctrl-C, which the terminal sends to both
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        _say_and_end(-code, *_last_line(reading))
    raise SystemExit(code)


def _last_line(reading: int) -> tuple[str, str]:
    """What the child was doing, and what to do then."""
    said = b""
    with suppress(BlockingIOError):  # a process that the child started may hold the other end
        while chunk := os.read(reading, 1 << 16):
            said += chunk
    lines = said.decode(errors="replace").splitlines() or [""]
    what, _, then = lines[-1].partition("\t")
    return what or UNSAID, then or "try again"


def _say_and_end(number: int, what: str, then: str) -> NoReturn:
    """Print one line about a child that a signal ended, and end like it."""
    if number in FROM_OUTSIDE:  # this process ends in the same way
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, AWAITED)
        os.kill(os.getpid(), number)
    name = signal.Signals(number).name if number in list(signal.Signals) else f"signal {number}"
    if number == signal.SIGKILL:
        then = "most often memory is short, close other programs"
    with suppress(OSError):
        os.write(2, f"error: the process ended ({name}) while {what}: {then}\n".encode())
    raise SystemExit(EXIT_MODEL)
