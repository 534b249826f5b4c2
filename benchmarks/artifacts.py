"""One network in every peer's format, converted once and kept in the peers' folder."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.environments import CONVERTER, PLACE, REPOSITORY, PeerError
from edge_app.core.files import write_whole
from edge_app.model.model_file import ModelFile

NETWORKS: Final = REPOSITORY / "networks"
"""The folder of the shipped models' float networks."""


@dataclass(frozen=True)
class Artifacts:
    """Files of one network.

    Attributes:
        int8: the model file as it ships.
        onnx: of the same int8 network.
        float32: a `.tflite` of the float network.
        keras: the float network.
    """

    int8: Path
    onnx: Path
    float32: Path
    keras: Path


def make(model: ModelFile, keras: Path | None, say: Callable[[str], None]) -> Artifacts:
    """Make the files that do not exist yet.

    Args:
        model: whose int8 network the peers get.
        keras: the float network that it was made from; default: that of the shipped model.
        say: is called with a line for each file.

    Raises:
        PeerError: a converter failed, or there is no float network.
    """
    keras = (keras or NETWORKS / model.name / "model.keras").resolve()
    try:
        digest = hashlib.sha256(keras.read_bytes()).hexdigest()
    except OSError as error:
        raise PeerError(
            f"{keras}: cannot be read: {error.strerror}: name the float network by --keras"
        ) from None
    folder = PLACE / "models"
    folder.mkdir(parents=True, exist_ok=True)
    made = Artifacts(
        model.path.resolve(),
        folder / f"{model.name}-{model.sha256[:16]}.onnx",
        folder / f"{model.name}-{digest[:16]}.float32.tflite",
        keras,
    )
    if not made.float32.is_file():
        say("converting the float32 network")
        _to_float32(keras, made.float32)
    if not made.onnx.is_file():
        say("converting the int8 network to ONNX")
        _to_onnx(model, made.onnx)
    return made


def _to_float32(network: Path, place: Path) -> None:
    import keras
    import numpy as np

    from quantize.convert import to_float32

    try:
        model = keras.models.load_model(network, compile=False)
    except Exception as error:  # for a file that is not Keras' own it raises almost anything
        reason = " ".join(str(error).split())[:200]
        raise PeerError(f"{network}: Keras cannot load it: {reason}") from None
    write_whole(place, to_float32(model, np.empty((0, 0, 0), np.uint8)))


def _to_onnx(model: ModelFile, place: Path) -> None:
    """Convert in another process, because tf2onnx is not in this environment."""
    with TemporaryDirectory(prefix="edge-cxr-") as folder:
        flatbuffer, made = Path(folder, "model.tflite"), Path(folder, "model.onnx")
        flatbuffer.write_bytes(model.flatbuffer)
        _convert(model.name, flatbuffer, made)
        write_whole(place, made.read_bytes())


def _convert(name: str, flatbuffer: Path, place: Path) -> None:
    paths = os.pathsep.join(filter(None, [str(CONVERTER), os.environ.get("PYTHONPATH")]))
    script = Path(__file__).parent / "peers" / "convert_onnx.py"
    command = [sys.executable, str(script), str(flatbuffer), str(place)]
    environment = {**os.environ, "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode or not place.is_file():
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise PeerError(f"tf2onnx could not convert {name}: {lines[-1][:300]}")
