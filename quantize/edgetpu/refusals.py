"""Files that the Edge TPU's compiler refuses as a whole, because they are too new for it.

Compiler 16.0, the last, is from 2021. It reads a file with the TensorFlow Lite of its time, which
does not know later operators and versions of operators ("Op builtin_code out of range", "Didn't
find op for builtin opcode ... version ..."). A single one anywhere makes it refuse the file.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from quantize.edgetpu.rules import Obstacle
from quantize.edgetpu.sources import Basis, guessed, issue, seen
from quantize.graph import Graph, Operator

UNKNOWN_FROM: Final = 150
"""The schema's number of GELU, the first operator that the compiler did not know in a log."""

TOO_NEW: Final[dict[str, tuple[int, str]]] = {
    "CONV_2D": (6, issue(631)),
    "EXP": (2, "https://github.com/google-coral/libedgetpu/issues/71"),
    "QUANTIZE": (3, issue(879)),
    "TRANSPOSE_CONV": (4, issue(845)),
}
"""Versions of operators for which a log of compiler 16.0 shows that it refused the whole file."""

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
"""Operator → its last version in a TensorFlow Lite that is newer than the compiler's.

Later versions are certainly too new for the compiler: already version 6 of CONV_2D, which this
TensorFlow Lite knows, is too new. Some earlier versions may be too new as well.
"""
LATER: Final = (
    "https://github.com/nxp-imx/tensorflow-imx/blob/0cef4cba67d52d068879645c4750f592b6141d15/"
    "tensorflow/lite/kernels/register.cc"
)


def refusal(graphs: Iterable[Graph]) -> Obstacle | None:
    """Why the compiler would refuse a file with these graphs; None if no reason is known."""
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
