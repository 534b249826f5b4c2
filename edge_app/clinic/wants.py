"""Images that this machine lacked something for: when each is tried again, and when no more.

Kept in memory alone: another life of the box may have what this one lacks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container
from typing import Final, NamedTuple

from edge_app.clinic.delivering import LONGEST_PAUSE, pause_after

MOST_TRIES: Final = 20
LEAST_SECONDS: Final = 900.0
"""An image is given up after so many tries, and not before so long after the first of them."""


class _Want(NamedTuple):
    tries: int
    first: float
    until: float


class Wants:
    """Counts the tries of each image. Its owner has a lock.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wants: dict[int, _Want] = {}

    def __len__(self) -> int:
        return len(self._wants)

    def __contains__(self, number: object) -> bool:
        return number in self._wants

    def add(self, number: int) -> float | None:
        """Count a try; seconds until the next one, None where there is none."""
        now = self._clock()
        before = self._wants.get(number)
        tries, first = (before.tries + 1, before.first) if before else (1, now)
        pause = pause_after(tries, LONGEST_PAUSE)
        self._wants[number] = _Want(tries, first, now + pause)
        return None if tries >= MOST_TRIES and now - first >= LEAST_SECONDS else pause

    def forget(self, number: int) -> None:
        """Of an image that is answered."""
        self._wants.pop(number, None)

    def due(self, besides: Container[int]) -> list[int]:
        """Images whose time has come, the first one first, without some."""
        now = self._clock()
        return [number for until, number in self._waiting(besides) if until <= now]

    def soonest(self, besides: Container[int]) -> float | None:
        """Seconds until the next one's time comes; None where none waits."""
        return next((until - self._clock() for until, _ in self._waiting(besides)), None)

    def _waiting(self, besides: Container[int]) -> list[tuple[float, int]]:
        waiting = self._wants.items()
        return sorted((want.until, number) for number, want in waiting if number not in besides)
