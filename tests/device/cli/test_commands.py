"""Each command once as a process: what the tests run within their own is what a user gets.

`benchmark` is a process in its own tests, for it measures processes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_app.evaluation.report import write

from ..command import as_process, in_process
from ..reports import answers, nearly, report

pytestmark = pytest.mark.process


@pytest.fixture
def place(tmp_path: Path, picture: Path, make_nih: Callable[..., Path]) -> Path:
    """A folder with a picture, a broken one, a labelled data set and two reports of the same."""
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    rows = [(f"{i}.png", ("Mass", "No Finding")[i % 2], i) for i in range(6)]
    make_nih(tmp_path / "data", rows)
    reference = answers()
    for name, evaluated in (("float", reference), ("int8", nearly(reference))):
        write(report(evaluated), tmp_path / f"{name}.json")
    return tmp_path


@pytest.mark.parametrize(
    "line",
    [
        "classify -m cxr-cnn28 picture.png broken.png absent.png",
        "classify -m cxr-cnn28 --json picture.png -",
        "evaluate data -m cxr-cnn28 --split all --out r.json",
        "models list",
        "models inspect cxr-cnn28",
        "models verify cxr-cnn28",
        "compare float.json int8.json",
        "compare float.json absent.json",
        "--version",
    ],
)
def test_it_prints_the_same_here_and_as_a_process(place: Path, picture: Path, line: str) -> None:
    stdin = picture.read_bytes() if line.endswith(" -") else None
    here = in_process(line.split(), stdin, cwd=place)
    made = contents(place)
    for name in ("r.json", "r.npz"):
        (place / name).unlink(missing_ok=True)
    apart = as_process(line.split(), stdin, cwd=place)
    assert (here.returncode, here.stdout, here.stderr) == (
        apart.returncode,
        apart.stdout,
        apart.stderr,
    )
    assert made == contents(place)


def contents(place: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in place.iterdir() if path.is_file()}


def test_doctor_finds_the_same_here_and_as_a_process(tmp_path: Path) -> None:
    here, apart = (run(["doctor", "--json"], cwd=tmp_path) for run in (in_process, as_process))
    assert here.returncode == apart.returncode == 0
    first, second = json.loads(here.stdout), json.loads(apart.stdout)
    assert first.keys() == second.keys()
    assert first["packages"] == second["packages"]
    assert first["ok"] is second["ok"] is True
