"""`python -m tests.models.make`: small models of other labels, heads and inputs, by TensorFlow.

Their weights are random, so their answers mean nothing; they are real networks all the same, and
go through every command that the shipped ones do. Run it again only to add one: the files are
committed because a device has no TensorFlow.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from keras import layers

from edge_app.images.phantom import synthetic_radiograph
from edge_app.model.golden import Golden
from edge_app.model.labels import NORMAL, Code, Label, Labels
from edge_app.model.model_file import assemble
from edge_app.model.preprocess import InputSpec, ToTensor

HERE = Path(__file__).parent
GOLDEN = 2


class Case(NamedTuple):
    """A model to make."""

    name: str
    labels: Labels
    spec: InputSpec
    head: str = "independent"
    mapped: bool = True
    integer: bool = True


CASES = (
    Case("one-label", Labels([Label("Cavity")]), InputSpec(32, 32)),
    Case(
        "three-exclusive",
        Labels(
            [
                Label("Healthy", NORMAL),
                Label("Bacterial", code=Code("99TEST", "B", "bacterial")),
                Label("Viral"),
            ]
        ),
        InputSpec(48, 64, 3, "pad-bilinear", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
        head="exclusive",
    ),
    Case(
        "forty-labels",
        Labels(Label(f"Sign number {number}") for number in range(1, 41)),
        InputSpec(28, 28, 1, "crop-bilinear", 110.5, 61.25),
        mapped=False,
        integer=False,
    ),
)


def network(case: Case) -> keras.Model:
    """Two convolutions, a map, its mean."""
    image = keras.Input((case.spec.height, case.spec.width, case.spec.channels), 1)
    inner = layers.Conv2D(8, 3, 4, padding="same", activation="relu")(image)
    inner = layers.Conv2D(16, 3, 2, padding="same", activation="relu")(inner)
    maps = layers.Conv2D(len(case.labels), 1, name="map")(inner)
    logits = layers.GlobalAveragePooling2D(name="logits")(maps)
    return keras.Model(image, [logits, maps] if case.mapped else logits)


def pictures() -> list[np.ndarray]:
    return [synthetic_radiograph(96, seed) for seed in range(12)]


def converted(case: Case) -> bytes:
    """The flatbuffer."""
    real = ToTensor(case.spec, None)
    converter = tf.lite.TFLiteConverter.from_keras_model(network(case))
    if case.integer:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([real(p)] for p in pictures())
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def tensor(detail: dict[str, Any]) -> dict[str, Any]:
    """An interpreter's tensor as a manifest states it."""
    scale, zero_point = detail["quantization"]
    integer = detail["dtype"] == np.int8
    return {
        "tensor": detail["name"],
        "shape": [int(n) for n in detail["shape"]],
        "dtype": np.dtype(detail["dtype"]).name,
        "quantization": {"scale": float(scale), "zero_point": int(zero_point)} if integer else None,
    }


def make(case: Case) -> Path:
    """Write one model file."""
    keras.utils.set_random_seed(len(case.labels))
    flatbuffer = converted(case)
    interpreter = Interpreter(model_content=flatbuffer)
    interpreter.allocate_tensors()
    (image,) = interpreter.get_input_details()
    details = {len(d["shape"]): d for d in interpreter.get_output_details()}
    outputs = {{2: "logits", 4: "map"}[rank]: tensor(d) for rank, d in sorted(details.items())}
    stored = tensor(image)["quantization"]
    to_tensor, answers, inputs = ToTensor(case.spec, stored), {2: [], 4: []}, []
    for picture in pictures()[:GOLDEN]:
        inputs.append(to_tensor(picture)[0])
        interpreter.set_tensor(image["index"], inputs[-1][np.newaxis])
        interpreter.invoke()
        for rank, detail in details.items():
            answers[rank].append(interpreter.get_tensor(detail["index"])[0])
    count = len(case.labels)
    known: list[float | None] = [0.5] * count
    if count > 20:
        known[7] = None
    manifest = {
        "name": case.name,
        "architecture": "two convolutions of random weights",
        "created": "2026-11-27T00:00:00+00:00",
        "licence": "Apache-2.0",
        "intended_use": "Tests.",
        "labels": case.labels.entries(),
        "head": case.head,
        "input": {**case.spec.as_dict(), "dtype": tensor(image)["dtype"], "quantization": stored},
        "outputs": outputs,
        "calibration": {
            "method": "none",
            "slope": [1.0] * count,
            "intercept": [0.0] * count,
            "fitted_on": "nothing",
        },
        "operating_points": {
            "balanced": {
                "rule": "one half, or as much as the others",
                "fitted_on": "nothing",
                "thresholds": [
                    None if at is None else 1 / count if case.head == "exclusive" else at
                    for at in known
                ],
                "sensitivity": known,
                "specificity": known,
            }
        },
        "default_operating_point": "balanced",
        "golden": {
            "count": GOLDEN,
            "source": f"synthetic radiographs, seeds 0 to {GOLDEN - 1}",
            "runtime": f"ai-edge-litert {version('ai-edge-litert')}",
            "tolerance": 4.0 if case.integer else 0.01,
        },
        "training": {},
        "quantization": {"scheme": "int8" if case.integer else "none"},
        "metrics": {},
    }
    maps = np.stack(answers[4]) if case.mapped else None
    golden = Golden(np.stack(inputs), np.stack(answers[2]), maps)
    return assemble(HERE / f"{case.name}.tflite", flatbuffer, manifest, golden).save().path


if __name__ == "__main__":
    for each in CASES:
        path = make(each)
        print(f"{path.name}: {path.stat().st_size} bytes")
