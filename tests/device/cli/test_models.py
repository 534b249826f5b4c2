"""`edge-cxr models` as its users meet it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ..conftest import Run


def test_models_list_and_inspect_show_what_is_in_the_file(run: Run) -> None:
    listed = json.loads(run("models list", "--json").stdout)
    assert [model["name"] for model in listed if model["default"]] == ["cxr-lite0-128"]
    for model in listed:
        manifest = json.loads(run("models inspect", "--json", model["name"]).stdout)
        assert manifest["flatbuffer"]["sha256"] == model["sha256"]
        assert manifest["metrics"]["macro_auroc"] == model["metrics"]["macro_auroc"]
        readable = run("models inspect", model["name"]).stdout
        assert model["sha256"][:16] in readable
        assert "Hernia" in readable
        assert "not compiled for it" in readable


def test_models_verify_runs_the_golden_vectors(run: Run) -> None:
    done = run("models verify", "--json")
    answers = json.loads(done.stdout)
    assert done.returncode == 0
    assert {answer["name"] for answer in answers} == {"cxr-lite0-128", "cxr-cnn28"}
    assert all(answer["ok"] and answer["off"] <= answer["tolerance"] for answer in answers)


def test_a_model_that_is_no_file_is_refused_at_once(run: Run, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place, words in (
        (tmp_path / "pipe", "named pipe"),
        (tmp_path, "folder"),
        ("x" * 5000, "long"),
    ):
        done = run("models inspect", place)
        assert done.returncode == 4
        assert words in done.stderr
