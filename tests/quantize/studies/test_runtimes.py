"""One model under two Pythons; here the other one is this one, or a stand-in for it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from edge_app.model.model_file import SHIPPED, read
from quantize.errors import ConversionError
from quantize.studies.runtimes import runtimes

MODEL = SHIPPED / "cxr-cnn28.tflite"


def test_the_same_runtime_gives_no_difference(small_nih: Path, tmp_path: Path) -> None:
    result = runtimes(read(MODEL), small_nih, shlex.quote(sys.executable), 12, tmp_path)
    assert result.content["largest"] == 0
    assert set(result.content["decisions_changed"].values()) == {0}
    assert result.content["images"] == 12
    assert result.rows[-1] == ("all", "0.0 %", "0", "0.000")


def test_what_another_runtime_rounds_otherwise_is_counted(small_nih: Path, tmp_path: Path) -> None:
    """Its stand-in makes each first logit three steps larger."""
    start = tmp_path / "python.py"
    start.write_text(
        "import runpy, sys\n"
        "from edge_app.backends.protocol import RawOutputs\n"
        "from edge_app.backends.tflite_session import TfliteSession\n"
        "honest = TfliteSession.run\n"
        "def run(self, tensor):\n"
        "    raw = honest(self, tensor)\n"
        "    logits = raw.logits.copy()\n"
        "    logits[0] += 3\n"
        "    return RawOutputs(logits, raw.map)\n"
        "TfliteSession.run = run\n"
        "sys.argv = sys.argv[2:]\n"
        "runpy.run_module('edge_app', run_name='__main__', alter_sys=True)\n"
    )
    repository = Path(__file__).parents[3]
    other = (
        f"env PYTHONPATH={shlex.quote(str(repository))} {sys.executable} {shlex.quote(str(start))}"
    )
    result = runtimes(read(MODEL), small_nih, other, 12, tmp_path)
    first, *others = result.content["labels"]
    assert (first["largest"], first["mean"], first["differ"]) == (3, 3.0, 1.0)
    assert {row["largest"] for row in others} == {0}


def test_what_does_not_start_or_fails_is_said(small_nih: Path, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="cannot be started"):
        runtimes(read(MODEL), small_nih, "/nowhere/python", 2, tmp_path)
    with pytest.raises(ConversionError, match="ended with 1"):
        runtimes(read(MODEL), small_nih, "false", 2, tmp_path)
