"""How many processors there are to use."""

from __future__ import annotations

import os


def cores() -> int:
    """Those that this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0))
