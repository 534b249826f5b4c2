"""Images that this machine lacked something for: when each is tried again, and how often.

Kept in memory alone: another life of the box may have what this one lacks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container
from typing import Final, NamedTuple

from edge_app.clinic.delivering import LONGEST_PAUSE, pause_after

MAX_TRIES: Final = 20
MIN_SECONDS: Final = 900.0
"""An image is given up after so many tries, and not before so long after the first of them."""


class _Retry(NamedTuple):
    tries: int
    first: float
    until: float


class Retries:
    """Counts the tries of each image. Its owner has a lock.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._retries: dict[int, _Retry] = {}

    def __len__(self) -> int:
        return len(self._retries)

    def __contains__(self, number: object) -> bool:
        return number in self._retries

    def add(self, number: int) -> float | None:
        """Count a try; seconds until the next one, None where there is none."""
        now = self._clock()
        before = self._retries.get(number)
        tries, first = (before.tries + 1, before.first) if before else (1, now)
        pause = pause_after(tries, LONGEST_PAUSE)
        self._retries[number] = _Retry(tries, first, now + pause)
        return None if tries >= MAX_TRIES and now - first >= MIN_SECONDS else pause

    def forget(self, number: int) -> None:
        """Forget the tries of an image that is answered or gone."""
        self._retries.pop(number, None)

    def due(self, excluded: Container[int]) -> list[int]:
        """Images whose time has come, the first one first, without some."""
        now = self._clock()
        return [number for until, number in self._waiting(excluded) if until <= now]

    def soonest(self, excluded: Container[int]) -> float | None:
        """Seconds until the next one's time comes; None where none waits."""
        return next((until - self._clock() for until, _ in self._waiting(excluded)), None)

    def _waiting(self, excluded: Container[int]) -> list[tuple[float, int]]:
        waiting = self._retries.items()
        return sorted((retry.until, number) for number, retry in waiting if number not in excluded)
