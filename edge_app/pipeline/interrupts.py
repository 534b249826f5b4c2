"""Ctrl-C: noted between two answers, or heeded at once while something is waited for."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Within it, the first Ctrl-C only makes the yielded function answer True.

    Signals belong to the main thread: in any other, nothing changes.
    """
    if not in_main_thread():
        yield lambda: False
        return
    seen: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(seen)
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def at_once() -> Iterator[None]:
    """Within it, Ctrl-C interrupts whatever waits; nothing is half printed."""
    if not in_main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def in_main_thread() -> bool:
    """Whether signals can be taken here."""
    return threading.current_thread() is threading.main_thread()
