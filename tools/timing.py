"""The time that a command takes, with all processes that it starts."""

from __future__ import annotations

import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class Timed(NamedTuple):
    """Seconds of wall and of processor time, and the standard output."""

    clock: float
    processor: float
    output: bytes


def timed(
    command: Sequence[str], folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> Timed:
    """Run a command to its end.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, check=True)
    clock = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Timed(clock, processor, done.stdout)
