"""What the device tests share: shipped models and the command as a user starts it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_app.images.phantom import synthetic_radiograph
from edge_app.model.model_file import SHIPPED

from .command import as_process, in_process

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session", autouse=True)
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is found out about this machine's runtimes is kept for these tests alone.

    A site file, trusted keys and installed models of whoever runs them decide nothing here.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.setenv("EDGE_CXR_SITE", "none")
        patch.setenv("EDGE_CXR_KEYS", "none")
        patch.setenv("EDGE_CXR_MODELS", str(tmp_path_factory.mktemp("models")))
        yield


@pytest.fixture(scope="session")
def cnn28() -> Path:
    """The small shipped model: quick to load, so most tests use it."""
    return SHIPPED / "cxr-cnn28.tflite"


@pytest.fixture
def run(request: pytest.FixtureRequest, cnn28: Path) -> Run:
    """Run `edge-cxr COMMAND …`, `classify` with the small model; the output comes as text.

    It runs in this process, where nothing has to start. A test that is marked `process`, and a call
    with an option that only a process has (`env`, `timeout`, `preexec_fn` …), starts one.
    """
    marked = request.node.get_closest_marker("process") is not None

    def start(
        command: str, *arguments: object, stdin: bytes | None = None, **options: object
    ) -> subprocess.CompletedProcess[str]:
        model = ["--model", str(cnn28)] if command == "classify" else []
        line = [*command.split(), *model, *map(_argument, arguments)]
        if marked or options.keys() - {"cwd"}:
            return as_process(line, stdin, **options)
        return in_process(line, stdin, **options)  # type: ignore[arg-type]

    return start


@pytest.fixture
def run_process(run: Run) -> Run:
    """As `run`, always as a process: its name marks the test that asks for it."""
    return run


def _argument(value: object) -> str:
    return os.fsdecode(value) if isinstance(value, bytes) else str(value)


@pytest.fixture(scope="session")
def phantom() -> np.ndarray:
    """A synthetic radiograph, 256×256 uint8."""
    return synthetic_radiograph(256, seed=1)


@pytest.fixture
def picture(tmp_path: Path, phantom: np.ndarray) -> Path:
    path = tmp_path / "picture.png"
    Image.fromarray(phantom).save(path)
    return path
