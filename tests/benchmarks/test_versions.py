"""An earlier version beside this one: ratios the right way round, a wrong name said."""

from __future__ import annotations

import pytest

from benchmarks import versions
from benchmarks.environments import PeerError
from tests.device.performance.results import MACHINE, quantity


def test_each_is_told_as_a_share_of_the_plain_command() -> None:
    plain = {"wall": quantity([0.2, 0.21, 0.19]), "cpu": quantity([0.1, 0.1, 0.1])}
    slower = {"wall": quantity([0.4, 0.42, 0.38]), "cpu": quantity([0.1, 0.1, 0.1])}
    peak = {"peak": quantity([1e6, 1e6], "B")}
    told = versions.markdown(
        {
            "command": "python -m benchmarks versions HEAD~1",
            "created": "2026-01-01T00:00:00+00:00",
            "machine": MACHINE,
            "partial": True,
            "warnings": ["the machine was busy"],
            "quantities": {"one": {"HEAD~1": {**slower, **peak}, "now": {**plain, **peak}}},
        }
    )
    before, now = (
        line for line in told.splitlines() if line.startswith(("| one | HEAD", "| one | now"))
    )
    assert "[2.00 (" in before
    assert "[1.00 (1.00 to 1.00)]" in before
    assert "[" not in now
    assert "PARTIAL" in told
    assert "the machine was busy" in told


def test_a_commit_that_is_not_there_is_said_before_anything_is_installed() -> None:
    with pytest.raises(PeerError, match="git rev-parse"):
        versions.compare("no-such-commit", 0, "", pytest.fail)
