"""Some of the calls that `inject` fails, and that what it looks for is found."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from . import inject


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return inject.build(tmp_path_factory.mktemp("faults"))
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("gcc builds what has calls fail: apt-get install gcc")


def test_a_call_that_fails_costs_one_line_and_nothing_else(library: Path) -> None:
    rows = inject.table(["classify", "spool", "calibrate", "drift"], 13, library)
    assert [row.failures for row in rows if row.failures] == []
    tried = {(row.scenario, row.kind) for row in rows if row.tried}
    for scenario in ("classify", "spool"):
        assert {(scenario, kind) for kind in ("open", "read", "write", "fsync", "rename")} <= tried
    assert {("calibrate", "write"), ("drift", "open"), ("drift", "read")} <= tried
    assert sum(row.tried for row in rows) > sum(row.unnoticed for row in rows) > 0


@pytest.mark.parametrize(
    ("said", "out", "code", "words"),
    [
        ("Traceback (most recent call last):\nOSError", "", 4, "a traceback"),
        ("libx: oops", "", 4, "a line that is not ours"),
        ("edge-cxr: cannot write the output: Too many open files", "", 4, "blames the output"),
        ("", "", 4, "says nothing"),
        ("", "", 0, "an answer is missing"),
        ("", '{"file": "a", "findings": [2]}\n', 0, "answers a otherwise"),
        ("", '{"file": "a", "error": {"message": "is damaged"}}\n', 3, "blames the file"),
    ],
)
def test_what_must_not_be_is_found(
    tmp_path: Path, said: str, out: str, code: int, words: str
) -> None:
    scenario = inject.SCENARIOS["classify"]
    fault = ("open", 1, {"a": [1]})
    assert words in inject._judged(scenario, tmp_path, code, out, said, fault[2], fault)
