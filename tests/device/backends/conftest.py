"""Delegates that misbehave, built with gcc; runtimes that do, written in Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_app.backends.edgetpu import VARIABLE as EDGETPU_VARIABLE
from edge_app.backends.trial import SECONDS_VARIABLE

SOURCE = Path(__file__).with_name("delegate.c")

NOT_HERE = "raise ImportError('left out of this test')\n"

Build = Callable[..., Path]


@pytest.fixture(scope="session")
def gcc() -> str:
    found = shutil.which("gcc")
    if found is None:
        pytest.skip("gcc builds the delegates that these tests try: apt-get install gcc")
    return found


@pytest.fixture(scope="session")
def delegate(gcc: str, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Builds a delegate of a behaviour named in `delegate.c`, as a file of this name."""
    folder = tmp_path_factory.mktemp("delegates")

    def build(behaviour: str, *options: str, name: str | None = None) -> Path:
        path = folder / (name or f"{behaviour.lower()}.so")
        path.parent.mkdir(exist_ok=True)
        line = [gcc, "-shared", "-fPIC", f"-DBEHAVIOUR={behaviour}", *options, "-o", path, SOURCE]
        subprocess.run(line, check=True)
        return path

    return build


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine's settings."""
    for name in (EDGETPU_VARIABLE, SECONDS_VARIABLE, "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the verdicts of this test alone; not there yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/edge-cxr/verdicts"


@pytest.fixture
def replace_runtimes(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Puts packages of other contents in the real ones' places: ``ai_edge_litert="code"``.

    OpenVINO does not import, unless its code is given: it would stand in for the others.
    """

    def replace(**packages: str) -> None:
        folder = tmp_path / "packages"
        for name, code in {"openvino": NOT_HERE, **packages}.items():
            whole = name == "openvino"
            (folder / name).mkdir(parents=True)
            (folder / name / "__init__.py").write_text(code if whole else "")
            (folder / name / "interpreter.py").write_text("" if whole else code)
        search = [str(folder), os.environ.get("PYTHONPATH", "")]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, search)))
        monkeypatch.setattr(sys, "path", [str(folder), *sys.path])

    return replace
