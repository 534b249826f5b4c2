"""Failed logins: each failure delays the next try."""

from __future__ import annotations

import threading
import time
from typing import Final

FREE: Final = 5
"""From this number of failures on, tries have to wait."""

FIRST_PAUSE: Final = 2.0
LONGEST_PAUSE: Final = 300.0
FORGOTTEN: Final = 3600.0
"""Seconds after the last failure when all failures are forgotten."""

MAX_KEYS: Final = 4096
"""Keys that are remembered; the one that failed longest ago is forgotten first."""


class Tries:
    """Counts failures by key; threads share it."""

    def __init__(self) -> None:
        self._failed: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def wait(self, *keys: str) -> float:
        """Seconds until a try for all of these keys may be made; 0 where it may be now."""
        now = time.monotonic()
        with self._lock:
            return max(0.0, *(self._wait(key, now) for key in keys))

    def _wait(self, key: str, now: float) -> float:
        count, last = self._failed.get(key, (0, 0.0))
        if count < FREE or now - last > FORGOTTEN:
            return 0.0
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(count - FREE, 30))
        return last + pause - now

    def failed(self, *keys: str) -> None:
        """A try for these keys was wrong."""
        now = time.monotonic()
        with self._lock:
            for key in keys:
                count, last = self._failed.pop(key, (0, now))
                count = 0 if now - last > FORGOTTEN else count
                self._failed[key] = (count + 1, now)  # in the order of their last failures
            while len(self._failed) > MAX_KEYS:
                del self._failed[next(iter(self._failed))]

    def succeeded(self, *keys: str) -> None:
        """A try for these keys was right: what was wrong before does not count."""
        with self._lock:
            for key in keys:
                self._failed.pop(key, None)
