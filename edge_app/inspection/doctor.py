"""`edge-cxr doctor`: what works on this machine, in one screen; everything is tried anew."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge_app.backends import trial_results as verdict
from edge_app.backends.choice import Choice, choose, tried
from edge_app.backends.fault import ABSENT, Fault
from edge_app.backends.options import CPU, EDGETPU, Asked
from edge_app.backends.registry import EDGETPU_ABSENT, candidates
from edge_app.backends.runtime import Runtime
from edge_app.core import machine
from edge_app.core.errors import EXIT_DONE, EXIT_MODEL, EdgeCxrError, UsageError
from edge_app.inspection.catalogue import verified
from edge_app.model.model_file import ModelFile, locate, read, shipped_models
from edge_app.model.shipped import DEFAULT_MODEL

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
    found: dict[str, Any] = {
        "machine": _machine(),
        "packages": machine.packages(
            ("numpy", "Pillow", "isal", "ai-edge-litert", "tflite-runtime", *OPTIONAL)
        ),
        **_tried(asked),
        "verdicts": str(verdict.folder() or "") or None,
    }
    models = found["models"]
    found["ok"] = healthy = bool(models) and all(model["ok"] for model in models)
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
    """What is used, how each runtime and the delegate fare, and the models' self-tests with it."""
    try:
        model = read(locate(DEFAULT_MODEL))
        runtimes = [_runtime(model, each) for each in candidates(asked.runtime) if each.folder]
        choice = choose(model, asked, again=True)
    except UsageError:
        raise
    except EdgeCxrError as error:
        return {"runtime": {"error": str(error)}, "runtimes": [], "delegate": None, "models": []}
    if choice.delegate is None:  # a delegate that does not work is not tried with each model
        asked = asked._replace(delegate=CPU)
    return {
        "runtime": {
            "name": choice.runtime.name,
            "package": choice.runtime.package,
            "version": choice.runtime.version,
            "delegate": choice.delegate.name if choice.delegate else CPU,
            "threads": choice.threads,
            **choice.as_dict(),
        },
        "runtimes": runtimes,
        "delegate": _delegate(choice),
        "models": [verified(path, asked, again=True) for path in shipped_models()],
    }


def _runtime(model: ModelFile, runtime: Runtime) -> dict[str, Any]:
    outcome = tried(model, runtime, None, again=True)
    return {
        "package": runtime.package,
        "version": runtime.version,
        "fault": outcome.fault.as_dict() if outcome.fault else None,
        "milliseconds": dict(outcome.milliseconds),
    }


def _delegate(choice: Choice) -> dict[str, Any]:
    """The delegate that is used, or the Edge TPU and why it is not."""
    if choice.delegate:
        return {
            "name": choice.delegate.name,
            "library": str(choice.delegate.library),
            "fault": None,
        }
    missing = Fault(ABSENT, EDGETPU_ABSENT)
    fault = choice.refused[0] if choice.refused else missing
    return {"name": EDGETPU, "library": None, "fault": fault.as_dict()}


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
    if "error" in used:
        yield "runtime", used["error"]
    else:
        delegate, used_by = found["delegate"], used["why"]["delegate"]
        if not delegate["fault"]:
            yield "delegate", f"{delegate['library']}: works"
        elif used_by != "asked for":
            yield "Edge TPU", f"not used: {delegate['fault']['message']}"
    for model in found["models"]:
        yield (
            "model",
            f"{model['name']}: self-test passed, off by {model['off']:g} {model['unit']}"
            if model["ok"]
            else model["error"],
        )
    if not found["models"] and "error" not in used:
        yield "model", "none is installed"
    yield "verdicts", f"kept in {found['verdicts']}" if found["verdicts"] else NOWHERE
    if found["ok"]:
        where = "CPU" if used["delegate"] == CPU else f"delegate {used['delegate']}"
        yield "verdict", f"ready: {used['package']} on the {where}, threads: {used['threads']}"
    else:
        yield "verdict", "NOT ready: see above"


def _runtime_line(runtime: dict[str, Any]) -> str:
    if runtime["fault"]:
        return str(runtime["fault"]["message"])
    times = ", ".join(f"{ms:.2f} ms with {n}" for n, ms in runtime["milliseconds"].items())
    works = f"{runtime['package']} {runtime['version']}: works"
    return f"{works}; {DEFAULT_MODEL} took {times} thread(s)" if times else works
