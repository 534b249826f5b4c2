"""The processors and the memory that this process may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

CGROUPS: Final = Path("/sys/fs/cgroup")
"""Where control groups are mounted."""

OWN_GROUPS: Final = Path("/proc/self/cgroup")
"""This process's groups, one line for each hierarchy: ``number:controllers:path``."""


def cores() -> int:
    """The number of processors, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0))


def memory(groups: Path = CGROUPS, own: Path = OWN_GROUPS) -> int:
    """Bytes: the smallest of the machine's memory and of the limits that hold for this process."""
    import resource

    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), *_of_groups(groups, own)]
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        found.append(limit)
    return min(found)


def _of_groups(groups: Path, own: Path) -> Iterator[int]:
    """The memory limits of this process's groups and of their parents, all of which hold.

    A container sees its own group as the mounted one, whatever path the kernel names.
    """
    try:
        lines = own.read_text().splitlines()
    except (OSError, ValueError):
        lines = []
    for line in ("0::/", *lines):
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers == "":  # version 2, alone or with version 1
            places = [(groups, "memory.max"), (groups / "unified", "memory.max")]
        elif "memory" in controllers.split(","):
            places = [(groups / "memory", "memory.limit_in_bytes")]
        else:
            continue
        names = [name for name in path.split("/") if name not in ("", "..")]
        for mount, file in places:
            for depth in range(len(names) + 1):
                with suppress(OSError, ValueError):  # ``max``, or no such group here
                    yield int(mount.joinpath(*names[:depth], file).read_text())
