"""What the device tests share: shipped models and the command as a user starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_app.images.phantom import synthetic_radiograph
from edge_app.model.model_file import SHIPPED

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session", autouse=True)
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is found out about this machine's runtimes is kept for these tests alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def cnn28() -> Path:
    """The small shipped model: quick to load, so most tests use it."""
    return SHIPPED / "cxr-cnn28.tflite"


@pytest.fixture
def run(tmp_path: Path, cnn28: Path) -> Run:
    """Start `edge-cxr` with the small model in an empty folder; the output comes as text."""

    def start(
        command: str, *arguments: object, stdin: bytes | None = None, **options: object
    ) -> subprocess.CompletedProcess[str]:
        model = ["--model", str(cnn28)] if command == "classify" else []
        line = [
            sys.executable,
            "-m",
            "edge_app",
            *command.split(),
            *model,
            *map(_argument, arguments),
        ]
        done = subprocess.run(line, input=stdin, capture_output=True, timeout=120, **options)  # type: ignore[call-overload]
        text = [stream.decode("utf-8") for stream in (done.stdout, done.stderr)]
        assert "Traceback" not in text[1]
        return subprocess.CompletedProcess(done.args, done.returncode, *text)

    return start


def _argument(value: object) -> str | bytes:
    return (
        value
        if isinstance(value, bytes)
        else os.fspath(value)
        if isinstance(value, Path)
        else str(value)
    )


@pytest.fixture(scope="session")
def phantom() -> np.ndarray:
    """A synthetic radiograph, 256×256 uint8."""
    return synthetic_radiograph(256, seed=1)


@pytest.fixture
def picture(tmp_path: Path, phantom: np.ndarray) -> Path:
    path = tmp_path / "picture.png"
    Image.fromarray(phantom).save(path)
    return path
