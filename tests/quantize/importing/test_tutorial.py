"""The tutorial, run cell by cell as a notebook runs it, on its own small data."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_app.model.model_file import read
from tests.notebooks import run_notebook

REPOSITORY = Path(__file__).resolve().parents[3]
NOTEBOOK = REPOSITORY / "docs" / "tutorials" / "bring-your-own.ipynb"


@pytest.mark.process
def test_a_stranger_gets_from_three_things_to_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TUTORIAL", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.delenv("BOARD", raising=False)
    run_notebook(NOTEBOOK)
    said = capsys.readouterr().out
    assert "it stopped" not in said
    assert "not run; the commands are:" in said
    assert list((tmp_path / "maps").iterdir())
    gates = read(tmp_path / "own.tflite").manifest["quantization"]["gates"]["gates"]
    assert gates["macro_auroc"]["passed"], said
    assert gates["macro_auroc_low"]["outcome"] != "not met", said  # hardly an image moves
    assert "Effusion" in said
