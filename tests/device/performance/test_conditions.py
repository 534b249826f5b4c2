"""What the machine was doing, as far as it tells."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_app.performance import conditions
from edge_app.performance.conditions import Moment, between, observe, settings, warnings

STAT = "cpu  {user} 0 100 90000 10 0 5 {steal} 0 0\ncpu0 1 2 3\n"


def board(root: Path, *, user: int = 1000, steal: int = 0, throttled: str = "0") -> Path:
    """The files of a Raspberry Pi."""
    files = {
        "proc/stat": STAT.format(user=user, steal=steal),
        "proc/loadavg": "0.52 0.40 0.30 1/200 999\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
        "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "1800000\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "600000\n",
        "sys/class/thermal/thermal_zone0/temp": "61342\n",
        "sys/devices/platform/soc/soc:firmware/get_throttled": throttled + "\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_a_raspberry_pi_tells_clock_heat_and_throttling(tmp_path: Path) -> None:
    seen = observe(board(tmp_path, throttled="50005")).sensors
    assert seen["mhz"] == [600]
    assert seen["celsius"] == [61.342]
    assert seen["load"] == 0.52
    assert "under-voltage" in seen["throttling"]
    assert "throttled since it was started" in seen["throttling"]
    assert settings(tmp_path)["governor"] == "ondemand"
    assert settings(tmp_path)["max_mhz"] == 1800


@pytest.mark.parametrize(
    "text", ["", "cpu", "cpu a b c d e f g h", "\0\xff" * 50, "cpu 0 0 0 0 0 0 0 0"]
)
def test_a_kernel_that_reports_nothing_or_nonsense_is_tolerated(tmp_path: Path, text: str) -> None:
    for name in ("proc/stat", "proc/loadavg", "sys/class/thermal/thermal_zone0/temp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    seen = observe(tmp_path)
    assert seen.busy is None
    assert seen.sensors == {"load": None, "mhz": [], "celsius": [], "throttling": None}
    met = between(seen, observe(tmp_path))
    assert met["others"] is None
    assert warnings(met, None) == []


def moments(tmp_path: Path, **later: Any) -> dict[str, Any]:
    """What happened in ten seconds in which this process computed for four."""
    before = observe(board(tmp_path))
    after = observe(board(tmp_path, **later))
    return between(
        replace(before, monotonic=0.0, wall=100.0, own=0.0),
        replace(after, monotonic=10.0, wall=110.0, own=4.0),
    )


def test_a_quiet_machine_gets_no_warning(tmp_path: Path) -> None:
    met = moments(tmp_path, user=1400)  # 400 ticks of 10 ms: this process's own
    assert met["others"] == pytest.approx(0.0, abs=0.01)
    assert warnings(met, "performance") == []


@pytest.mark.parametrize(
    ("later", "governor", "words"),
    [
        ({"user": 2400}, None, "busy: other programs used 1.00 cores"),
        ({"user": 1400, "steal": 100}, None, "hypervisor kept 0.10 cores"),
        ({"user": 1400, "throttled": "0x4"}, None, "throttled"),
        ({"user": 1400}, "powersave", "governor is 'powersave'"),
    ],
)
def test_what_speaks_against_the_numbers_is_said(
    tmp_path: Path, later: dict[str, Any], governor: str | None, words: str
) -> None:
    (said,) = warnings(moments(tmp_path, **later), governor)
    assert words in said


def test_a_clock_that_was_set_is_said_and_changes_no_time(tmp_path: Path) -> None:
    before = observe(board(tmp_path))
    after = replace(before, monotonic=before.monotonic + 10, wall=before.wall - 3600)
    met = between(before, after)
    assert met["seconds"] == 10
    (said,) = warnings(met, None)
    assert "-3610.0 s" in said


def test_this_machine_can_be_observed() -> None:
    moment = observe()
    assert isinstance(moment, Moment)
    assert conditions.settings()["kernel"].startswith("Linux")
