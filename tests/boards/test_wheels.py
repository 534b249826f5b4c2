"""What a wheel needs on another machine, decided by that machine's markers."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from boards import wheels
from boards.board import BOARDS, find
from boards.errors import BoardsError
from boards.wheels import REPOSITORY, Target, requirements
from edge_app.core.errors import UsageError

ARM64, ARM32 = Target("aarch64", "3.11"), Target("armv7l", "3.11")


@pytest.fixture
def device_wheel(tmp_path: Path) -> Path:
    """A wheel with nothing in it but this repository's requirements."""
    tomllib = pytest.importorskip("tomllib", reason="part of Python from 3.11 on")
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    lines = ["Metadata-Version: 2.1", "Name: edge-cxr", "Version: 1"]
    lines += [f"Requires-Dist: {text}" for text in project["dependencies"]]
    path = tmp_path / "edge_cxr-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("edge_cxr-1.dist-info/METADATA", "\n".join(lines))
    return path


@pytest.mark.parametrize("machine", ["armv7l", "armv8l"])
def test_32_bit_boards_get_the_older_runtime_and_numpy_1(device_wheel: Path, machine: str) -> None:
    found = requirements([device_wheel], Target(machine, "3.11"))
    assert {"tflite-runtime", "numpy", "pillow"} <= found.keys()
    assert "ai-edge-litert" not in found
    assert "2.0" not in found["numpy"].specifier
    assert "9.4.0" in found["pillow"].specifier


@pytest.mark.parametrize("machine", ["aarch64", "x86_64"])
def test_64_bit_boards_get_the_newer_runtime(device_wheel: Path, machine: str) -> None:
    found = requirements([device_wheel], Target(machine, "3.13"))
    assert "ai-edge-litert" in found
    assert "tflite-runtime" not in found
    assert "2.4.0" in found["numpy"].specifier
    assert "9.4.0" not in found["pillow"].specifier


def test_an_environment_without_pip_names_one_that_has_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(wheels, "find_spec", lambda name: None)
    with pytest.raises(BoardsError, match=r"make \.venv/device/installed, then"):
        wheels.build(tmp_path)


def test_an_unknown_board_is_named() -> None:
    with pytest.raises(UsageError, match=f"there are {', '.join(BOARDS)}"):
        find("pi-9")
