"""The tutorial of training, run cell by cell as a notebook runs it, on its own small data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_app.model.model_file import read
from tests.notebooks import run_notebook

REPOSITORY = Path(__file__).resolve().parents[2]
NOTEBOOK = REPOSITORY / "docs" / "tutorials" / "train-your-own.ipynb"


def test_a_stranger_gets_from_images_and_a_table_to_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TUTORIAL", str(tmp_path))
    space = run_notebook(NOTEBOOK)
    said = capsys.readouterr().out
    assert "it stopped" not in said
    report = json.loads((tmp_path / "run" / "reports" / "float.json").read_text())
    learned = {each["label"]: each["auroc"]["low"] for each in report["labels"]}
    assert learned["Effusion"] > 0.8, said
    gates = read(tmp_path / "run" / "own.tflite").manifest["quantization"]["gates"]["gates"]
    assert gates["macro_auroc"]["passed"], said
    assert gates["macro_auroc_low"]["outcome"] != "not met", said  # hardly an image moves
    assert set(space["findings"]) >= {"Effusion", "Mass"}
