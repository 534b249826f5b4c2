"""A flatbuffer's operators: their work, and how long each takes.

The Python package does not report how long an operator takes. Instead the network is cut off after
each operator, and an operator's time is the difference to the previous cut: accurate on the whole,
coarse for the shortest operators, whose difference is near the clock's noise.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, Final

import numpy as np

BYTES: Final = {0: 4, 2: 4, 3: 1, 9: 1, 4: 8, 7: 2}
"""Bytes by the schema's TensorType: float32, int32, uint8, int8, int64, int16."""


@dataclass(frozen=True)
class Layer:
    """An operator's work.

    Attributes:
        index: in execution order.
        operator: its builtin name.
        output: its output's shape.
        macs: multiply-accumulates.
        weight_bytes: of its constants.
        activation_bytes: of its other inputs and of its outputs.
    """

    index: int
    operator: str
    output: tuple[int, ...]
    macs: int
    weight_bytes: int
    activation_bytes: int

    @property
    def bytes(self) -> int:
        return self.weight_bytes + self.activation_bytes


def _parsed(flatbuffer: bytes) -> tuple[Any, dict[int, str]]:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if name.isupper()}
    return model, names


def layers(flatbuffer: bytes) -> list[Layer]:
    """The first subgraph's operators.

    Multiply-accumulates are those of convolutions and fully connected layers; other operators
    have none.
    """
    model, names = _parsed(flatbuffer)
    graph = model.subgraphs[0]
    found = []
    for index, operator in enumerate(graph.operators):
        code = model.operatorCodes[operator.opcodeIndex]
        name = names.get(max(code.builtinCode, code.deprecatedBuiltinCode), "CUSTOM")
        inputs = [graph.tensors[i] for i in operator.inputs if i >= 0]
        outputs = [graph.tensors[i] for i in operator.outputs]
        constant = [_is_constant(model, tensor) for tensor in inputs]
        weights = sum(_size(t) for t, fixed in zip(inputs, constant, strict=True) if fixed)
        moved = sum(_size(t) for t, fixed in zip(inputs, constant, strict=True) if not fixed)
        shape = tuple(int(side) for side in outputs[0].shape)
        found.append(
            Layer(
                index, name, shape, _macs(name, inputs, shape), weights,
                moved + sum(map(_size, outputs)),
            )
        )  # fmt: skip
    return found


def _macs(name: str, inputs: list[Any], output: tuple[int, ...]) -> int:
    """Filters are stored as (out, h, w, in), depthwise ones as (1, h, w, out)."""
    if name not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        return 0
    filters = [int(side) for side in inputs[1].shape]
    if name == "DEPTHWISE_CONV_2D":
        return prod(output) * filters[1] * filters[2]
    return prod(output) * prod(filters[1:])


def _size(tensor: Any) -> int:
    shape = [] if tensor.shape is None else [int(side) for side in tensor.shape]
    return int(prod(shape)) * BYTES.get(tensor.type, 4)


def _is_constant(model: Any, tensor: Any) -> bool:
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def cut(flatbuffer: bytes, operators: int) -> bytes:
    """The network cut off after this number of operators."""
    import flatbuffers

    model, _ = _parsed(flatbuffer)
    graph = model.subgraphs[0]
    graph.operators = graph.operators[:operators]
    graph.outputs = list(graph.operators[-1].outputs)
    model.signatureDefs = []
    model.metadata = []
    builder = flatbuffers.Builder(len(flatbuffer) + 4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def invoke_seconds(flatbuffer: bytes, seconds: float) -> Callable[[], float]:
    """A function that times a network's `invoke` with one thread and returns the shortest time.

    It repeats for `seconds`. The shortest time is the one without interference, so that differences
    of two networks are meaningful.
    """
    from ai_edge_litert.interpreter import Interpreter

    from edge_app.core import native_stderr

    with native_stderr.silenced():
        interpreter = Interpreter(model_content=flatbuffer, num_threads=1)
        interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        values = np.random.default_rng(0).integers(-100, 100, detail["shape"])
        interpreter.set_tensor(detail["index"], values.astype(detail["dtype"]))

    def shortest_invoke() -> float:
        shortest = float("inf")
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            start = time.perf_counter_ns()
            interpreter.invoke()
            shortest = min(shortest, (time.perf_counter_ns() - start) / 1e9)
        return shortest

    return shortest_invoke


def times(flatbuffer: bytes, repeats: int = 3, seconds: float = 0.1) -> list[float]:
    """Seconds of each operator, 0 or more; their sum is the whole network's time."""
    count = len(layers(flatbuffer))
    timers = [invoke_seconds(cut(flatbuffer, k), seconds) for k in range(1, count + 1)]
    reached = [float("inf")] * count
    for _ in range(repeats):
        reached = [min(best, timer()) for best, timer in zip(reached, timers, strict=True)]
    # A longer network that seems faster than a shorter one is noise.
    monotone = np.maximum.accumulate(reached)
    return [float(value) for value in np.diff(monotone, prepend=0.0)]
