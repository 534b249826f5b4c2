"""Conversion: what the flatbuffer must look like, and what it is calibrated on."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_app.backends.interpreters import find_interpreter
from edge_app.model.preprocess import INT8, InputSpec
from quantize.convert import calibration_rows, stretched, to_int8
from quantize.errors import ConversionError
from quantize.package import golden_inputs, tensors
from train.cache import Cached
from train.labels import LABELS
from train.networks.cnn28 import cnn28

LOW_CONTRAST = np.random.default_rng(0).integers(90, 140, (6, 28, 28)).astype(np.uint8)


@pytest.fixture(scope="module")
def flatbuffer() -> bytes:
    keras.utils.set_random_seed(0)
    return to_int8(cnn28(), LOW_CONTRAST)


def test_input_and_outputs_are_int8_and_the_input_is_a_flipped_top_bit(flatbuffer: bytes) -> None:
    """Even when no calibration image uses all gray levels."""
    image, outputs = tensors(flatbuffer)
    assert image["dtype"] == outputs["logits"]["dtype"] == outputs["map"]["dtype"] == "int8"
    assert image["quantization"] == {"scale": 1 / 128, "zero_point": 0}
    assert outputs["logits"]["shape"] == [1, len(LABELS)]
    assert outputs["map"]["shape"] == [1, 7, 7, len(LABELS)]


def test_every_operator_is_an_integer_one_and_none_is_a_sigmoid(flatbuffer: bytes) -> None:
    interpreter = find_interpreter().interpreter(model_content=flatbuffer)
    interpreter.allocate_tensors()
    operators = {detail["op_name"] for detail in interpreter._get_ops_details()}
    assert "CONV_2D" in operators
    assert operators.isdisjoint({"LOGISTIC", "QUANTIZE", "DEQUANTIZE"})
    dtypes = {np.dtype(detail["dtype"]).name for detail in interpreter.get_tensor_details()}
    assert dtypes <= {"int8", "int32"}


def test_the_int8_network_answers_like_the_float_one(flatbuffer: bytes) -> None:
    keras.utils.set_random_seed(0)
    model = cnn28()
    interpreter = find_interpreter().interpreter(model_content=flatbuffer)
    interpreter.allocate_tensors()
    _, outputs = tensors(flatbuffer)
    (detail,) = interpreter.get_input_details()
    place = {d["name"]: d["index"] for d in interpreter.get_output_details()}
    for picture in LOW_CONTRAST:
        tensor = (picture ^ 0x80).view(np.int8)[np.newaxis, ..., np.newaxis]
        interpreter.set_tensor(detail["index"], tensor)
        interpreter.invoke()
        expected = model.predict_on_batch(tensor.astype(np.float32) / 128)
        for name, real in zip(("logits", "map"), expected, strict=True):
            stored = outputs[name]["quantization"]
            raw = interpreter.get_tensor(place[outputs[name]["tensor"]]).astype(np.float32)
            got = (raw - stored["zero_point"]) * stored["scale"]
            assert np.abs(got - real).max() < 6 * stored["scale"]


def training_set(patients: list[int]) -> Cached:
    count = len(patients)
    table = pd.DataFrame({"image": range(count), "patient": patients, "split": "train"})
    return Cached(
        np.zeros((count, 1, 1), np.uint8),
        np.zeros((count, 15), np.uint8),
        table,
        np.arange(count),
        "x",
    )


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40), st.integers(1, 40))
def test_no_patient_is_seen_twice_before_all_are_seen_once(patients: list[int], count: int) -> None:
    rows = calibration_rows(training_set(patients), count, seed=3)
    assert len(rows) == len(set(rows)) == min(count, len(patients))
    seen = [patients[row] for row in rows]
    assert len(set(seen)) == min(len(rows), len(set(patients)))


def test_calibration_images_are_the_seeds() -> None:
    training = training_set(list(range(100)))
    first, again, other = (calibration_rows(training, 20, seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert set(first) != set(other)


def test_stretching_uses_every_gray_level_end() -> None:
    picture = stretched(LOW_CONTRAST[0])
    assert (picture.min(), picture.max()) == (0, 255)
    assert stretched(np.full((4, 4), 7, np.uint8)).shape == (4, 4)


def test_a_graph_that_is_no_chest_network_is_refused() -> None:
    image = keras.Input((28, 28, 1))
    maps = keras.layers.Conv2D(3, 1)(image)
    other = keras.Model(image, [keras.layers.GlobalAveragePooling2D()(maps), maps])
    with pytest.raises(ConversionError, match="15 logits"):
        tensors(to_int8(other, LOW_CONTRAST))


def test_golden_inputs_are_synthetic_and_in_the_models_dtype() -> None:
    image = InputSpec.square(28).as_dict()
    integers = golden_inputs({**image, "dtype": "int8", "quantization": INT8})
    reals = golden_inputs({**image, "dtype": "float32", "quantization": None})
    assert integers.shape == reals.shape == (4, 28, 28, 1)
    np.testing.assert_array_equal(integers / np.float32(128), reals)
