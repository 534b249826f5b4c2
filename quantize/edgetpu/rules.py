"""The conditions under which the Edge TPU's compiler maps an operator, with their sources.

The conditions are those of Coral's "TensorFlow models on the Edge TPU" (model requirements,
supported operations and their known limitations) unless the line says otherwise: `seen` in a
published log of the compiler, or `guessed`. Meeting all conditions is no guarantee: the compiler
may still decline ("otherwise supported, but not mapped due to some unspecified limitation").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import prod
from typing import Final

import numpy as np

from quantize.edgetpu.sources import (
    DENSE,
    DOCUMENTED,
    EFFICIENTDET,
    LSTM_PAIR,
    MNIST,
    REIDENTIFICATION,
    YOLOV7,
    YOLOV9,
    Basis,
    guessed,
    issue,
    seen,
)
from quantize.graph import ACTIVATIONS, Operator, Tensor

EIGHT_BITS: Final = ("INT8", "UINT8")
SOFTMAX_ELEMENTS: Final = 16_000
DEPTH_MULTIPLE: Final = 4
MEAN_REDUCED: Final = 64 * 128
"""The most elements with which a mean was mapped in a log; with four times as many it was not."""
RESIZED_ELEMENTS: Final = 1024 * 1024 * 3
"""The smallest output of a resizing that ran on the CPU in a log."""
FUSED: Final = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")
"""Activations fused into an operator that are operations of their own in the table."""

PER_CHANNEL: Final = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED")
"""Operators whose weights may have a scale for each channel (https://ai.google.dev/edge/litert/models/quantization_spec)."""

LEFT_TO_THE_CPU: Final[dict[str, str]] = {
    "DEPTH_TO_SPACE": issue(386),
    "DEQUANTIZE": EFFICIENTDET,
    "ELU": issue(508),
    "GATHER": YOLOV9,
    "HARD_SWISH": issue(272),
    "LEAKY_RELU": issue(597),
    "SIN": DENSE,
}
"""Operators that are not in the table and that a log shows on the CPU."""


@dataclass(frozen=True)
class Obstacle:
    """Why an operator would not be mapped."""

    reason: str
    basis: Basis = DOCUMENTED


@dataclass(frozen=True)
class Condition:
    """A condition that an operator must meet.

    Attributes:
        unmet: the reason why it would not be mapped, or None.
    """

    unmet: Callable[[Operator], str | None]
    basis: Basis = DOCUMENTED


@dataclass(frozen=True)
class Rule:
    """The rule for one operation, in addition to the conditions for all.

    Attributes:
        conditions: the first unmet one gives the reason.
        basis: for the statement that it is mapped if they are met.
        doubt: gives a reason why it may still not be mapped; None without one.
    """

    conditions: tuple[Condition, ...] = ()
    basis: Basis = DOCUMENTED
    doubt: Condition | None = None


def obstacle(operator: Operator) -> Obstacle | None:
    """Why this operator would not be mapped, whatever precedes it; None if nothing forbids it."""
    if operator.custom:
        return Obstacle(f"custom operator {operator.name}", seen(EFFICIENTDET))
    rule = RULES.get(operator.name)
    if rule is None:
        log = LEFT_TO_THE_CPU.get(operator.name)
        return Obstacle("operator not supported", seen(log) if log else DOCUMENTED)
    if not operator.outputs or not operator.computed:
        nothing = "nothing to compute: it has no input or no output"
        return Obstacle(nothing, guessed("such an operator gives a constant"))
    for condition in (*GENERAL, *rule.conditions):
        reason = condition.unmet(operator)
        if reason is not None:
            return Obstacle(reason, condition.basis)
    return None


def doubt(operator: Operator) -> Obstacle | None:
    """Why an operator without an obstacle may still not be mapped; None if no reason is known."""
    found = RULES[operator.name].doubt
    words = None if found is None else found.unmet(operator)
    return None if found is None or words is None else Obstacle(words, found.basis)


def _eight_bits(operator: Operator) -> str | None:
    """Inputs and outputs are 8-bit integers; biases and shapes int32, as constants."""
    for tensor in (*operator.computed, *operator.outputs):
        if tensor.dtype not in EIGHT_BITS:
            return f"{tensor.dtype.lower()} activations: only 8-bit integers are mapped"
    if operator.states and operator.name not in KEEPS_A_STATE:
        return "it keeps a state from one run to the next"
    for tensor in operator.constants:
        if tensor.dtype not in (*EIGHT_BITS, "INT32"):
            return f"{tensor.dtype.lower()} parameters: not fully quantized to 8 bits"
    return None


def _quantized(operator: Operator) -> str | None:
    """A scale for each tensor; one a channel for the weights of convolutions alone."""
    for tensor in (*operator.computed, *operator.outputs):
        if tensor.scales.size == 0:
            return "an activation has no quantization"
        if tensor.scales.size > 1:
            return "an activation is quantized per channel"
    for tensor in operator.constants:
        if tensor.dtype in EIGHT_BITS and tensor.scales.size == 0:
            return "a parameter has no quantization"
        if tensor.scales.size > 1 and operator.name not in PER_CHANNEL:
            return "a parameter is quantized per channel, as only convolutions' weights may be"
    for tensor in (*operator.computed, *operator.outputs, *operator.constants):
        if not (np.isfinite(tensor.scales) & (tensor.scales > 0)).all():
            return "a scale is not a positive number"
    return None


def _constant_shapes(operator: Operator) -> str | None:
    """Every size is known when compiling."""
    for tensor in (*operator.computed, *operator.outputs):
        if not tensor.fixed:
            return f"its size is not constant ({tensor.text})"
    return None


def _some_elements(operator: Operator) -> str | None:
    """Tensors have one to three dimensions."""
    for tensor in (*operator.computed, *operator.outputs):
        if not tensor.shape or 0 in tensor.shape:
            return f"{tensor.text}: a tensor with one dimension at least is needed"
    return None


def _dense(operator: Operator) -> str | None:
    """Nothing is known of weights stored without their zeros, which came in 2020."""
    if any(tensor.sparse for tensor in operator.constants):
        return "its parameters are stored sparse"
    return None


def _three_dimensions(operator: Operator) -> str | None:
    """Only the three innermost dimensions may be larger than 1."""
    for tensor in (*operator.computed, *operator.outputs):
        if any(n > 1 for n in tensor.shape[:-3]):
            return f"{tensor.text}: only the three innermost dimensions may exceed 1"
    return None


def _fused(operator: Operator) -> str | None:
    name = _activation(operator)
    return None if name in FUSED else f"fused activation {name} is not supported"


KEEPS_A_STATE: Final = ("UNIDIRECTIONAL_SEQUENCE_LSTM",)

GENERAL: Final = (
    Condition(_eight_bits),
    Condition(_constant_shapes),
    Condition(_some_elements),
    Condition(_three_dimensions, seen(issue(30))),
    Condition(_quantized),
    Condition(_dense, guessed("the documentation says nothing of sparse parameters")),
    Condition(_fused, guessed("only these activations are operations of the table")),
)
"""Coral's model requirements, and what 8-bit quantization is."""


def _activation(operator: Operator) -> str:
    code = operator.options.get("FusedActivationFunction", 0)
    return ACTIVATIONS.get(code, str(code))


def _nothing_fused(operator: Operator) -> str | None:
    name = _activation(operator)
    return None if name == "NONE" else f"no fused activation is supported here, it has {name}"


def _same_dilation(operator: Operator) -> str | None:
    height, width = (operator.options.get(f"Dilation{side}Factor", 1) for side in "HW")
    return None if height == width else f"dilations {height} and {width} differ"


def _constant_parameters(operator: Operator) -> str | None:
    """Weights, the second input, and biases are constants."""
    weights = operator.inputs[1] if len(operator.inputs) > 1 else None
    if weights is None or weights.data is None:
        return "its weights are not constant"
    return None if len(operator.computed) == 1 else "its bias is not constant"


def _a_scale_a_channel(channel_axis: int) -> Condition:
    """Per-channel weights have a scale for each output channel, along the right dimension."""

    def unmet(operator: Operator) -> str | None:
        tensor = operator.inputs[1]
        if tensor is None or tensor.scales.size <= 1:
            return None
        fits = (
            tensor.channel_axis == channel_axis < len(tensor.shape)
            and tensor.scales.size == tensor.shape[channel_axis]
        )
        return None if fits else "the scales of its weights are not one an output channel"

    return Condition(unmet, guessed("https://ai.google.dev/edge/litert/models/quantization_spec"))


def _default_weights(operator: Operator) -> str | None:
    if operator.options.get("WeightsFormat", 0) != 0:
        return "only the default format of its weights is supported"
    return None


def _scale_a_tensor(operator: Operator) -> str | None:
    """A scale for each output of a dense layer came in 2024, after the last compiler (2021)."""
    weights = operator.inputs[1]
    if weights is not None and weights.scales.size > 1:
        return "its weights are quantized per channel, which is newer than the compiler"
    return None


def _plain_dense(operator: Operator) -> str | None:
    """Version 5 and more: a layer on several rows, no bias, sparse or 16-bit weights.

    Where one dense layer of a network needs it, the converter gives the version to all of them.
    """
    if operator.version > 4:
        return f"version {operator.version} of dense layers: the plain one is 4 at most"
    return None


def _one_row_out(operator: Operator) -> str | None:
    return _one_row(operator.outputs)


def _several_rows(operator: Operator) -> str | None:
    """The table's softmax has one row; the heads of a YOLOv9 have many, and were mapped."""
    rows = _one_row(operator.computed)
    return None if rows is None else f"by the documentation not where {rows}"


def _one_row(tensors: Iterable[Tensor]) -> str | None:
    for tensor in tensors:
        if any(n > 1 for n in tensor.shape[:-1]):
            return f"{tensor.text} is not one-dimensional"
    return None


def _few_elements(operator: Operator) -> str | None:
    """Of 1x256x128x3 a mean over height and width stayed on the CPU, of 1x64x128x3 not."""
    count = _reduced(operator)
    return f"the mean of {count} elements is too large" if count >= 4 * MEAN_REDUCED else None


def _more_than_seen(operator: Operator) -> str | None:
    count = _reduced(operator)
    return f"no mean of {count} elements was seen" if count > MEAN_REDUCED else None


def _reduced(operator: Operator) -> int:
    """The number of elements that a reduction makes one of."""
    found = _axes(operator)
    return 0 if found is None else prod(found[0].shape[axis] for axis in found[1])


def _resized_to_few(operator: Operator) -> str | None:
    """Resizing 1x512x512x3 by two stayed on the CPU."""
    if any(prod(tensor.shape) >= RESIZED_ELEMENTS for tensor in operator.outputs):
        return f"resized to {operator.outputs[0].text}, which is too large"
    return None


def _softmax_elements(operator: Operator) -> str | None:
    count = max((t.shape[-1] for t in operator.computed), default=0)
    return None if count <= SOFTMAX_ELEMENTS else f"{count} elements, at most {SOFTMAX_ELEMENTS}"


def _axes(operator: Operator) -> tuple[Tensor, set[int]] | None:
    """Of a reduction: its input, and the dimensions reduced, counted from the front."""
    if len(operator.inputs) != 2 or operator.inputs[0] is None or operator.inputs[1] is None:
        return None
    image, axes = operator.inputs[0], operator.inputs[1].integers()
    rank = len(image.shape)
    if not axes or any(not -rank <= axis < rank for axis in axes):
        return None
    return image, {axis % rank for axis in axes}


def _not_the_batch(operator: Operator) -> str | None:
    """A reduction leaves the first dimension of four, the batch, alone."""
    found = _axes(operator)
    if found is None:
        return "its axes are not constant"
    image, axes = found
    # The documentation says nothing of fewer dimensions: the first counts as the batch.
    return "reduces the batch dimension" if 0 in axes and len(image.shape) > 1 else None


def _depth_of_four(operator: Operator) -> str | None:
    found = _axes(operator)
    if found is None:
        return "its axes are not constant"
    image, axes = found
    depth = image.shape[-1]
    if len(image.shape) - 1 in axes and depth % DEPTH_MULTIPLE:
        return f"reduces {depth} channels, which is no multiple of {DEPTH_MULTIPLE}"
    return None


def _no_padding_of_the_batch(operator: Operator) -> str | None:
    amounts = operator.inputs[1] if len(operator.inputs) > 1 else None
    values = None if amounts is None else amounts.integers()
    if not values:
        return "its padding is not constant"
    return "pads the batch dimension" if any(values[:2]) else None


def _no_packing_of_the_batch(operator: Operator) -> str | None:
    rank = len(operator.outputs[0].shape)
    axis = operator.options.get("Axis", 0)
    return "packs in the batch dimension" if axis in (0, -rank) else None


def _no_splitting_of_the_batch(operator: Operator) -> str | None:
    axis = None if operator.inputs[0] is None else operator.inputs[0].integers()
    if not axis:
        return "its axis is not constant"
    rank = len(operator.outputs[0].shape)
    return "splits the batch dimension" if axis[0] in (0, -rank) else None


def _only_zeros_beside(operator: Operator) -> str | None:
    """A constant that is concatenated is one of two inputs, and all zeros."""
    for tensor in operator.constants:
        zero = int(tensor.zero_points[0]) if tensor.zero_points.size else 0
        stored = np.asarray(tensor.data).view(np.uint8 if tensor.dtype == "UINT8" else np.int8)
        if len(operator.inputs) != 2 or (stored != zero).any():
            return "concatenates a constant that is not one of two inputs and all zeros"
    return None


def _unit_strides(operator: Operator) -> str | None:
    strides = operator.inputs[3] if len(operator.inputs) > 3 else None
    values = None if strides is None else strides.integers()
    if not values or any(value != 1 for value in values):
        return "only strides of 1 are supported"
    if operator.options.get("EllipsisMask", 0) or operator.options.get("NewAxisMask", 0):
        return "an ellipsis or a new axis is not supported"
    return None


def _one_alpha_a_channel(operator: Operator) -> str | None:
    alpha = operator.inputs[1] if len(operator.inputs) > 1 else None
    if alpha is None or alpha.data is None or any(n > 1 for n in alpha.shape[:-1]):
        return "its alpha is not one constant a channel"
    return None


CELL_STATE: Final = 19
"""Index of the cell state among an LSTM's inputs: gates are 1 to 8, then peepholes, biases,
projection, two states."""
LSTM_FEATURES: Final = 900
LSTM_EXTRAS: Final = {
    "peepholes": (9, 10, 11),
    "a projection": (16, 17),
    "layer normalization": (20, 21, 22, 23),
}


def _quantized_state(operator: Operator) -> str | None:
    """The output's state has 8 bits, the cell's 16, as the quantizer makes them.

    https://ai.google.dev/edge/litert/models/quantization_spec
    """
    for state in operator.states:
        cell = any(tensor is state for tensor in operator.inputs[CELL_STATE : CELL_STATE + 1])
        if state.dtype not in (("INT16",) if cell else EIGHT_BITS):
            return f"{state.dtype.lower()} state: not fully quantized"
    return None if len(operator.states) == 2 else "it has not the two states of an LSTM"


def _plain_lstm(operator: Operator) -> str | None:
    for name, places in LSTM_EXTRAS.items():
        if any(tensor is not None for p in places for tensor in operator.inputs[p : p + 1]):
            return f"an LSTM with {name}"
    return None


def _many_features(operator: Operator) -> str | None:
    """With 1000 inputs a step and more the compiler failed, with 900 not."""
    features = operator.computed[0].shape[-1]
    if features < LSTM_FEATURES:
        return None
    return f"with about 1000 inputs a step it has failed, here {features}"


def _always(words: str, basis: Basis = DOCUMENTED) -> Condition:
    return Condition(lambda operator: words, basis)


_AXES: Final = (Condition(_not_the_batch),)
_WEIGHTS: Final = Condition(_constant_parameters, seen(issue(25)))
_PLAIN: Final = Condition(_nothing_fused)
_DILATED: Final = Condition(_same_dilation)
_SMALL: Final = Condition(_resized_to_few, seen(issue(597)))


_BY_SIZE: Final = _always("depending on its size not mapped, to avoid a loss of precision")
_LARGE: Final = "not mapped for some large tensors"

RULES: Final[dict[str, Rule]] = {
    "ADD": Rule(basis=seen(YOLOV7)),
    "AVERAGE_POOL_2D": Rule((_PLAIN,), seen(YOLOV9)),
    "CONCATENATION": Rule(
        (_PLAIN, Condition(_only_zeros_beside)), seen(YOLOV7), _always(_LARGE, seen(issue(512)))
    ),
    "CONV_2D": Rule((_WEIGHTS, _a_scale_a_channel(0), _DILATED), seen(EFFICIENTDET)),
    "DEPTHWISE_CONV_2D": Rule((_WEIGHTS, _a_scale_a_channel(3), _DILATED), seen(EFFICIENTDET)),
    "EXPAND_DIMS": Rule(),
    "FULLY_CONNECTED": Rule(
        (
            _WEIGHTS,
            Condition(_default_weights),
            Condition(_one_row_out, seen(issue(27))),
            Condition(
                _scale_a_tensor, guessed("https://github.com/tensorflow/tflite-micro/pull/2602")
            ),
            Condition(_plain_dense, guessed("the table's dense layer has one row")),
        ),
        seen(MNIST),
    ),
    "L2_NORMALIZATION": Rule(),
    "LOGISTIC": Rule(basis=seen(YOLOV7)),
    "MAXIMUM": Rule(basis=seen(YOLOV9)),
    "MAX_POOL_2D": Rule((_PLAIN,), seen(YOLOV7)),
    "MEAN": Rule(
        (
            *_AXES,
            Condition(_depth_of_four),
            Condition(_few_elements, seen(REIDENTIFICATION)),
        ),
        seen(issue(317)),
        Condition(_more_than_seen, guessed(REIDENTIFICATION)),
    ),
    "MINIMUM": Rule(basis=seen(YOLOV9)),
    "MUL": Rule(basis=seen(YOLOV7)),
    "PACK": Rule((Condition(_no_packing_of_the_batch),)),
    "PAD": Rule((Condition(_no_padding_of_the_batch),), seen(YOLOV7)),
    "PRELU": Rule((Condition(_one_alpha_a_channel),), seen(issue(460))),
    "QUANTIZE": Rule(basis=seen(YOLOV7)),
    "REDUCE_MAX": Rule(_AXES),
    "REDUCE_MIN": Rule(_AXES),
    "RELU": Rule(),
    "RELU6": Rule(),
    "RELU_N1_TO_1": Rule(),
    "RESHAPE": Rule((), seen(YOLOV7), _always(_LARGE)),
    "RESIZE_BILINEAR": Rule((_SMALL,), seen(issue(31)), _BY_SIZE),
    "RESIZE_NEAREST_NEIGHBOR": Rule((_SMALL,), seen(YOLOV7), _BY_SIZE),
    "RSQRT": Rule(),
    "SLICE": Rule(),
    "SOFTMAX": Rule((Condition(_softmax_elements),), seen(YOLOV9), Condition(_several_rows)),
    "SPACE_TO_DEPTH": Rule(),
    "SPLIT": Rule((Condition(_no_splitting_of_the_batch),), seen(YOLOV9)),
    "SQUARED_DIFFERENCE": Rule(basis=seen(REIDENTIFICATION)),
    "SQUEEZE": Rule(),
    "STRIDED_SLICE": Rule((Condition(_unit_strides),), seen(YOLOV9)),
    "SUB": Rule(basis=seen(REIDENTIFICATION)),
    "SUM": Rule(_AXES),
    "TANH": Rule(),
    "TRANSPOSE": Rule((), seen(YOLOV9), _always(_LARGE, seen(issue(433)))),
    "TRANSPOSE_CONV": Rule(
        (_WEIGHTS, _a_scale_a_channel(0)), seen(issue(686)), _always(_LARGE, seen(issue(686)))
    ),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": Rule(
        (
            Condition(_quantized_state, seen(LSTM_PAIR)),
            Condition(_plain_lstm, guessed("no log shows one")),
        ),
        seen(LSTM_PAIR),
        Condition(_many_features, seen(issue(598))),
    ),
}
