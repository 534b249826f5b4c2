"""The Edge TPU's device, as the kernel shows it, and networks that were compiled for it."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from edge_app.errors import ModelError
from edge_app.inference import model_file
from edge_app.inference.model_file import ModelFile, read
from edge_app.runtimes import edgetpu, library
from edge_app.runtimes.edgetpu import Device, EdgeTpu, devices
from edge_app.runtimes.registry import find_delegate, find_runtime, make_delegate
from edge_app.runtimes.session import flatbuffer_for

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
def stick(monkeypatch: pytest.MonkeyPatch, delegate: Build) -> EdgeTpu:
    """The library, as it is found by itself."""
    return EdgeTpu(delegate("WORKS", name="lib/libedgetpu.so.1"), found=True)


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
    for fault in (stick.unavailable(), stick.refusal("")):
        assert fault is not None
        assert fault.kind == "permission"
        assert "no permission for /dev/node" in fault.message
        assert rule in fault.message
        assert f"usermod -aG {group} $USER" in fault.message


def test_a_device_that_is_there_and_refused_is_in_use_or_stuck(
    stick: EdgeTpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edgetpu, "devices", lambda: [Device("/dev/node", "usb", True)])
    assert stick.unavailable() is None
    fault = stick.refusal("busy")
    assert fault.kind == "refused"
    assert "end what else uses it" in fault.message


def found_library() -> Path | None:
    delegate = find_delegate()
    return delegate.library if delegate else None


def test_the_library_is_found_where_the_linker_finds_it(
    stick: EdgeTpu, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = stick.library.parent
    monkeypatch.setenv("LD_LIBRARY_PATH", f"/nowhere:{folder}")
    assert found_library() == stick.library
    monkeypatch.delenv("LD_LIBRARY_PATH")
    assert find_delegate() is None
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
    assert run("classify", "--delegate", "cpu", picture).stderr == ""
    done = run("classify", "--delegate", "edgetpu", picture)
    assert done.returncode == 4
    assert "no device is seen" in done.stderr


# --- networks compiled for it ------------------------------------------------------------------


def compiled(flatbuffer: bytes) -> bytes:
    """The network with its last operation put behind the compiler's operator."""
    flatbuffers = pytest.importorskip("flatbuffers", reason="comes with ai-edge-litert")
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    network = schema.ModelT.InitFromPackedBuf(flatbuffer)
    operator = schema.OperatorCodeT()
    operator.builtinCode = operator.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    operator.customCode = model_file.EDGETPU_OPERATOR
    network.operatorCodes.append(operator)
    last = network.subgraphs[0].operators[-1]
    last.opcodeIndex = len(network.operatorCodes) - 1
    last.builtinOptionsType, last.builtinOptions = 0, None
    builder = flatbuffers.Builder(len(flatbuffer))
    builder.Finish(network.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


@pytest.fixture
def compiled_model(cnn28: Path, tmp_path: Path) -> ModelFile:
    model = read(cnn28)
    path = tmp_path / "compiled.tflite"
    return model_file.write(path, compiled(model.flatbuffer), model.manifest, model.golden)


def test_a_compiled_network_without_a_tpu_is_named_as_such(
    run: Run, picture: Path, compiled_model: ModelFile
) -> None:
    for command, *rest in (
        ("classify", "--model", compiled_model.path, picture),
        ("classify", "--model", compiled_model.path, "--delegate", "cpu", picture),
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
    with pytest.raises(ModelError, match="compiled for the Edge TPU and given alone"):
        read(path)


def test_a_compiled_network_beside_a_delegate_that_takes_none_of_it_is_refused(
    run: Run, picture: Path, compiled_model: ModelFile, delegate: Build
) -> None:
    options = ("--model", compiled_model.path, "--delegate", delegate("WORKS"))
    done = run("classify", *options, picture)
    assert done.returncode == 4
    assert "refuses the model" in done.stderr
    assert "edgetpu-custom-op" in done.stderr


def test_models_are_compared_by_what_the_delegate_runs(cnn28: Path, stick: EdgeTpu) -> None:
    from edge_app.runtimes.verdict import subject

    model = read(cnn28)
    other = dataclasses.replace(
        model, manifest={**model.manifest, "flatbuffer": {"bytes": 8, "sha256": "0" * 64}}
    )
    assert subject(model, find_runtime(), stick) != subject(other, find_runtime(), stick)


def test_an_edge_tpu_runs_the_network_compiled_for_it(cnn28: Path, tmp_path: Path) -> None:
    model = dataclasses.replace(read(cnn28), edgetpu=b"compiled")
    tpu = make_delegate("edgetpu", tmp_path / "libedgetpu.so.1")
    assert flatbuffer_for(model, tpu) == b"compiled"
    assert flatbuffer_for(model, make_delegate("", tmp_path / "other.so")) == model.flatbuffer
    assert flatbuffer_for(model, None) == model.flatbuffer
    assert flatbuffer_for(read(cnn28), tpu) == model.flatbuffer
