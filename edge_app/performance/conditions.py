"""The state of the machine during a measurement: other programs, temperature, clock rates.

Everything is read from `/proc` and `/sys`, and is None if a kernel, a container or an emulator does
not show it.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edge_app.core.resources import cores
from edge_app.performance.document import Conditions

THROTTLED: Final = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")
"""A Raspberry Pi's file with the number that `vcgencmd get_throttled` shows."""

THROTTLING: Final = {
    0: "under-voltage",
    1: "frequency capped",
    2: "throttled",
    3: "soft temperature limit",
    16: "under-voltage since it was started",
    17: "frequency capped since it was started",
    18: "throttled since it was started",
    19: "soft temperature limit since it was started",
}

BUSY: Final = 0.1
"""Cores that others may use on average before a warning."""

STOLEN: Final = 0.02
"""Share of the time that a hypervisor may take before a warning."""

JUMP: Final = 1.0
"""Seconds by which clocks may disagree before a warning."""


@dataclass(frozen=True)
class Moment:
    """Counters and sensors at one time."""

    monotonic: float
    wall: float
    busy: float | None
    stolen: float | None
    own: float
    sensors: dict[str, Any]


def observe(root: Path = Path("/")) -> Moment:
    """The counters and sensors now.

    Args:
        root: the folder with `proc` and `sys`.
    """
    busy, stolen = _cpu_times(root)
    times = os.times()
    own = times.user + times.system + times.children_user + times.children_system
    return Moment(time.monotonic(), time.time(), busy, stolen, own, _sensors(root))


def settings(root: Path = Path("/")) -> dict[str, Any]:
    """Settings of the machine: frequency governor, highest frequency, kernel, number of cores."""
    folder = root / "sys/devices/system/cpu/cpu0/cpufreq"
    return {
        "governor": _text(folder / "scaling_governor"),
        "max_mhz": _megahertz(folder / "cpuinfo_max_freq"),
        "kernel": f"{os.uname().sysname} {os.uname().release}",
        "cpus_allowed": cores(),
    }


def between(before: Moment, after: Moment) -> Conditions:
    """What happened between two moments, for JSON.

    `others` is the average number of cores that other programs used, `stolen` the number that a
    hypervisor withheld; `clock_jump` is the error of the wall clock, in seconds.
    """
    seconds = after.monotonic - before.monotonic
    others = stolen = None
    if before.busy is not None and after.busy is not None and seconds > 0:
        others = max(0.0, (after.busy - before.busy - (after.own - before.own)) / seconds)
    if before.stolen is not None and after.stolen is not None and seconds > 0:
        stolen = max(0.0, (after.stolen - before.stolen) / seconds)
    return {
        "seconds": round(seconds, 3),
        "others": None if others is None else round(others, 3),
        "stolen": None if stolen is None else round(stolen, 4),
        "clock_jump": round((after.wall - before.wall) - seconds, 3),
        "before": before.sensors,
        "after": after.sensors,
    }


def warnings(conditions: Conditions, governor: str | None) -> list[str]:
    """Reasons to distrust the numbers, one line each.

    Args:
        conditions: see `between`.
        governor: of the frequency.
    """
    lines = []
    if conditions["others"] is not None and conditions["others"] > BUSY:
        lines.append(
            f"the machine was busy: other programs used {conditions['others']:.2f} cores: "
            "stop them and measure again"
        )
    if conditions["stolen"] is not None and conditions["stolen"] > STOLEN:
        lines.append(f"the hypervisor kept {conditions['stolen']:.2f} cores from this machine")
    if abs(conditions["clock_jump"]) > JUMP:
        lines.append(
            f"the wall clock went astray by {conditions['clock_jump']:+.1f} s: it was set, "
            "or the machine slept"
        )
    flags = sorted(set(conditions["after"]["throttling"] or ()))
    if flags:
        lines.append(
            f"the board reports: {', '.join(flags)}: check its power supply and its cooling"
        )
    if governor in ("powersave", "conservative", "ondemand"):
        lines.append(f"the frequency governor is '{governor}': 'performance' measures steadier")
    return lines


def _cpu_times(root: Path) -> tuple[float | None, float | None]:
    """Seconds that all cores computed, and that a hypervisor took, since the machine started."""
    line = (_text(root / "proc/stat") or "").partition("\n")[0].split()
    try:
        ticks = os.sysconf("SC_CLK_TCK")
        user, nice, system, _, _, irq, softirq, steal = (int(field) for field in line[1:9])
    except (ValueError, OSError):
        return None, None
    if line[0] != "cpu" or user + nice + system == 0:
        return None, None
    return (user + nice + system + irq + softirq) / ticks, steal / ticks


def _sensors(root: Path) -> dict[str, Any]:
    cpus = sorted((root / "sys/devices/system/cpu").glob("cpu[0-9]*"))
    clocks = [_megahertz(cpu / "cpufreq/scaling_cur_freq") for cpu in cpus]
    zones = sorted((root / "sys/class/thermal").glob("thermal_zone*"))
    heats = [_number(zone / "temp") for zone in zones]
    load = (_text(root / "proc/loadavg") or "").split()
    return {
        "load": float(load[0]) if load and re.fullmatch(r"\d+\.\d+", load[0]) else None,
        "mhz": [clock for clock in clocks if clock is not None],
        # Sensors that are absent say 0 or far below; none of a running board is above 150.
        "celsius": [heat / 1000 for heat in heats if heat is not None and 0 < heat < 150_000],
        "throttling": _throttling(_text(root / THROTTLED.relative_to("/"))),
    }


def _throttling(text: str | None) -> list[str] | None:
    if text is None or not re.fullmatch(r"(0x)?[0-9a-fA-F]{1,8}", text):
        return None
    bits = int(text, 16)
    return [words for bit, words in THROTTLING.items() if bits >> bit & 1]


def _megahertz(path: Path) -> int | None:
    kilohertz = _number(path)
    return None if kilohertz is None else round(kilohertz / 1000)


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text and re.fullmatch(r"-?\d{1,12}", text) else None


def _text(path: Path) -> str | None:
    try:
        with path.open(errors="replace") as file:
            return file.read(1 << 16).strip()
    except (OSError, ValueError):
        return None
