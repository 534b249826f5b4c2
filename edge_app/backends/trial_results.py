"""A cache of the results of trials, so that each trial runs once.

The key of a result is all that it depends on: the versions, the library's file, the model, the
processor. A fault is forgotten at the next start of the machine rather than after some time,
because the clock of a board without a battery starts in 1970.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np

from edge_app.backends.fault import LASTING, Fault
from edge_app.backends.protocol import Backend
from edge_app.core import strict_json
from edge_app.core.about import __version__
from edge_app.core.files import UnreadableError, read_bounded, write_whole
from edge_app.core.plain_text import plain
from edge_app.core.resources import cores
from edge_app.model.model_file import ModelFile

KEPT: Final = 64
"""How many results a folder keeps; the least recently used are deleted."""

MAX_BYTES: Final = 1 << 16
CLEARLY_FASTER: Final = 0.9
"""More threads are chosen only below this share of the time, because they occupy more cores."""

PASSING: Final = ("cpu mhz", "bogomips", "processor", "apicid", "initial apicid", "microcode")
"""Lines of /proc/cpuinfo that differ from one reading to the next, or from core to core."""


class TrialResult(NamedTuple):
    """The result of a trial.

    Attributes:
        fault: None if it works.
        off: largest difference from the golden outputs, in steps (int8) or logits.
        milliseconds: of the fastest run, by number of threads.
    """

    fault: Fault | None
    off: float = 0.0
    milliseconds: Mapping[int, float] = MappingProxyType({})

    @property
    def threads(self) -> int:
        """The smallest number that is about as fast as the fastest; 1 if none was measured."""
        if not self.milliseconds:
            return 1
        best = min(self.milliseconds.values())
        return min(n for n, t in self.milliseconds.items() if t * CLEARLY_FASTER <= best)


def subject(model: ModelFile, backend: Backend) -> dict[str, Any]:
    """All that a trial's result depends on, for JSON."""
    network = backend.network(model)
    golden = hashlib.sha256(str(model.manifest["golden"]["tolerance"]).encode())
    for tensors in (model.golden.inputs, model.golden.logits, model.golden.maps):
        golden.update(b"" if tensors is None else tensors[:1].tobytes())
    return {
        "edge-cxr": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "processor": _processor(),
        "backend": [backend.name, backend.facts()],
        "model": model.sha256
        if network is model.flatbuffer
        else hashlib.sha256(network).hexdigest(),
        "golden": golden.hexdigest(),
    }


def remembered(subject: dict[str, Any]) -> TrialResult | None:
    """The kept result of a subject, if it still holds."""
    for path in _places(subject):
        with suppress(UnreadableError, ValueError, KeyError, TypeError, AttributeError):
            if not _is_ours(path.parent):
                continue
            record = strict_json.parse(read_bounded(path, MAX_BYTES))
            if record["subject"] == subject:
                result = _result(record["verdict"])
                if result.fault is None or record["boot"] == _boot() is not None:
                    _mark_used(path)
                    return result
    return None


def _is_ours(place: Path) -> bool:
    """Whether a folder belongs to this user, and nobody else can write to it."""
    with suppress(OSError):
        status = place.lstat()
        others = stat.S_IWGRP | stat.S_IWOTH
        return (
            stat.S_ISDIR(status.st_mode)
            and status.st_uid == os.geteuid()
            and not status.st_mode & others
        )
    return False


def _mark_used(path: Path) -> None:
    """Note that a result was used, so that others are deleted first."""
    with suppress(OSError):
        os.utime(path)


def remember(subject: dict[str, Any], result: TrialResult) -> Path | None:
    """Keep a result; returns its file, or None if it is not kept."""
    if result.fault and result.fault.kind not in LASTING:
        return None
    record = {"subject": subject, "boot": _boot(), "verdict": _as_json(result)}
    for path in _places(subject):
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _is_ours(path.parent):
                continue
            write_whole(path, json.dumps(record).encode())
        except OSError:
            continue
        _forget_old(path.parent)
        return path
    return None


def folder() -> Path | None:
    """The folder for results, checked without writing to it; None if no folder is writable."""
    for place in _folders():
        nearest = next((p for p in (place, *place.parents) if p.exists()), None)
        if nearest and nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
            return place
    return None


def _folders() -> Iterator[Path]:
    """The user's cache, and a folder in memory for machines with a read-only disk."""
    home = os.path.expanduser("~")
    for base in (
        os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache"),
        os.environ.get("XDG_RUNTIME_DIR", ""),
    ):
        if os.path.isabs(base):
            yield Path(base, "edge-cxr", "verdicts")


def _places(subject: dict[str, Any]) -> Iterator[Path]:
    digest = hashlib.sha256(json.dumps(subject, sort_keys=True).encode()).hexdigest()
    for place in _folders():
        yield place / f"{digest[:32]}.json"


def _as_json(result: TrialResult) -> dict[str, Any]:
    return {
        "fault": result.fault.as_dict() if result.fault else None,
        "off": result.off,
        "milliseconds": {str(n): t for n, t in result.milliseconds.items()},
    }


def _result(stored: dict[str, Any]) -> TrialResult:
    """The result in a record; any other raises ValueError, KeyError, TypeError, AttributeError."""
    fault = stored["fault"]
    times = {int(n): float(t) for n, t in stored["milliseconds"].items()}
    if not all(1 <= n <= cores() and 0 < t < math.inf for n, t in times.items()):
        raise ValueError("no such times")
    found = None if fault is None else Fault(str(fault["kind"]), plain(str(fault["message"])))
    return TrialResult(found, float(stored["off"]), times)


def _forget_old(place: Path) -> None:
    with suppress(OSError):
        known = sorted(place.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        for path in known[:-KEPT]:
            path.unlink()


def _processor() -> list[Any]:
    """What decides which kernels run; changes when the disk is moved to another machine."""
    try:
        with open("/proc/cpuinfo", "rb") as file:
            text = file.read(4096).decode(errors="replace")
    except OSError:
        text = ""
    lines = [line.partition(":") for line in text.partition("\n\n")[0].splitlines()]
    facts = {key.strip(): value.strip() for key, _, value in lines}
    steady = {key: value for key, value in facts.items() if key.lower() not in PASSING}
    return [os.uname().machine, cores(), steady]


def _boot() -> str | None:
    """An identifier of this start of the machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip() or None
    except OSError:
        return None
