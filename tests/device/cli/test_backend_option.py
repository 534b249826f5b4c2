"""`--backend`, and what became of the two options before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_app.backends.interpreters import find_interpreter
from edge_app.cli.backend_option import all_chosen, translated
from edge_app.core.errors import UsageError

from ..conftest import Run

REAL = find_interpreter()


@pytest.mark.parametrize(
    ("options", "became"),
    [
        (("--runtime", REAL.name), f"auto:{REAL.name}"),
        (("--delegate", "cpu"), "cpu"),
        (("--runtime", REAL.name, "--delegate", "cpu"), REAL.name),
        (("--runtime", "auto", "--delegate", "auto"), "auto"),
    ],
)
def test_the_older_options_say_what_they_became_and_answer_the_same(
    run: Run, picture: Path, options: tuple[str, ...], became: str
) -> None:
    old = run("classify", "--json", *options, picture)
    new = run("classify", "--json", "--backend", became, picture)
    assert (old.returncode, new.returncode, new.stderr) == (0, 0, "")
    assert old.stdout == new.stdout
    assert old.stderr == f"edge-cxr: {' '.join(options)} is now --backend {became}\n"


def test_older_and_newer_option_together_are_wrong_usage(run: Run, picture: Path) -> None:
    done = run("classify", "--backend", "cpu", "--runtime", REAL.name, picture)
    assert done.returncode == 2
    assert "--backend says what --runtime and --delegate said" in done.stderr
    assert "--runtime" not in run("classify", "--help").stdout


@pytest.mark.parametrize(
    ("runtime", "delegate", "became"),
    [
        ("auto", "auto", "auto"),
        ("tflite", "auto", "auto:tflite"),
        ("auto", "cpu", "cpu"),
        ("tflite", "cpu", "tflite"),
        ("auto", "edgetpu", "edgetpu"),
        ("tflite", "edgetpu", "edgetpu:tflite"),
        ("auto", "/a/b.so", "/a/b.so"),
        ("tflite", "/a/b.so", "/a/b.so:tflite"),
        ("auto", "litert", "./litert"),
    ],
)
def test_each_older_pair_has_its_backend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: str, delegate: str, became: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("litert").touch()  # a library may have any name
    assert translated(runtime, delegate) == became


@pytest.mark.parametrize(
    ("runtime", "delegate", "words"),
    [
        ("openvino", "auto", "--runtime openvino: there are auto, litert, tflite"),
        ("auto", "tflite", "--delegate tflite: there are auto, cpu, edgetpu, or a library's path"),
    ],
)
def test_newer_backends_are_not_reached_by_the_older_options(
    runtime: str, delegate: str, words: str
) -> None:
    with pytest.raises(UsageError) as raised:
        translated(runtime, delegate)
    assert str(raised.value) == words


def test_several_older_options_are_combined(capsys: pytest.CaptureFixture[str]) -> None:
    assert all_chosen(None, None, None) == ["auto"]
    assert all_chosen(["litert", "cpu"], None, None) == ["litert", "cpu"]
    combined = all_chosen(None, ["litert", "tflite"], ["cpu", "edgetpu"])
    assert combined == ["litert", "edgetpu:litert", "tflite", "edgetpu:tflite"]
    assert capsys.readouterr().err.count(" is now --backend ") == 4
