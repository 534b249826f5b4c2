"""This machine and its installed packages, which results record so that they can be trusted."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from edge_app.core.about import __version__

CPU_FEATURES: Final = ("avx2", "avx512_vnni", "avx_vnni", "asimd", "asimddp", "i8mm", "sve")
"""Instruction sets that decide how fast int8 kernels are; `asimddp` is Arm's dot product."""

ARM_CORES: Final = {
    "0xd03": "Cortex-A53",
    "0xd04": "Cortex-A35",
    "0xd05": "Cortex-A55",
    "0xd08": "Cortex-A72",
    "0xd0b": "Cortex-A76",
}
"""Cores by their `CPU part`: Linux on Arm gives no other name of the processor."""


def identity() -> dict[str, Any]:
    """Architecture, processor and board (None where there is no device tree)."""
    fields = _cpuinfo()
    return {
        "machine": platform.machine(),
        "cpu": ARM_CORES.get(fields.get("cpu part", ""))
        or fields.get("model name")
        or platform.machine(),
        "board": _text("/proc/device-tree/model"),
    }


def capabilities() -> dict[str, Any]:
    """Cores, instruction sets, memory and system."""
    fields = _cpuinfo()
    flags = (fields.get("flags") or fields.get("features") or "").split()
    return {
        "cores": os.cpu_count(),
        "features": [name for name in CPU_FEATURES if name in flags],
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "system": f"{platform.system()} {platform.release()}",
    }


def packages(names: Iterable[str]) -> dict[str, str | None]:
    """Versions of edge-cxr, Python and the named packages; None for what is not installed."""
    found: dict[str, str | None] = {"edge-cxr": __version__, "python": platform.python_version()}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def _cpuinfo() -> dict[str, str]:
    lines = (_text("/proc/cpuinfo") or "").splitlines()
    pairs = (line.partition(":")[::2] for line in lines if ":" in line)
    return {key.strip().lower(): value.strip() for key, value in pairs}


def _text(path: str) -> str | None:
    try:
        return Path(path).read_text(errors="replace").strip("\0\n")
    except OSError:
        return None
