"""Memory that the C library keeps: a box that waits for days should not hold what it once used.

glibc has an arena for each thread, and keeps what is freed in it. Other C libraries have no such
calls.
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
"""Bytes of the largest block, and of all blocks, that glibc keeps when they are freed: mapping new
pages for each image costs as much time as the work on them."""


def limit_arenas() -> None:
    """Let threads share arenas, and glibc keep freed memory; call it before threads are started."""
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(M_ARENA_MAX, ARENAS)
        library.mallopt(M_MMAP_THRESHOLD, KEPT_AT_ONCE)
        library.mallopt(M_TRIM_THRESHOLD, KEPT)


def give_back() -> None:
    """Return freed memory to the system; call it now and then."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
