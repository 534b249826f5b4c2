"""Packing a converted network into a model file with manifest and golden vectors."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from edge_app.backends.interpreters import find_interpreter
from edge_app.backends.protocol import Backend
from edge_app.evaluation.report import Report, counted
from edge_app.images.phantom import synthetic_radiograph
from edge_app.model.golden import Golden
from edge_app.model.model_file import ModelFile, assemble
from edge_app.model.preprocess import INT8, InputSpec, ToTensor
from quantize.about import UNSTATED, About
from quantize.errors import ConversionError
from train.calibrate import DEFAULT_POINT
from train.finished_run import FinishedRun
from train.labels import LABELS
from train.overall import reached
from train.recipes import LSE

if TYPE_CHECKING:
    from edge_app.model.manifest_types import Manifest

GOLDEN_SEEDS: Final = (0, 1, 2, 3)
RANKS: Final = {2: "logits", 4: "map"}
GOLDEN_TOLERANCE: Final = {"int8": 4.0, "float32": 0.01}
"""Tolerance in steps of an int8 output, or in logits. Two runtimes differed by 1 to 2 steps."""


def describe_tensor(detail: dict[str, Any]) -> dict[str, Any]:
    """An interpreter's tensor detail as the manifest states it."""
    dtype = np.dtype(detail["dtype"]).name
    scale, zero_point = detail["quantization"]
    integer = dtype != "float32" and scale
    stored = {"scale": float(scale), "zero_point": int(zero_point)} if integer else None
    return {
        "tensor": detail["name"],
        "shape": [int(n) for n in detail["shape"]],
        "dtype": dtype,
        "quantization": stored,
    }


def tensors(
    flatbuffer: bytes, spec: InputSpec | None = None, labels: int = len(LABELS)
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The manifest's `input` and `outputs` of a flatbuffer; logits and map differ in their rank.

    Args:
        flatbuffer: the network.
        spec: of its input; None for a network trained here.
        labels: how many a network trained here has.

    Raises:
        ConversionError: the graph is not image → (logits, map), or a network trained here has an
            int8 input that is not `uint8 XOR 0x80`.
    """
    interpreter = find_interpreter().interpreter(model_content=flatbuffer)
    (detail,) = interpreter.get_input_details()
    image = describe_tensor(detail)
    by_rank = {len(d["shape"]): describe_tensor(d) for d in interpreter.get_output_details()}
    outputs = {name: by_rank[rank] for rank, name in RANKS.items() if rank in by_rank}
    stored = image["quantization"]
    if spec is not None:
        return {**spec.as_dict(), "dtype": image["dtype"], "quantization": stored}, outputs
    if set(by_rank) != set(RANKS) or by_rank[2]["shape"] != [1, labels]:
        raise ConversionError(f"the graph does not end in {labels} logits and their map")
    if stored not in (None, INT8):
        raise ConversionError(
            f"the input's quantization is {stored}, not scale 1/128 and zero point 0: "
            "the calibration images do not span all gray levels"
        )
    _, height, width, _ = image["shape"]
    spec = InputSpec(height, width)
    return {**spec.as_dict(), "dtype": image["dtype"], "quantization": stored}, outputs


def golden_inputs(image: Mapping[str, Any]) -> NDArray[Any]:
    """K×height×width×channels synthetic radiographs, so that no patient's picture is shipped.

    Args:
        image: a manifest's `input`.
    """
    spec = InputSpec.of(image)
    to_tensor = ToTensor(spec, image["quantization"], image["dtype"])
    side = max(spec.height, spec.width)
    return np.concatenate([to_tensor(synthetic_radiograph(side, seed)) for seed in GOLDEN_SEEDS])


def package(
    path: Path,
    name: str,
    flatbuffer: bytes,
    run: FinishedRun,
    quantization: dict[str, Any],
    spans: dict[str, list[float]] | None = None,
    about: About = UNSTATED,
) -> ModelFile:
    """Write a model file; its golden outputs are computed by this machine's interpreter.

    Args:
        path: of the file to write.
        name: the model's.
        flatbuffer: the converted network.
        run: its calibration, operating points and training facts go into the manifest.
        quantization: scheme and calibration set, for the manifest.
        spans: how the graph's outputs become logits; None: they are logits.
        about: its maker's statements.

    Raises:
        ConversionError: the graph is not one that the device expects.
    """
    image, outputs = tensors(flatbuffer, labels=len(run.labels.labels))
    runtime = find_interpreter()
    manifest = {
        "name": name,
        "architecture": run.recipe.network,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "licence": about.licence,
        "intended_use": about.intended_use,
        "labels": run.labels.labels.entries(),
        "head": run.labels.head,
        "input": image,
        "outputs": outputs,
        **({} if spans is None else {"spans": spans}),
        **_pooling(run),
        "calibration": run.calibration,
        "operating_points": run.operating_points,
        "default_operating_point": DEFAULT_POINT,
        **run.image_level,
        "golden": {
            "count": len(GOLDEN_SEEDS),
            "source": f"synthetic radiographs, seeds {GOLDEN_SEEDS[0]} to {GOLDEN_SEEDS[-1]}",
            "runtime": runtime.label,
            "tolerance": GOLDEN_TOLERANCE[image["dtype"]],
        },
        "training": run.config.content | about.training(),
        "quantization": quantization,
        "metrics": {},
    }
    golden = golden_vectors(path, flatbuffer, manifest, runtime)
    return assemble(path, flatbuffer, manifest, golden).save()


def _pooling(run: FinishedRun) -> dict[str, Any]:
    """The manifest's `pooling`; empty if the run's logits are its map's mean."""
    if run.recipe.pooling != LSE:
        return {}
    return {"pooling": {"kind": "log-sum-exp", "r": run.recipe.pooling_r}}


def golden_vectors(
    path: Path, flatbuffer: bytes, manifest: dict[str, Any], runtime: Backend
) -> Golden:
    """`golden_inputs`, and a runtime's outputs for them.

    Args:
        path: for error messages.
        flatbuffer: the network.
        manifest: with its `input` and `outputs`.
        runtime: the interpreter.
    """
    inputs = golden_inputs(manifest["input"])
    stated = cast("Manifest", manifest)
    draft = ModelFile(path, flatbuffer, stated, Golden(inputs, inputs[:0], inputs[:0]))
    session = runtime.open(draft)
    answers = [session.run(tensor[np.newaxis]) for tensor in inputs]
    logits = np.stack([answer.logits for answer in answers])
    maps = [answer.map for answer in answers if answer.map is not None]
    return Golden(inputs, logits, np.stack(maps) if maps else None)


def with_evidence(
    draft: ModelFile, path: Path, reports: dict[str, Report], gates: dict[str, Any]
) -> ModelFile:
    """Write a model file with headline metrics and the results of the gates in its manifest.

    Args:
        draft: the model without them; see `package`.
        path: of the file to write.
        reports: by prefix of their metrics' names.
        gates: see `gates.record`.

    Raises:
        OSError: it cannot be written.
    """
    metrics: dict[str, Any] = {}
    for prefix, report in reports.items():
        dataset = report.content["dataset"]
        where = f"{dataset['split']}, {counted(dataset)}"
        for key in ("auroc", "average_precision"):
            metrics[f"{prefix}macro_{key}"] = {**report.content["macro"][key], "on": where}
        metrics[f"{prefix}dataset_digest"] = dataset["digest"]
    quantization = {**draft.manifest["quantization"], "gates": gates}
    stated = {**draft.manifest, "metrics": metrics, "quantization": quantization}
    return with_test(draft, stated, reports[""]).save(path)


def with_test(model: ModelFile, stated: Mapping[str, Any], report: Report) -> ModelFile:
    """A model with what its image-level points reach on a report's images in its manifest.

    Args:
        model: the network.
        stated: its manifest.
        report: of this network, on images that nothing was fitted on.
    """
    if "overall" not in stated:
        return model.replace(manifest=stated)
    answers, dataset = report.evaluated, report.content["dataset"]
    overall = reached(
        stated["overall"],
        answers.targets,
        report.calibrated(answers.logits),
        model.labels,
        answers.patients,
        f"{dataset['split']}, {counted(dataset)}",
        np.array(stated["prevalence"]),
    )
    return model.replace(manifest={**stated, "overall": overall})
