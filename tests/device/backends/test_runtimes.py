"""Interpreters: which is taken, and what happens where one does not work."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_app.backends import trial
from edge_app.backends.choice import open_session
from edge_app.backends.interpreters import INTERPRETERS, find_interpreter
from edge_app.backends.options import BackendOptions
from edge_app.backends.protocol import FILE, IMPORT, RUN
from edge_app.backends.tflite_runtime import TfliteRuntime
from edge_app.backends.trial import SECONDS_VARIABLE
from edge_app.core.errors import ModelError, RuntimeUnavailableError
from edge_app.model.model_file import locate, read
from edge_app.model.shipped import DEFAULT_MODEL

from ..command import in_process
from ..conftest import Run
from .conftest import NOT_HERE

Replace = Callable[..., None]

CRASHES = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)\n"
HANGS = "import time; time.sleep(1000)\n"
FAILS = "raise ImportError('libatomic.so.1: cannot open shared object file')\n"
WORKS_AND_PRINTS = """
import os, sys
os.write(2, b"noise from native code\\n")
sys.path.remove(os.path.dirname(os.path.dirname(__file__)))
for name in ("ai_edge_litert", "ai_edge_litert.interpreter"):
    sys.modules.pop(name, None)
import ai_edge_litert.interpreter as real
from ai_edge_litert.interpreter import Interpreter, load_delegate
"""
COMPUTES_NOTHING = (
    WORKS_AND_PRINTS
    + """
class Broken(real.Interpreter):
    def get_tensor(self, index):
        return super().get_tensor(index) * 0
real.Interpreter = Broken
"""
)

pytestmark = pytest.mark.usefixtures("cache")

REAL = find_interpreter()
OTHER = next(kind() for kind in INTERPRETERS if kind.name != REAL.name)


def test_the_version_is_what_the_packages_metadata_says() -> None:
    from importlib.metadata import version

    assert REAL.label == f"{REAL.distribution} {version(REAL.distribution)}"


def test_a_runtime_that_is_not_installed_is_refused_with_the_way_to_get_it(
    run: Run, picture: Path
) -> None:
    if OTHER.installed:
        pytest.skip("both runtimes are installed here")
    done = run("classify", "--backend", OTHER.name, picture)
    assert done.returncode == 4
    assert f"pip install {OTHER.distribution}" in done.stderr


def test_json_tells_what_was_chosen_and_why(run: Run, picture: Path) -> None:
    chosen = json.loads(run("classify", "--json", picture).stdout)["runtime"]
    assert chosen["name"] == REAL.name
    assert chosen["library"] is None
    assert chosen["why"] == {
        "runtime": "the preferred one that is installed",
        "delegate": "no Edge TPU's library",
        "threads": chosen["why"]["threads"],
    }
    assert "when tried here" in chosen["why"]["threads"] or trial.cores() == 1
    options = ("--backend", REAL.name, "--threads", 1)
    runtime = json.loads(run("classify", "--json", *options, picture).stdout)["runtime"]
    assert set(runtime["why"].values()) == {"asked for"}
    assert runtime["threads"] == 1


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (CRASHES, "crashes (SIGSEGV) while importing"),
        (HANGS, "hangs: after 1 s it is still "),
        (FAILS, "does not import: libatomic.so.1"),
    ],
)
def test_a_runtime_that_does_not_work_is_named_and_ends_nothing_else(
    run: Run,
    picture: Path,
    replace_runtimes: Replace,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    words: str,
) -> None:
    replace_runtimes(ai_edge_litert=code, tflite_runtime=code)
    if code == HANGS:
        monkeypatch.setenv(SECONDS_VARIABLE, "1")
    for command, *rest in (("classify", picture), ("models verify",), ("doctor",)):
        done = run(command, *rest)
        assert done.returncode == 4
        assert words in " ".join((done.stdout + done.stderr).split())


@pytest.mark.skipif(REAL.name != "litert", reason="stands in for the other one here")
@pytest.mark.parametrize(
    ("code", "kind"),
    [(CRASHES, "crash"), (FAILS, "absent"), (COMPUTES_NOTHING, "wrong answers")],
)
def test_where_the_preferred_runtime_does_not_work_the_other_answers(
    run: Run, picture: Path, replace_runtimes: Replace, code: str, kind: str
) -> None:
    expected = json.loads(run("classify", "--json", picture).stdout)["findings"]
    replace_runtimes(ai_edge_litert=code, tflite_runtime=WORKS_AND_PRINTS)
    done = run("classify", "--json", picture)
    answer = json.loads(done.stdout)
    assert done.returncode == 0
    assert done.stderr.count("\n") == 1
    assert "; answering with tflite-runtime" in done.stderr
    assert answer["findings"] == expected
    assert answer["runtime"]["name"] == "tflite"
    assert [refused["kind"] for refused in answer["runtime"]["not_used"]] == [kind]
    done = run("classify", "--backend", "litert", picture)
    assert done.returncode == 4
    assert done.stdout == ""


def test_an_unfit_numpy_is_reported_with_both_versions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import numpy as np

    monkeypatch.setattr(np, "__version__", "2.4.6")
    said = "<built-in method> returned a result with an exception set; numpy.core.multiarray failed"
    explained = TfliteRuntime().misfit(said)
    assert explained is not None
    assert "numpy 2.4.6 is installed: pip install 'numpy<2'" in explained
    assert TfliteRuntime().misfit("something else") is None


@pytest.mark.parametrize("seconds", ["0", "-1", "x", "1e3", "3601"])
def test_a_time_limit_that_is_none_is_wrong_usage(
    run: Run, picture: Path, monkeypatch: pytest.MonkeyPatch, seconds: str
) -> None:
    monkeypatch.setenv(SECONDS_VARIABLE, seconds)
    done = run("classify", picture)
    assert done.returncode == 2
    assert f"{SECONDS_VARIABLE}={seconds}" in done.stderr


def test_where_no_process_can_be_started_the_cpu_answers_untried(
    cnn28: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    session, choice = open_session(read(cnn28), BackendOptions())
    assert session.threads == 1
    assert choice.why["threads"] == "not measured"
    (note,) = choice.notes
    assert "no other process can be started to try it: No such file" in note
    assert note.endswith(f"using {choice.backend.label} all the same")


@pytest.fixture
def unknown(repository: Path) -> Path:
    """A sound model file that does not come with the package."""
    return repository / "tests/models/one-label.tflite"


def test_where_no_process_can_be_started_no_unknown_model_is_computed(
    run: Run, unknown: Path, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*line: object, **options: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    done = in_process(["classify", "--model", str(unknown), str(picture)], None)
    assert done.returncode == 4
    assert done.stdout == ""
    assert "no other process can be started to try it: Resource temporarily" in done.stderr
    assert f"{unknown} is no shipped model, and is not used untried: close other" in done.stderr
    assert done.stderr.count("\n") == 1


CRASHES_WITH_ONE = (
    WORKS_AND_PRINTS
    + """
import signal
class Broken(real.Interpreter):
    def __init__(self, model_path=None, model_content=None, **options):
        if len(model_content or b"") < 200_000:
            os.kill(os.getpid(), signal.SIGSEGV)
        super().__init__(model_path=model_path, model_content=model_content, **options)
Interpreter = real.Interpreter = Broken
"""
)


@pytest.mark.process
@pytest.mark.skipif(REAL.name != "litert", reason="stands in for the other one here")
def test_a_crash_is_the_models_fault_where_a_shipped_one_runs(
    unknown: Path, replace_runtimes: Replace
) -> None:
    assert len(read(unknown).flatbuffer) < 200_000 < len(read(locate(DEFAULT_MODEL)).flatbuffer)
    replace_runtimes(ai_edge_litert=CRASHES_WITH_ONE, tflite_runtime=NOT_HERE)
    with pytest.raises(ModelError) as raised:
        open_session(read(unknown), BackendOptions("litert"))
    said = str(raised.value)
    assert said.startswith(f"{unknown}: is broken: with it, ai-edge-litert")
    assert "crashes (SIGSEGV) while loading the model" in said
    assert said.endswith("take another model")
    session, _ = open_session(read(locate(DEFAULT_MODEL)), BackendOptions("litert"))
    assert session.backend.name == "litert"


@pytest.mark.process
@pytest.mark.skipif(REAL.name != "litert", reason="stands in for the other one here")
def test_a_crash_is_the_runtimes_fault_where_no_model_runs(
    unknown: Path, replace_runtimes: Replace
) -> None:
    replace_runtimes(ai_edge_litert=CRASHES, tflite_runtime=NOT_HERE)
    with pytest.raises(RuntimeUnavailableError, match=r"litert .*crashes \(SIGSEGV\) while"):
        open_session(read(unknown), BackendOptions("litert"))


def test_the_current_folders_files_are_not_run_by_a_trial(
    picture: Path, cnn28: Path, tmp_path: Path
) -> None:
    """Pictures may lie beside anything; `edge-cxr` does not have its folder on the search path."""
    marker = tmp_path / "run"
    for name in ("json", "numpy", "edge_app", "ai_edge_litert"):
        (tmp_path / f"{name}.py").write_text(f"open({str(marker)!r}, 'w')\n")
    script = "import sys; sys.path.remove(''); from edge_app.__main__ import main; main()"
    line = [sys.executable, "-c", script, "classify", "-m", cnn28, picture]
    repository = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        line,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert not marker.exists()


def test_a_short_time_limit_is_the_backends_alone() -> None:
    """Without it a busy machine would not get as far as the backend, and use it untried."""

    def limit_after(*steps: str) -> int:
        said = "".join(json.dumps({"stage": step, "doing": "…"}) + "\n" for step in steps)
        return trial._limit_of_step(said.encode(), seconds=3)

    assert limit_after() == limit_after(FILE) == trial.SECONDS
    assert limit_after(FILE, IMPORT) == limit_after(FILE, IMPORT, RUN) == 3
