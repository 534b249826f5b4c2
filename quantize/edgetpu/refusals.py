"""Files of which the Edge TPU's compiler takes nothing, because it is older than they are.

Compiler 16.0, the last, is of 2021. It reads a file with the TensorFlow Lite of its time, which
knows no operator, and no version of one, that came later ("Op builtin_code out of range", "Didn't
find op for builtin opcode ... version ..."). One such operator is enough, wherever it stands.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from quantize.edgetpu.rules import Obstacle
from quantize.edgetpu.sources import Basis, guessed, issue, seen
from quantize.graph import Graph, Operator

UNKNOWN_FROM: Final = 150
"""The schema's number of the first operator that the compiler was seen not to know, GELU."""

TOO_NEW: Final[dict[str, tuple[int, str]]] = {
    "CONV_2D": (6, issue(631)),
    "EXP": (2, "https://github.com/google-coral/libedgetpu/issues/71"),
    "QUANTIZE": (3, issue(879)),
    "TRANSPOSE_CONV": (4, issue(845)),
}
"""Versions of operators at which compiler 16.0 was seen to refuse the whole file."""

_1 = "CEIL ELU EXPAND_DIMS FLOOR HARD_SWISH LOG NEG PRELU RESHAPE ROUND SIN COS SQRT SQUARE"
_2 = (
    "DIV FLOOR_DIV GREATER GREATER_EQUAL L2_NORMALIZATION LEAKY_RELU LESS LESS_EQUAL LOG_SOFTMAX "
    "MIRROR_PAD REDUCE_PROD RSQRT SPACE_TO_DEPTH DEPTH_TO_SPACE SPLIT_V SQUARED_DIFFERENCE SQUEEZE "
    "SUM TOPK_V2"
)
_3 = (
    "ARG_MAX ARG_MIN AVERAGE_POOL_2D BATCH_TO_SPACE_ND CONCATENATION EQUAL LOGISTIC MAX_POOL_2D "
    "MEAN NOT_EQUAL PACK REDUCE_MAX REDUCE_MIN RELU RELU6 REVERSE_V2 SOFTMAX SPACE_TO_BATCH_ND "
    "TANH TILE UNIDIRECTIONAL_SEQUENCE_LSTM"
)
_4 = (
    "ABS ADD BATCH_MATMUL CAST MAXIMUM MINIMUM PAD PADV2 RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR "
    "SPLIT UNPACK"
)
_5 = "DEQUANTIZE GATHER MUL SLICE SUB TRANSPOSE"
_6 = "DEPTHWISE_CONV_2D STRIDED_SLICE"
KNOWN_LATER: Final = {
    **{name: k for k, names in enumerate((_1, _2, _3, _4, _5, _6), 1) for name in names.split()},
    "FULLY_CONNECTED": 9,
}
"""By operator: the last version that a TensorFlow Lite knew that is newer than the compiler's.

It knows version 6 of CONV_2D, which the compiler does not; what it does not know the compiler knows
still less. Some versions below these may be too new as well.
"""
LATER: Final = (
    "https://github.com/nxp-imx/tensorflow-imx/blob/0cef4cba67d52d068879645c4750f592b6141d15/"
    "tensorflow/lite/kernels/register.cc"
)


def refusal(graphs: Iterable[Graph]) -> Obstacle | None:
    """Why the compiler would refuse a file with these graphs; None: nothing is known."""
    for graph in graphs:
        for operator in graph.operators:
            found = None if operator.custom else _unknown(operator)
            if found is not None:
                return found
    return None


def _unknown(operator: Operator) -> Obstacle | None:
    name, version = operator.name, operator.version
    if operator.code >= UNKNOWN_FROM:
        numbers = {150: 818, 151: 862}
        known = operator.code in numbers
        where = issue(numbers.get(operator.code, 818))
        return Obstacle(f"{name} is newer than the compiler", _either(known, where))
    limit, where = TOO_NEW.get(name, (KNOWN_LATER.get(name, version) + 1, LATER))
    if version >= limit:
        reason = f"version {version} of {name} is newer than the compiler"
        return Obstacle(reason, _either(name in TOO_NEW and version == limit, where))
    return None


def _either(known: bool, where: str) -> Basis:
    return seen(where) if known else guessed(where)
