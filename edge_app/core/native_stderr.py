"""Native code prints to file descriptor 2 whatever Python does; here it is kept from the user."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import RLock
from typing import Final

SPEAKING: Final = RLock()
"""Held by who writes to standard error, and by who silences it: no line of ours is lost."""


@contextmanager
def silenced() -> Iterator[None]:
    """Throw away what is written to file descriptor 2 meanwhile (banners, logs, debug lines)."""
    with SPEAKING:
        with suppress(OSError, ValueError):
            sys.stderr.flush()
        try:
            saved = os.dup(2)
        except OSError:  # closed, or no descriptor is left: then it is not silent
            yield
            return
        try:
            sink = os.open(os.devnull, os.O_WRONLY)
            os.dup2(sink, 2)
            os.close(sink)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
