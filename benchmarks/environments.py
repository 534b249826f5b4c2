"""The peers' environments: each peer's own packages, installed when first needed."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Final

from edge_app.core.errors import EdgeCxrError

REPOSITORY: Final = Path(__file__).resolve().parents[1]
PLACE: Final = REPOSITORY / ".venv" / "peers"


class PeerError(EdgeCxrError):
    """An environment could not be made: no network, or no wheel for this Python."""

    kind = "environment"


@dataclass(frozen=True)
class Environment:
    """A virtual environment.

    Attributes:
        name: of its folder.
        packages: requirements for pip.
        own: whether it also gets this checkout, as a wheel.
    """

    name: str
    packages: tuple[str, ...]
    own: bool = False

    @property
    def python(self) -> str:
        return str(PLACE / self.name / "bin" / "python")

    def command(self, name: str) -> str:
        """The path of a script in it."""
        return str(PLACE / self.name / "bin" / name)


OURS: Final = Environment("edge-cxr", (), own=True)
TUTORIAL: Final = Environment("tflite-runtime", ("tflite-runtime==2.14.0", "numpy<2", "Pillow"))
ONNX: Final = Environment("onnxruntime", ("onnxruntime", "Pillow"))
LOADGEN: Final = Environment("loadgen", ("mlcommons-loadgen",), own=True)
CONVERTER: Final = PLACE / "tf2onnx"
CONVERTER_PACKAGES: Final = ("tf2onnx", "onnx", "ml_dtypes", "typing_extensions")


def make(environment: Environment, say: Callable[[str], None]) -> None:
    """Make an environment, or update it to its packages and this checkout."""
    folder = PLACE / environment.name
    recorded = json.dumps([environment.packages, _digest() if environment.own else None])
    mark = folder / "made-of"
    if mark.is_file() and mark.read_text() == recorded:
        return
    say(f"making {folder}")
    if not Path(environment.python).exists():
        _call([sys.executable, "-m", "venv", str(folder)])
    pip = [environment.python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    if environment.own:
        rmtree(REPOSITORY / "build", ignore_errors=True)  # or old files would be packed as well
        _call([*pip, str(REPOSITORY)])
        _call([*pip, "--force-reinstall", "--no-deps", str(REPOSITORY)])
    if environment.packages:
        _call([*pip, *environment.packages])
    mark.write_text(recorded)


def make_converter(say: Callable[[str], None]) -> None:
    """Install tf2onnx for this environment's TensorFlow, without changing this environment."""
    if (CONVERTER / "made-of").is_file():
        return
    say(f"making {CONVERTER}")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    _call([*pip, "--no-deps", "--upgrade", "--target", str(CONVERTER), *CONVERTER_PACKAGES])
    (CONVERTER / "made-of").write_text(json.dumps(CONVERTER_PACKAGES))


def versions(environment: Environment) -> dict[str, str]:
    """The version of every package in an environment."""
    code = (
        "import json, importlib.metadata as m;"
        "print(json.dumps({d.metadata['Name']: d.version for d in m.distributions()}))"
    )
    done = subprocess.run([environment.python, "-c", code], capture_output=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def _digest() -> str:
    digest = hashlib.sha256((REPOSITORY / "pyproject.toml").read_bytes())
    for path in sorted((REPOSITORY / "edge_app").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(str(path.relative_to(REPOSITORY)).encode() + path.read_bytes())
    return digest.hexdigest()


def _call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise PeerError(f"{' '.join(command[:6])} …: {lines[-1][:300]}")
