"""Memory that the C library holds on to: a box that waits for days should not hold what it used.

glibc keeps an arena a thread, and what was freed in it. Other C libraries have no such calls.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Final

M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
M_ARENA_MAX: Final = -8
ARENAS: Final = 2
KEPT_AT_ONCE: Final = 32 << 20
KEPT: Final = 128 << 20
"""Bytes of the largest piece, and of all, that are not given back as soon as they are free: pages
that come anew with each image cost as much time as what is done with them."""


def few_and_kept() -> None:
    """Have threads share arenas, and keep what is free; to be called before they are made."""
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(M_ARENA_MAX, ARENAS)
        library.mallopt(M_MMAP_THRESHOLD, KEPT_AT_ONCE)
        library.mallopt(M_TRIM_THRESHOLD, KEPT)


def give_back() -> None:
    """Give what is free back to the system; to be called now and then."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
