"""Whether a folder can be written, and whether the disk that it is meant to lie on is mounted."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

WRITABLE: Final = (
    "see in dmesg whether it fails, and mount it for writing; a systemd service also needs "
    "ReadWritePaths= for it"
)
"""What is to be done where a disk is read-only, as the system makes one that fails."""

FSTAB, NAMED_AT = Path("/etc/fstab"), 1
"""What is to be mounted on this machine, and the column that says where: fstab(5)."""

MOUNTS, DEVICE, MOUNTED_AT, OPTIONS = Path("/proc/self/mountinfo"), 2, 4, 5
"""What is mounted, likewise: proc(5); more options end with a dash, and the kind follows it."""

IN_MEMORY: Final = (b"tmpfs", b"ramfs")
"""File systems of which nothing is left at the machine's next start."""

OCTAL: Final = re.compile(rb"\\(?!000)([0-3][0-7]{2})")
"""A byte of a name, such as a blank, as both write it."""

USUAL: Final = ("/media", "/mnt", "/run/media")
"""Where disks are mounted by custom: Filesystem Hierarchy Standard 3.0, and udisks."""


def unwritable(folder: Path) -> str | None:
    """Why this user cannot write in a folder that is there; None where they can."""
    if os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return None
    with suppress(OSError):
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            return f"{folder} is on a read-only disk: {WRITABLE}"
    return f"this user may not write in {folder}: check its owner and mode"


def not_mounted(folder: Path) -> str | None:
    """That a folder seems to be meant for a disk that is not mounted; None where nothing says so.

    Nothing is certain: what mounts a disk need not be in fstab, and a folder below ``/mnt`` may be
    meant for the system's own disk.
    """
    place = os.path.realpath(folder)
    mounted = _points(MOUNTS, MOUNTED_AT)  # which have no links in them
    above = [each for each in mounted if _is_within(place, each)]
    if not above:  # nothing is known of this machine
        return None
    mount = max(above, key=len)
    instead = f"or what is written goes to the disk of {mount}"
    # What is mounted is not looked at: a server that does not answer would hold this up.
    missing = {*_points(FSTAB, NAMED_AT)} - {*mounted}
    named = [each for each in map(os.path.realpath, missing) if _is_within(place, each)]
    if len(point := max(named, key=len, default="")) > len(mount):
        return f"{folder}: {FSTAB} names {point}, where nothing is mounted: mount it, {instead}"
    usual = [os.path.realpath(each) for each in USUAL]
    if any(place != each and _is_within(place, each) and len(each) > len(mount) for each in usual):
        return f"{folder}: no disk is mounted there: if it is meant for one, mount it, {instead}"
    return None


def is_in_memory(folder: Path) -> bool:
    """Whether a folder is of a file system in memory, as far as the machine tells."""
    with suppress(OSError):
        device = folder.stat().st_dev
        number = f"{os.major(device)}:{os.minor(device)}".encode()
        for row in _rows(MOUNTS):
            if row[DEVICE] == number:
                return row[row.index(b"-", OPTIONS) + 1] in IN_MEMORY
    return False


def _points(table: Path, column: int) -> list[str]:
    """Mount points that a table has; none where it cannot be read."""
    with suppress(OSError):
        rows = _rows(table)
        found = (row[column] for row in rows if len(row) > column and row[0][:1] != b"#")
        named = (os.fsdecode(OCTAL.sub(_byte, each)) for each in found if each[:1] == b"/")
        return [os.path.normpath(each) for each in named if "\0" not in each]
    return []


def _rows(table: Path) -> list[list[bytes]]:
    return [line.split() for line in table.read_bytes().splitlines()]


def _byte(escaped: re.Match[bytes]) -> bytes:
    return bytes((int(escaped[1], 8),))


def _is_within(place: str, folder: str) -> bool:
    return os.path.commonpath((place, folder)) == folder
