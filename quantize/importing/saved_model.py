"""A TensorFlow SavedModel: its graph, cut before the activation and before the pooling.

`model.export` writes it for a network with a Python class of its own: the graph holds no Python,
and the head of the network is found in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from edge_app.core import native_stderr
from quantize.errors import ConversionError

GRAPH: Final = "saved_model.pb"
SERVING: Final = "serving_default"

FORBIDDEN: Final = frozenset(
    (
        *("PyFunc", "PyFuncStateless", "EagerPyFunc", "ReadFile", "WriteFile", "MatchingFiles"),
        *("TextLineReader", "PrintV2", "DebugIdentity", "DebugIdentityV2", "SaveSlices"),
    )
)
"""Operations that read or write files, or call Python: a picture's scores need none of them."""

PASSING: Final = frozenset(("Identity", "Reshape", "Squeeze", "StopGradient", "PreventGradient"))
ENDS: Final = {"Sigmoid": "sigmoid", "Softmax": "softmax"}


class Traced(layers.Layer):
    """A part of a TensorFlow graph as a layer.

    Args:
        function: one tensor → one tensor; if it takes one image at a time, it gets them one by one.
    """

    def __init__(self, function: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.function = function

    def call(self, inputs: Any) -> Any:
        return one_by_one(self.function, inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], *self.function.outputs[0].shape[1:])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "function": self.function}


def one_by_one(function: Any, images: Any) -> Any:
    """A function's answers, image by image where it takes one at a time."""
    fixed = function.inputs[0].shape[0]
    if fixed is None or fixed == images.shape[0]:
        return function(images)
    return tf.map_fn(lambda image: function(image[tf.newaxis])[0], images)


class Graph(NamedTuple):
    """A SavedModel's answer to one image, with constants for weights.

    Attributes:
        whole: image → scores, as they were exported.
        wrapped: the graph, to be pruned.
        image, scores: its input and output.
    """

    whole: Any
    wrapped: Any
    image: tf.Tensor
    scores: tf.Tensor


def open_saved_model(folder: Path, output: str | None) -> Graph:
    """Load a SavedModel's signature.

    Args:
        folder: what `model.export` wrote.
        output: the name of the output that holds the scores; None where there is only one.

    Raises:
        ConversionError: it is none, reaches for files, or has not one input and this output.
    """
    _require_harmless(folder)
    try:
        with native_stderr.silenced():
            loaded = tf.saved_model.load(str(folder))
            signature = loaded.signatures[SERVING]
    except Exception as error:  # TensorFlow raises whatever its parts do
        reason = " ".join(str(error).split())[:160]
        raise ConversionError(f"{folder}: TensorFlow cannot load it: {reason}") from None
    names = sorted(signature.structured_input_signature[1])
    if len(names) != 1:
        raise ConversionError(
            f"{folder}: has {len(names)} inputs ({', '.join(names)}): export a model of one image"
        )
    chosen = _chosen(folder, sorted(signature.structured_outputs), output)
    from tensorflow.python.framework.convert_to_constants import (  # the one public way is TF 1's
        convert_variables_to_constants_v2,
    )

    with native_stderr.silenced():
        frozen = convert_variables_to_constants_v2(signature)
        definition = frozen.graph.as_graph_def()
        wrapped = tf.compat.v1.wrap_function(
            lambda: tf.graph_util.import_graph_def(definition, name=""), []
        )
    place = sorted(signature.structured_outputs).index(chosen)
    image, scores = (
        wrapped.graph.get_tensor_by_name(each.name)
        for each in (frozen.inputs[0], frozen.outputs[place])
    )
    return Graph(wrapped.prune(image, scores), wrapped, image, scores)


def _require_harmless(folder: Path) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    stated = saved_model_pb2.SavedModel()
    try:
        stated.ParseFromString((folder / GRAPH).read_bytes())
    except FileNotFoundError:
        raise ConversionError(
            f"{folder}: holds no {GRAPH}: give the folder that model.export wrote, or a .keras, "
            ".h5 or .tflite file"
        ) from None
    except Exception:  # protobuf's own error
        raise ConversionError(f"{folder}/{GRAPH}: is damaged: export the model again") from None
    for meta in stated.meta_graphs:
        functions = (node for f in meta.graph_def.library.function for node in f.node_def)
        for node in (*meta.graph_def.node, *functions):
            if node.op in FORBIDDEN:
                raise ConversionError(
                    f"{folder}: its operation {node.name!r} ({node.op}) reads files or calls "
                    "Python, which is not run: leave it out of the model"
                )


def _chosen(folder: Path, names: list[str], requested: str | None) -> str:
    if requested is None and len(names) == 1:
        return names[0]
    if requested in names:
        return str(requested)
    what = (
        f"--output {requested}: there is no such output" if requested else "which holds the scores"
    )
    raise ConversionError(
        f"{folder}: has {len(names)} outputs ({', '.join(names)}); {what}: give --output NAME"
    )


def before(tensor: tf.Tensor) -> tf.Tensor:
    """What a tensor is made of, through operations that pass values as they are."""
    while tensor.op.type in PASSING:
        tensor = tensor.op.inputs[0]
    return tensor


def value(graph: Graph, tensor: tf.Tensor) -> NDArray[np.float32] | None:
    """A constant's value; None where it depends on the image."""
    found = set(_inputs(tensor))
    if graph.image.op.name in found:
        return None
    return np.asarray(graph.wrapped.prune([], tensor)())


def _inputs(tensor: tf.Tensor) -> Iterator[str]:
    waiting, seen = [tensor.op], set()
    while waiting:
        op = waiting.pop()
        if op.name not in seen:
            seen.add(op.name)
            waiting += [each.op for each in op.inputs]
            yield op.name


class Head(NamedTuple):
    """The end of a graph.

    Attributes:
        activation: ``sigmoid``, ``softmax`` or None where the scores are logits.
        body: image → features, as a layer.
        kernel, bias: of the dense layer that makes logits of them; None where there is none.
        pooled: whether the features are a map that is averaged before.
    """

    activation: str | None
    body: Traced
    kernel: NDArray[np.float32] | None
    bias: NDArray[np.float32] | None
    pooled: bool


def head_of(graph: Graph) -> Head:
    """Cut the activation, and find the dense layer and the pooling before it."""
    end = before(graph.scores)
    activation = ENDS.get(end.op.type)
    logits = before(end.op.inputs[0]) if activation else end
    dense = _dense(graph, logits)
    if dense is None:
        return Head(activation, _part(graph, logits), None, None, False)
    features, kernel, bias = dense
    pool = before(features)
    if pool.op.type == "Mean" and pool.op.inputs[0].shape.rank == 4:
        axes = value(graph, pool.op.inputs[1])
        if axes is not None and sorted(axes.ravel().tolist()) == [1, 2]:
            return Head(activation, _part(graph, pool.op.inputs[0]), kernel, bias, True)
    return Head(activation, _part(graph, features), kernel, bias, False)


def _dense(graph: Graph, logits: tf.Tensor) -> Any:
    """Features, kernel and bias of the matrix product that a tensor is; None if it is none."""
    bias: Any = 0.0
    product = logits
    if logits.op.type in ("BiasAdd", "AddV2", "Add"):
        bias = value(graph, logits.op.inputs[1])
        product = before(logits.op.inputs[0])
    gain, product = _scaled(graph, product)
    if product.op.type != "MatMul" or bias is None or product.op.get_attr("transpose_a"):
        return None
    kernel = value(graph, product.op.inputs[1])
    if kernel is None or product.op.inputs[0].shape.rank != 2:
        return None
    kernel = gain * (kernel.T if product.op.get_attr("transpose_b") else kernel)
    return product.op.inputs[0], kernel, np.broadcast_to(bias, kernel.shape[1]).astype(np.float32)


def _scaled(graph: Graph, product: tf.Tensor) -> tuple[np.float32, tf.Tensor]:
    """A number and what it multiplies, as ONNX writes its dense layers; 1 where there is none."""
    if product.op.type == "Mul":
        for number, other in (product.op.inputs, reversed(product.op.inputs)):
            found = value(graph, number)
            if found is not None and found.size == 1:
                return np.float32(found.reshape(())), before(other)
    return np.float32(1), product


def _part(graph: Graph, tensor: tf.Tensor) -> Traced:
    return Traced(graph.wrapped.prune(graph.image, tensor), name="body", dtype="float32")


def scores_of(graph: Graph, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """The scores as the SavedModel gives them: N×L."""
    return np.asarray(one_by_one(graph.whole, tf.constant(images, graph.image.dtype)))


def input_shape(graph: Graph) -> tuple[int | None, ...]:
    """Height, width and channels; None where the graph leaves them open."""
    shape = graph.image.shape
    return tuple(shape[1:]) if shape.rank == 4 else tuple(shape)
