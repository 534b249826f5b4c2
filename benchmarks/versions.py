"""This checkout compared with an earlier commit, and the cost of each option: whole processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks import environments
from benchmarks.contest import environment
from benchmarks.environments import OURS, PeerError
from benchmarks.ratios import ratio_text, round_ratio
from benchmarks.revision import commit, installed, wheel_parts
from benchmarks.scenarios import NOW, Process, Scenarios
from edge_app.core import machine
from edge_app.performance import conditions
from edge_app.performance.processes import launch
from edge_app.performance.quantity import Quantity
from edge_app.performance.tables import number

KIND: Final = "edge-cxr versions"
MIN_ROUNDS: Final = 5
QUANTITIES: Final = {"wall": "s", "cpu": "s", "peak": "B", "rate": "images/s"}

Found = dict[str, dict[str, dict[str, Quantity]]]
"""Scenario → label → quantity."""


def compare(
    revision: str, seconds: float, command: str, say: Callable[[str], None], only: str = ""
) -> dict[str, Any]:
    """Alternate both versions, each with the model that it shipped as its default.

    Args:
        revision: an earlier commit, as git names it.
        seconds: the time after which no further round begins, once there are enough.
        command: that made the result.
        say: is called with a line for each step.
        only: text that the names of scenarios must contain.

    Raises:
        PeerError, ProcessError: a version cannot be installed, or fails; `only` fits nothing.
    """
    before = installed(revision, say)
    environments.make(OURS, say)
    wheels = wheels_of(revision)
    seen = conditions.observe()
    settings = conditions.settings()
    found: Found = {}
    with TemporaryDirectory(prefix="edge-cxr-") as folder:
        scenarios = Scenarios(Path(folder), revision, before, only)
        partial = not _measure(scenarios, seconds, found, say)
    met = conditions.between(seen, conditions.observe())
    return {
        "kind": KIND,
        "schema_version": 3,
        "command": command,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "partial": partial,
        "warnings": conditions.warnings(met, settings["governor"]),
        "machine": {**machine.identity(), **machine.capabilities(), **settings},
        "conditions": met,
        "revision": commit(revision),
        "wheels": wheels,
        "quantities": {
            scenario: {
                label: {name: one.as_dict() for name, one in of.items()}
                for label, of in by_label.items()
            }
            for scenario, by_label in found.items()
        },
    }


def _measure(
    scenarios: Scenarios, seconds: float, found: Found, say: Callable[[str], None]
) -> bool:
    """Measure round after round; returns False after Ctrl-C."""
    first = list(scenarios.round(0))
    if not first:
        raise PeerError(f"--only {scenarios.only}: no scenario's name holds that")
    for process in first:
        launch(process.line, environment())  # so that each has tried its runtime
    start, turn = time.monotonic(), 0
    with suppress(KeyboardInterrupt):
        while turn < MIN_ROUNDS or time.monotonic() - start < seconds:
            turn += 1
            say(f"round {turn}")
            _add(found, scenarios.round(turn))
        return True
    return False


def _add(found: Found, processes: Iterable[Process]) -> None:
    """Run a round's processes, and add their measurements."""
    few: dict[tuple[str, str], tuple[int, float]] = {}
    for process in processes:
        done = launch(process.line, environment())
        key = process.scenario, process.label
        if process.few:
            few[key] = process.images, done["wall"]
            continue
        if key in few:
            images, wall = few[key]
            # The difference is without the time before the first image and after the last.
            done["rate"] = (process.images - images) / max(done["wall"] - wall, 1e-9)
        of = found.setdefault(process.scenario, {}).setdefault(process.label, {})
        for name, unit in QUANTITIES.items():
            if name in done:
                of.setdefault(name, Quantity(unit)).add([done[name]])


def markdown(result: dict[str, Any]) -> str:
    """Medians with their ratios to the plain command now, and the wheels' sizes."""
    lines = [
        "# Versions and options",
        "",
        f"Made by `{result['command']}` on {result['created']}; {result['machine']['cpu']}, "
        f"{result['machine']['cores']} cores. Whole processes in turn, each version with the "
        f"default model that it ships. In brackets: the ratio to `{NOW}`, with its 95 % interval. "
        "Images a second: without what a process takes for a few images.",
    ]
    if result["partial"]:
        lines += ["", "**PARTIAL: it was interrupted.**"]
    lines += [f"- warning: {warning}" for warning in result["warnings"]]
    lines += [
        "",
        "| scenario | who | wall | CPU | peak memory | images a second |",
        "|---|---|---|---|---|---|",
    ]
    for scenario, of in result["quantities"].items():
        for label, measured in of.items():
            cells = [_cell(measured.get(name), of[NOW].get(name)) for name in QUANTITIES]
            lines.append(f"| {scenario} | {label} | {' | '.join(cells)} |")
    # Earlier results have no sizes of wheels, or one number for each.
    wheels = {
        who: of if isinstance(of, dict) else {"all of it": of}
        for who, of in result.get("wheels", {}).items()
    }
    return "\n".join(lines) + "\n" + (f"\n{wheel_table(wheels)}" if wheels else "")


Wheels = Mapping[str, Mapping[str, int]]
"""Bytes of each version's wheel, by folder."""


def wheels_of(revision: str) -> Wheels:
    """The wheel of an earlier commit, and that of this checkout.

    Raises:
        PeerError: one of them cannot be made.
    """
    return {revision: wheel_parts(revision), NOW: wheel_parts(None)}


def wheel_table(wheels: Wheels) -> str:
    """Markdown: each folder's bytes in each wheel, in the order of this checkout's wheel."""
    now = wheels[NOW]
    places = [*now, *(place for of in wheels.values() for place in of if place not in now)]
    rows = {place: [of.get(place, 0) for of in wheels.values()] for place in dict.fromkeys(places)}
    rows["together"] = [sum(of.values()) for of in wheels.values()]
    shares = [f"{total / rows['together'][-1]:.3f}" for total in rows["together"]]
    lines = [
        f"| wheel without models, bytes | {' | '.join(wheels)} |",
        f"|---|{'---|' * len(wheels)}",
        *(f"| {place} | {' | '.join(f'{n:,}' for n in sizes)} |" for place, sizes in rows.items()),
        f"| ratio | {' | '.join(shares)} |",
    ]
    return "\n".join(lines) + "\n"


def _cell(one: dict[str, Any] | None, plain: dict[str, Any] | None) -> str:
    if one is None or plain is None:
        return ""
    value = number(one["value"], one["unit"])
    if one is plain:
        return value
    return f"{value} [{ratio_text(round_ratio(one, plain))}]"
