"""The whole suite: peers, bound, predictions; one JSON result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from benchmarks import artifacts, bound, contest, environments, predictions
from benchmarks.operators import layers as network_layers
from benchmarks.report import Result, ratios
from edge_app.core import machine
from edge_app.images.read import read_image
from edge_app.model.model_file import ModelFile
from edge_app.model.preprocess import resize
from edge_app.performance import conditions
from edge_app.performance.images import draw
from edge_app.performance.result import PACKAGES

KIND: Final = "edge-cxr benchmarks"
PEER_ENVIRONMENTS: Final = (
    environments.OURS, environments.TUTORIAL, environments.ONNX, environments.LOADGEN,
)  # fmt: skip


def run(
    model: ModelFile,
    keras: Path | None,
    seconds: float,
    command: str,
    say: Callable[[str], None],
) -> Result:
    """Measure everything.

    Args:
        model: the int8 model.
        keras: the float network that it was made from; None for a shipped model.
        seconds: for the rounds of contestants; the rest takes about two minutes more.
        command: that made the result.
        say: is called with a line for each step.

    Raises:
        PeerError, ProcessError: a peer cannot be made, or fails.
    """
    for environment in PEER_ENVIRONMENTS:
        environments.make(environment, say)
    environments.make_converter(say)
    made = artifacts.make(model, keras, say)
    before = conditions.observe()
    settings = conditions.settings()
    with TemporaryDirectory(prefix="edge-cxr-") as folder:
        sets = _sets(Path(folder), model)
        found, ended = contest.run(made, sets, seconds=seconds, say=say)
    peak, operators = None, {}
    if ended != "interrupted":
        say("measuring the machine's peak and each operator")
        peak = bound.measure_peak(say)
        networks = {"int8": model.flatbuffer, "float32": made.float32.read_bytes()}
        operators = {name: bound.table(network, name, peak) for name, network in networks.items()}
    met = conditions.between(before, conditions.observe())
    quantities = {
        scenario: {label: one.as_dict() for label, one in measured.items() if one.runs}
        for scenario, measured in found.quantities.items()
    }
    return {
        "kind": KIND,
        "schema_version": 1,
        "command": command,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "partial": ended == "interrupted",
        "warnings": conditions.warnings(met, settings["governor"]),
        "machine": _machine(settings),
        "conditions": met,
        "model": _facts(model),
        "environments": {one.name: environments.versions(one) for one in PEER_ENVIRONMENTS},
        "quantities": quantities,
        "ratios": ratios(quantities),
        "checks": _checks(found, quantities),
        "peak": asdict(peak) if peak else None,
        "layers": {dtype: bound.by_operator(rows) for dtype, rows in operators.items()},
        "operators": operators,
        "boards": _boards(_macs(model)),
    }


def _macs(model: ModelFile) -> int:
    """Multiply-accumulates of one image."""
    return sum(layer.macs for layer in network_layers(model.flatbuffer))


def _machine(settings: dict[str, Any]) -> dict[str, Any]:
    packages = machine.packages(PACKAGES)
    return {**machine.identity(), **machine.capabilities(), **settings, "packages": packages}


def _facts(model: ModelFile) -> dict[str, Any]:
    return {
        "name": model.name,
        "sha256": model.sha256,
        "dtype": model.precision,
        "macs": _macs(model),
    }


def _boards(macs: int) -> dict[str, Any]:
    """Predictions for boards, and the method's error on published times."""
    return {
        "factor": predictions.factor(),
        "predictions": [
            row for dtype in ("int8", "float32") for row in predictions.predict(macs, dtype)
        ],
        "checks": predictions.checks(),
    }


def _sets(folder: Path, model: ModelFile) -> dict[str, Sequence[str]]:
    """Synthetic radiographs at full size, and the same at the network's size."""
    from PIL import Image

    large = draw(folder).paths
    side = model.input_spec.height
    small = []
    for path in large:
        small.append(str(Path(path).with_name(f"{side}-{Path(path).name}")))
        pixels = resize(read_image(path).picture, model.input_spec)
        Image.fromarray(pixels).save(small[-1])
    return {"1024×1024 PNG": large, f"{side}×{side} PNG": small}


def _checks(found: contest.Contest, quantities: dict[str, Any]) -> dict[str, str]:
    """Checks that all contestants computed the same network, and that the clocks are right."""
    words: dict[str, str] = {}
    logits = {label: np.array(values) for label, values in found.logits.items()}

    def apart(one: str, other: str) -> str:
        for label in logits:
            size = label.rpartition(", ")[2]
            pair = [logits.get(f"{name}, {size}") for name in (one, other)]
            if pair[0] is not None and pair[1] is not None:
                return f"{np.abs(pair[0] - pair[1]).max():.3g}"
        return "not measured"

    words["largest difference of an int8 logit, smallest script and ONNX Runtime"] = apart(
        "smallest script, int8", "ONNX Runtime, int8"
    )
    words["largest difference of a float32 logit, tutorial and Keras"] = apart(
        "tutorial: tflite-runtime, float32", "Keras predict, float32"
    )

    def share(top: tuple[str, str], bottom: tuple[str, str], key: str = "value") -> str:
        over, under = (quantities.get(s, {}).get(label) for s, label in (top, bottom))
        return f"{over[key] / under['value']:.3f}" if over and under else "not measured"

    ours, one = contest.OURS_LABEL, contest.ONE_THREAD
    large = "1024×1024 PNG"
    words["our SingleStream p90, one thread / LoadGen's"] = share(
        (f"SingleStream, {large}", one), ("LoadGen SingleStream", ours), "p90"
    )
    words["our Offline rate, one worker / LoadGen's"] = share(
        (f"Offline, {large}, workers: 1", ours), ("LoadGen Offline", ours)
    )
    return words
