"""Silencing native code, which writes to file descriptor 2 whatever Python does."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import RLock
from typing import Final

SPEAKING: Final = RLock()
"""Held while standard error is written to or silenced, so that none of our lines is lost."""


@contextmanager
def silenced() -> Iterator[None]:
    """A context that discards what is written to file descriptor 2 (banners, logs, debug lines)."""
    with SPEAKING:
        with suppress(OSError, ValueError):
            sys.stderr.flush()
        try:
            saved = os.dup(2)
        except OSError:  # closed, or no descriptor is left: not silenced
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
