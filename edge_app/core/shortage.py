"""What the machine lacks at the moment, as opposed to what is wrong with a file.

Libraries hide the reason of a failure and call a file damaged when they lacked memory, or a
descriptor to load a module. So the chain of errors is searched, and the machine is probed.
"""

from __future__ import annotations

import errno
import os
from typing import Final

from edge_app.core.advice import MAX_PIXELS
from edge_app.core.errors import ImageError, MachineError

NO_MEMORY: Final = f"out of memory: close other programs, or lower {MAX_PIXELS}"
NO_FILES: Final = "too many files are open: close other programs, or raise the limit (ulimit -n)"
NO_PROCESSES: Final = (
    "no other process or thread can be started: close other programs, or raise the limit "
    "(ulimit -u)"
)

KILLED: Final = (
    "what reads it is killed from outside (SIGKILL), as the system does when it is out of memory: "
    f"close other programs, or lower {MAX_PIXELS}"
)

FAILING: Final = "the disk or the network share fails: see what the system says of it (dmesg)"

SHORTAGES: Final = {
    **dict.fromkeys((errno.EIO, errno.EREMOTEIO, errno.ESTALE, errno.ETIMEDOUT), FAILING),
    errno.ENOMEM: NO_MEMORY,
    errno.ENOBUFS: NO_MEMORY,
    errno.EMFILE: NO_FILES,
    errno.ENFILE: NO_FILES,
    errno.EAGAIN: NO_PROCESSES,
}

MEMORY_MESSAGES: Final = ("out of memory", "memory error", "cannot allocate memory", "bad_alloc")
"""Messages of libraries that have no special error for a lack of memory."""

LONGEST_CHAIN: Final = 20
PROBE: Final = 64 << 20
"""Bytes that cannot be mapped when memory is short."""


def shortage_of(error: BaseException) -> str | None:
    """What the machine lacked when this was raised; None if the reason was another."""
    found: BaseException | None = error
    for _ in range(LONGEST_CHAIN):
        if found is None:
            return None
        if isinstance(found, MemoryError):
            return NO_MEMORY
        if isinstance(found, OSError) and found.errno in SHORTAGES:
            return SHORTAGES[found.errno]
        if any(words in str(found).lower() for words in MEMORY_MESSAGES):
            return NO_MEMORY
        if isinstance(found, RuntimeError) and "start new thread" in str(found):
            return NO_PROCESSES
        found = found.__cause__ or found.__context__
    return None


def shortage_now() -> str | None:
    """What the machine lacks at this moment; None if a probe finds nothing."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return SHORTAGES.get(error.errno or 0)
    try:
        import mmap

        # It is never written to, so it costs neither time nor memory.
        mmap.mmap(-1, PROBE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except (OSError, MemoryError, ImportError):
        return NO_MEMORY
    return None


def blamed(error: BaseException, otherwise: str) -> ImageError:
    """Why a picture was not read: something that the machine lacks, otherwise the file's fault.

    Args:
        error: raised while it was read.
        otherwise: what is wrong with the file.
    """
    if isinstance(error, ImageError):
        return error
    shortage = shortage_of(error) or shortage_now()
    return MachineError(f"could not be read: {shortage}") if shortage else ImageError(otherwise)
