"""What would run where: the shipped networks, and graphs that the Edge TPU cannot take."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from edge_app.core import native_stderr
from edge_app.core.errors import ModelError
from edge_app.model.model_file import read, shipped_models
from quantize.edgetpu.check import ON_CHIP_BYTES, SURE_BYTES, Check, check
from tests.quantize.edgetpu.graphs import (
    CNN28,
    MEAN,
    OPERATORS,
    TYPES,
    activations,
    add_graph,
    edited,
    replace_operator,
    stand_in,
)

Prepare = Callable[[tf.lite.TFLiteConverter], None]


def converted(prepare: Prepare, image: keras.KerasTensor | None = None, channels: int = 8) -> bytes:
    """A tiny network of the shape that ships: convolution, map, its mean."""
    keras.utils.set_random_seed(0)
    image = keras.Input(batch_shape=(1, 8, 8, 1)) if image is None else image
    features = keras.layers.Conv2D(channels, 3, activation="relu", padding="same")(image)
    maps = keras.layers.Conv2D(15, 1)(features)
    network = keras.Model(image, [keras.layers.GlobalAveragePooling2D()(maps), maps])
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    prepare(converter)
    with native_stderr.silenced(), redirect_stdout(StringIO()), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Statistics for quantized inputs")
        return bytes(converter.convert())


def calibrated(converter: tf.lite.TFLiteConverter) -> None:
    def images() -> Iterator[list[Any]]:
        for seed in range(4):
            picture = np.random.default_rng(seed).uniform(-1, 1, (1, 8, 8, 1))
            yield [picture.astype(np.float32)]

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = images


def int8_inside(converter: tf.lite.TFLiteConverter) -> None:
    calibrated(converter)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]


def whole_int8(converter: tf.lite.TFLiteConverter) -> None:
    int8_inside(converter)
    converter.inference_input_type = converter.inference_output_type = tf.int8


def int16x8(converter: tf.lite.TFLiteConverter) -> None:
    calibrated(converter)
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    ]


def dynamic_range(converter: tf.lite.TFLiteConverter) -> None:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]


def reasons(answer: Check) -> list[str]:
    return [verdict.reason for verdict in answer.predictions]


@pytest.mark.parametrize("path", shipped_models(), ids=lambda path: path.stem)
def test_all_of_a_shipped_network_would_be_mapped_its_mean_too(path: Any) -> None:
    answer = check(read(path).flatbuffer)
    assert answer.passed
    assert answer.mapped == len(answer.predictions) == len(answer.graph.operators)
    assert answer.predictions[-1].operator.name == "MEAN"
    assert answer.fits
    assert answer.streamed_bytes == 0
    assert 0.7 < answer.parameter_bytes / len(read(path).flatbuffer) < 1


def test_an_int8_network_with_integer_ends_passes() -> None:
    answer = check(converted(whole_int8))
    assert answer.passed
    # 8 kernels of 3x3 and 8 biases, 15 kernels of 8 and 15 biases.
    assert answer.parameter_bytes == 72 + 32 + 120 + 60


def test_a_float_input_is_quantized_on_the_cpu_before_the_part_begins() -> None:
    answer = check(converted(int8_inside))
    first, *middle = answer.predictions
    assert first.operator.name == "QUANTIZE"
    assert first.reason.startswith("float32 activations")
    # In the file the map is dequantized before its mean, which does not depend on that.
    assert [(verdict.operator.name, verdict.maps) for verdict in middle] == [
        ("CONV_2D", True),
        ("CONV_2D", True),
        ("DEQUANTIZE", False),
        ("MEAN", True),
        ("DEQUANTIZE", False),
    ]
    assert not answer.passed


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda converter: None, "float32 activations"),
        (int16x8, "int16 activations"),
    ],
    ids=["float", "int16x8"],
)
def test_other_schemes_have_nothing_to_map(prepare: Prepare, words: str) -> None:
    answer = check(converted(prepare))
    assert answer.mapped == answer.parameter_bytes == 0
    assert any(words in reason for reason in reasons(answer))


def test_int8_weights_alone_are_not_enough() -> None:
    """Dynamic-range quantization, which leaves small weights as they are."""
    answer = check(converted(dynamic_range, channels=128))
    weights = answer.predictions[0].operator.constants[0]
    assert weights.dtype == "INT8"
    assert answer.mapped == 0
    assert answer.predictions[0].reason.startswith("float32 activations")


def test_a_batch_of_any_size_is_no_constant_shape() -> None:
    answer = check(converted(whole_int8, keras.Input((8, 8, 1))))
    assert answer.mapped == 0
    assert answer.predictions[0].reason == "its size is not constant (int8 ?x8x8x1)"


def test_from_the_first_unsupported_operator_on_all_runs_on_the_cpu() -> None:
    answer = check(edited(replace_operator(2, OPERATORS.LEAKY_RELU)))
    assert [verdict.maps for verdict in answer.predictions] == [True] * 2 + [False] * 8
    assert answer.predictions[2].reason == "operator not supported"
    assert answer.predictions[2].own
    assert set(reasons(answer)[3:]) == {"after LEAKY_RELU (2): only one part is compiled"}
    assert not any(verdict.own for verdict in answer.predictions[3:])


def test_only_what_is_mapped_takes_memory_of_the_chip() -> None:
    whole, cut = check(CNN28), check(edited(replace_operator(2, OPERATORS.LEAKY_RELU)))
    assert cut.parameter_bytes == 288 + 128 + 9216 + 128
    assert whole.parameter_bytes > 20 * cut.parameter_bytes


def test_a_mean_over_the_batch_is_found() -> None:
    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        axes = graph.tensors[graph.operators[MEAN].inputs[1]]
        model.buffers[axes.buffer].data = np.array([0, 1], "<i4").view(np.uint8)

    answer = check(edited(change))
    assert reasons(answer) == [""] * MEAN + ["reduces the batch dimension"]


def test_one_int16_tensor_ends_the_part() -> None:
    def change(model: Any) -> None:
        activations(model)[5].type = TYPES.INT16

    answer = check(edited(change))
    assert 0 < answer.mapped < len(answer.predictions)
    assert any("int16" in reason for reason in reasons(answer))


@pytest.mark.parametrize(
    ("size", "fits", "streamed"),
    [
        (SURE_BYTES - (1 << 20), True, 0),
        (SURE_BYTES + (1 << 20), None, 0),
        (ON_CHIP_BYTES + (4 << 20), False, 4 << 20),
    ],
)
def test_parameters_beyond_the_chips_memory_are_streamed(
    size: int, fits: bool | None, streamed: int
) -> None:
    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        weights = graph.tensors[graph.operators[MEAN - 1].inputs[1]]
        weights.shape = np.array([15, 1, 1, size // 15], np.int32)
        model.buffers[weights.buffer].data = np.zeros(size // 15 * 15, np.uint8)

    answer = check(edited(change))
    assert answer.passed, "a network that does not fit is slow, but mapped"
    assert answer.fits is fits
    assert answer.streamed_bytes == pytest.approx(streamed, abs=1 << 19)


def test_weights_that_two_operators_share_count_once() -> None:
    def change(model: Any) -> None:
        tensors, operators = model.subgraphs[0].tensors, model.subgraphs[0].operators
        first, second = (tensors[operators[k].inputs[2]] for k in (0, 1))
        second.buffer = first.buffer

    assert check(edited(change)).parameter_bytes == check(CNN28).parameter_bytes - 128


def test_operators_of_other_graphs_run_on_the_cpu() -> None:
    answer = check(edited(add_graph))
    assert answer.mapped == len(answer.predictions) == 10
    assert (answer.elsewhere, answer.on_cpu, answer.passed) == (10, 10, False)


def test_the_largest_activation_is_reported() -> None:
    assert check(CNN28).largest_activation == 28 * 28 * 32
    assert check(edited(replace_operator(0, OPERATORS.ELU))).largest_activation == 28 * 28 * 32
    assert check(edited(replace_operator(MEAN, OPERATORS.ELU))).mapped == MEAN


def test_the_answer_says_how_each_thing_is_known() -> None:
    answer = check(edited(replace_operator(2, OPERATORS.LEAKY_RELU))).as_dict()
    assert answer["refused"] is None
    assert answer["one_part"]["known"] == "guessed"
    known = [(o["operator"], o["known"]) for o in answer["operators"]]
    assert known[:4] == [
        *[("CONV_2D", "seen")] * 2,
        ("LEAKY_RELU", "seen"),
        ("CONV_2D", "guessed"),
    ]
    assert answer["operators"][2]["from"] == "https://github.com/google-coral/edgetpu/issues/597"


def test_a_file_that_is_newer_than_the_compiler_has_nothing_mapped() -> None:
    answer = check(edited(replace_operator(MEAN, OPERATORS.GELU)))
    assert answer.mapped == answer.parameter_bytes == answer.largest_activation == 0
    assert set(reasons(answer)) == {"the file is refused"}
    assert answer.as_dict()["refused"] == {
        "reason": "GELU is newer than the compiler",
        "known": "seen",
        "from": "https://github.com/google-coral/edgetpu/issues/818",
    }


def test_what_is_compiled_already_is_refused() -> None:
    with pytest.raises(ModelError, match="compiled for the Edge TPU already"):
        check(stand_in())
