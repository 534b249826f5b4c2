"""Keras network → TensorFlow Lite flatbuffer, by scheme.

int8 is full-integer post-training quantization (Jacob et al., CVPR 2018; Krishnamoorthi, 2018):
weights per output channel, activations with ranges observed on training images, integer input and
outputs. The other schemes keep float32 input and outputs, so the device runs them like a float32
model file; int8 is compared with them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edge_app.core import native_stderr
from edge_app.model.preprocess import InputSpec, ToTensor
from quantize.calibration import quantized, with_ranges
from train.cache import Cached

CALIBRATION_IMAGES: Final = 300


def calibration_rows(training: Cached, count: int, seed: int) -> NDArray[np.int64]:
    """Places in `training` of at most `count` images, drawn patient by patient.

    One image of each patient before a second one of any, so that no patient dominates the ranges.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    shuffled = generator.permutation(len(training))
    patients = training.table["patient"].to_numpy()[shuffled]
    _, first = np.unique(patients, return_index=True)
    rest = np.setdiff1d(np.arange(len(shuffled)), first)
    order = np.concatenate([np.sort(first), rest])
    return shuffled[order[:count]]


def stratified_rows(training: Cached, count: int, seed: int) -> NDArray[np.int64]:
    """Like `calibration_rows`, but with as many images of rare labels as of common ones.

    The labels are taken in turn; one without further images is skipped.
    """
    order = calibration_rows(training, len(training), seed)
    waiting = [
        [row for row in order if training.targets[row, channel]]
        for channel in range(training.targets.shape[1])
    ]
    chosen: dict[int, None] = {}
    while len(chosen) < count and any(waiting):
        for rows in waiting:
            while rows and rows[0] in chosen:
                rows.pop(0)
            if rows:
                chosen[rows.pop(0)] = None
    return np.array(list(chosen)[:count], np.int64)


def stretched(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture stretched to gray levels 0 to 255, so that the input's scale is exactly 1/128."""
    low, high = int(image.min()), int(image.max())
    ramp = (image.astype(np.float64) - low) * (255 / max(high - low, 1))
    return np.rint(ramp).astype(np.uint8)


def to_float32(model: keras.Model, images: NDArray[np.uint8]) -> bytes:
    """float32; `images` are not used."""
    return _convert(_converter(model))


def to_float16(model: keras.Model, images: NDArray[np.uint8]) -> bytes:
    """float16 weights, float32 arithmetic; `images` are not used."""
    converter = _converter(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return _convert(converter)


def to_dynamic(model: keras.Model, images: NDArray[np.uint8]) -> bytes:
    """int8 weights, activations quantized for each image; `images` are not used."""
    converter = _converter(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return _convert(converter)


def to_int8(model: keras.Model, images: NDArray[np.uint8], spec: InputSpec | None = None) -> bytes:
    """Quantize image → (logits, map), calibrated on `images`; see `calibrated`."""
    return quantized(calibrated(model, images, spec))


def calibrated(
    model: keras.Model, images: NDArray[np.uint8], spec: InputSpec | None = None
) -> bytes:
    """A float32 flatbuffer with the ranges of its tensors, ready for `quantized`.

    Args:
        model: the network.
        images: K×height×width, at its size.
        spec: of its input; None for the networks trained here.
    """
    converter = _calibrated(model, images[:1], spec)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter._experimental_calibrate_only = True
    return with_ranges(_convert(converter), _shown(images, spec))


def to_int16x8(model: keras.Model, images: NDArray[np.uint8]) -> bytes:
    """int8 weights, int16 activations calibrated on `images`."""
    converter = _calibrated(model, images)
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    ]
    return _convert(converter)


SCHEMES: Final[dict[str, Callable[[keras.Model, NDArray[np.uint8]], bytes]]] = {
    "float32": to_float32,
    "float16": to_float16,
    "dynamic": to_dynamic,
    "int16x8": to_int16x8,
    "int8": to_int8,
}


def _calibrated(
    model: keras.Model, images: NDArray[np.uint8], spec: InputSpec | None = None
) -> tf.lite.TFLiteConverter:
    converter = _converter(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image] for image in _shown(images, spec))
    return converter


def _shown(images: NDArray[np.uint8], spec: InputSpec | None) -> Iterator[NDArray[Any]]:
    """The images as the network takes them, after one that spans all gray levels."""
    real = ToTensor(spec or InputSpec(*images.shape[1:3]), None)
    for image in [stretched(max(images, key=np.ptp)), *images]:
        yield real(image)


def _converter(model: keras.Model) -> tf.lite.TFLiteConverter:
    """A converter for a batch of 1, which keeps every shape in the graph constant."""
    image = keras.Input(batch_shape=(1, *model.input_shape[1:]), name="image")
    return tf.lite.TFLiteConverter.from_keras_model(keras.Model(image, model(image)))


def _convert(converter: tf.lite.TFLiteConverter) -> bytes:
    """Convert, without the converter's output and its usual warnings."""
    with native_stderr.silenced(), redirect_stdout(StringIO()), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Statistics for quantized inputs")
        return bytes(converter.convert())
