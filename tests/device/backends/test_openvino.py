"""OpenVINO: the real one where it is installed, and packages of its name that misbehave."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_app.backends import openvino, registry
from edge_app.backends.choice import choose, result_of
from edge_app.backends.openvino import OpenVino
from edge_app.backends.options import BackendOptions
from edge_app.backends.protocol import SessionOptions
from edge_app.backends.self_test import self_test
from edge_app.backends.trial import SECONDS_VARIABLE
from edge_app.core.errors import ModelError
from edge_app.model.model_file import read, shipped_models

from ..conftest import Run

pytestmark = pytest.mark.usefixtures("cache")

Replace = Callable[..., None]

real = pytest.mark.skipif(
    not OpenVino().installed, reason="OpenVINO is not installed: pip install 'edge-cxr[openvino]'"
)

WORKS = Path(__file__).with_name("fake_openvino.py").read_text()
DIES = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)\n"
HANGS = "import time; time.sleep(1000)\n"


def misbehaving(method: str, code: str) -> str:
    """A working package whose method does something else."""
    return WORKS + f"\ndef instead(self, *arguments):\n    {code}\n{method} = instead\n"


FAULTS = [
    ("raise ImportError('libtbb.so.12: cannot open')", "absent", "does not import: libtbb.so.12"),
    (DIES, "crash", r"crashes \(SIGSEGV\) while importing openvino"),
    (misbehaving("Core.get_property", DIES), "crash", r"crashes \(SIGSEGV\) while opening the CPU"),
    (misbehaving("Core.read_model", DIES), "crash", r"crashes \(SIGSEGV\) while loading the model"),
    (misbehaving("Request.infer", DIES), "crash", r"crashes \(SIGSEGV\) while computing"),
    (
        misbehaving("Request.infer", "import os; os._exit(3)"),
        "crash",
        "the process with code 3",
    ),
    (misbehaving("Request.infer", "pass"), "wrong answers", r"off by \d+ \(logits\) and \d+ "),
    (misbehaving("Core.compile_model", "raise RuntimeError('no')"), "model", "refuses it: no"),
    (misbehaving("Request.infer", "raise RuntimeError('no')"), "model", "while it computes: no"),
    (misbehaving("Core.get_property", "raise RuntimeError('no')"), "refused", "not open: no"),
    (WORKS + "\nPort.dtype = 'float32'\n", "model", "is float32 .* its manifest says int8"),
    (WORKS + "\nPort.prefix = 'other'\n", "model", "has no output .* for its logits"),
]
"""Code of a package, kind of fault, what is said of it."""

HANGING = [
    (HANGS, "hang", "hangs: after 3 s it is still importing openvino"),
    (misbehaving("Request.infer", HANGS), "hang", "hangs: after 3 s it is still computing"),
]


@pytest.mark.parametrize(("code", "kind", "words"), FAULTS + HANGING)
def test_a_requested_backend_that_fails_is_named_and_nothing_is_answered(
    run: Run,
    picture: Path,
    cnn28: Path,
    replace_runtimes: Replace,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    kind: str,
    words: str,
) -> None:
    if kind == "hang":
        monkeypatch.setenv(SECONDS_VARIABLE, "3")
    replace_runtimes(openvino=code)
    done = run("classify", "--backend", "openvino", picture)
    assert done.returncode == 4, done
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert re.search(words, done.stderr)
    if kind != "hang":
        fault = result_of(read(cnn28), OpenVino()).fault
        assert fault is not None
        assert fault.kind == kind


@pytest.mark.parametrize(("code", "kind", "words"), {fault[1]: fault for fault in FAULTS}.values())
def test_doctor_names_it_and_is_ready_without_it(
    run: Run, replace_runtimes: Replace, code: str, kind: str, words: str
) -> None:
    replace_runtimes(openvino=code)
    done = run("doctor", "--json")
    assert done.returncode == 0, done
    found = {each["package"]: each["fault"] for each in json.loads(done.stdout)["runtimes"]}
    fault = found.pop("openvino")
    assert fault["kind"] == kind
    assert re.search(words, fault["message"])
    assert set(found.values()) == {None}


def test_a_package_that_works_answers_and_nothing_that_it_prints_is_seen(
    run: Run, picture: Path, replace_runtimes: Replace
) -> None:
    noise = "\nimport os, sys\nos.write(2, b'noise')\nprint('noise', file=sys.stderr)\n"
    replace_runtimes(openvino=WORKS + noise)
    done = run("classify", "--json", "--backend", "openvino", picture)
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert answer["runtime"]["name"] == "openvino"
    assert answer["runtime"]["delegate"] == "cpu"
    assert answer["runtime"]["library"] is None
    expected = json.loads(run("classify", "--json", "--backend", "cpu", picture).stdout)
    assert answer["findings"] == expected["findings"]


def test_its_telemetry_is_not_even_imported(
    run: Run, picture: Path, replace_runtimes: Replace, tmp_path: Path
) -> None:
    marker = tmp_path / "told"
    imports = "\ntry:\n    import openvino_telemetry\nexcept ImportError:\n    pass\n"
    replace_runtimes(openvino=WORKS + imports, openvino_telemetry="")
    module = tmp_path / "packages/openvino_telemetry/__init__.py"
    module.write_text(f"open({str(marker)!r}, 'w')\n")
    assert run("classify", "--backend", "openvino", picture).returncode == 0
    assert not marker.exists()


def test_auto_does_not_touch_it_where_an_interpreter_works(
    run: Run, picture: Path, replace_runtimes: Replace, tmp_path: Path
) -> None:
    marker = tmp_path / "touched"
    replace_runtimes(openvino=f"open({str(marker)!r}, 'w')\n" + WORKS)
    done = run("classify", picture)
    assert (done.returncode, done.stderr) == (0, "")
    assert not marker.exists()


def test_it_stands_in_where_no_interpreter_works(
    run: Run, picture: Path, replace_runtimes: Replace
) -> None:
    pytest.importorskip("ai_edge_litert", reason="the stand-in computes with it")
    fails = "raise ImportError('libatomic.so.1: cannot open')\n"
    hidden = (
        "sys.modules.pop('ai_edge_litert', None)\nsys.path.remove(__file__.rsplit('/', 2)[0])\n"
    )
    code = "import os, sys\n" + hidden + WORKS
    replace_runtimes(ai_edge_litert=fails, tflite_runtime=fails, openvino=code)
    done = run("classify", "--json", picture)
    assert done.returncode == 0, done
    assert "libatomic.so.1: cannot open; answering with openvino" in done.stderr
    assert json.loads(done.stdout)["runtime"]["name"] == "openvino"


@pytest.fixture
def installed(replace_runtimes: Replace) -> None:
    replace_runtimes(openvino=WORKS)


@pytest.mark.usefixtures("installed")
def test_a_gpu_that_the_kernel_does_not_show_is_said_to_be_missing(
    cnn28: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino, "NODES", {"GPU": (str(tmp_path), "renderD")})
    gpu = OpenVino("GPU")
    fault = gpu.available()
    assert fault is not None
    assert fault.kind == "no device"
    assert "the kernel shows no GPU" in fault.message
    (tmp_path / "renderD128").touch()
    assert gpu.available() is None
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    fault = gpu.available()
    assert fault is not None
    assert fault.kind == "permission"
    assert "usermod -aG render $USER" in fault.message


@pytest.mark.usefixtures("installed")
def test_a_gpu_serves_one_session_and_the_processor_several() -> None:
    assert OpenVino("GPU.1").exclusive
    assert not OpenVino().exclusive
    assert next(registry.find("openvino:gpu").backends).label.endswith(" on the GPU")


# --- the real one ------------------------------------------------------------------------------


@real
@pytest.mark.parametrize("path", shipped_models(), ids=lambda path: path.stem)
def test_the_shipped_models_run_and_their_golden_vectors_are_within_tolerance(path: Path) -> None:
    session = OpenVino().open(read(path))
    assert self_test(session).passed
    outputs = session.run(np.zeros_like(session.model.golden.inputs[:1]))
    assert outputs.logits.dtype == session.model.golden.logits.dtype
    assert session.where == "openvino"


@pytest.mark.parametrize(
    ("processor", "features", "saturates"),
    [
        ("x86_64", ["avx2"], True),
        ("x86_64", [], True),
        ("x86_64", ["avx2", "avx512_vnni"], False),
        ("x86_64", ["avx2", "avx_vnni"], False),
        ("aarch64", ["asimd"], False),
    ],
)
def test_an_x86_processor_without_vnni_computes_in_float(
    monkeypatch: pytest.MonkeyPatch, processor: str, features: list[str], saturates: bool
) -> None:
    """Its int8 sums saturate: both larger shipped models were off by 10 steps and more."""
    monkeypatch.setattr("platform.machine", lambda: processor)
    monkeypatch.setattr("edge_app.core.machine.capabilities", lambda: {"features": features})
    settings = OpenVino().settings(1)
    assert (settings.get("LP_TRANSFORMS_MODE") is False) == saturates
    assert "LP_TRANSFORMS_MODE" not in OpenVino("GPU").settings(1)


def test_a_version_that_does_not_know_how_to_compute_in_float_is_tried_without() -> None:
    class Core:
        def compile_model(self, network: Any, device: str, settings: dict[str, Any]) -> Any:
            if openvino.INT8_KERNELS in settings or "NUM_STREAMS" not in settings:
                raise RuntimeError("Unsupported property")
            return settings

    known = {"NUM_STREAMS": 1}
    assert openvino.compiled(Core(), None, "CPU", {**known, openvino.INT8_KERNELS: False}) == known
    assert openvino.compiled(Core(), None, "CPU", known) == known
    with pytest.raises(RuntimeError, match="Unsupported"):
        openvino.compiled(Core(), None, "CPU", {})


@real
def test_several_sessions_answer_the_same(cnn28: Path) -> None:
    session = OpenVino().open(read(cnn28), SessionOptions(threads=2))
    other = session.duplicate()
    first, second = session.model.golden.inputs[:1], session.model.golden.inputs[1:2]
    before = session.run(first)
    other.run(second)
    assert np.array_equal(before.logits, session.run(first).logits)
    assert other.as_dict() == session.as_dict()
    assert session.as_dict()["threads"] == 2


@real
def test_a_folder_is_answered_by_several_workers(run: Run, picture: Path) -> None:
    options = ("--csv", "--backend", "openvino", "--workers", 2)
    done = run("classify", *options, picture, picture, picture)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(set(done.stdout.splitlines())) == 2


@real
def test_a_network_that_it_does_not_know_is_refused_in_one_line(cnn28: Path) -> None:
    model = read(cnn28)
    cut = model._replace(flatbuffer=model.flatbuffer[: len(model.flatbuffer) // 2])
    with pytest.raises(ModelError, match="openvino refuses it: ") as raised:
        OpenVino().open(cut)
    assert "\n" not in str(raised.value)
    assert "Exception from" not in str(raised.value)


@real
def test_it_is_tried_and_chosen_with_its_times(cnn28: Path) -> None:
    choice = choose(read(cnn28), BackendOptions("openvino"))
    assert choice.trial.milliseconds[1] > 0
    assert choice.why["runtime"] == choice.why["delegate"] == "asked for"
    assert "openvino_telemetry" not in sys.modules
