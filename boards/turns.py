"""One process at a time at what several share."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone(cache: Path) -> Iterator[None]:
    """Within it no other process makes anything below `cache`: they wait. Not to be nested."""
    cache.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(cache / ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
