"""Conversion to int8, with the full range of int8 for each label.

int8 stores all logits with one step, and all maps too, so the label with the widest range decides
the step of all: a rare label's logits lie 13 below zero while a common one's span 6. Therefore the
last convolution computes each label in units of its own span, and the model file says how to
convert back (`Classifier.logits`): one multiplication and addition a label on the device. The same
addition removes the constant error that all earlier roundings leave (bias correction: Nagel et al.,
ICCV 2019).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from edge_app.backends.interpreters import find_interpreter
from edge_app.model.outputs import dequantize
from edge_app.model.preprocess import InputSpec, ToTensor
from quantize.calibration import quantized, with_weights
from quantize.convert import calibrated, calibration_rows
from quantize.package import tensors
from quantize.repairs.registry import as_input
from quantize.simulate import batches
from train.cache import Cached

SPAN_IMAGES: Final = 3000
NO_SPAN: Final = 1e-3
"""The span of a label whose map is constant on all images."""


@dataclass(frozen=True)
class Spans:
    """real = slope · output + intercept, label by label, for logits and map alike.

    Attributes:
        slope: float32 (L,), positive.
        intercept: float32 (L,).
    """

    slope: NDArray[np.float32]
    intercept: NDArray[np.float32]

    def as_dict(self) -> dict[str, list[float]]:
        """For the manifest."""
        return {"slope": self.slope.tolist(), "intercept": self.intercept.tolist()}


@dataclass(frozen=True)
class Calibrated:
    """A network that is ready to be rounded, with the logits that it should keep.

    Attributes:
        flatbuffer: in float32, with the ranges of its tensors.
        spans: of its labels, without the rounding's mean error.
        pictures: K×height×width training images.
        logits: K×L, of the exact network on these pictures.
        spec: of its input.
        unrounded: makes the same flatbuffer with weights that are not on int8's grid, for
            operators that stay in float32; None if `flatbuffer` has such weights.
    """

    flatbuffer: bytes
    spans: Spans
    pictures: NDArray[np.uint8]
    logits: NDArray[np.float32]
    spec: InputSpec
    unrounded: Callable[[], bytes] | None = None


def in_int8(
    network: keras.Model,
    exact: keras.Model,
    pictures: NDArray[np.uint8],
    more: NDArray[np.uint8],
    spec: InputSpec | None = None,
) -> tuple[bytes, Spans]:
    """Convert a network with its labels in units of their spans; returns flatbuffer and spans.

    Args: see `calibrated_in_spans`.
    """
    return rounded(calibrated_in_spans(network, exact, pictures, more, spec))


def calibrated_in_spans(
    network: keras.Model,
    exact: keras.Model,
    pictures: NDArray[np.uint8],
    more: NDArray[np.uint8],
    spec: InputSpec | None = None,
    unrounded: keras.Model | None = None,
) -> Calibrated:
    """Calibrate a network with its labels in units of their spans.

    Args:
        network: folded and repaired: image → (logits, map), or image → logits.
        exact: the float network whose logits it should compute.
        pictures: K×size×size training images to calibrate with.
        more: L×size×size further training images, up to `SPAN_IMAGES`, for the spans alone: logits
            beyond int8's range are stored as its end, which would tie the most certain findings.
        spec: of the network's input; None for the networks trained here.
        unrounded: the network with weights that are not on int8's grid.
    """
    spec = spec or InputSpec(*pictures.shape[1:3])
    everything = np.concatenate([pictures, more])
    logits, maps = _answers(exact, everything, spec)
    spans = label_spans(logits, maps)
    ends = (logits - spans.intercept) / spans.slope
    farthest = [ends.max(axis=1).argmax(), ends.min(axis=1).argmin()]
    shown = np.concatenate([pictures, everything[farthest]])
    flatbuffer = calibrated(in_spans(network, spans), shown, spec)
    again = None
    if unrounded is not None:
        again = cache(lambda: calibrated(in_spans(unrounded, spans), shown[:1], spec))
    return Calibrated(flatbuffer, spans, pictures, logits[: len(pictures)], spec, again)


def rounded(made: Calibrated, in_float: Collection[str] = ()) -> tuple[bytes, Spans]:
    """The int8 flatbuffer, and the spans that also remove its mean error.

    Args: see `flatbuffer_of`.
    """
    flatbuffer, spans = flatbuffer_of(made, in_float), made.spans
    off = made.logits - logits_of(flatbuffer, spans, made.pictures, made.spec)
    intercept = spans.intercept + off.mean(axis=0)
    return flatbuffer, Spans(spans.slope, intercept.astype(np.float32))


def flatbuffer_of(made: Calibrated, in_float: Collection[str] = ()) -> bytes:
    """The int8 flatbuffer of a calibrated network.

    Args:
        made: the network.
        in_float: operators that stay in float32; see `calibration.quantized`.
    """
    flatbuffer = made.flatbuffer
    if in_float and made.unrounded is not None:
        flatbuffer = with_weights(flatbuffer, made.unrounded(), in_float)
    return quantized(flatbuffer, in_float)


def span_pictures(training: Cached, seed: int) -> NDArray[np.uint8]:
    """Up to `SPAN_IMAGES` training images, drawn patient by patient."""
    return training.images[training.rows[calibration_rows(training, SPAN_IMAGES, seed)]]


def label_spans(logits: NDArray[np.float32], maps: NDArray[np.float32]) -> Spans:
    """The range of each label's map, and the middle of its logits.

    Args:
        logits: M×L.
        maps: M×2×L, the lowest and highest of each image.
    """
    middle = (logits.min(axis=0) + logits.max(axis=0)) / 2
    reach = maps[:, 1].max(axis=0) - maps[:, 0].min(axis=0)
    return Spans(np.maximum(reach, np.float32(NO_SPAN)), middle)


def in_spans(network: keras.Model, spans: Spans) -> keras.Model:
    """A copy whose outputs are (real − intercept) / slope.

    Weights have a step for each output channel, so they stay on the same grid.
    """
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    head = copy.get_layer("map" if len(network.outputs) > 1 else "logits")
    kernel, bias = head.get_weights()
    head.set_weights([kernel / spans.slope, (bias - spans.intercept) / spans.slope])
    return copy


def _answers(
    network: keras.Model, pictures: NDArray[np.uint8], spec: InputSpec
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Logits M×L, and the lowest and highest value of each map M×2×L.

    Without a map, both are the logits.
    """
    logits, maps = [], []
    for batch in batches(pictures):
        answer = network.predict_on_batch(as_input(batch, spec))
        answer, activation = answer if isinstance(answer, list | tuple) else (answer, answer)
        over = tuple(range(1, activation.ndim - 1))
        logits.append(answer)
        maps.append(np.stack([activation.min(axis=over), activation.max(axis=over)], axis=1))
    return np.concatenate(logits), np.concatenate(maps)


def logits_of(
    flatbuffer: bytes, spans: Spans, pictures: NDArray[np.uint8], spec: InputSpec
) -> NDArray[np.float32]:
    """K×L logits of a rounded network."""
    image_tensor, outputs = tensors(flatbuffer, spec)
    stated = outputs["logits"]
    to_tensor = ToTensor(spec, image_tensor["quantization"])
    interpreter: Any = find_interpreter().interpreter(model_content=flatbuffer)
    interpreter.allocate_tensors()
    (image,) = interpreter.get_input_details()
    index = {each["name"]: each["index"] for each in interpreter.get_output_details()}
    answers = []
    for picture in pictures:
        interpreter.set_tensor(image["index"], to_tensor(picture))
        interpreter.invoke()
        answers.append(interpreter.get_tensor(index[stated["tensor"]])[0])
    own = dequantize(np.stack(answers), stated["quantization"])
    return spans.slope * own + spans.intercept
