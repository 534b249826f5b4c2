"""Finding and examining shared libraries without loading them, which would run their code."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Final

from edge_app.backends.fault import ABI, ABSENT, PERMISSION, Fault
from edge_app.core.files import UnreadableError, read_bounded

LINKER_CACHE: Final = Path("/etc/ld.so.cache")
"""The dynamic linker's list of libraries; rewritten whenever a library is installed."""

FOLDERS: Final = ("/usr/local/lib", "/lib", "/usr/lib", "/lib64", "/usr/lib64")
MAX_CACHE_BYTES: Final = 8 << 20

MACHINES: Final = {3: "x86", 40: "32-bit Arm", 62: "x86-64", 183: "64-bit Arm", 243: "RISC-V"}
"""ELF's `e_machine`."""


def find(name: str) -> Path | None:
    """The file that the dynamic linker would load for a library's name, e.g. ``libx.so.1``.

    Of several libraries with this name, the one for this Python's architecture.
    """
    folders = [*os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep), *FOLDERS]
    named = [os.path.join(folder, name) for folder in folders if folder]
    try:
        cache = read_bounded(LINKER_CACHE, MAX_CACHE_BYTES)
    except UnreadableError:
        cache = b""
    encoded = name.encode()
    cached = (
        re.findall(rb"(/[^\0]*/" + re.escape(encoded) + rb")\0", cache) if encoded in cache else []
    )
    paths = [*named, *map(os.fsdecode, cached)]
    found = [Path(path) for path in paths if os.path.isfile(path)]
    return next((path for path in found if unusable(path) is None), found[0] if found else None)


def unusable(path: Path) -> Fault | None:
    """Why a file cannot be loaded into this process, by its first bytes; None if it seems fine."""
    try:
        with path.open("rb") as file:
            head = file.read(20)
    except FileNotFoundError:
        return Fault(ABSENT, f"{path}: no such file: install it, or correct the path")
    except PermissionError:
        return Fault(PERMISSION, f"{path}: no permission to read it: check its owner and mode")
    except OSError as error:
        return Fault(ABSENT, f"{path}: cannot be read: {error.strerror}")
    if head[:4] != b"\x7fELF" or len(head) < 20:
        return Fault(ABI, f"{path}: is no shared library: install it again")
    theirs, ours = _architecture(head), _own_architecture()
    if ours and theirs != ours:
        return Fault(
            ABI,
            f"{path}: is built for {_name(theirs)}, this Python for {_name(ours)}: "
            "install the build for this processor",
        )
    return None


Architecture = tuple[int, int, int]
"""ELF's class (1: 32 bits, 2: 64 bits), byte order and machine."""


def _architecture(head: bytes) -> Architecture:
    little = head[5] == 1
    return head[4], head[5], int.from_bytes(head[18:20], "little" if little else "big")


def _own_architecture() -> Architecture | None:
    try:
        with open(sys.executable, "rb") as file:
            head = file.read(20)
    except OSError:
        return None
    return _architecture(head) if head[:4] == b"\x7fELF" and len(head) == 20 else None


def _name(architecture: Architecture) -> str:
    bits, _, machine = architecture
    return MACHINES.get(machine, f"machine {machine} ({32 * bits} bits)")


def stamp(path: Path) -> list[str | int] | None:
    """Path, size, modification time (ns) and inode, which change when a file is replaced."""
    try:
        status = path.stat()
    except OSError:
        return None
    return [str(path), status.st_size, status.st_mtime_ns, status.st_ino]
