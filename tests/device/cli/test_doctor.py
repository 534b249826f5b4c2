"""`edge-cxr doctor` on a machine where everything works."""

from __future__ import annotations

import json

import numpy as np

from ..conftest import Run


def test_doctor_says_ready_and_what_runs_where(run: Run) -> None:
    done = run("doctor", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert found["ok"] is True
    assert found["runtime"]["package"] in ("ai-edge-litert", "tflite-runtime")
    assert found["packages"]["numpy"] == np.__version__
    assert len(run("doctor").stdout.splitlines()) <= 24
