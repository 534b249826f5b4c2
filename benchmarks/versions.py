"""This checkout beside an earlier commit of it, and what each option costs: whole processes."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timezone
from io import BytesIO
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks import environments
from benchmarks.contest import environment
from benchmarks.environments import OURS, PLACE, REPOSITORY, PeerError
from benchmarks.report import ratio_text
from edge_app.core import machine
from edge_app.performance import conditions
from edge_app.performance.interval import paired_ratio
from edge_app.performance.processes import launch
from edge_app.performance.quantity import Quantity
from edge_app.performance.tables import number

KIND: Final = "edge-cxr versions"
IMAGE: Final = REPOSITORY / "examples" / "synthetic-radiograph.png"
COPIES: Final = 30
MIN_ROUNDS: Final = 5
PLAIN: Final = "now"
QUANTITIES: Final = {"wall": "s", "cpu": "s", "peak": "B"}


def compare(
    revision: str, seconds: float, command: str, say: Callable[[str], None]
) -> dict[str, Any]:
    """Alternate `classify` of both versions, each with the model that it shipped as its default.

    Args:
        revision: an earlier commit, as git names it.
        seconds: no round begins after so long, once there are enough.
        command: that made the result.
        say: is told what is going on.

    Raises:
        PeerError, ProcessError: a version cannot be installed, or fails.
    """
    before = _install(revision, say)
    environments.make(OURS, say)
    seen = conditions.observe()
    settings = conditions.settings()
    found: dict[str, dict[str, dict[str, Quantity]]] = {}
    partial = False
    with TemporaryDirectory(prefix="edge-cxr-") as folder:
        for _, _, line in _lines(before, revision, Path(folder), 0):
            launch(line, environment())  # each tries its runtime, once
        start, turn = time.monotonic(), 0
        with suppress(KeyboardInterrupt):
            partial = True
            while turn < MIN_ROUNDS or time.monotonic() - start < seconds:
                turn += 1
                say(f"round {turn}")
                for scenario, label, line in _lines(before, revision, Path(folder), turn):
                    done = launch(line, environment())
                    for name, unit in QUANTITIES.items():
                        of = found.setdefault(scenario, {}).setdefault(label, {})
                        of.setdefault(name, Quantity(unit)).add([done[name]])
            partial = False
    met = conditions.between(seen, conditions.observe())
    return {
        "kind": KIND,
        "schema_version": 1,
        "command": command,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "partial": partial,
        "warnings": conditions.warnings(met, settings["governor"]),
        "machine": {**machine.identity(), **machine.capabilities(), **settings},
        "conditions": met,
        "revision": _git("rev-parse", revision).decode().strip(),
        "quantities": {
            scenario: {
                label: {name: one.as_dict() for name, one in of.items()}
                for label, of in by_label.items()
            }
            for scenario, by_label in found.items()
        },
    }


def markdown(result: dict[str, Any]) -> str:
    """Medians, and each as a share of what the plain command takes now."""
    lines = [
        "# Versions and options",
        "",
        f"Made by `{result['command']}` on {result['created']}; {result['machine']['cpu']}, "
        f"{result['machine']['cores']} cores. Whole processes in turn, each version with the "
        "default model that it ships. In brackets: the ratio to `now`, with its 95 % interval.",
    ]
    if result["partial"]:
        lines += ["", "**PARTIAL: it was interrupted.**"]
    lines += [f"- warning: {warning}" for warning in result["warnings"]]
    lines += ["", "| scenario | who | wall | CPU | peak memory |", "|---|---|---|---|---|"]
    for scenario, of in result["quantities"].items():
        for label, measured in of.items():
            cells = [_cell(measured[name], of[PLAIN][name]) for name in QUANTITIES]
            lines.append(f"| {scenario} | {label} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(one: dict[str, Any], plain: dict[str, Any]) -> str:
    value = number(one["value"], one["unit"])
    if one is plain:
        return value
    whole = min(len(one["runs"]), len(plain["runs"]))
    return f"{value} [{ratio_text(paired_ratio(one['runs'][:whole], plain['runs'][:whole]))}]"


def _lines(
    before: Path, revision: str, folder: Path, turn: int
) -> Iterator[tuple[str, str, list[str]]]:
    """Scenario, label and command of each process of a round."""
    now = OURS.command("edge-cxr")
    versions = {revision: str(before / "bin" / "edge-cxr"), PLAIN: now}
    many = folder / "many"
    many.mkdir(exist_ok=True)
    for index in range(COPIES):
        with suppress(FileExistsError):
            os.symlink(IMAGE, many / f"{index:03d}.png")
    scenarios = {
        "one 1024×1024 PNG": [str(IMAGE)],
        f"{COPIES} such": ["--csv", *(str(path) for path in sorted(many.iterdir()))],
    }
    for scenario, images in scenarios.items():
        for label, program in versions.items():
            yield scenario, label, [program, "classify", *images]
        maps = folder / f"maps-{turn}-{len(images)}"
        maps.mkdir()
        yield scenario, "now, --heatmap", [now, "classify", "--heatmap", str(maps), *images]


def _install(revision: str, say: Callable[[str], None]) -> Path:
    """An environment with that version, kept beside the peers'."""
    commit = _git("rev-parse", "--verify", f"{revision}^{{commit}}").decode().strip()
    place = PLACE / f"at-{commit[:12]}"
    if (place / "made").is_file():
        return place
    say(f"making {place}")
    rmtree(place, ignore_errors=True)
    with TemporaryDirectory(prefix="edge-cxr-") as folder:
        with tarfile.open(fileobj=BytesIO(_git("archive", commit))) as archive:
            archive.extractall(folder, filter="data")
        pip = [str(place / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
        for line in ([sys.executable, "-m", "venv", str(place)], [*pip, "install", "-q", folder]):
            done = subprocess.run(line, capture_output=True, text=True)
            if done.returncode:
                raise PeerError(f"{revision}: cannot be installed: {done.stderr.strip()[-300:]}")
    (place / "made").touch()
    return place


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", "-C", str(REPOSITORY), *arguments], capture_output=True)
    if done.returncode:
        raise PeerError(f"git {arguments[0]}: {done.stderr.decode().strip()[-300:]}")
    return done.stdout
