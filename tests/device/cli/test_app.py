"""What every command has in common: exit codes, usage, one way in for tests and for users."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import pytest

from edge_app.cli import app

from ..command import in_process
from ..conftest import Run


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("classify",), 2, "IMAGE"),
        (("classify", "--workers", "0", "x.png"), 2, "workers"),
        (("classify", "--json", "--csv", "x.png"), 2, "exclude each other"),
        (("classify", "--operating-point", "nonsense", "x.png"), 2, "balanced"),
        (("classify", "--threads", "0", "x.png"), 2, "threads"),
        (("classify", "absent.png"), 3, "no such file"),
        (("models inspect", "absent.tflite"), 4, "shipped models are"),
        (("models verify", "/dev/null"), 4, "/dev/null"),
        (("nonsense",), 2, "nonsense"),
    ],
)
def test_each_fault_has_its_exit_code_and_says_what(
    run: Run, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = run(*arguments)
    assert done.returncode == code
    assert words in done.stderr


def test_a_command_line_that_is_run_here_leaves_the_process_as_it_was(
    picture: Path, cnn28: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def state() -> tuple[object, ...]:
        handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGPIPE)]
        streams = (sys.stdin, sys.stdout, sys.stderr)
        return (handlers, streams, gc.get_threshold(), gc.get_freeze_count(), dict(os.environ))

    before = state()
    assert app.run(["classify", "--model", str(cnn28), str(picture)], "edge-cxr") == 0
    assert app.run(["classify", "absent.png"], "edge-cxr") == 3
    assert app.run(["--nonsense"], "edge-cxr") == 2
    assert state() == before
    said = capsys.readouterr()
    assert "picture.png" in said.out
    assert "Usage: edge-cxr" in said.err


def test_a_command_line_gets_its_input_and_gives_its_output_by_file_descriptors(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As native code, and children, see them."""

    def copy(arguments: Sequence[str], program: str | None) -> int:
        os.write(1, os.read(0, 100) + b" to 1\n")
        print("printed", file=sys.stdout)
        subprocess.run(["sh", "-c", "pwd -P; echo to 2 >&2"], check=True)
        warnings.warn("a warning", UserWarning, stacklevel=1)
        os.environ["EDGE_CXR_LEFT_BEHIND"] = "1"
        return 7

    monkeypatch.setattr(app, "run", copy)
    done = in_process(["x"], b"input", cwd=tmp_path)
    assert done.returncode == 7
    assert done.stdout == f"input to 1\nprinted\n{tmp_path.resolve()}\n"
    assert done.stderr.startswith("to 2\n")
    assert "UserWarning: a warning" in done.stderr
    assert "EDGE_CXR_LEFT_BEHIND" not in os.environ
    assert Path.cwd() != tmp_path
