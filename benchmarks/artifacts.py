"""One network in every peer's format, made once and kept in the peers' folder."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environments import CONVERTER, PLACE, PeerError
from edge_app.inference.model_file import ModelFile


@dataclass(frozen=True)
class Artifacts:
    """Files of one architecture.

    Attributes:
        int8: the model file as it ships.
        onnx: of the same int8 network.
        float32: a `.tflite`.
        keras: of the same float network.
        weights: where the float network's weights are from.
    """

    int8: Path
    onnx: Path
    float32: Path
    keras: Path
    weights: str


def make(model: ModelFile, run: Path | None, say: Callable[[str], None]) -> Artifacts:
    """Make what is not there yet.

    Args:
        model: whose int8 network the peers get.
        run: the run folder it was trained in; without one the float network has the same
            architecture and random weights, which take the same time.
        say: is told what is being made.

    Raises:
        PeerError: a converter failed, or the network is not known.
        RunError: `run` is no finished run.
    """
    origin = "random weights of the same architecture"
    key = "random"
    if run is not None:
        origin = f"the run {run.name}"
        key = hashlib.sha256((run / "kept.weights.h5").read_bytes()).hexdigest()[:16]
    folder = PLACE / "models"
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / f"{model.name}-{model.sha256[:16]}"
    made = Artifacts(
        model.path.resolve(),
        stem.with_name(stem.name + ".onnx"),
        folder / f"{model.name}-{key}.float32.tflite",
        folder / f"{model.name}-{key}.keras",
        origin,
    )
    if not (made.float32.is_file() and made.keras.is_file()):
        say("converting the float32 network")
        _float_network(model, run, made)
    if not made.onnx.is_file():
        say("converting the int8 network to ONNX")
        _to_onnx(model, made.onnx)
    return made


def _float_network(model: ModelFile, run: Path | None, made: Artifacts) -> None:
    from quantize.convert import to_float32
    from train.networks import NETWORKS

    if run is not None:
        from train.run import open_run

        network = open_run(run).model
    else:
        recipe = model.manifest["training"].get("recipe", {})
        if recipe.get("network") not in NETWORKS:
            raise PeerError(f"{model.path}: does not say which network it is: give its --run")
        lowpass = bool(recipe.get("lowpass", False))
        network = NETWORKS[recipe["network"]](model.input_spec.height, lowpass=lowpass)
    network.save(made.keras)
    made.float32.write_bytes(to_float32(network))


def _to_onnx(model: ModelFile, place: Path) -> None:
    """In a process of its own: tf2onnx is on no path of ours."""
    flatbuffer = place.with_suffix(".tflite")
    flatbuffer.write_bytes(model.flatbuffer)
    paths = os.pathsep.join(filter(None, [str(CONVERTER), os.environ.get("PYTHONPATH")]))
    script = Path(__file__).parent / "peers" / "convert_onnx.py"
    command = [sys.executable, str(script), str(flatbuffer), str(place)]
    environment = {**os.environ, "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode or not place.is_file():
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise PeerError(f"tf2onnx could not convert {model.name}: {lines[-1][:300]}")
