"""`edge-cxr doctor` prints, for each fault that can be staged, the line that leads out of it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_app.backends import edgetpu, trial
from edge_app.backends.edgetpu import VARIABLE as EDGETPU_VARIABLE
from edge_app.backends.edgetpu import Device
from edge_app.backends.interpreters import find_interpreter
from edge_app.backends.options import BackendOptions
from edge_app.backends.protocol import Backend
from edge_app.backends.trial import SECONDS_VARIABLE
from edge_app.backends.trial_results import TrialResult
from edge_app.core.resources import cores
from edge_app.inspection import doctor
from edge_app.model.model_file import ModelFile

from ..backends.conftest import Build
from ..conftest import Run
from ..site.made import site_file

pytestmark = pytest.mark.usefixtures("cache")


def text_of(output: str) -> str:
    return " ".join(output.split())


def test_without_an_edge_tpu_it_says_what_runs_where_and_is_ready(run: Run) -> None:
    done = run("doctor")
    assert done.returncode == 0
    said = text_of(done.stdout)
    assert "Edge TPU not used: libedgetpu.so.1 is not installed: install libedgetpu1-std" in said
    assert "verdict ready: ai-edge-litert on the CPU" in said
    assert re.search(r"threads [1-9] for one picture \(", said)
    assert (f"one each for {cores()} pictures at once" in said) == (cores() > 1)
    assert len(done.stdout.splitlines()) <= 24
    found = json.loads(run("doctor", "--json").stdout)
    assert found["ok"] is True
    assert found["runtime"]["package"] in ("ai-edge-litert", "tflite-runtime")
    assert found["packages"]["numpy"] == np.__version__
    assert found["box"] is None
    assert found["delegate"]["fault"]["kind"] == "absent"
    assert [runtime["fault"] for runtime in found["runtimes"]] == [None] * len(found["runtimes"])
    assert found["runtimes"][0]["milliseconds"]["1"] > 0
    assert found["runtime"]["why"]["delegate"] == "no Edge TPU's library"


def test_a_site_file_of_another_model_in_its_default_place_is_not_ready(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is found by each command that answers, which refuses it."""
    monkeypatch.delenv("EDGE_CXR_SITE")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "edge-cxr").mkdir()
    place = site_file(tmp_path / "edge-cxr")
    done = run("doctor")
    assert done.returncode == 4
    said = "".join(done.stdout.split())  # a path is folded anywhere
    assert f"{place}:isforcxr-cnn28" in said
    assert "answerwiththatmodel" in said
    assert "verdictNOTready:seeabove" in said
    found = json.loads(run("doctor", "--json").stdout)
    assert found["ok"] is False
    assert found["site"]["file"] == str(place)
    monkeypatch.setenv("EDGE_CXR_SITE", "none")
    assert run("doctor").returncode == 0


def test_on_one_core_one_thread_does_all(run: Run) -> None:
    core = min(os.sched_getaffinity(0))
    done = run("doctor", preexec_fn=lambda: os.sched_setaffinity(0, [core]))
    assert "threads 1 for one picture (one core) verdict ready" in text_of(done.stdout)


@pytest.mark.parametrize(
    ("behaviour", "way_out"),
    [
        ("REFUSES", "no device is seen, neither on USB nor on PCIe: plug it in"),
        ("CRASHES_AT_ONCE", "libedgetpu RuntimeVersion(14): most often a libedgetpu of"),
        ("COMPUTES_NOTHING", "steps, allowed are 4: do not use it with Edge TPU"),
    ],
)
def test_an_edge_tpu_that_does_not_work_is_told_and_the_cpu_is_ready(
    run: Run, delegate: Build, monkeypatch: pytest.MonkeyPatch, behaviour: str, way_out: str
) -> None:
    monkeypatch.setenv(EDGETPU_VARIABLE, str(delegate(behaviour)))
    done = run("doctor")
    assert done.returncode == 0
    assert "Edge TPU not used: " in text_of(done.stdout)
    assert way_out in text_of(done.stdout)
    assert "verdict ready: " in text_of(done.stdout)


def test_an_edge_tpu_that_hangs_is_waited_for_once(
    delegate: Build, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    waited = []

    def run_with_short_patience(model: ModelFile, backend: Backend) -> TrialResult:
        monkeypatch.setenv(SECONDS_VARIABLE, "2" if backend.exclusive else "60")
        waited.extend([backend] * backend.exclusive)
        return trial_run(model, backend)

    trial_run = trial.run
    monkeypatch.setattr(trial, "run", run_with_short_patience)
    monkeypatch.setenv(EDGETPU_VARIABLE, str(delegate("HANGS")))
    assert doctor.examine(BackendOptions(f"auto:{find_interpreter().name}"), as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["delegate"]["fault"]["kind"] == "hang"
    assert found["ok"] is True
    assert len(waited) == 1


def test_each_backend_is_tried_once_with_each_model(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tried = []

    def counted(model: ModelFile, backend: Backend) -> TrialResult:
        tried.append((model.name, backend.option))
        return trial_run(model, backend)

    trial_run = trial.run
    monkeypatch.setattr(trial, "run", counted)
    assert doctor.examine(BackendOptions(), as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert {name for name, _ in tried} == {model["name"] for model in found["models"]}
    assert len(tried) == len(set(tried))


def test_missing_permission_is_told_with_the_rule_to_add(
    delegate: Build, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    library = delegate("WORKS", name="lib/libedgetpu.so.1")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(library.parent))
    node = "/dev/bus/usb/001/004"
    monkeypatch.setattr(edgetpu, "devices", lambda: [Device(node, "usb", False)])
    assert doctor.examine(BackendOptions(), as_json=False) == 0
    said = text_of(capsys.readouterr().out)
    assert f"no permission for {node}: put SUBSYSTEM==" in said
    assert "/etc/udev/rules.d/60-edgetpu.rules, run sudo usermod -aG plugdev $USER" in said


def test_a_delegate_that_is_asked_for_has_to_work(run: Run, delegate: Build) -> None:
    done = run("doctor", "--backend", delegate("CRASHES_AT_ONCE"))
    assert done.returncode == 4
    assert "crashes (SIGSEGV) while making the delegate" in text_of(done.stdout)
    assert "verdict NOT ready" in text_of(done.stdout)
    done = run("doctor", "--backend", delegate("WORKS"))
    assert done.returncode == 0
    assert "on the delegate external" in text_of(done.stdout)


def test_it_forgets_what_was_remembered(run: Run, picture: Path, cache: Path) -> None:
    assert run("classify", picture).returncode == 0
    (path,) = cache.iterdir()
    record = json.loads(path.read_text())
    record["verdict"]["milliseconds"] = {"1": 12345.0}
    path.write_text(json.dumps(record))
    assert run("classify", picture).returncode == 0
    assert json.loads(path.read_text()) == record
    assert run("doctor").returncode == 0
    assert json.loads(path.read_text())["verdict"]["milliseconds"]["1"] < 12345


@pytest.mark.parametrize(
    ("place", "words"), [("/dev/null", "name a writable folder in XDG_CACHE_HOME"), ("", "kept in")]
)
def test_it_tells_where_verdicts_are_kept(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str, words: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", place)
    monkeypatch.setenv("HOME", str(tmp_path))
    done = run("doctor")
    assert done.returncode == 0
    assert words in text_of(done.stdout)


def test_a_runtime_that_does_not_import_is_told(
    run: Run, replace_runtimes: Callable[..., None]
) -> None:
    code = "raise ImportError('libatomic.so.1: cannot open shared object file')\n"
    replace_runtimes(ai_edge_litert=code, tflite_runtime=code)
    done = run("doctor")
    assert done.returncode == 4
    assert "ai-edge-litert does not import: libatomic.so.1" in text_of(done.stdout)
    assert "verdict NOT ready" in text_of(done.stdout)
