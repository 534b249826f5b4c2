"""Networks of one's own with two labels: imported here, classified on an emulated Raspberry Pi.

One is int8 as a whole, of the other some operators stay in float32.
"""

from __future__ import annotations

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from boards import downloads, install, processes, sysroot, wheels
from boards.board import find
from boards.errors import EmulationUnavailableError
from boards.install import Installed
from boards.wheels import REPOSITORY, Target
from edge_app.core.errors import EXIT_DONE

PICTURES = 3
IMPORT = """
import sys
from pathlib import Path
from typer.testing import CliRunner
from quantize.cli import app
from tests.quantize.importing.conftest import LABELS, far_reaching, labelled, named, own_network

for name, network, count in (("own", own_network, 160), ("far", far_reaching, 600)):
    folder, model = Path(sys.argv[1], name), network()
    labelled(folder / "data", model, count=count)
    model.save(folder / "own.keras")
    labels = named(folder / "labels.txt", *LABELS)
    line = ["import", f"{folder}/own.keras", f"{folder}/data", "--labels", f"{folder}/labels.txt"]
    line += ["--out", f"{folder}/own.tflite", "--input-check", "none"]
    done = CliRunner().invoke(app, line, catch_exceptions=False)
    print(done.output, file=sys.stderr)
    if done.exit_code not in (0, 5):
        sys.exit(done.exit_code)
"""


def workstation() -> str:
    """A Python that has TensorFlow, which the environment of these tests has not."""
    if find_spec("tensorflow"):
        return sys.executable
    python = REPOSITORY / ".venv" / "workstation" / "bin" / "python"
    if not python.exists():
        pytest.skip("no TensorFlow to import a network with: make test makes .venv/workstation")
    return str(python)


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders with drawn images, and `own.tflite`, which the command made of a Keras network."""
    folder = tmp_path_factory.mktemp("own")
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "KERAS_BACKEND": "tensorflow"}
    done = processes.run([workstation(), "-c", IMPORT, folder], environment, REPOSITORY)
    assert done.code == EXIT_DONE, done.err
    return folder


@pytest.fixture(scope="module")
def pi(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The application on an emulated board, from its wheels."""
    work, chosen = tmp_path_factory.mktemp("pi"), find("debian12-arm64")
    try:
        board = sysroot.get(chosen, cache)
    except EmulationUnavailableError as error:
        pytest.skip(f"no board can be emulated here: {error}")
    target, own = Target(chosen.processor.machine, chosen.python), wheels.build(work / "wheel")
    needed = downloads.wheels_for(own, target, cache, ("dicom",))
    return install.from_wheels([own, *needed], target, board.python, board.environment(), work)


@pytest.mark.parametrize(("name", "precision"), [("own", "int8"), ("far", "int8 and float32")])
def test_it_answers_on_the_board_as_it_does_here(
    name: str, precision: str, imported: Path, pi: Installed
) -> None:
    folder = imported / name
    pictures = sorted((folder / "data" / "images").iterdir())[:PICTURES]
    line = ("classify", "--json", "--model", folder / "own.tflite", *pictures)
    there = pi(*line)
    here = processes.run([sys.executable, "-m", "edge_app", *map(str, line)])
    assert (there.code, here.code) == (EXIT_DONE, EXIT_DONE), there.err + here.err
    assert {json.loads(each)["model"]["dtype"] for each in there.out.splitlines()} == {precision}
    answers = [_findings(done.out) for done in (there, here)]
    assert answers[0] == answers[1]
    assert [list(each) for each in answers[0]] == [["Tuberculosis", "Effusion"]] * PICTURES
    assert len({str(each) for each in answers[0]}) == PICTURES  # each picture has its own


def _findings(out: str) -> list[dict[str, Any]]:
    """Of each answer, what is said of each label."""
    found = []
    for line in out.splitlines():
        rows = json.loads(line)["findings"]
        found.append({row["label"]: (row["logit"], row["threshold"]) for row in rows})
    return found
