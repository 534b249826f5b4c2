"""`edge-cxr doctor`: what works on this machine, in one screen; everything is tried anew."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge_app.backends import registry, trial_results
from edge_app.backends.choice import Choice, choose, result_of
from edge_app.backends.fault import Fault
from edge_app.backends.options import CPU, BackendOptions
from edge_app.backends.protocol import Backend
from edge_app.core import machine
from edge_app.core.errors import EXIT_DONE, EXIT_MODEL, EXIT_USAGE, EdgeCxrError, UsageError
from edge_app.core.resources import cores
from edge_app.core.site_place import site_place
from edge_app.inspection.catalogue import verified
from edge_app.model.model_file import ModelFile, known_models, locate, read
from edge_app.model.shipped import DEFAULT_MODEL
from edge_app.model.site import read as read_site

OPTIONAL = ("pydicom", "python-gdcm")

NOWHERE = (
    "cannot be kept: everything is tried at every start; name a writable folder in XDG_CACHE_HOME"
)


def examine(options: BackendOptions, as_json: bool, box: Mapping[str, Any] | None = None) -> int:
    """Print versions, CPU, backends and each known model's self-test.

    Args:
        options: the backend to use; any but ``auto`` must work.
        as_json: one object instead of a table.
        box: of the box in the clinic, if there is one: ``faults``, a line each, and where there
            is none, ``cautions``, likewise, and a ``remark``.

    Returns:
        The exit code.
    """
    found: dict[str, Any] = {
        "machine": _machine(),
        "packages": machine.packages(("numpy", "Pillow", "isal", *registry.packages(), *OPTIONAL)),
        **_tried(options),
        "verdicts": str(trial_results.folder() or "") or None,
        "site": _site(),
        "box": box,
    }
    models, site = found["models"], found["site"]
    healthy = bool(models) and all(model["ok"] for model in models)
    if site and site["error"] and box is None:  # a box has a model and a site file of its own
        healthy = False
    sound = not (box and box["faults"])
    found["ok"] = healthy and sound
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        _show(found)
    if not healthy:
        return EXIT_MODEL
    return EXIT_DONE if sound else EXIT_USAGE


def _site() -> dict[str, Any] | None:
    """The site file that decides where none is named; None where there is none.

    It is tried with the model that answers where none is named.
    """
    place = site_place()
    if place is None:
        return None
    error = None
    try:
        read_site(place).applied(read(locate(DEFAULT_MODEL)))
    except EdgeCxrError as fault:
        error = str(fault)
    return {"file": str(place), "error": error}


def _machine() -> dict[str, Any]:
    known = machine.identity()
    return {
        "board": known["board"],
        "cpu": known["cpu"],
        "architecture": known["machine"],
        **machine.capabilities(),
    }


def _tried(options: BackendOptions) -> dict[str, Any]:
    """The backend that is used, the result of each other one, and the models' self-tests."""
    try:
        model = read(locate(DEFAULT_MODEL))
        choice = choose(model, options, again=True)
        processors = [_processor(model, each, choice) for each in _on_processor(options.backend)]
    except UsageError:
        raise
    except EdgeCxrError as error:
        return {"runtime": {"error": str(error)}, "runtimes": [], "delegate": None, "models": []}
    used = choice.backend
    if not used.exclusive:  # a device that does not work is not tried with each model
        options = options._replace(backend=registry.without_devices(options.backend))
    known = used.identity()
    return {
        "runtime": {
            "name": known["name"],
            "package": used.packages[0],
            "version": known["version"],
            "delegate": known["delegate"],
            "threads": choice.threads,
            **choice.as_dict(),
        },
        "runtimes": processors,
        "delegate": _device(choice),
        # With the default model everything has just been tried.
        "models": [verified(path, options, path != model.path) for path in known_models()],
    }


def _on_processor(option: str) -> list[Backend]:
    """The installed backends among the candidates that need no device."""
    packages = {each.packages[0] for each in registry.find(option).backends}
    known = [each for each in registry.all_backends() if not each.exclusive]
    return [each for each in known if each.installed and each.packages[0] in packages]


def _processor(model: ModelFile, backend: Backend, choice: Choice) -> dict[str, Any]:
    used = backend.option == choice.backend.option
    outcome = choice.trial if used else result_of(model, backend, again=True)
    return {
        "package": backend.packages[0],
        "version": backend.identity()["version"],
        "fault": outcome.fault.as_dict() if outcome.fault else None,
        "milliseconds": dict(outcome.milliseconds),
    }


def _device(choice: Choice) -> dict[str, Any] | None:
    """The device that is used, or the preferred one and why it is not used."""
    used = choice.backend
    if used.exclusive:
        known = used.identity()
        return {"name": known["delegate"], "library": known["library"], "fault": None}
    tried = [each for each in choice.not_used if each.backend.exclusive]
    if tried:
        return _not_used(*tried[0])
    for device in registry.all_backends():
        fault = device.available() if device.exclusive else None
        if fault:
            return _not_used(device, fault)
    return None


def _not_used(device: Backend, fault: Fault) -> dict[str, Any]:
    return {"name": device.name, "library": None, "fault": fault.as_dict()}


def _show(found: dict[str, Any]) -> None:
    table = Table(box=None, show_header=False)
    table.add_column()
    table.add_column(overflow="fold")  # paths are longer than a line, and not to be cut
    for name, value in _lines(found):
        table.add_row(name, Text(value))  # Text, so that brackets are not taken for markup
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
        device = found["delegate"]
        if device and not device["fault"]:
            yield "delegate", f"{device['library'] or device['name']}: works"
        elif device and used["why"]["delegate"] != "asked for":
            titles = {each.name: each.title for each in registry.all_backends()}
            yield titles[device["name"]], f"not used: {device['fault']['message']}"
    for model in found["models"]:
        yield (
            "model",
            f"{model['name']}: self-test passed, off by {model['off']:g} {model['unit']}"
            if model["ok"]
            else model["error"],
        )
    if not found["models"] and "error" not in used:
        yield "model", "none is installed"
    if site := found["site"]:
        yield "site", site["error"] or f"{site['file']} decides"
    yield "verdicts", f"kept in {found['verdicts']}" if found["verdicts"] else NOWHERE
    if found["box"]:
        box = found["box"]
        for line in box["faults"] or [*box["cautions"], box["remark"]]:
            yield "box", line
    if found["ok"]:
        where = "CPU" if used["delegate"] == CPU else f"delegate {used['delegate']}"
        if used["delegate"] == CPU:
            yield "threads", _threads_line(used)
        yield "verdict", f"ready: {used['package']} on the {where}"
    else:
        yield "verdict", "NOT ready: see above"


def _threads_line(used: dict[str, Any]) -> str:
    """How many threads compute a picture, and why; of several pictures each has one."""
    one = f"{used['threads']} for one picture ({used['why']['threads']})"
    return f"{one}, one each for {cores()} pictures at once" if cores() > 1 else one


def _runtime_line(runtime: dict[str, Any]) -> str:
    if runtime["fault"]:
        return str(runtime["fault"]["message"])
    times = ", ".join(f"{ms:.2f} ms with {n}" for n, ms in runtime["milliseconds"].items())
    works = f"{runtime['package']} {runtime['version']}: works"
    return f"{works}; {DEFAULT_MODEL} took {times} thread(s)" if times else works
