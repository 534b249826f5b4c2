"""The backends by their names, what `auto` would take, and where their names may stand."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_app.backends import registry
from edge_app.backends.choice import choose, open_session
from edge_app.backends.openvino import OpenVino
from edge_app.backends.options import BackendOptions
from edge_app.backends.package import Package
from edge_app.core.errors import RuntimeUnavailableError, UsageError
from edge_app.model.model_file import read

pytestmark = pytest.mark.usefixtures("cache")


def found(option: str) -> list[str]:
    """What an option may lead to, each as `--backend` would name it."""
    return [backend.option for backend in registry.find(option).backends]


@pytest.fixture
def both_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Package, "folder", Path("/somewhere"))


def test_each_name_leads_to_the_backend_that_bears_it() -> None:
    for name in registry.BACKENDS:
        assert registry.kind_of(name).name == name
        assert all(backend.name == name for backend in registry.find(name).backends)


@pytest.mark.usefixtures("both_installed")
@pytest.mark.parametrize(
    ("option", "leads_to"),
    [
        ("auto", ["edgetpu:litert", "edgetpu:tflite", "litert", "tflite", "openvino"]),
        ("auto:tflite", ["edgetpu:tflite", "tflite"]),
        ("auto:openvino", ["openvino"]),
        ("cpu", ["litert", "tflite", "openvino"]),
        ("litert", ["litert"]),
        ("edgetpu:tflite", ["edgetpu:tflite"]),
        ("openvino:gpu.1", ["openvino:GPU.1"]),
        ("/a/b.so", ["/a/b.so:litert", "/a/b.so:tflite"]),
        ("/a/b.so:tflite", ["/a/b.so:tflite"]),
        ("/a/b:c.so", ["/a/b:c.so:litert", "/a/b:c.so:tflite"]),
    ],
)
def test_an_option_leads_to_these_best_first(option: str, leads_to: list[str]) -> None:
    assert found(option) == leads_to
    for each in leads_to:
        assert found(each) == [each]


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("x", "there are auto, cpu, edgetpu, litert, tflite, openvino, or a delegate's library"),
        ("auto:x", "there are litert, tflite, openvino"),
        ("edgetpu:x", "one of litert, tflite"),
        ("openvino:TPU", "there are CPU, GPU"),
        ("litert:2", "nothing follows litert"),
    ],
)
def test_what_is_no_backend_is_wrong_usage_that_names_those_there_are(
    option: str, words: str
) -> None:
    with pytest.raises(UsageError, match=f"--backend {option}: .*{re.escape(words)}"):
        found(option)


def test_a_path_that_names_the_edge_tpus_library_is_known_as_one() -> None:
    backend = next(registry.find("/somewhere/libedgetpu.so.1").backends)
    assert backend.label == "Edge TPU (/somewhere/libedgetpu.so.1)"


def test_the_last_resort_is_taken_where_nothing_else_is_there_and_that_is_said(
    cnn28: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not OpenVino().installed:
        pytest.skip("OpenVINO is not installed: pip install 'edge-cxr[openvino]'")
    real = Package.folder.func  # type: ignore[attr-defined]
    here = property(lambda package: real(package) if package.name == "openvino" else None)
    monkeypatch.setattr(Package, "folder", here)
    session, choice = open_session(read(cnn28), BackendOptions())
    assert session.backend.name == "openvino"
    (note,) = choice.notes
    assert note.startswith("no TensorFlow Lite runtime works here; answering with openvino ")


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("auto", "no TensorFlow Lite runtime works here: pip install ai-edge-litert or tflite-"),
        ("cpu", "no TensorFlow Lite runtime works here: pip install ai-edge-litert or tflite-"),
        ("auto:tflite", "no TensorFlow Lite runtime works here: pip install tflite-runtime"),
        ("tflite", "no TensorFlow Lite runtime works here: pip install tflite-runtime"),
        ("openvino", "openvino is not installed: pip install 'edge-cxr[openvino]'"),
        ("openvino:npu", "openvino is not installed: pip install 'edge-cxr[openvino]'"),
    ],
)
def test_a_missing_backend_is_reported_with_its_installation(
    cnn28: Path, monkeypatch: pytest.MonkeyPatch, option: str, words: str
) -> None:
    monkeypatch.setattr(Package, "folder", None)
    with pytest.raises(RuntimeUnavailableError) as raised:
        choose(read(cnn28), BackendOptions(option))
    assert str(raised.value).startswith(words)


def test_an_accelerators_name_stands_in_its_own_files_alone(repository: Path) -> None:
    """Other modules get all facts from the backend: a new one is a file and a line."""
    word = re.compile(r"edge[ _-]?tpu|\bcoral\b", re.IGNORECASE)
    allowed: dict[str, Callable[[str], bool]] = {
        "edge_app/backends/registry.py": lambda line: '"edgetpu.EdgeTpu"' in line,
        "edge_app/model/manifest.py": lambda line: line.startswith("COMPILED_OF_VERSION_1"),
        "quantize/cli.py": lambda line: True,  # the registration of its compiler's command
    }
    met = []
    for package in ("edge_app", "train", "quantize", "benchmarks", "boards"):
        for path in sorted((repository / package).rglob("*.py")):
            name = path.relative_to(repository).as_posix()
            if name == "edge_app/backends/edgetpu.py" or name.startswith("quantize/edgetpu/"):
                continue
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if word.search(line) and not allowed.get(name, lambda line: False)(line):
                    met.append(f"{name}:{number}: {line.strip()}")
    assert met == []
