"""What of the machine this process may use."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

CGROUP: Final = Path("/sys/fs/cgroup/memory.max")
"""What a container may use: a number, or ``max``."""


def cores() -> int:
    """Processors, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0))


def memory(cgroup: Path = CGROUP) -> int:
    """Bytes: of the machine, of its container, or of its address space, whichever is least."""
    import resource

    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    with suppress(OSError, ValueError):
        found.append(int(cgroup.read_text()))
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        found.append(limit)
    return min(found)
