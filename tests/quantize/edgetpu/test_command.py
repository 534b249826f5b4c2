"""`python -m quantize edgetpu` with compilers that the tests make.

The real compiler is in no registry. Each `edgetpu_compiler` here is a shell script put on the
PATH: a stand-in that copies a prepared file and prints a report. None compiles anything.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_app.backends.edgetpu import EdgeTpu, is_compiled
from edge_app.backends.interpreters import find_interpreter
from edge_app.backends.self_test import self_test
from edge_app.inspection.catalogue import print_model
from edge_app.model.model_file import SHIPPED, read
from quantize import cli
from tests.quantize.edgetpu.graphs import (
    CNN28,
    OPERATORS,
    add_graph,
    edited,
    replace_operator,
    stand_in,
)

REPORT = """Edge TPU Compiler version 16.0.0-stand-in
On-chip memory used for caching model parameters: 400.00KiB
On-chip memory remaining for caching model parameters: 6.50MiB
Off-chip memory used for streaming uncached model parameters: 0.00B

Operator                       Count      Status

CONV_2D                        7          Mapped to Edge TPU
MAX_POOL_2D                    2          Mapped to Edge TPU
MEAN                           1          {mean}
"""
ALL = REPORT.format(mean="Mapped to Edge TPU")
PARTLY = REPORT.format(mean="Operation version not supported")
NOTHING = ALL.replace("Mapped to Edge TPU", "Operation is working on an unsupported data type")


@dataclass
class Outcome:
    code: int
    out: str
    err: str


Start = Callable[..., Outcome]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Start:
    """The command in this process; TensorFlow need not start for each."""

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["quantize", "edgetpu", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Outcome(int(ended.value.code or 0), captured.out, captured.err)

    return run


Compiler = Callable[..., None]


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compiler:
    """Put a stand-in on the PATH: it leaves `flatbuffer`, prints `report`, then does `then`."""

    def place(flatbuffer: bytes | None = None, report: str = ALL, then: str = "exit 0") -> None:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (folder / "report").write_text(report)
        copy = ""
        if flatbuffer is not None:
            (folder / "prepared").write_bytes(flatbuffer)
            copy = f'cp "{folder}/prepared" "$out/$(basename "$1" .tflite)_edgetpu.tflite"'
        script = folder / "edgetpu_compiler"
        script.write_text(
            "#!/bin/sh\n# A stand-in made by a test: it compiles nothing.\n"
            'while [ $# -gt 1 ]; do [ "$1" = --out_dir ] && out=$2; shift; done\n'
            f'{copy}\ncat "{folder}/report"\n{then}\n'
        )
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    return place


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model file of one's own; one that is not to change is compared with the shipped one."""
    return Path(shutil.copy(SHIPPED / "cxr-cnn28.tflite", tmp_path / "mine.tflite"))


def unchanged(model: Path) -> bool:
    return model.read_bytes() == (SHIPPED / "cxr-cnn28.tflite").read_bytes()


def test_the_compiled_network_goes_into_the_same_file(
    start: Start, compiler: Compiler, model: Path
) -> None:
    compiled = stand_in()
    compiler(compiled)
    outcome = start(model)
    assert outcome.code == 0
    assert "Edge TPU Compiler 16.0.0-stand-in: 10 operations on the Edge TPU" in outcome.out
    assert f"written: {model}" in outcome.err
    both = read(model)
    assert both.compiled == {EdgeTpu.name: compiled}
    assert both.flatbuffer == CNN28
    stated = both.manifest["compiled"][EdgeTpu.name]
    assert stated["sha256"] == hashlib.sha256(compiled).hexdigest()
    assert stated["bytes"] == len(compiled)
    assert stated["compiled_from"] == both.sha256
    assert stated["compiler"] == "16.0.0-stand-in"
    assert stated["operations"] == {"accelerator": 10, "cpu": 0}
    assert stated["memory"] == {"on_chip": 409600, "on_chip_free": 6815744, "off_chip": 0}
    assert stated["operators"][2] == {
        "operator": "MEAN",
        "count": 1,
        "status": "Mapped to Edge TPU",
    }


def test_the_file_still_runs_on_the_cpu(start: Start, compiler: Compiler, model: Path) -> None:
    compiler(stand_in())
    start(model)
    before = read(SHIPPED / "cxr-cnn28.tflite")
    after = read(model)
    assert self_test(find_interpreter().open(after)).logits <= 4
    np.testing.assert_array_equal(after.golden.logits, before.golden.logits)
    rest = {key: value for key, value in after.manifest.items() if key != "compiled"}
    assert rest == before.manifest


def test_models_inspect_tells_of_it(
    start: Start, compiler: Compiler, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compiler(stand_in(on_cpu=1), PARTLY)
    start(model, "--allow-cpu")
    print_model(read(model), as_json=False)
    shown = " ".join(capsys.readouterr().out.split())
    assert "compiled by 16.0.0-stand-in" in shown
    assert "9 operations on the Edge TPU, 1 on the CPU" in shown


def test_another_file_can_be_written(
    start: Start, compiler: Compiler, model: Path, tmp_path: Path
) -> None:
    compiler(stand_in())
    assert start(model, "--out", tmp_path / "both.tflite").code == 0
    assert unchanged(model)
    assert read(tmp_path / "both.tflite").compiled[EdgeTpu.name] == stand_in()


def test_compiling_again_replaces_what_was_there(
    start: Start, compiler: Compiler, model: Path
) -> None:
    compiler(stand_in())
    start(model)
    once = model.read_bytes()
    assert start(model).code == 0
    assert model.read_bytes() == once


def test_json_is_one_object_with_prediction_and_mapping(
    start: Start, compiler: Compiler, model: Path
) -> None:
    compiler(stand_in())
    answer = json.loads(start(model, "--json").out)
    assert answer["check"]["operations"] == answer["compiled"]["operations"]
    assert answer["written"] == str(model)
    assert [o["operator"] for o in answer["check"]["operators"]][-1] == "MEAN"
    assert answer["check"]["parameters"]["fits"] is True


def test_without_a_compiler_the_prediction_is_all_there_is(
    start: Start, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    outcome = start(model)
    assert outcome.code == 4
    assert "10 of 10 operations would run on the Edge TPU" in outcome.out
    assert "nothing was compiled: edgetpu_compiler is not on the PATH" in outcome.err
    assert "https://coral.ai/docs/edgetpu/compiler/" in outcome.err
    assert json.loads(start(model, "--json").out)["compiled"] is None
    assert unchanged(model)


def test_checking_only_needs_no_compiler_and_writes_nothing(
    start: Start, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert start(model, "--check-only").code == 0
    assert unchanged(model)


def test_a_prediction_that_something_stays_on_the_cpu_is_a_gate(
    start: Start, tmp_path: Path
) -> None:
    plain = tmp_path / "plain.tflite"
    plain.write_bytes(edited(replace_operator(2, OPERATORS.LEAKY_RELU)))
    outcome = start(plain, "--check-only")
    assert outcome.code == 5
    assert "8 of 10 operations would run on the CPU, the first for LEAKY_RELU (2)" in outcome.err
    assert start(plain, "--check-only", "--allow-cpu").code == 0
    answer = start(plain, "--check-only", "--json")
    assert answer.code == 5
    assert json.loads(answer.out)["check"]["passed"] is False


def test_parts_that_an_import_kept_in_float32_are_reported_with_advice(
    start: Start, model: Path
) -> None:
    one = read(model)
    kept = {"in_float32": {"operators": ["a", "b"], "of": 10}}
    one.replace(
        flatbuffer=edited(replace_operator(2, OPERATORS.LEAKY_RELU)),
        manifest={**one.manifest, "quantization": {**one.manifest["quantization"], **kept}},
    ).save()
    outcome = start(model, "--check-only")
    assert outcome.code == 5
    assert "kept 2 of 10 operators in float32: import it with --int8-only" in outcome.err


def test_a_file_that_the_compiler_cannot_read_is_a_gate(start: Start, tmp_path: Path) -> None:
    plain = tmp_path / "plain.tflite"
    plain.write_bytes(edited(replace_operator(2, OPERATORS.GELU)))
    outcome = start(plain, "--check-only")
    assert outcome.code == 5
    assert "the compiler would take nothing of the file: GELU is newer" in outcome.err
    assert "0 of 10 operations would run on the Edge TPU" in outcome.out
    assert "edgetpu/issues/818" in outcome.out


def test_operators_outside_the_main_graph_are_a_gate(start: Start, tmp_path: Path) -> None:
    plain = tmp_path / "plain.tflite"
    plain.write_bytes(edited(add_graph))
    outcome = start(plain, "--check-only")
    assert outcome.code == 5
    assert "10 of 20 operations would run on the CPU, those of other graphs" in outcome.err


def test_the_table_says_what_is_known_and_what_is_guessed(start: Start, tmp_path: Path) -> None:
    plain = tmp_path / "plain.tflite"
    plain.write_bytes(edited(replace_operator(2, OPERATORS.LEAKY_RELU)))
    rows = [line.split() for line in start(plain, "--check-only").out.splitlines()]
    assert [row[-1] for row in rows if row[1:2] == ["CONV_2D"]] == ["seen"] * 2 + ["guessed"] * 5
    assert any(row[-4:] == ["only", "the", "compiler", "knows"] for row in rows)


def test_what_the_compiler_leaves_to_the_cpu_is_a_gate(
    start: Start, compiler: Compiler, model: Path
) -> None:
    compiler(stand_in(on_cpu=1), PARTLY)
    outcome = start(model)
    assert outcome.code == 5
    assert "mapped 9 to the Edge TPU and left 1 to the CPU; --allow-cpu" in outcome.err
    assert "Operation version not supported" in outcome.out
    assert unchanged(model)
    assert start(model, "--allow-cpu").code == 0
    assert read(model).manifest["compiled"][EdgeTpu.name]["operations"] == {
        "accelerator": 9,
        "cpu": 1,
    }


def test_operators_left_to_the_cpu_count_though_the_report_is_silent(
    start: Start, compiler: Compiler, model: Path
) -> None:
    compiler(stand_in(on_cpu=1), ALL)
    outcome = start(model)
    assert outcome.code == 5
    assert "left 1 to the CPU" in outcome.err
    assert unchanged(model)


@pytest.mark.parametrize("options", [[], ["--allow-cpu"]])
def test_a_compiler_that_maps_nothing_writes_nothing(
    start: Start, compiler: Compiler, model: Path, options: list[str]
) -> None:
    compiler(CNN28, NOTHING)
    outcome = start(model, *options)
    assert outcome.code == 5
    assert "mapped 0 to the Edge TPU" in outcome.err
    assert "unsupported data type" in outcome.out
    assert unchanged(model)


def renamed(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.tensors[graph.outputs[0]].name = b"other"


def rescaled(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.tensors[graph.outputs[0]].quantization.scale = np.array([0.5], np.float32)


def shifted(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.tensors[graph.outputs[1]].quantization.zeroPoint = np.array([3], np.int64)


def unsigned(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].type = 3


def reshaped(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].shape = np.array([1, 32, 32, 1], np.int32)


def dropped(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.outputs = graph.outputs[:1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (renamed, "other outputs: other int8 1x7x7x15 .* instead of StatefulPartitionedCall"),
        (rescaled, "other outputs: .*scale 0.5"),
        (shifted, "other outputs: .*zero point \\[3\\]"),
        (dropped, "other outputs: none instead of Stateful"),
        (unsigned, "other inputs: .*uint8"),
        (reshaped, "other inputs: .*1x32x32x1"),
    ],
)
def test_a_compiled_network_with_other_tensors_is_refused(
    start: Start, compiler: Compiler, model: Path, change: Callable[[Any], None], words: str
) -> None:
    compiler(edited(change, stand_in()))
    outcome = start(model)
    assert outcome.code == 4
    assert re.search(words, outcome.err)
    assert unchanged(model)


@pytest.mark.parametrize(
    ("flatbuffer", "report", "then", "words"),
    [
        (None, "Invalid model: model.tflite\nModel not quantized\n", "exit 1", "Model not quant"),
        (None, "", "exit 1", "exit code 1.*without a word"),
        (None, "Internal compiler error. Aborting!\n", "kill -SEGV $$", "killed by signal 11"),
        (None, ALL, "exit 0", "its output no such file"),
        (None, ALL, 'mkdir "$out/model_edgetpu.tflite"', "a folder, not a file"),
        (None, ALL, 'mkfifo "$out/model_edgetpu.tflite"', "a named pipe, not a file"),
        (CNN28, ALL, "exit 0", "reports 10 operations on the Edge TPU, but .* holds 0"),
        (stand_in(), NOTHING, "exit 0", "reports 0 operations on the Edge TPU, but .* holds 1"),
        (b"no flatbuffer", ALL, "exit 0", "output: not a TensorFlow Lite model"),
        (stand_in()[:2000], ALL, "exit 0", "output: a damaged flatbuffer"),
        (stand_in(), "Hello\n", "exit 0", "does not say its version"),
        (stand_in(), ALL, "yes | head -c 2000000", "output is larger than"),
    ],
)
def test_a_compiler_that_fails_is_one_line_and_changes_nothing(
    start: Start,
    compiler: Compiler,
    model: Path,
    flatbuffer: bytes | None,
    report: str,
    then: str,
    words: str,
) -> None:
    compiler(flatbuffer, report, then)
    outcome = start(model)
    assert outcome.code == 4
    (line,) = [line for line in outcome.err.splitlines() if line.startswith("error:")]
    assert re.search(words, line), line
    assert unchanged(model)


def test_a_file_on_the_path_that_is_no_program_is_one_line(
    start: Start, compiler: Compiler, model: Path, tmp_path: Path
) -> None:
    compiler(stand_in())
    (tmp_path / "bin" / "edgetpu_compiler").write_bytes(b"\x7fELF of another machine")
    outcome = start(model)
    assert outcome.code == 4
    assert "cannot be started: Exec format error" in outcome.err


def test_a_compiler_that_hangs_is_stopped_with_its_children(
    start: Start, compiler: Compiler, model: Path, tmp_path: Path
) -> None:
    compiler(stand_in(), ALL, f'sleep 300 & echo $! > "{tmp_path}/child"; sleep 300')
    outcome = start(model, "--time-limit", 1)
    assert outcome.code == 4
    assert "did not end within 1 s and was stopped" in outcome.err
    assert unchanged(model)
    assert _ends(int((tmp_path / "child").read_text()))


def _ends(process: int) -> bool:
    """Whether a process that was killed is gone; nobody may be there to bury it."""
    for _ in range(100):
        try:
            if Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


def test_no_folder_of_the_compilers_is_left_behind(
    start: Start, compiler: Compiler, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    compiler(stand_in())
    start(model)
    compiler(None, "", "exit 1")
    start(model)
    assert list(place.iterdir()) == []


def test_a_plain_tflite_can_be_checked_but_has_no_place_for_a_compiled_one(
    start: Start, compiler: Compiler, tmp_path: Path
) -> None:
    compiler(stand_in())
    plain = tmp_path / "plain.tflite"
    plain.write_bytes(CNN28)
    outcome = start(plain)
    assert outcome.code == 4
    assert "a plain .tflite without a manifest" in outcome.err
    assert start(plain, "--check-only").code == 0
    assert plain.read_bytes() == CNN28


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a TensorFlow Lite model"),
        (b"\x1c\0\0\0TFL3" + b"\xff" * 99, "a damaged flatbuffer"),
        (stand_in(), "compiled for the Edge TPU already"),
    ],
)
def test_a_file_that_cannot_be_checked_is_named(
    start: Start, tmp_path: Path, data: bytes, words: str
) -> None:
    path = tmp_path / "any.tflite"
    path.write_bytes(data)
    outcome = start(path, "--check-only")
    assert outcome.code == 4
    assert f"error: {path}: " in outcome.err
    assert words in outcome.err


def test_usage_that_makes_no_sense_is_refused(start: Start, model: Path, tmp_path: Path) -> None:
    assert start(tmp_path / "absent.tflite").code == 4
    assert start(model, "--out", tmp_path / "no" / "folder.tflite").code == 2
    assert start(model, "--check-only", "--out", tmp_path / "x.tflite").code == 2


def test_a_compiled_network_is_distinguished_from_one_for_the_cpu() -> None:
    assert is_compiled(stand_in())
    assert not is_compiled(CNN28)
