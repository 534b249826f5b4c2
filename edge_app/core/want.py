"""What the machine lacks at this moment, told apart from what is wrong with a file.

Libraries swallow the reason of a failure and call a file damaged that they had no memory for, or no
descriptor to load a module with. So the chain of errors is searched for it, and the machine asked.
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

SCARCE: Final = {
    **dict.fromkeys((errno.EIO, errno.EREMOTEIO, errno.ESTALE, errno.ETIMEDOUT), FAILING),
    errno.ENOMEM: NO_MEMORY,
    errno.ENOBUFS: NO_MEMORY,
    errno.EMFILE: NO_FILES,
    errno.ENFILE: NO_FILES,
    errno.EAGAIN: NO_PROCESSES,
}

SAID: Final = ("out of memory", "memory error", "cannot allocate memory", "bad_alloc")
"""What libraries say of it that have no error of their own."""

LONGEST_CHAIN: Final = 20
PROBE: Final = 64 << 20
"""Bytes without which the machine is short of memory."""


def want_of(error: BaseException) -> str | None:
    """What the machine lacked where this was raised; None where it was something else."""
    found: BaseException | None = error
    for _ in range(LONGEST_CHAIN):
        if found is None:
            return None
        if isinstance(found, MemoryError):
            return NO_MEMORY
        if isinstance(found, OSError) and found.errno in SCARCE:
            return SCARCE[found.errno]
        if any(words in str(found).lower() for words in SAID):
            return NO_MEMORY
        if isinstance(found, RuntimeError) and "start new thread" in str(found):
            return NO_PROCESSES
        found = found.__cause__ or found.__context__
    return None


def want_now() -> str | None:
    """What the machine lacks at this moment, if it shows."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return SCARCE.get(error.errno or 0)
    try:
        import mmap

        # Nothing is written to it, so that it costs neither time nor memory.
        mmap.mmap(-1, PROBE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except (OSError, MemoryError, ImportError):
        return NO_MEMORY
    return None


def blamed(error: BaseException, otherwise: str) -> ImageError:
    """Why a picture was not read: the machine's want where that is it, or else the file's fault.

    Args:
        error: what reading it raised.
        otherwise: what is wrong with the file.
    """
    if isinstance(error, ImageError):
        return error
    want = want_of(error) or want_now()
    return MachineError(f"could not be read: {want}") if want else ImageError(otherwise)
