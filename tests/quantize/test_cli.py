"""The proof's commands: what they write, and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, NamedTuple

import pytest
import typer
from typer.testing import CliRunner

from edge_app.core.errors import EXIT_GATE, EXIT_USAGE
from quantize.cli import app
from quantize.studies.command import command
from quantize.studies.faults import Fault
from quantize.studies.registry import STUDIES, Study
from quantize.studies.result import Result


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


class Inputs(NamedTuple):
    folder: Path


def test_a_registered_study_is_a_command_with_its_own_options(tmp_path: Path) -> None:
    def open_inputs(out: Annotated[Path, typer.Option()]) -> Inputs:
        return Inputs(out)

    def letters(inputs: Inputs, count: Annotated[int, typer.Option(min=1)] = 2) -> Result:
        rows = [(letter,) for letter in "abc"[:count]]
        return Result("letters", "letters", "Some letters.", ("letter",), rows, {"count": count})

    alone = typer.Typer()
    study = Study("letters", open_inputs, letters, "Write letters.", {"count": 3})
    alone.command(help=study.help)(command(study))
    assert "Write letters." in CliRunner().invoke(alone, ["--help"]).output
    for options, count in ((["--count", "1"], 1), ([], 3)):
        done = CliRunner().invoke(alone, ["--out", str(tmp_path), *options])
        assert done.exit_code == 0, done.output
        assert json.loads((tmp_path / "letters.json").read_text())["count"] == count


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_every_study_explains_itself(study: Study) -> None:
    done = CliRunner().invoke(app, [study.name, "--help"])
    assert done.exit_code == 0, done.output
    assert study.help.split(":")[0][:40] in done.output
    assert "--document" in done.output
