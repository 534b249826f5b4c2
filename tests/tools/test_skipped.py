"""Whoever reads the end of a run of tests learns what it did not check."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import skipped

REPOSITORY = Path(__file__).resolve().parents[2]
CLINIC, OPENCV = "the clinic extra is not installed", "OpenCV is not installed"


def one(place: str, reason: str) -> pytest.TestReport:
    why = (place, 1, f"Skipped: {reason}")
    return pytest.TestReport(f"{place}::test_it", (place, 1, "test_it"), {}, "skipped", why, "call")


def whole_file(place: str, reason: str) -> pytest.CollectReport:
    return pytest.CollectReport(place, "skipped", (place, 1, f"Skipped: {reason}"), [])


SEEN = (
    one("tests/device/film/test_film.py", OPENCV),
    one("tests/device/clinic/test_answering.py", CLINIC),
    whole_file("tests/device/clinic/page/test_page.py", CLINIC),
    whole_file("tests/device/clinic/test_node.py", CLINIC),
)


def test_places_of_one_reason_are_one_line() -> None:
    assert skipped.by_reason(SEEN) == [
        f"SKIPPED [3] {CLINIC} (tests/device/clinic)",
        f"SKIPPED [1] {OPENCV} (tests/device/film)",
    ]


def test_the_sentence_counts_and_names_the_folders() -> None:
    assert skipped.sentence(SEEN) == (
        "2 tests and 2 whole files of tests were skipped here, "
        "in tests/device/clinic, tests/device/film"
    )
    assert skipped.sentence(SEEN[:1]) == "1 test was skipped here, in tests/device/film"
    assert skipped.sentence(()) == ""


@pytest.mark.parametrize("processes", [0, 2])
def test_a_run_prints_the_lines_and_keeps_the_sentence(tmp_path: Path, processes: int) -> None:
    folder = tmp_path / "part"
    folder.mkdir()
    (folder / "test_one.py").write_text(
        "import pytest\n"
        f"def test_one(): pytest.skip('{OPENCV}')\n"
        f"def test_two(): pytest.skip('{OPENCV}')\n"
    )
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_terminal_summary\n")
    (folder / "test_whole.py").write_text(
        f"import pytest\npytest.skip('{CLINIC}', allow_module_level=True)\n"
    )
    line = [sys.executable, "-m", "pytest", "-q", "-n", str(processes), "--rootdir", tmp_path]
    done = subprocess.run(
        [*line, tmp_path],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
    )
    assert f"SKIPPED [2] {OPENCV} (part)" in done.stdout.splitlines()
    assert f"SKIPPED [1] {CLINIC} (part)" in done.stdout.splitlines()
    kept = tmp_path / ".pytest_cache" / "v" / skipped.SENTENCE
    written = json.loads(kept.read_text())
    assert written == "2 tests and 1 whole file of tests were skipped here, in part"
