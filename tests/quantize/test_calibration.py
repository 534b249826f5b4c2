"""Calibration: each tensor gets the range that it has itself."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from edge_app.backends.interpreters import find_interpreter
from quantize.calibration import with_ranges
from quantize.convert import to_int8
from quantize.errors import ConversionError

PICTURES = np.random.default_rng(0).integers(0, 256, (8, 32, 32)).astype(np.uint8)


def summing(gain: float) -> keras.Model:
    """A sum that goes into another sum alone, which may be written over it: of `gain` the range."""
    keras.utils.set_random_seed(0)
    image = keras.Input((32, 32, 1))
    one, two, wide = (layers.Conv2D(4, 3, padding="same", name=name)(image) for name in "abc")
    total = layers.Add(name="total")([one, two])
    maps = layers.Conv2D(2, 1, name="map")(layers.Add()([total, wide]))
    model = keras.Model(image, [layers.GlobalAveragePooling2D(name="logits")(maps), maps])
    model.get_layer("c").kernel.assign(gain * model.get_layer("c").kernel)
    return model


def steps(flatbuffer: bytes, operator: str) -> list[float]:
    """The steps of the results of one kind of operator."""
    interpreter: Any = find_interpreter().interpreter(model_content=flatbuffer)
    details = {each["index"]: each for each in interpreter.get_tensor_details()}
    found = [op for op in interpreter._get_ops_details() if op["op_name"] == operator]
    return [float(details[op["outputs"][0]]["quantization"][0]) for op in found]


def test_a_sum_has_256_steps_of_its_own_range_whatever_is_made_of_it() -> None:
    model = summing(50.0)
    total = keras.Model(model.input, model.get_layer("total").output)
    seen = total.predict_on_batch((PICTURES[..., np.newaxis].astype(np.float32) - 128) / 128)
    step, _ = steps(to_int8(model, PICTURES), "ADD")
    # The picture that is stretched to all gray levels may widen it a little.
    assert np.ptp(seen) / 255 <= step * 1.001 <= 1.1 * np.ptp(seen) / 255


def test_a_network_with_a_loop_is_refused_rather_than_calibrated_on_one_image() -> None:
    @tf.function(input_signature=[tf.TensorSpec((1, 4), tf.float32)])
    def doubled(x: Any) -> Any:
        return tf.while_loop(lambda y: tf.reduce_sum(y) < 100, lambda y: [2 * y + 1], [x])[0]

    graph = doubled.get_concrete_function()
    flatbuffer = tf.lite.TFLiteConverter.from_concrete_functions([graph]).convert()
    with pytest.raises(ConversionError, match="a loop or a branch"):
        with_ranges(flatbuffer, [])
