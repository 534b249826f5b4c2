"""Memory that the C library holds on to: a box that waits for days should not hold what it used.

glibc keeps an arena a thread, and what was freed in it. Other C libraries have no such calls.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Final

M_ARENA_MAX: Final = -8
ARENAS: Final = 2


def few_arenas() -> None:
    """Have threads share arenas; to be called before they are made."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)


def give_back() -> None:
    """Give what is free back to the system."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
