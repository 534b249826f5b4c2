"""Flatbuffers for the tests: the small shipped network, and what it becomes when changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge_app.backends.edgetpu import OPERATOR
from edge_app.model.model_file import SHIPPED, read

CNN28 = read(SHIPPED / "cxr-cnn28.tflite").flatbuffer
MEAN = 9
"""Place of the last operator of `CNN28`, which averages the map; the others before it."""

OPERATORS = schema.BuiltinOperator
TYPES = schema.TensorType


def edited(change: Callable[[Any], None], flatbuffer: bytes = CNN28) -> bytes:
    """A flatbuffer after `change` of its object form, a `ModelT`."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(flatbuffer, 0))
    change(model)
    builder = flatbuffers.Builder(len(flatbuffer))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def tail() -> bytes:
    """The last two operators alone, 1x1 convolution and mean: little but structure to damage."""

    def cut(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.operators = graph.operators[-2:]
        graph.inputs = np.array([graph.operators[0].inputs[0]], np.int32)
        kept = {int(k) for o in graph.operators for k in (*o.inputs, *o.outputs)}
        used = {graph.tensors[k].buffer for k in kept}
        for place, buffer in enumerate(model.buffers):
            if place not in used:
                buffer.data = None
        order = sorted(kept)
        graph.tensors = [graph.tensors[k] for k in order]
        for owner in (graph, *graph.operators):
            for part in ("inputs", "outputs"):
                places = [order.index(int(k)) for k in getattr(owner, part)]
                setattr(owner, part, np.array(places, np.int32))
        model.metadata, model.signatureDefs = [], []

    return edited(cut)


def activations(model: Any) -> list[Any]:
    """The tensors of a `ModelT` that are computed or given."""
    return [t for t in model.subgraphs[0].tensors if model.buffers[t.buffer].data is None]


def replace_operator(place: int, code: int) -> Callable[[Any], None]:
    """A change: the operator at `place` becomes another builtin one, with the same tensors."""

    def change(model: Any) -> None:
        fresh = schema.OperatorCodeT()
        fresh.builtinCode, fresh.version = code, 1
        fresh.deprecatedBuiltinCode = min(code, 127)
        model.operatorCodes.append(fresh)
        operator = model.subgraphs[0].operators[place]
        operator.opcodeIndex = len(model.operatorCodes) - 1
        operator.builtinOptionsType, operator.builtinOptions = 0, None

    return change


def add_graph(model: Any) -> None:
    """A second graph, as control flow or another signature runs it."""
    main = model.subgraphs[0]
    other = schema.SubGraphT()
    other.name, other.tensors, other.operators = b"other", main.tensors, main.operators
    other.inputs, other.outputs = main.inputs, main.outputs
    model.subgraphs.append(other)


def stand_in(flatbuffer: bytes = CNN28, on_cpu: int = 0) -> bytes:
    """What a compiler might leave, made here: no Edge TPU could run it.

    One custom operator from the inputs to the outputs of the network, of the name that the real
    compiler gives it; the last `on_cpu` operators stay as they are.
    """

    def change(model: Any) -> None:
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = OPERATORS.CUSTOM
        code.customCode, code.version = OPERATOR, 1
        model.operatorCodes.append(code)
        graph = model.subgraphs[0]
        rest = graph.operators[len(graph.operators) - on_cpu :]
        outputs = [k for k in graph.outputs if all(k not in o.outputs for o in rest)]
        custom = schema.OperatorT()
        custom.opcodeIndex = len(model.operatorCodes) - 1
        custom.inputs, custom.outputs = graph.inputs, np.array(outputs, np.int32)
        custom.customOptions = np.frombuffer(b"a stand-in, made by a test", np.uint8)
        graph.operators = [custom, *rest]

    return edited(change, flatbuffer)
