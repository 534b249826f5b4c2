"""The Edge TPU's device, as the kernel shows it, and networks that were compiled for it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from edge_app.backends import edgetpu
from edge_app.backends import shared_library as library
from edge_app.backends.delegate import Delegate
from edge_app.backends.edgetpu import VARIABLE as EDGETPU_VARIABLE
from edge_app.backends.edgetpu import Device, EdgeTpu, devices
from edge_app.backends.interpreters import find_interpreter
from edge_app.backends.trial_results import subject
from edge_app.core.errors import ModelError
from edge_app.model.model_file import ModelFile, read

from ..conftest import Run
from .conftest import Build


def plug_in(root: Path, vendor: str, product: str, bus: int = 1, number: int = 4) -> Path:
    """A USB device as sysfs shows it; the node below /dev."""
    entry = root / "sys/bus/usb/devices" / f"{bus}-{number}"
    entry.mkdir(parents=True)
    facts = {"idVendor": vendor, "idProduct": product, "busnum": bus, "devnum": number}
    for name, value in facts.items():
        (entry / name).write_text(f"{value}\n")
    node = root / f"dev/bus/usb/{bus:03d}/{number:03d}"
    node.parent.mkdir(parents=True, exist_ok=True)
    node.touch()
    return node


@pytest.mark.parametrize(("vendor", "product"), [("1a6e", "089a"), ("18d1", "9302")])
def test_a_usb_accelerator_is_seen_before_and_after_its_firmware(
    tmp_path: Path, vendor: str, product: str
) -> None:
    plug_in(tmp_path, "1d6b", "0002", number=1)  # a hub
    assert devices(tmp_path) == []
    plug_in(tmp_path, vendor, product)
    assert devices(tmp_path) == [Device("/dev/bus/usb/001/004", "usb", True)]


def test_a_pcie_device_is_seen_and_one_that_may_be_used_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plug_in(tmp_path, "1a6e", "089a")
    (tmp_path / "dev/apex_0").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: "apex" in str(path))
    assert [(d.node, d.accessible) for d in devices(tmp_path)] == [
        ("/dev/apex_0", True),
        ("/dev/bus/usb/001/004", False),
    ]


def test_a_machine_without_buses_has_no_device(tmp_path: Path) -> None:
    assert devices(tmp_path) == []


@pytest.fixture
def stick(delegate: Build) -> EdgeTpu:
    """The library, as it is found by itself."""
    library = delegate("WORKS", name="lib/libedgetpu.so.1")
    return EdgeTpu(library, find_interpreter(), origin="searched")


@pytest.mark.parametrize(
    ("kind", "rule", "group"),
    [
        ("usb", 'ATTRS{idVendor}=="1a6e|18d1", MODE="0660", GROUP="plugdev"', "plugdev"),
        ("pcie", 'SUBSYSTEM=="apex", MODE="0660", GROUP="apex"', "apex"),
    ],
)
def test_missing_permission_comes_with_the_rule_to_add(
    stick: EdgeTpu, monkeypatch: pytest.MonkeyPatch, kind: str, rule: str, group: str
) -> None:
    monkeypatch.setattr(edgetpu, "devices", lambda: [Device("/dev/node", kind, False)])
    for fault in (stick.available(), stick.refusal("")):
        assert fault is not None
        assert fault.kind == "permission"
        assert "no permission for /dev/node" in fault.message
        assert rule in fault.message
        assert f"usermod -aG {group} $USER" in fault.message


def test_a_device_that_is_there_and_refused_is_in_use_or_stuck(
    stick: EdgeTpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edgetpu, "devices", lambda: [Device("/dev/node", "usb", True)])
    assert stick.available() is None
    fault = stick.refusal("busy")
    assert fault.kind == "refused"
    assert "end what else uses it" in fault.message


def found_library() -> Path | None:
    found = EdgeTpu.find()[0]
    return found.library if found.installed else None


def test_the_library_is_found_where_the_linker_finds_it(
    stick: EdgeTpu, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = stick.library.parent
    monkeypatch.setenv("LD_LIBRARY_PATH", f"/nowhere:{folder}")
    assert found_library() == stick.library
    monkeypatch.delenv("LD_LIBRARY_PATH")
    assert found_library() is None
    cache = tmp_path / "ld.so.cache"
    cache.write_bytes(b"glibc-ld.so.cache1.1\0\1\2libedgetpu.so.1\0%s\0" % bytes(stick.library))
    monkeypatch.setattr(library, "LINKER_CACHE", cache)
    assert found_library() == stick.library


def test_of_two_architectures_libraries_this_processors_is_taken(
    stick: EdgeTpu, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data = bytearray(stick.library.read_bytes())
    data[18:20] = (243).to_bytes(2, "little")
    (tmp_path / "libedgetpu.so.1").write_bytes(data)
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{tmp_path}:{stick.library.parent}")
    assert found_library() == stick.library


def test_found_by_itself_without_a_device_it_is_not_even_loaded(
    run: Run, picture: Path, delegate: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    if devices():
        pytest.skip("an Edge TPU is plugged in here")
    crashing = delegate("CRASHES_AT_ONCE", name="crashing/libedgetpu.so.1")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(crashing.parent))
    done = run("classify", picture)
    assert done.returncode == 0
    assert "no device is seen, neither on USB nor on PCIe" in done.stderr
    assert run("classify", "--backend", "cpu", picture).stderr == ""
    done = run("classify", "--backend", "edgetpu", picture)
    assert done.returncode == 4
    assert "no device is seen" in done.stderr


# --- networks compiled for it ------------------------------------------------------------------


def compiled(flatbuffer: bytes, instead: bool = True) -> bytes:
    """The network with the compiler's operator.

    Args:
        flatbuffer: of the network.
        instead: of its last operation; otherwise behind it, where its output is not used.
    """
    flatbuffers = pytest.importorskip("flatbuffers", reason="comes with ai-edge-litert")
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    network = schema.ModelT.InitFromPackedBuf(flatbuffer)
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = edgetpu.OPERATOR
    network.operatorCodes.append(code)
    (graph,) = network.subgraphs
    last = graph.operators[-1]
    if not instead:
        result = schema.TensorT()
        result.name, result.shape, result.type = b"unused", [1, 15], schema.TensorType.INT8
        graph.tensors.append(result)
        inputs, last = [int(last.outputs[0])], schema.OperatorT()
        last.inputs, last.outputs = inputs, [len(graph.tensors) - 1]
        graph.operators.append(last)
    last.opcodeIndex = len(network.operatorCodes) - 1
    last.builtinOptionsType, last.builtinOptions = 0, None
    builder = flatbuffers.Builder(len(flatbuffer))
    builder.Finish(network.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


@pytest.fixture
def compiled_model(cnn28: Path, tmp_path: Path) -> ModelFile:
    model = read(cnn28)
    path = tmp_path / "compiled.tflite"
    return model.replace(flatbuffer=compiled(model.flatbuffer)).save(path)


def test_a_compiled_network_without_a_tpu_is_named_as_such(
    run: Run, picture: Path, compiled_model: ModelFile
) -> None:
    for command, *rest in (
        ("classify", "--model", compiled_model.path, picture),
        ("classify", "--model", compiled_model.path, "--backend", "cpu", picture),
        ("models verify", compiled_model.path),
    ):
        done = run(command, *rest)
        assert done.returncode == 4
        assert "is compiled for the Edge TPU, and none is in use" in done.stderr
        assert str(compiled_model.path) in done.stderr
        assert done.stderr.count("\n") == 1


def test_what_the_compiler_wrote_is_named_as_such_without_a_manifest(
    tmp_path: Path, compiled_model: ModelFile
) -> None:
    path = tmp_path / "alone.tflite"
    path.write_bytes(compiled_model.flatbuffer)
    with pytest.raises(ModelError, match="without a manifest"):
        read(path)


def test_a_compiled_network_is_refused_by_a_delegate_that_takes_none_of_it(
    run: Run, picture: Path, compiled_model: ModelFile, delegate: Build
) -> None:
    options = ("--model", compiled_model.path, "--backend", delegate("WORKS"))
    done = run("classify", *options, picture)
    assert done.returncode == 4
    assert "refuses the model" in done.stderr
    assert "edgetpu-custom-op" in done.stderr


def test_models_are_compared_by_what_the_delegate_runs(cnn28: Path, stick: EdgeTpu) -> None:
    model = read(cnn28)
    changed = {**model.manifest, "flatbuffer": {"bytes": 8, "sha256": "0" * 64}}
    other = model._replace(manifest=changed)
    assert subject(model, stick) != subject(other, stick)


def with_compiled(model: ModelFile, path: Path, compiled: bytes) -> ModelFile:
    """A model file that holds a compiled network beside the other."""
    stated = {
        "compiler": "a stub",
        "operations": {"accelerator": 1, "cpu": 9},
        "memory": {"on_chip": 0, "on_chip_free": 0, "off_chip": 0},
        "operators": [],
    }
    manifest = {**model.manifest, "compiled": {EdgeTpu.name: stated}}
    return model.replace(manifest=manifest, compiled={EdgeTpu.name: compiled}).save(path)


@pytest.fixture
def both(cnn28: Path, tmp_path: Path) -> ModelFile:
    model = read(cnn28)
    return with_compiled(model, tmp_path / "both.tflite", compiled(model.flatbuffer))


def test_each_runs_the_network_that_is_for_it(both: ModelFile, stick: EdgeTpu) -> None:
    assert find_interpreter().network(both) is both.flatbuffer
    assert Delegate(stick.library, find_interpreter()).network(both) is both.flatbuffer
    assert stick.network(both) is both.compiled["edgetpu"]


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("WORKS", "refuses the model"),  # takes nothing: nobody knows the compiler's operator
        ("COMPUTES_NOTHING", "golden vectors are off by"),
    ],
)
def test_one_file_serves_a_tpu_that_does_not_work_and_the_cpu(
    run: Run,
    picture: Path,
    both: ModelFile,
    delegate: Build,
    monkeypatch: pytest.MonkeyPatch,
    behaviour: str,
    words: str,
) -> None:
    monkeypatch.setenv(EDGETPU_VARIABLE, str(delegate(behaviour)))
    done = run("classify", "--json", "--model", both.path, picture)
    assert done.returncode == 0
    assert words in done.stderr
    assert "holds no network compiled" not in done.stderr
    answer = json.loads(done.stdout)
    assert answer["runtime"]["delegate"] == "cpu"
    expected = json.loads(run("classify", "--json", "--backend", "cpu", picture).stdout)
    assert answer["findings"] == expected["findings"]


def test_a_tpu_that_works_runs_the_compiled_network_and_nothing_is_announced(
    run: Run,
    picture: Path,
    cnn28: Path,
    tmp_path: Path,
    delegate: Build,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The stub takes the compiler's operator, whose output no other operation reads."""
    monkeypatch.setenv(EDGETPU_VARIABLE, str(delegate("COMPUTES_NOTHING")))
    model = read(cnn28)
    compiled_apart = compiled(model.flatbuffer, instead=False)
    path = with_compiled(model, tmp_path / "beside.tflite", compiled_apart).path
    done = run("classify", "--json", "--model", path, picture)
    answer = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert answer["runtime"]["delegate"] == "edgetpu"
    assert answer["runtime"]["why"]["delegate"] == "found, and right when tried"
    expected = json.loads(run("classify", "--json", "--backend", "cpu", picture).stdout)
    assert answer["findings"] == expected["findings"]
