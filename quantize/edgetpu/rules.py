"""Which operators the Edge TPU's compiler maps, as far as this is documented.

The compiler is closed. The conditions are those of Coral's "TensorFlow models on the Edge TPU"
(`SOURCE`: model requirements, supported operations and their known limitations) for runtime 14,
which is the last; where a condition comes from elsewhere the line says so. A documented
condition that holds is no promise: the compiler may still decline ("otherwise supported, but not
mapped due to some unspecified limitation").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from quantize.edgetpu.graph import ACTIVATIONS, Operator, Tensor

SOURCE: Final = "https://coral.ai/docs/edgetpu/models-intro/"

EIGHT_BITS: Final = ("INT8", "UINT8")
SOFTMAX_ELEMENTS: Final = 16_000
DEPTH_MULTIPLE: Final = 4
FUSED: Final = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")
"""Activations fused into an operator that are operations of their own in the table."""

PER_CHANNEL: Final = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED")
"""Operators whose weights may have a scale for each channel (https://ai.google.dev/edge/litert/models/quantization_spec)."""

PARSED_BELOW: Final = {
    "CONV_2D": (6, "github.com/google-coral/edgetpu/issues/631"),
    "TRANSPOSE_CONV": (4, "github.com/google-coral/edgetpu/issues/845"),
}
"""Versions of operators at which compiler 16.0, the last, was seen to refuse the whole file."""

Condition = Callable[[Operator], str | None]
"""Why an operator would not be mapped, or None."""


@dataclass(frozen=True)
class Rule:
    """The conditions of one operation, in addition to those of all.

    Attributes:
        conditions: the first that is not met gives the reason.
        caveat: what the documentation leaves open; empty: nothing.
    """

    conditions: tuple[Condition, ...] = ()
    caveat: str = ""


def obstacle(operator: Operator) -> str | None:
    """Why this operator, whatever precedes it, would not be mapped; None: nothing forbids it."""
    if operator.custom:
        return f"custom operator {operator.name}"
    rule = RULES.get(operator.name)
    if rule is None:
        return "operator not supported"
    if not operator.outputs or not operator.computed:
        return "nothing to compute: it has no input or no output"
    for condition in (*GENERAL, *rule.conditions):
        reason = condition(operator)
        if reason is not None:
            return reason
    return None


def _eight_bits(operator: Operator) -> str | None:
    """Inputs and outputs are 8-bit integers; biases and shapes int32, as constants."""
    for tensor in (*operator.computed, *operator.outputs):
        if tensor.dtype not in EIGHT_BITS:
            return f"{tensor.dtype.lower()} activations: only 8-bit integers are mapped"
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
        if not tensor.fixed or not tensor.shape:
            return f"its size is not constant ({tensor.text})"
    return None


def _three_dimensions(operator: Operator) -> str | None:
    """Only the three innermost dimensions may be larger than 1."""
    for tensor in (*operator.computed, *operator.outputs):
        if any(n > 1 for n in tensor.shape[:-3]):
            return f"{tensor.text}: only the three innermost dimensions may exceed 1"
    return None


def _known_version(operator: Operator) -> str | None:
    limit, where = PARSED_BELOW.get(operator.name, (None, ""))
    if limit is not None and operator.version >= limit:
        return f"version {operator.version}: compiler 16.0 cannot read the file ({where})"
    return None


def _fused(operator: Operator) -> str | None:
    name = _activation(operator)
    return None if name in FUSED else f"fused activation {name} is not supported"


GENERAL: Final[tuple[Condition, ...]] = (
    *(_known_version, _eight_bits, _constant_shapes, _three_dimensions, _quantized, _fused),
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


def _constant_parameters(first: int) -> Condition:
    """Weights and biases, the inputs from `first` on without the image, are constants."""

    def condition(operator: Operator) -> str | None:
        weights = operator.inputs[first] if len(operator.inputs) > first else None
        if weights is None or weights.data is None:
            return "its weights are not constant"
        if len(operator.computed) != 1:
            return "its bias is not constant"
        return None

    return condition


def _scale_a_channel(weights: int, channel_axis: int) -> Condition:
    """Per-channel weights have a scale for each output channel, along the right dimension."""

    def condition(operator: Operator) -> str | None:
        tensor = operator.inputs[weights]
        if tensor is None or tensor.scales.size <= 1:
            return None
        fits = (
            tensor.channel_axis == channel_axis < len(tensor.shape)
            and tensor.scales.size == tensor.shape[channel_axis]
        )
        return None if fits else "the scales of its weights are not one an output channel"

    return condition


def _dense_weights(operator: Operator) -> str | None:
    """Per-channel weights of dense layers came in 2024, after the last compiler (2021).

    https://github.com/tensorflow/tflite-micro/pull/2602
    """
    if operator.options.get("WeightsFormat", 0) != 0:
        return "only the default format of its weights is supported"
    weights = operator.inputs[1]
    if weights is not None and weights.scales.size > 1:
        return "its weights are quantized per channel, which is newer than the compiler"
    return None


def _one_dimension(tensors: str) -> Condition:
    def condition(operator: Operator) -> str | None:
        for tensor in getattr(operator, tensors):
            if any(n > 1 for n in tensor.shape[:-1]):
                return f"{tensor.text} is not one-dimensional"
        return None

    return condition


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


def _not_judged(operator: Operator) -> str | None:
    return "documented as supported where unidirectional, but not judged by this check"


_RESIZED: Final = Rule(
    caveat="depending on its size not mapped, to avoid a loss of precision",
)
_REDUCED: Final = Rule((_not_the_batch,))

RULES: Final[dict[str, Rule]] = {
    "ADD": Rule(),
    "AVERAGE_POOL_2D": Rule((_nothing_fused,)),
    "CONCATENATION": Rule((_nothing_fused, _only_zeros_beside)),
    "CONV_2D": Rule((_constant_parameters(1), _scale_a_channel(1, 0), _same_dilation)),
    "DEPTHWISE_CONV_2D": Rule((_constant_parameters(1), _scale_a_channel(1, 3), _same_dilation)),
    "EXPAND_DIMS": Rule(),
    "FULLY_CONNECTED": Rule((_constant_parameters(1), _dense_weights, _one_dimension("outputs"))),
    "L2_NORMALIZATION": Rule(),
    "LOGISTIC": Rule(),
    "MAXIMUM": Rule(),
    "MAX_POOL_2D": Rule((_nothing_fused,)),
    "MEAN": Rule((_not_the_batch, _depth_of_four)),
    "MINIMUM": Rule(),
    "MUL": Rule(),
    "PACK": Rule((_no_packing_of_the_batch,)),
    "PAD": Rule((_no_padding_of_the_batch,)),
    "PRELU": Rule((_one_alpha_a_channel,)),
    "QUANTIZE": Rule(),
    "REDUCE_MAX": _REDUCED,
    "REDUCE_MIN": _REDUCED,
    "RELU": Rule(),
    "RELU6": Rule(),
    "RELU_N1_TO_1": Rule(),
    "RESHAPE": Rule(caveat="not mapped for some large tensors"),
    "RESIZE_BILINEAR": _RESIZED,
    "RESIZE_NEAREST_NEIGHBOR": _RESIZED,
    "RSQRT": Rule(),
    "SLICE": Rule(),
    "SOFTMAX": Rule((_one_dimension("computed"), _softmax_elements)),
    "SPACE_TO_DEPTH": Rule(),
    "SPLIT": Rule((_no_splitting_of_the_batch,)),
    "SQUARED_DIFFERENCE": Rule(),
    "SQUEEZE": Rule(),
    "STRIDED_SLICE": Rule((_unit_strides,)),
    "SUB": Rule(),
    "SUM": _REDUCED,
    "TANH": Rule(),
    "TRANSPOSE": Rule(),
    "TRANSPOSE_CONV": Rule((_constant_parameters(1), _scale_a_channel(1, 0))),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": Rule((_not_judged,)),
}
