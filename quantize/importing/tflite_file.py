"""A `.tflite` from any source, packaged as it is: its input, and what its scores are."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from edge_app.backends.interpreters import find_interpreter
from edge_app.core import native_stderr
from edge_app.core.errors import ModelError, UsageError
from edge_app.core.files import UnreadableError, read_bounded
from edge_app.model.archive import MANIFEST
from edge_app.model.model_file import MAX_FILE_BYTES, TFLITE_IDENTIFIER
from edge_app.model.preprocess import InputSpec, lookup_table
from quantize.errors import ConversionError
from quantize.graph import Graph, read_graph
from quantize.importing.network import HOW_TO_SCALE, NetworkOptions, head_by, shape_of, spec_of
from quantize.package import describe_tensor

if TYPE_CHECKING:
    from edge_app.model.manifest_types import Head

DTYPES: Final = ("float32", "int8", "uint8", "int16")
PASSING: Final = frozenset(("QUANTIZE", "DEQUANTIZE", "RESHAPE", "SQUEEZE"))
ENDS: Final = {"LOGISTIC": "sigmoid", "SOFTMAX": "softmax"}
MAX_CUT: Final = 0.25
"""Share of the gray levels: an input was made for its calibration images' levels, not for all."""

MIN_USED: Final = 1 / 16
"""Share of an input's range: integers from 0 use half of int16's."""

ALMOST: Final = 1e-7
"""Smallest distance from 0 and 1 at which a stored probability's logit is computed."""


@dataclass(frozen=True)
class ImportedTflite:
    """A `.tflite` from elsewhere, opened.

    Attributes:
        path: its file.
        flatbuffer: what it holds.
        image, scores: its input and output as a manifest states them.
        spec, head, outputs, activation, notes: as of `ImportedNetwork`.
        in_float32: the manifest's, where it does not take and compute in float32 alone.
    """

    path: Path
    flatbuffer: bytes
    image: dict[str, Any]
    scores: dict[str, Any]
    spec: InputSpec
    head: Head
    outputs: int
    activation: str | None
    notes: list[str]
    in_float32: dict[str, Any] | None = None

    kind = "TensorFlow Lite file"
    mapped = False

    @property
    def architecture(self) -> str:
        return self.path.stem

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.flatbuffer).hexdigest()

    def logits(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """N×height×width pictures → N×L, by the interpreter alone, without the device's code."""
        interpreter = _loaded(self.path, self.flatbuffer)
        (image,) = interpreter.get_input_details()
        place = {each["name"]: each["index"] for each in interpreter.get_output_details()}
        answers = []
        for picture in pictures:
            gray = picture[..., np.newaxis].astype(np.float64)
            real = (gray - np.array(self.spec.mean)) / np.array(self.spec.std)
            real = np.broadcast_to(real, (*picture.shape, self.spec.channels))
            interpreter.set_tensor(image["index"], _stored(real, image)[np.newaxis])
            interpreter.invoke()
            answers.append(interpreter.get_tensor(place[self.scores["tensor"]])[0])
        return self._as_logits(np.stack(answers))

    def _as_logits(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        values, quantization = stored.astype(np.float64), self.scores["quantization"]
        smallest = ALMOST
        if quantization:
            values = quantization["scale"] * (values - quantization["zero_point"])
            smallest = quantization["scale"] / 2
        if self.activation is None:
            return values.astype(np.float32)
        if not ((values > -0.01) & (values < 1.01)).all():
            raise ConversionError(f"{self.path}: its {self.activation} gives no probabilities")
        held = np.clip(values, smallest, 1 - smallest)
        logits = logit(held) if self.activation == "sigmoid" else np.log(held)
        return np.asarray(logits, np.float32)


def _stored(real: NDArray[np.float64], detail: dict[str, Any]) -> NDArray[Any]:
    dtype = np.dtype(detail["dtype"])
    if dtype == np.float32:
        return real.astype(np.float32)
    scale, zero_point = detail["quantization"]
    steps = np.rint(real / (scale or 1.0)) + zero_point
    return np.clip(steps, np.iinfo(dtype).min, np.iinfo(dtype).max).astype(dtype)


def open_tflite(path: Path, options: NetworkOptions) -> ImportedTflite:
    """Read a `.tflite`, and find what it takes and gives.

    Raises:
        ConversionError: it is damaged, a model file already, or no classifier of one image.
        UsageError: an option is missing, or contradicts the file.
    """
    try:
        flatbuffer = read_bounded(path, MAX_FILE_BYTES)
    except UnreadableError as error:
        raise ConversionError(f"{path}: {error}") from None
    if flatbuffer[4:8] != TFLITE_IDENTIFIER:
        raise ConversionError(f"{path}: is no TensorFlow Lite file: convert the network again")
    if MANIFEST.encode() in flatbuffer[-(1 << 16) :]:
        raise ConversionError(f"{path}: is a model file already: edge-cxr classify --model {path}")
    interpreter = _loaded(path, flatbuffer)
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if len(inputs) != 1:
        names = ", ".join(each["name"] for each in inputs)
        raise ConversionError(
            f"{path}: has {len(inputs)} inputs ({names}): a model takes one image; convert one of "
            "the image alone"
        )
    scores = _chosen(path, outputs, options.output)
    image = describe_tensor(inputs[0])
    for part in (image, scores):
        if part["dtype"] not in DTYPES:
            raise ConversionError(
                f"{path}: {part['tensor']!r} is {part['dtype']}; there are {', '.join(DTYPES)}"
            )
    if scores["dtype"] != "float32" and scores["quantization"] is None:
        raise ConversionError(
            f"{path}: {scores['tensor']!r} is {scores['dtype']} without a scale: are these classes "
            "and not scores? convert it without an argmax"
        )
    shape = tuple(None if n < 1 else int(n) for n in inputs[0]["shape_signature"][1:])
    side, channels = shape_of(path, shape, None, None)
    if len(scores["shape"]) != 2:
        raise ConversionError(
            f"{path}: its output has the shape {scores['shape']}: one score a label is wanted"
        )
    spec, notes = _spec(path, (*side, channels), image, options)
    _require_held(path, spec, image)
    graph = _graph(path, flatbuffer)
    activation = _end(graph, scores["tensor"])
    head = head_by(path, activation, scores["shape"][1], options.head)
    notes += ["no heatmap: a .tflite is packaged as it is"]
    return ImportedTflite(
        *(path, flatbuffer, image, scores, spec, head, scores["shape"][1], activation, notes),
        in_float32=_in_float32(graph, image["dtype"]),
    )


CONVERTING: Final = frozenset(("QUANTIZE", "DEQUANTIZE", "CAST"))
COMPUTED_IN: Final = frozenset(("FLOAT32", "INT8", "UINT8", "INT16"))


def _graph(path: Path, flatbuffer: bytes) -> Graph:
    """Its operators, by the schema: the interpreter tells none of them but by what is private."""
    try:
        return read_graph(flatbuffer)
    except ModelError as error:
        raise ConversionError(f"{path}: {error}") from None


def _in_float32(graph: Graph, takes: str) -> dict[str, Any] | None:
    """Which of the operators that compute do so in float32; None where all do, and it takes it."""
    results = [op.outputs[0] for op in graph.operators if op.name not in CONVERTING and op.outputs]
    found = [each for each in results if each.dtype in COMPUTED_IN]
    names = [each.name.split(";")[0] for each in found if each.dtype == "FLOAT32"]
    plain = takes == "float32" and len(names) == len(found)
    return None if plain else {"operators": names, "of": len(found)}


def _loaded(path: Path, flatbuffer: bytes) -> Any:
    make: Any = find_interpreter().interpreter
    try:
        with native_stderr.silenced():
            interpreter: Any = make(model_content=flatbuffer)
            interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise ConversionError(
            f"{path}: the interpreter refuses it: {reason}: convert the network again, with "
            "TensorFlow Lite's own operations alone"
        ) from None
    return interpreter


def _chosen(path: Path, outputs: list[dict[str, Any]], requested: str | None) -> dict[str, Any]:
    names = [each["name"] for each in outputs]
    if requested is None and len(names) == 1:
        return describe_tensor(outputs[0])
    if requested in names:
        return describe_tensor(outputs[names.index(requested)])
    what = (
        f"--output {requested}: there is no such output" if requested else "which holds the scores?"
    )
    raise ConversionError(
        f"{path}: has {len(names)} outputs ({', '.join(names)}); {what} Give --output NAME"
    )


def _spec(
    path: Path, shape: tuple[int, int, int], image: dict[str, Any], options: NetworkOptions
) -> tuple[InputSpec, list[str]]:
    """What it sees, by the options; a uint8 input takes gray levels as they are without any."""
    if options.mean is not None or options.std is not None or image["dtype"] != "uint8":
        return spec_of(
            path, shape, options, None, f"does not say what its input means: {HOW_TO_SCALE}"
        )
    stored = image["quantization"] or {"scale": 1.0, "zero_point": 0}
    mean, std = float(stored["zero_point"]), 1 / stored["scale"]
    height, width, channels = shape
    return InputSpec(height, width, channels, options.resize, mean, std), [
        "its uint8 input is given gray levels as they are: --mean and --std say otherwise"
    ]


def _require_held(path: Path, spec: InputSpec, image: dict[str, Any]) -> None:
    """Refuse a scale that an integer input mostly cuts off or hardly uses: the input was made for
    another one.

    Raises:
        UsageError: more than `MAX_CUT` of the gray levels are cut off at its ends, or all of them
            lie in less than `MIN_USED` of it.
    """
    if image["dtype"] == "float32":
        return
    stored = image["quantization"] or {"scale": 1.0, "zero_point": 0}
    held = np.iinfo(image["dtype"])
    low, high = (stored["scale"] * (end - stored["zero_point"]) for end in (held.min, held.max))
    real, step = lookup_table(spec, None), stored["scale"]
    cut = float(((real < low - step) | (real > high + step)).mean())
    used = float(np.ptp(real)) / (high - low)
    if cut > MAX_CUT or used < MIN_USED:
        wrong = f"{cut:.0%} of which it would cut off" if cut > MAX_CUT else f"{used:.1%} of that"
        raise UsageError(
            f"{path}: its {image['dtype']} input holds {low:.4g} to {high:.4g}, and --mean and "
            f"--std make {real.min():.4g} to {real.max():.4g} of gray levels, {wrong}: "
            f"{HOW_TO_SCALE}"
        )


def _end(graph: Graph, tensor: str) -> str | None:
    """The activation that an output is made by; None where there is none."""
    makers = {made.index: op for op in graph.operators for made in op.outputs}
    maker = next((makers.get(each.index) for each in graph.outputs if each.name == tensor), None)
    while maker and maker.name in PASSING:
        source = maker.inputs[0]
        maker = makers.get(source.index) if source else None
    return ENDS.get(maker.name) if maker else None
