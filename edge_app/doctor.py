"""`edge-cxr doctor`: what works on this machine, in one screen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge_app import machine
from edge_app.catalogue import verified
from edge_app.errors import EXIT_DONE, EXIT_MODEL, RuntimeUnavailableError
from edge_app.inference.model_file import shipped_models
from edge_app.inference.runtime import find_runtime

OPTIONAL = ("pydicom", "python-gdcm")


def examine(as_json: bool) -> int:
    """Print versions, CPU, runtime and each shipped model's self-test; returns the exit code."""
    found: dict[str, Any] = {
        "machine": _machine(),
        "packages": machine.packages(
            ("numpy", "Pillow", "ai-edge-litert", "tflite-runtime", *OPTIONAL)
        ),
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
    known = machine.identity()
    return {
        "board": known["board"],
        "cpu": known["cpu"],
        "architecture": known["machine"],
        **machine.capabilities(),
    }


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
    here, packages, runtime = found["machine"], found["packages"], found["runtime"]
    board = f"{here['board']}, " if here["board"] else ""
    cores = f"{here['cores']} cores, {here['architecture']}"
    yield "machine", f"{board}{here['cpu']}, {cores}"
    yield "", f"{here['memory_mib']} MiB, {here['system']}"
    yield "CPU features", ", ".join(here["features"]) or "none that int8 gains from"
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
