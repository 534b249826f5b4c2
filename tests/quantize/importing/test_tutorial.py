"""The tutorial, run cell by cell as a notebook runs it, on its own small data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge_app.model.model_file import read

REPOSITORY = Path(__file__).resolve().parents[3]
NOTEBOOK = REPOSITORY / "docs" / "tutorials" / "bring-your-own.ipynb"


@pytest.mark.process
def test_a_stranger_gets_from_three_things_to_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TUTORIAL", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.delenv("BOARD", raising=False)
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    space: dict[str, Any] = {}
    for cell in notebook["cells"]:
        assert not cell.get("outputs"), "commit it without outputs"
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), NOTEBOOK.name, "exec"), space)
    said = capsys.readouterr().out
    assert "it stopped" not in said
    assert "not run; the commands are:" in said
    assert list((tmp_path / "maps").iterdir())
    gates = read(tmp_path / "own.tflite").manifest["quantization"]["gates"]["gates"]
    assert gates["macro_auroc_low"]["passed"], said
    assert "Effusion" in said
