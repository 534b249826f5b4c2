"""`edge-cxr doctor`: what works on this machine, in one screen."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge_app import __version__
from edge_app.catalogue import verified
from edge_app.errors import EXIT_DONE, EXIT_MODEL, RuntimeUnavailableError
from edge_app.model_file import shipped_models
from edge_app.runtime import find_runtime

OPTIONAL = ("pydicom", "python-gdcm")
CPU_FEATURES = ("avx2", "avx512_vnni", "avx_vnni", "asimd", "asimddp", "i8mm", "sve")
"""Instruction sets that decide how fast int8 kernels are; `asimddp` is Arm's dot product."""


def examine(as_json: bool) -> int:
    """Print versions, CPU, runtime and each shipped model's self-test; returns the exit code."""
    found: dict[str, Any] = {
        "machine": _machine(),
        "packages": _packages(),
        "runtime": _runtime(),
    }
    usable = "error" not in found["runtime"]
    found["models"] = [verified(path, threads=1) for path in shipped_models()] if usable else []
    healthy = bool(found["models"]) and all(model["ok"] for model in found["models"])
    if as_json:
        print(json.dumps({**found, "ok": healthy}, indent=2))
    else:
        _show(found, healthy)
    return EXIT_DONE if healthy else EXIT_MODEL


def _machine() -> dict[str, Any]:
    fields = _cpuinfo()
    flags = (fields.get("flags") or fields.get("features") or "").split()
    return {
        "board": _text("/proc/device-tree/model"),
        "cpu": fields.get("model name") or fields.get("model") or platform.machine(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "features": [name for name in CPU_FEATURES if name in flags],
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "system": f"{platform.system()} {platform.release()}",
    }


def _cpuinfo() -> dict[str, str]:
    lines = (_text("/proc/cpuinfo") or "").splitlines()
    pairs = (line.partition(":")[::2] for line in lines if ":" in line)
    return {key.strip().lower(): value.strip() for key, value in pairs}


def _text(path: str) -> str | None:
    try:
        return Path(path).read_text(errors="replace").strip("\0\n")
    except OSError:
        return None


def _packages() -> dict[str, str | None]:
    packages: dict[str, str | None] = {"edge-cxr": __version__, "python": platform.python_version()}
    for name in ("numpy", "Pillow", "ai-edge-litert", "tflite-runtime", *OPTIONAL):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = None
    return packages


def _runtime() -> dict[str, Any]:
    try:
        runtime = find_runtime()
    except RuntimeUnavailableError as error:
        return {"error": str(error)}
    return {
        "name": runtime.name,
        "package": runtime.package,
        "version": runtime.version,
        "delegate": "cpu",
    }


def _show(found: dict[str, Any], healthy: bool) -> None:
    table = Table(box=None, show_header=False)
    for name, value in _lines(found, healthy):
        table.add_row(name, Text(value))  # Text: brackets are no markup
    Console().print(table, highlight=False)


def _lines(found: dict[str, Any], healthy: bool) -> Iterator[tuple[str, str]]:
    machine, packages, runtime = found["machine"], found["packages"], found["runtime"]
    board = f"{machine['board']}, " if machine["board"] else ""
    cores = f"{machine['cores']} cores, {machine['architecture']}"
    yield "machine", f"{board}{machine['cpu']}, {cores}"
    yield "", f"{machine['memory_mib']} MiB, {machine['system']}"
    yield "CPU features", ", ".join(machine["features"]) or "none that int8 gains from"
    yield "versions", ", ".join(f"{name} {number}" for name, number in packages.items() if number)
    missing = [name for name in OPTIONAL if not packages[name]]
    if missing:
        yield "", f"no {', '.join(missing)}: DICOM needs pip install 'edge-cxr[dicom]'"
    if "error" in runtime:
        yield "runtime", runtime["error"]
    else:
        yield "runtime", f"{runtime['package']} {runtime['version']} on the CPU"
    for model in found["models"]:
        yield (
            "model",
            f"{model['name']}: self-test passed, off by {model['off']:g} {model['unit']}"
            if model["ok"]
            else model["error"],
        )
    if not found["models"] and "error" not in runtime:
        yield "model", "none is installed"
    yield "verdict", "ready" if healthy else "NOT ready: see above"
