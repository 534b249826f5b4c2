"""The ranges of a network's tensors on calibration images, which its conversion to int8 needs.

TensorFlow's own calibration reads an operator's inputs again after it ran. If a sum or a product
has overwritten one of them with its result, to save memory, that input gets the result's range as
well, and loses most of its 256 steps if the result is wider: a sum before a normalisation kept
eleven of them (https://github.com/tensorflow/tensorflow/issues/127842). Here no tensor overwrites
another.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray
from tensorflow.lite.python.convert import mlir_quantize

from edge_app.core import native_stderr
from quantize.errors import ConversionError
from quantize.graph import read_graph

Ranges: TypeAlias = dict[int, tuple[float, float]]
"""Lowest and highest value of a tensor, by its place in the graph."""


def with_ranges(calibrated: bytes, images: Iterable[NDArray[np.float32]]) -> bytes:
    """A float32 flatbuffer with the ranges of its tensors on some images.

    Args:
        calibrated: by TensorFlow's converter: each computed tensor has a range, which is replaced.
        images: batches of one, as the network takes them.

    Raises:
        ConversionError: it has a loop or a branch, whose tensors cannot be read.
    """
    written = bytearray(calibrated)
    model = schema.Model.GetRootAs(written)
    if model.SubgraphsLength() > 1:
        raise ConversionError(
            "the network has a loop or a branch, within which int8 cannot be calibrated: write it "
            "as layers that always run"
        )
    graph, found = model.Subgraphs(0), ranges(calibrated, images)
    for place, (low, high) in found.items():
        stated = graph.Tensors(place).Quantization()
        if stated is not None and stated.MinLength() == 1:  # both are views of `written`
            stated.MinAsNumpy()[0], stated.MaxAsNumpy()[0] = low, high
    return bytes(written)


def ranges(flatbuffer: bytes, images: Iterable[NDArray[np.float32]]) -> Ranges:
    """The lowest and highest value of a float32 network's input and of each computed tensor.

    It runs without a delegate, which would hide the tensors in between.

    Args:
        flatbuffer: the network, of one image at a time.
        images: batches of one.
    """
    interpreter: Any = Interpreter(
        model_content=flatbuffer,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
        num_threads=2,
    )
    interpreter.allocate_tensors()
    (image,) = (each["index"] for each in interpreter.get_input_details())
    computed = {made.index for op in read_graph(flatbuffer).operators for made in op.outputs}
    details = {each["index"]: each for each in interpreter.get_tensor_details()}
    watched = [image, *(p for p in sorted(computed) if details[p]["dtype"] is np.float32)]
    found = dict.fromkeys(watched, (np.inf, -np.inf))
    for each in images:
        interpreter.set_tensor(image, each)
        interpreter.invoke()
        for place in watched:
            value = interpreter.get_tensor(place)
            low, high = found[place]
            found[place] = min(low, float(value.min())), max(high, float(value.max()))
    return found


def quantized(calibrated: bytes, in_float: Collection[str] = ()) -> bytes:
    """A float32 flatbuffer with ranges → the int8 one, with int8 input and outputs.

    Args:
        calibrated: see `with_ranges`.
        in_float: operators that stay in float32, by the names of their first results; if all stay,
            the outputs are float32 too.
    """
    whole = set(operators(calibrated)) <= set(in_float)
    with native_stderr.silenced():
        return bytes(
            mlir_quantize(
                calibrated,
                input_data_type=tf.int8,
                output_data_type=tf.float32 if whole else tf.int8,
                denylisted_nodes=set(in_float) or None,
            )
        )


def with_weights(calibrated: bytes, exact: bytes, chosen: Collection[str]) -> bytes:
    """A flatbuffer with some operators' weights replaced by those of another flatbuffer.

    Args:
        calibrated: whose weights are replaced.
        exact: whose weights are taken; if its operators are others, nothing is replaced.
        chosen: names of the operators; see `operators`.
    """
    written = bytearray(calibrated)
    models = schema.Model.GetRootAs(written), schema.Model.GetRootAs(exact)
    mine, theirs = (model.Subgraphs(0) for model in models)
    if _kinds(models[0]) != _kinds(models[1]):
        return calibrated
    for place, name in enumerate(operators(calibrated)):
        if name not in chosen:
            continue
        pairs = zip(_inputs(mine, place), _inputs(theirs, place), strict=True)
        for tensors in pairs:
            one, other = (m.Buffers(t.Buffer()) for m, t in zip(models, tensors, strict=True))
            if one.DataLength() and one.DataLength() == other.DataLength():
                one.DataAsNumpy()[:] = other.DataAsNumpy()  # a view of `written`
    return bytes(written)


def last_operators(calibrated: bytes) -> set[str]:
    """The `operators` whose results are the outputs of a flatbuffer."""
    graph = schema.Model.GetRootAs(calibrated).Subgraphs(0)
    return {graph.Tensors(int(place)).Name().decode() for place in graph.OutputsAsNumpy()}


def _kinds(model: Any) -> list[tuple[int, int]]:
    """Each operator's code and number of inputs."""
    graph = model.Subgraphs(0)
    found = (graph.Operators(place) for place in range(graph.OperatorsLength()))
    return [(model.OperatorCodes(o.OpcodeIndex()).BuiltinCode(), o.InputsLength()) for o in found]


def _inputs(graph: Any, place: int) -> list[Any]:
    """An operator's input tensors, without optional ones that are left out."""
    indices = graph.Operators(place).InputsAsNumpy()
    return [graph.Tensors(int(index)) for index in indices if index >= 0]


def operators(calibrated: bytes) -> list[str]:
    """The operators of a flatbuffer in their order, by the names of their first results."""
    graph = schema.Model.GetRootAs(calibrated).Subgraphs(0)
    return [
        graph.Tensors(graph.Operators(place).Outputs(0)).Name().decode()
        for place in range(graph.OperatorsLength())
    ]
