"""Damaged requests end nothing and leave nothing; `fuzz` sends ten thousand."""

from __future__ import annotations

import pytest

pytest.importorskip("starlette", reason="the clinic extra is not installed")

from .fuzz import run
from .serving import Served


def test_damaged_requests_end_nothing_and_leave_nothing(served: Served) -> None:
    outcome = run(served, seed=7, number=120)
    assert outcome.faults == []
    assert {200, 400, 403, 404} <= outcome.kinds.keys()
