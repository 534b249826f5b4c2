"""Whether a folder can be written, and what to do where it cannot."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

WRITABLE: Final = (
    "see in dmesg whether it fails, and mount it for writing; a systemd service also needs "
    "ReadWritePaths= for it"
)
"""What is to be done where a disk is read-only, as the system makes one that fails."""


def unwritable(folder: Path) -> str | None:
    """Why this user cannot write in a folder that is there; None where they can."""
    if os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return None
    with suppress(OSError):
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            return f"{folder} is on a read-only disk: {WRITABLE}"
    return f"this user may not write in {folder}: check its owner and mode"
