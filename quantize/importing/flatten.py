"""A Keras network of any nesting → one flat graph of simple layers with the same weights.

Nested models are opened, what only training needs is left out, and a layer's built-in activation
becomes a separate layer, so that the repairs see what int8 will store.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import keras
from keras import layers

from quantize.errors import ConversionError

Tensor: TypeAlias = Any

FOR_TRAINING: Final = (
    *(layers.Dropout, layers.SpatialDropout2D, layers.GaussianNoise, layers.GaussianDropout),
    *(layers.AlphaDropout, layers.ActivityRegularization),
)
"""Layers that do nothing at inference."""

RANDOM: Final = "Random"
"""Prefix of the names of Keras' layers that change images only in training."""

RELUS: Final = {"relu": None, "relu6": 6.0}

ENDS: Final = {"Sigmoid": keras.activations.sigmoid, "Softmax": keras.activations.softmax}
"""Operations that are not layers, such as `keras.ops.sigmoid` → their activations."""


class Step(layers.Layer):
    """An operation that is not a layer, such as the sum that `a + b` writes into a graph.

    Args:
        operation: what is called.
        given: its arguments, in which each tensor is a place among the layer's inputs.
    """

    def __init__(self, operation: Any, given: tuple[Any, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.operation, self.given = operation, given

    def call(self, inputs: Any) -> Any:
        tensors = inputs if isinstance(inputs, list | tuple) else [inputs]
        args, kwargs = keras.tree.map_structure(
            lambda each: tensors[each.index] if isinstance(each, Place) else each, self.given
        )
        return self.operation(*args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "operation": self.operation, "given": self.given}


class Place:
    """Where a tensor stands among a step's inputs."""

    def __init__(self, index: int) -> None:
        self.index = index


class Flattening:
    """Replays a graph, call by call, into layers with names of their own."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def replay(self, model: Any, tensors: list[Tensor]) -> list[Tensor]:
        """The outputs of a functional or sequential model on other inputs."""
        known = {id(x): y for x, y in zip(model.inputs, tensors, strict=True)}
        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                if node.is_input or not node.operation:
                    continue
                args, kwargs = node.arguments.fill_in(known)
                answers = self._call(node.operation, args, kwargs)
                known |= {
                    id(x): y for x, y in zip(node.outputs, keras.tree.flatten(answers), strict=True)
                }
        return [known[id(x)] for x in model.outputs]

    def _call(self, operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        graph = as_graph(operation)
        if graph is not None:
            return self.replay(graph, keras.tree.flatten(args[0]))
        if isinstance(operation, layers.Lambda):
            raise refused(operation, "holds Python code, which is not run: write it as layers")
        if not isinstance(operation, layers.Layer):
            end = ENDS.get(type(operation).__name__)
            if end is not None and getattr(operation, "axis", -1) == -1:
                return self.activated(end, operation.name, args[0])
            return self._step(operation, args, kwargs)
        if isinstance(operation, FOR_TRAINING) or type(operation).__name__.startswith(RANDOM):
            return args[0]
        if isinstance(operation, layers.Resizing) and args[0].shape == operation.output.shape:
            return args[0]
        kwargs = {key: value for key, value in kwargs.items() if key != "training"}
        expand = EXPANDED.get(type(operation))
        if expand is not None and len(args) == 1 and not kwargs:
            return expand(self, operation, args[0])
        if isinstance(operation, keras.Model):
            return self._step(_Inference(operation), args, kwargs)
        return self._copied(operation)(*args, **kwargs)

    def _step(self, operation: Any, args: Any, kwargs: Any) -> Any:
        tensors: list[Tensor] = []

        def placed(each: Any) -> Any:
            if not keras.backend.is_keras_tensor(each):
                return each
            tensors.append(each)
            return Place(len(tensors) - 1)

        arguments = keras.tree.map_structure(placed, (tuple(args), dict(kwargs)))
        layer = Step(operation, arguments, name=self.unique(operation.name))
        return layer(tensors if len(tensors) > 1 else tensors[0])

    def _copied(self, layer: layers.Layer, **changed: Any) -> layers.Layer:
        """A fresh layer of the same configuration; its weights follow when it is called."""
        config = {**layer.get_config(), "dtype": "float32", "name": self.unique(layer.name)}
        return _Weighted(type(layer).from_config({**config, **changed}), layer.get_weights())

    def made(self, layer: layers.Layer, weights: list[Any], x: Tensor) -> Tensor:
        """A new layer's output, with these weights."""
        return _Weighted(layer, weights)(x)

    def unique(self, name: str) -> str:
        """A name that no layer has yet."""
        taken, count = name, 2
        while taken in self._names:
            taken, count = f"{name}_{count}", count + 1
        self._names.add(taken)
        return taken

    def activated(self, activation: Any, name: str, x: Tensor) -> Tensor:
        """An activation as a layer of its own; none where it is linear."""
        known = getattr(activation, "__name__", "")
        if known == "linear":
            return x
        if known in RELUS:
            return layers.ReLU(RELUS[known], name=self.unique(name))(x)
        return layers.Activation(activation, name=self.unique(name))(x)


class _Weighted:
    """A layer that gets its weights after a call has built it."""

    def __init__(self, layer: layers.Layer, weights: list[Any]) -> None:
        self.layer, self.weights = layer, weights

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        answer = self.layer(*args, **kwargs)
        if self.weights:
            self.layer.set_weights(self.weights)
        return answer


class _Inference:
    """A model without a graph of its own, as it answers at inference."""

    def __init__(self, model: keras.Model) -> None:
        self.model, self.name = model, model.name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.model(*args, **kwargs, training=False)


def as_graph(operation: Any) -> Any:
    """The graph of a functional or sequential model; None where there is none."""
    if isinstance(operation, keras.Sequential):
        return operation._functional
    if isinstance(operation, keras.Model) and hasattr(operation, "_nodes_by_depth"):
        own_call = type(operation).call is not _functional().call
        return None if own_call else operation
    return None


def _functional() -> Any:
    return type(keras.Model(inputs := keras.Input((1,)), inputs))


def refused(layer: Any, why: str) -> ConversionError:
    """The error about a layer that cannot be imported, by its name."""
    return ConversionError(f"layer {layer.name!r} ({type(layer).__name__}) {why}")


def _with_activation(flat: Flattening, layer: Any, x: Tensor) -> Tensor:
    y = flat._copied(layer, activation="linear")(x)
    return flat.activated(layer.activation, f"{layer.name}_activation", y)


def _activation(flat: Flattening, layer: Any, x: Tensor) -> Tensor:
    return flat.activated(layer.activation, layer.name, x)


def _separable(flat: Flattening, layer: Any, x: Tensor) -> Tensor:
    """A separable convolution as its two convolutions."""
    depthwise, pointwise, *bias = layer.get_weights()
    first = layers.DepthwiseConv2D(
        layer.kernel_size,
        strides=layer.strides,
        padding=layer.padding,
        depth_multiplier=layer.depth_multiplier,
        dilation_rate=layer.dilation_rate,
        use_bias=False,
        name=flat.unique(f"{layer.name}_depthwise"),
    )
    second = layers.Conv2D(
        layer.filters, 1, use_bias=layer.use_bias, name=flat.unique(f"{layer.name}_pointwise")
    )
    y = flat.made(second, [pointwise, *bias], flat.made(first, [depthwise], x))
    return flat.activated(layer.activation, f"{layer.name}_activation", y)


EXPANDED: Final[dict[type, Callable[[Flattening, Any, Tensor], Tensor]]] = {
    layers.Activation: _activation,
    layers.Conv2D: _with_activation,
    layers.DepthwiseConv2D: _with_activation,
    layers.Dense: _with_activation,
    layers.SeparableConv2D: _separable,
}
