"""The proof's commands: what they write, and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge_app.core.errors import EXIT_GATE, EXIT_USAGE
from quantize.cli import app
from quantize.studies.faults import Fault


def invoke(command: str, run: Path, data: Path, *options: str) -> tuple[int, str]:
    cache = str(run.parent / "cache")
    done = CliRunner().invoke(app, [command, str(run), str(data), "--cache", cache, *options])
    return done.exit_code, done.output


def test_layers_go_into_files_and_a_document(
    finished_run: Path, small_nih: Path, tmp_path: Path
) -> None:
    document = tmp_path / "d.md"
    document.write_text("<!-- layers -->\n<!-- end of layers -->\n")
    out = tmp_path / "out"
    code, shown = invoke(
        "layers", finished_run, small_nih, "--out", str(out), "--document", str(document)
    )
    assert code == 0, shown
    assert "conv2b" in shown
    assert json.loads((out / "layers.json").read_text())["repair"] == "none"
    assert "| conv2b |" in document.read_text()
    assert not (finished_run / "quantization").exists()


def test_a_fault_that_gets_past_its_gate_is_an_exit_code(
    finished_run: Path, small_nih: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    harmless = Fault(
        "nothing", ("misplaced",), lambda conversion: conversion.compared(conversion.correct)
    )
    monkeypatch.setattr("quantize.studies.faults.FAULTS", (harmless,))
    code, shown = invoke("sabotage", finished_run, small_nih, "--out", str(tmp_path))
    assert code == EXIT_GATE
    assert "a fault was not caught" in shown
    assert (tmp_path / "sabotage.md").exists()


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("layers", ["--repair", "magic"]),
        ("matrix", ["--split", "train"]),
        ("outputs", ["--split", "all"]),
    ],
)
def test_what_there_is_not_is_wrong_usage(
    finished_run: Path, small_nih: Path, command: str, options: list[str]
) -> None:
    code, shown = invoke(command, finished_run, small_nih, *options)
    assert code == EXIT_USAGE
    assert "there are" in shown
