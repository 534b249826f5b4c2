"""`edge-cxr doctor`: what works on this machine, in one screen; everything is tried anew."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge_app import machine
from edge_app.catalogue import verified
from edge_app.errors import EXIT_DONE, EXIT_MODEL, EdgeCxrError
from edge_app.inference.model_file import DEFAULT_MODEL, ModelFile, locate, read, shipped_models
from edge_app.runtimes import edgetpu, verdict
from edge_app.runtimes.asked import CPU, Asked
from edge_app.runtimes.choice import choose, tried
from edge_app.runtimes.fault import ABSENT, Fault
from edge_app.runtimes.registry import find_delegate, installed

OPTIONAL = ("pydicom", "python-gdcm")

NOWHERE = (
    "cannot be kept: everything is tried at every start; name a writable folder in XDG_CACHE_HOME"
)


def examine(asked: Asked, as_json: bool) -> int:
    """Print versions, CPU, runtimes, delegate and each shipped model's self-test.

    Args:
        asked: the runtime and delegate to use; what is not ``auto`` has to work.
        as_json: one object instead of a table.

    Returns:
        The exit code.
    """
    models = [verified(path, asked, again=True) for path in shipped_models()]
    healthy = bool(models) and all(model["ok"] for model in models)
    found: dict[str, Any] = {
        "machine": _machine(),
        "packages": machine.packages(
            ("numpy", "Pillow", "ai-edge-litert", "tflite-runtime", *OPTIONAL)
        ),
        **_tried(asked),
        "verdicts": str(verdict.folder() or "") or None,
        "models": models,
        "ok": healthy,
    }
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        _show(found)
    return EXIT_DONE if healthy else EXIT_MODEL


def _machine() -> dict[str, Any]:
    known = machine.identity()
    return {
        "board": known["board"],
        "cpu": known["cpu"],
        "architecture": known["machine"],
        **machine.capabilities(),
    }


def _tried(asked: Asked) -> dict[str, Any]:
    """What is used with the default model, and how each runtime and the delegate fare."""
    try:
        model = read(locate(DEFAULT_MODEL))
        runtimes = _runtimes(model, asked)
    except EdgeCxrError as error:
        return {"runtime": {"error": str(error)}, "runtimes": [], "delegate": None}
    try:
        choice = choose(model, asked)
    except EdgeCxrError as error:
        used: dict[str, Any] = {"error": str(error)}
    else:
        used = {
            "name": choice.runtime.name,
            "package": choice.runtime.package,
            "version": choice.runtime.version,
            "delegate": choice.delegate.name if choice.delegate else CPU,
            "threads": choice.threads,
            **choice.as_dict(),
        }
    return {"runtime": used, "runtimes": runtimes, "delegate": _delegate(model, asked)}


def _runtimes(model: ModelFile, asked: Asked) -> list[dict[str, Any]]:
    found = []
    for runtime in installed(asked.runtime):
        outcome = tried(model, runtime, None)
        found.append(
            {
                "package": runtime.package,
                "version": runtime.version,
                "fault": _as_json(outcome.fault),
                "milliseconds": outcome.milliseconds,
            }
        )
    return found


def _delegate(model: ModelFile, asked: Asked) -> dict[str, Any]:
    """The delegate asked for, or the Edge TPU if there is one, with the first runtime it suits."""
    try:
        delegate = find_delegate(asked.delegate)
    except EdgeCxrError:
        delegate = None
    if delegate is None:
        absent = None if asked.delegate == CPU else Fault(ABSENT, edgetpu.NOT_INSTALLED)
        return {"name": CPU, "library": None, "fault": _as_json(absent)}
    fault = delegate.unavailable()
    for runtime in () if fault else installed(asked.runtime):
        fault = tried(model, runtime, delegate).fault
        if fault is None:
            break
    return {"name": delegate.name, "library": str(delegate.library), "fault": _as_json(fault)}


def _as_json(fault: Fault | None) -> dict[str, str] | None:
    return {"kind": fault.kind, "message": fault.message} if fault else None


def _show(found: dict[str, Any]) -> None:
    table = Table(box=None, show_header=False)
    for name, value in _lines(found):
        table.add_row(name, Text(value))  # Text: brackets are no markup
    Console().print(table, highlight=False)


def _lines(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    here, packages, used = found["machine"], found["packages"], found["runtime"]
    board = f"{here['board']}, " if here["board"] else ""
    cores = f"{here['cores']} cores, {here['architecture']}"
    yield "machine", f"{board}{here['cpu']}, {cores}"
    yield "", f"{here['memory_mib']} MiB, {here['system']}"
    yield "CPU features", ", ".join(here["features"]) or "none that int8 gains from"
    yield "versions", ", ".join(f"{name} {number}" for name, number in packages.items() if number)
    missing = [name for name in OPTIONAL if not packages[name]]
    if missing:
        yield "", f"no {', '.join(missing)}: DICOM needs pip install 'edge-cxr[dicom]'"
    for runtime in found["runtimes"]:
        yield "runtime", _runtime_line(runtime)
    delegate = found["delegate"]
    if delegate and delegate["fault"]:
        yield (
            "Edge TPU" if delegate["name"] != "external" else "delegate",
            (f"not used: {delegate['fault']['message']}"),
        )
    elif delegate and delegate["library"]:
        yield "delegate", f"{delegate['library']}: works"
    if "error" in used and not found["runtimes"]:
        yield "runtime", used["error"]
    for model in found["models"]:
        yield (
            "model",
            f"{model['name']}: self-test passed, off by {model['off']:g} {model['unit']}"
            if model["ok"]
            else model["error"],
        )
    if not found["models"]:
        yield "model", "none is installed"
    yield "verdicts", f"kept in {found['verdicts']}" if found["verdicts"] else NOWHERE
    if found["ok"]:
        where = "CPU" if used["delegate"] == CPU else used["delegate"]
        yield "verdict", f"ready: {used['package']} on the {where}, threads: {used['threads']}"
    else:
        yield "verdict", "NOT ready: see above"


def _runtime_line(runtime: dict[str, Any]) -> str:
    if runtime["fault"]:
        return str(runtime["fault"]["message"])
    times = ", ".join(f"{ms:.2f} ms with {n}" for n, ms in runtime["milliseconds"].items())
    works = f"{runtime['package']} {runtime['version']}: works"
    return f"{works}; {DEFAULT_MODEL} took {times} thread(s)" if times else works
