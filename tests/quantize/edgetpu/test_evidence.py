"""Networks of which it is public what the Edge TPU's compiler did with them.

Each case is a graph, rebuilt here from its description, and what a log of the compiler, its message
or its output shows. Where a description leaves the order of operators open, it is the converter's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from quantize.edgetpu.check import check_graphs
from quantize.edgetpu.sources import (
    DENSE,
    EFFICIENTDET,
    LSTM_PAIR,
    MNIST,
    REIDENTIFICATION,
    YOLOV9,
    issue,
)
from quantize.graph import Graph, Operator, Tensor

MAPPED, CPU = True, False
SCALED = ("INT8", "UINT8", "INT16")


@dataclass
class Network:
    """A graph in the making; tensors with integers of 8 or 16 bits are quantized."""

    tensors: list[Tensor] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)
    inputs: list[Tensor] = field(default_factory=list)

    def tensor(self, *shape: int, dtype: str = "INT8", values: object = None) -> Tensor:
        scales = np.full(int(dtype in SCALED), 0.5, np.float32)
        data = None
        if values is not None:
            width = "<i4" if dtype == "INT32" else "i1"
            data = np.frombuffer(np.broadcast_to(values, shape).astype(width).tobytes(), np.uint8)
        place = len(self.tensors)
        fixed = all(n > 0 for n in shape)
        zeros = np.zeros(scales.size, np.int64)
        made = Tensor("", shape, fixed, dtype, scales, zeros, 0, place + 1, data, place)
        self.tensors.append(made)
        return made

    def input(self, *shape: int, dtype: str = "INT8") -> Tensor:
        self.inputs.append(self.tensor(*shape, dtype=dtype))
        return self.inputs[-1]

    def weights(self, *shape: int) -> Tensor:
        return self.tensor(*shape, values=1)

    def integers(self, *values: int) -> Tensor:
        return self.tensor(len(values), dtype="INT32", values=values)

    def state(self, *shape: int, dtype: str) -> Tensor:
        made = self.tensor(*shape, dtype=dtype)
        self.tensors[-1] = Tensor(**{**vars(made), "variable": True})
        return self.tensors[-1]

    def add(
        self,
        name: str,
        *inputs: Tensor | None,
        out: tuple[int, ...],
        dtype: str = "INT8",
        custom: bool = False,
        version: int = 1,
        code: int = -1,
    ) -> Tensor:
        output = self.tensor(*out, dtype=dtype)
        place = len(self.operators)
        made = Operator(place, name, version, inputs, (output,), {}, custom, code)
        self.operators.append(made)
        return output

    def dense(self, source: Tensor, outputs: int) -> Tensor:
        weights = self.weights(outputs, source.shape[-1])
        return self.add("FULLY_CONNECTED", source, weights, None, out=(1, outputs))

    def convolution(self, source: Tensor, outputs: int, side: int) -> Tensor:
        kernel = self.weights(outputs, 3, 3, source.shape[-1])
        bias = self.tensor(outputs, dtype="INT32", values=0)
        return self.add("CONV_2D", source, kernel, bias, out=(source.shape[0], side, side, outputs))

    def graph(self) -> Graph:
        outputs = (self.operators[-1].outputs[0],) if self.operators else ()
        return Graph(tuple(self.operators), tuple(self.inputs), outputs, tuple(self.tensors))


def mnist(net: Network, image: Tensor) -> Tensor:
    """Two convolutions with pooling, two dense layers, a softmax."""
    maps = net.convolution(image, 32, 26)
    maps = net.add("MAX_POOL_2D", maps, out=(1, 13, 13, 32))
    maps = net.convolution(maps, 64, 11)
    maps = net.add("MAX_POOL_2D", maps, out=(1, 5, 5, 64))
    flat = net.add("RESHAPE", maps, net.integers(1, 1600), out=(1, 1600))
    scores = net.dense(net.dense(flat, 128), 10)
    return net.add("SOFTMAX", scores, out=(1, 10))


def mnist_with_float_ends(net: Network) -> list[bool]:
    image = net.input(1, 28, 28, 1, dtype="FLOAT32")
    scores = mnist(net, net.add("QUANTIZE", image, out=(1, 28, 28, 1)))
    net.add("DEQUANTIZE", scores, out=(1, 10), dtype="FLOAT32")
    return [CPU, *[MAPPED] * 8, CPU]


def mnist_with_integer_ends(net: Network) -> list[bool]:
    mnist(net, net.input(1, 28, 28, 1))
    return [MAPPED] * 8


def a_sine_between_dense_layers(net: Network) -> list[bool]:
    vector = net.add("QUANTIZE", net.input(1, 64, dtype="UINT8"), out=(1, 64))
    vector = net.dense(net.dense(vector, 64), 64)
    real = net.add("DEQUANTIZE", vector, out=(1, 64), dtype="FLOAT32")
    real = net.add("SIN", real, out=(1, 64), dtype="FLOAT32")
    vector = net.dense(net.add("QUANTIZE", real, out=(1, 64)), 64)
    net.add("QUANTIZE", vector, out=(1, 64), dtype="UINT8")
    return [MAPPED] * 3 + [CPU] * 5


def two_heads_that_end_in_floats(net: Network) -> list[bool]:
    """The converter puts what ends the first head before what begins the second."""
    maps = net.convolution(
        net.add("QUANTIZE", net.input(1, 8, 8, 3, dtype="UINT8"), out=(1, 8, 8, 3)), 8, 8
    )
    ends = []
    for width in (6, 4):
        head = net.convolution(maps, width, 8)
        head = net.add("RESHAPE", head, net.integers(1, 64, width), out=(1, 64, width))
        if width == 6:
            head = net.add("LOGISTIC", head, out=(1, 64, width))
        ends.append(net.add("DEQUANTIZE", head, out=(1, 64, width), dtype="FLOAT32"))
    boxes = {"out": (1, 10, 4), "dtype": "FLOAT32", "custom": True}
    net.add("TFLite_Detection_PostProcess", *ends, **boxes)
    return [*[MAPPED] * 5, CPU, *[MAPPED] * 2, CPU, CPU]


def resizing_around_a_convolution(net: Network) -> list[bool]:
    """What runs on the CPU first does not keep what follows from the Edge TPU."""
    size = net.integers(1024, 1024)
    image = net.input(1, 512, 512, 3)
    large = net.add("RESIZE_NEAREST_NEIGHBOR", image, size, out=(1, 1024, 1024, 3))
    maps = net.convolution(large, 6, 512)
    large = net.add("RESIZE_BILINEAR", maps, size, out=(1, 1024, 1024, 6))
    net.add("LEAKY_RELU", large, out=(1, 1024, 1024, 6))
    return [CPU, MAPPED, CPU, CPU]


def lstm(net: Network, steps: int, features: int, units: int) -> Tensor:
    """As converted from Keras: int8, the cell's state int16."""
    gates = [net.weights(units, features) for _ in range(4)]
    gates += [net.weights(units, units) for _ in range(4)]
    biases = [net.tensor(units, dtype="INT32", values=0) for _ in range(4)]
    states = [net.state(1, units, dtype=dtype) for dtype in ("INT8", "INT16")]
    none = [None]
    source = net.add(
        *("QUANTIZE", net.input(1, steps, features, dtype="UINT8")), out=(1, steps, features)
    )
    inputs = [source, *gates, *none * 3, *biases, *none * 2, *states, *none * 4]
    return net.add("UNIDIRECTIONAL_SEQUENCE_LSTM", *inputs, out=(1, steps, units))


def an_lstm_with_a_16_bit_state(net: Network) -> list[bool]:
    rows = lstm(net, 28, 28, 20)
    flat = net.add("RESHAPE", rows, net.integers(1, 560), out=(1, 560))
    scores = net.add("SOFTMAX", net.dense(flat, 10), out=(1, 10))
    net.add("QUANTIZE", scores, out=(1, 10), dtype="UINT8")
    return [MAPPED] * 6


def the_boxes_of_a_head(net: Network) -> list[bool]:
    """A softmax over 16 bins for each of four sides, of every cell of a map."""
    rows = (1, 576, 4, 16)
    flat = net.add("RESHAPE", net.input(1, 24, 24, 64), net.integers(*rows), out=rows)
    net.add("SOFTMAX", flat, out=rows)
    return [MAPPED, MAPPED]


def a_dense_layer_with_computed_weights(net: Network) -> list[bool]:
    source = (net.input(1, 16, dtype="UINT8"), net.input(16, 16, dtype="UINT8"))
    net.add("FULLY_CONNECTED", *source, None, out=(1, 16), dtype="UINT8")
    return [CPU]


def a_dense_layer_of_several_rows(net: Network) -> list[bool]:
    weights = net.weights(16, 16)
    net.add("FULLY_CONNECTED", net.input(16, 16), weights, None, out=(16, 16))
    return [CPU]


def a_batch_of_thirty(net: Network) -> list[bool]:
    net.convolution(net.input(30, 32, 32, 3), 8, 30)
    return [CPU]


def the_mean_of(height: int, maps: bool) -> Callable[[Network], list[bool]]:
    def build(net: Network) -> list[bool]:
        net.add("MEAN", net.input(1, height, 128, 3), net.integers(1, 2), out=(1, 1, 1, 3))
        return [maps]

    return build


def a_float_network(net: Network) -> list[bool]:
    image = net.input(1, 12, 12, 3, dtype="FLOAT32")
    kernel = net.tensor(10, 3, 3, 3, dtype="FLOAT32", values=1)
    maps = net.add("CONV_2D", image, kernel, None, out=(1, 10, 10, 10), dtype="FLOAT32")
    net.add("MAX_POOL_2D", maps, out=(1, 5, 5, 10), dtype="FLOAT32")
    return [CPU, CPU]


def a_length_that_is_not_known(net: Network) -> list[bool]:
    net.add("LOGISTIC", net.input(-1, 50, 1), out=(-1, 50, 1))
    return [CPU]


def one_that_is_too_new(name: str, version: int, code: int = -1) -> Callable[[Network], list[bool]]:
    """After a dense layer that could be mapped."""

    def build(net: Network) -> list[bool]:
        vector = net.dense(net.input(1, 8), 8)
        net.add(name, vector, net.weights(8, 8), out=(1, 8), version=version, code=code)
        return [CPU, CPU]

    return build


@dataclass(frozen=True)
class Case:
    """A network, what the compiler did with it, and where that is public."""

    source: str
    compiler: str
    build: Callable[[Network], list[bool]]


CASES = {
    "float ends": Case(MNIST, "15.0", mnist_with_float_ends),
    "integer ends": Case(MNIST, "15.0", mnist_with_integer_ends),
    "sine": Case(DENSE, "16.0", a_sine_between_dense_layers),
    "two heads": Case(EFFICIENTDET, "15.0", two_heads_that_end_in_floats),
    "resizing": Case(issue(597), "16.0", resizing_around_a_convolution),
    "LSTM": Case(LSTM_PAIR, "16.0", an_lstm_with_a_16_bit_state),
    "softmax": Case(YOLOV9, "of 2025", the_boxes_of_a_head),
    "computed weights": Case(issue(25), "2.0", a_dense_layer_with_computed_weights),
    "several rows": Case(issue(27), "2.0", a_dense_layer_of_several_rows),
    "batch": Case(issue(30), "2.0", a_batch_of_thirty),
    "large mean": Case(REIDENTIFICATION, "16.0", the_mean_of(256, CPU)),
    "small mean": Case(REIDENTIFICATION, "16.0", the_mean_of(64, MAPPED)),
    "float": Case(issue(438), "16.0", a_float_network),
    "unknown size": Case(issue(654), "16.0", a_length_that_is_not_known),
    "GELU": Case(issue(818), "16.0", one_that_is_too_new("GELU", 1, 150)),
    "GPT-2": Case(issue(862), "16.0", one_that_is_too_new("DYNAMIC_UPDATE_SLICE", 1, 151)),
    "CONV_2D 6": Case(issue(631), "16.0", one_that_is_too_new("CONV_2D", 6)),
    "TRANSPOSE_CONV 4": Case(issue(845), "16.0", one_that_is_too_new("TRANSPOSE_CONV", 4)),
    "QUANTIZE 3": Case(issue(879), "16.0", one_that_is_too_new("QUANTIZE", 3)),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_prediction_is_what_the_compiler_did(case: Case) -> None:
    net = Network()
    mapped = case.build(net)
    answer = check_graphs([net.graph()])
    predicted = [(p.operator.name, p.reason or "mapped") for p in answer.predictions]
    assert [p.maps for p in answer.predictions] == mapped, f"{case.source}: {predicted}"
    assert answer.passed is all(mapped)
    assert (answer.mapped, answer.on_cpu) == (sum(mapped), len(mapped) - sum(mapped))


@pytest.mark.parametrize("name", ["GELU", "GPT-2", "CONV_2D 6", "TRANSPOSE_CONV 4", "QUANTIZE 3"])
def test_a_refused_file_is_reported_with_the_logged_message(name: str) -> None:
    net = Network()
    CASES[name].build(net)
    refused = check_graphs([net.graph()]).refused
    assert refused is not None
    assert (refused.basis.known, refused.basis.source) == ("seen", CASES[name].source)


def test_an_lstm_with_many_inputs_a_step_comes_with_a_doubt() -> None:
    net = Network()
    lstm(net, 5, 1280, 32)
    prediction = check_graphs([net.graph()]).predictions[-1]
    assert prediction.maps
    assert prediction.doubt is not None
    assert prediction.doubt.basis.source == issue(598)
