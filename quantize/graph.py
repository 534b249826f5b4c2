"""A TensorFlow Lite flatbuffer → its operators and tensors, as plain values.

Files are read as TensorFlow Lite's interpreter reads them, whatever it accepts
(https://github.com/tensorflow/tensorflow/blob/v2.16.1/tensorflow/lite/core/interpreter_builder.cc).
A file may be damaged or malicious: lengths are bounded before they are used, and every error of the
flatbuffers package becomes a `ModelError`.
"""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass, field
from math import prod
from typing import Any, Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edge_app.core.errors import ModelError
from edge_app.model.model_file import TFLITE_IDENTIFIER

MAX_SUBGRAPHS: Final = 1000
MAX_OPERATORS: Final = 100_000
MAX_TENSORS: Final = 200_000
MAX_OPERANDS: Final = 1 << 20
MAX_LETTERS: Final = 1 << 24
MAX_SCALES: Final = 1 << 24
"""Limits on a whole file: its vectors may overlap, so its size does not bound them."""
MAX_RANK: Final = 32
MAX_SHOWN: Final = 1000
"""How many letters of a name are printed."""

DAMAGED: Final = (
    *(struct.error, IndexError, KeyError, ValueError, TypeError, AttributeError),
    *(OverflowError, BufferError, MemoryError),
)
"""Errors that the flatbuffers package and numpy raise on wrong offsets and lengths."""


def _names(enumeration: Any) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}


OPERATORS: Final = _names(schema.BuiltinOperator)
TYPES: Final = _names(schema.TensorType)
OPTION_TYPES: Final = _names(schema.BuiltinOptions)
ACTIVATIONS: Final = _names(schema.ActivationFunctionType)

BITS: Final = {
    "INT2": 2,
    **dict.fromkeys(("INT4", "UINT4"), 4),
    **dict.fromkeys(("INT8", "UINT8", "BOOL"), 8),
    **dict.fromkeys(("INT16", "UINT16", "FLOAT16", "BFLOAT16"), 16),
    **dict.fromkeys(("INT32", "UINT32", "FLOAT32"), 32),
    **dict.fromkeys(("INT64", "UINT64", "FLOAT64", "COMPLEX64"), 64),
    "COMPLEX128": 128,
}
"""Bits of an element; strings, resources and variants have no fixed size."""

_FUSED: Final = ("FusedActivationFunction",)
_DILATIONS: Final = (*_FUSED, "DilationHFactor", "DilationWFactor")
OPTIONS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "ADD": ("AddOptions", _FUSED),
    "AVERAGE_POOL_2D": ("Pool2DOptions", _FUSED),
    "CONCATENATION": ("ConcatenationOptions", _FUSED),
    "CONV_2D": ("Conv2DOptions", _DILATIONS),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", _DILATIONS),
    "FULLY_CONNECTED": ("FullyConnectedOptions", (*_FUSED, "WeightsFormat")),
    "MAX_POOL_2D": ("Pool2DOptions", _FUSED),
    "MUL": ("MulOptions", _FUSED),
    "PACK": ("PackOptions", ("Axis",)),
    "STRIDED_SLICE": ("StridedSliceOptions", ("EllipsisMask", "NewAxisMask")),
    "SUB": ("SubOptions", _FUSED),
    "TRANSPOSE_CONV": ("TransposeConvOptions", _FUSED),
}
"""Operator → the schema's table of its options, and the accessors that are read."""


@dataclass(frozen=True)
class Tensor:
    """One tensor.

    Attributes:
        name: in the flatbuffer.
        shape: -1 for a dimension that was unknown at conversion; () for a scalar.
        fixed: whether the whole shape was known.
        dtype: the schema's name, such as "INT8".
        scales: float32, one a tensor or one a channel; empty: not quantized.
        zero_points: int64, as many.
        channel_axis: the dimension that `scales` goes along, if there are several.
        buffer: of its constant data; tensors may share one.
        data: uint8, the constant's bytes; None: computed, the graph's input, or a variable.
        index: its place in the subgraph.
        variable: whether it is a state that an operator keeps from one run to the next.
        sparse: whether it is a constant that is stored without its zeros.
    """

    name: str
    shape: tuple[int, ...]
    fixed: bool
    dtype: str
    scales: NDArray[np.float32]
    zero_points: NDArray[np.int64]
    channel_axis: int
    buffer: int
    data: NDArray[np.uint8] | None
    index: int = -1
    variable: bool = False
    sparse: bool = False

    @property
    def text(self) -> str:
        """Such as "int8 1x7x7x15"."""
        sizes = ("?" if n == -1 else str(n) for n in self.shape)
        return f"{self.dtype.lower()} {'x'.join(sizes) or 'scalar'}"

    def integers(self) -> list[int] | None:
        """The values of a constant with at most 64 int32, such as axes; None: another tensor."""
        if self.dtype != "INT32" or self.data is None or self.data.size > 4 * 64:
            return None
        if self.data.size % 4:
            return None
        return [int(value) for value in np.frombuffer(self.data.tobytes(), "<i4")]


@dataclass(frozen=True)
class Operator:
    """One operator, in the order of execution.

    Attributes:
        index: its place.
        name: the schema's, such as "CONV_2D", or a custom operator's own.
        version: of the operator, as the converter chose it for the features that it uses.
        inputs: None where an optional one is left out.
        options: by the schema's accessors, see `OPTIONS`; empty where the file has none.
        code: the schema's number of the operator.
    """

    index: int
    name: str
    version: int
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    options: dict[str, int] = field(default_factory=dict)
    custom: bool = False
    code: int = -1

    @property
    def computed(self) -> list[Tensor]:
        """The inputs that other operators or the caller supply: no constants, no states."""
        variable = (tensor for tensor in self.inputs if tensor is not None and tensor.data is None)
        return [tensor for tensor in variable if not tensor.variable]

    @property
    def states(self) -> list[Tensor]:
        return [tensor for tensor in self.inputs if tensor is not None and tensor.variable]

    @property
    def constants(self) -> list[Tensor]:
        return [tensor for tensor in self.inputs if tensor is not None and tensor.data is not None]


@dataclass(frozen=True)
class Graph:
    """One subgraph of a flatbuffer."""

    operators: tuple[Operator, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    tensors: tuple[Tensor, ...] = ()


def read_graph(flatbuffer: bytes) -> Graph:
    """Read the main subgraph, see `read_graphs`."""
    return read_graphs(flatbuffer)[0]


def read_graphs(flatbuffer: bytes) -> tuple[Graph, ...]:
    """Read all subgraphs: the main one, then those that its control flow runs.

    Raises:
        ModelError: it is no TensorFlow Lite flatbuffer, or a damaged one.
    """
    if flatbuffer[4:8] != TFLITE_IDENTIFIER:
        raise ModelError("not a TensorFlow Lite model")
    try:
        return _Reader(flatbuffer).graphs()
    except DAMAGED:
        raise ModelError("a damaged flatbuffer: copy the file again, or convert again") from None


def printable(text: str) -> str:
    """A name without control characters, which could move a terminal's cursor."""
    return "".join(c if c.isprintable() else "?" for c in text[:MAX_SHOWN])


class _Reader:
    def __init__(self, flatbuffer: bytes) -> None:
        self.flatbuffer = flatbuffer
        self.model = schema.Model.GetRootAs(flatbuffer, 0)
        self.read: Counter[str] = Counter()

    def graphs(self) -> tuple[Graph, ...]:
        count = self._counted(self.model.SubgraphsLength(), MAX_SUBGRAPHS, "graphs")
        if count == 0:
            raise ModelError("it has no graph")
        return tuple(self._graph(self.model.Subgraphs(place)) for place in range(count))

    def _graph(self, graph: Any) -> Graph:
        count = self._counted(graph.TensorsLength(), MAX_TENSORS, "tensors")
        tensors = [self._tensor(place, graph.Tensors(place)) for place in range(count)]
        count = self._counted(graph.OperatorsLength(), MAX_OPERATORS, "operators")
        operators = (self._operator(k, graph.Operators(k), tensors) for k in range(count))
        return Graph(
            tuple(operators),
            _present(self._operands(graph.InputsAsNumpy(), tensors)),
            _present(self._operands(graph.OutputsAsNumpy(), tensors)),
            tuple(tensors),
        )

    def _tensor(self, place: int, tensor: Any) -> Tensor:
        shape = _shape(tensor.ShapeAsNumpy())
        signature = _shape(tensor.ShapeSignatureAsNumpy()) or shape
        scales, zero_points, axis = self._quantization(tensor.Quantization())
        dtype = TYPES.get(tensor.Type())
        if dtype is None:
            raise ModelError(f"a tensor has type {int(tensor.Type())}, which is not known")
        buffer, sparse = int(tensor.Buffer()), tensor.Sparsity() is not None
        return Tensor(
            self._text(tensor.Name()),
            signature,
            min((*shape, *signature), default=0) >= 0 and len(shape) == len(signature),
            dtype,
            scales,
            zero_points,
            axis,
            buffer,
            _whole(self._data(buffer, tensor, shape), shape, 0 if sparse else BITS.get(dtype, 0)),
            place,
            bool(tensor.IsVariable()),
            sparse,
        )

    def _quantization(self, table: Any) -> tuple[NDArray[np.float32], NDArray[np.int64], int]:
        """Scales, zero points and channel axis; without scales the others are ignored."""
        scales = _vector(table.ScaleAsNumpy() if table else 0).astype(np.float32, copy=False)
        self._counted(scales.size, MAX_SCALES, "scales")
        if scales.size == 0:
            return scales, np.zeros(0, np.int64), 0
        zero_points = _vector(table.ZeroPointAsNumpy()).astype(np.int64, copy=False)
        if zero_points.size != scales.size:
            raise ModelError("a tensor has other numbers of scales and zero points")
        return scales, zero_points, int(table.QuantizedDimension())

    def _data(self, place: int, tensor: Any, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
        if tensor.ExternalBuffer():
            raise ModelError("its parameters lie in another file, which is not read")
        if place >= max(1, self.model.BuffersLength()):
            raise ModelError(f"a tensor's buffer {place} is not there")
        # Buffer 0 is empty by the schema's rule; what has no element needs no bytes.
        empty = np.zeros(0, np.uint8) if 0 in shape else None
        buffer = self.model.Buffers(place) if place else None
        if buffer is None:
            return empty
        start, size = int(buffer.Offset()), int(buffer.Size())
        if start > 1:  # the data of large models lie behind the flatbuffer
            if start + size > len(self.flatbuffer):
                raise ModelError("a constant lies outside the file")
            return np.frombuffer(self.flatbuffer, np.uint8, size, start)
        data = _vector(buffer.DataAsNumpy())
        return data.astype(np.uint8, copy=False) if data.size else empty

    def _operator(self, place: int, operator: Any, tensors: list[Tensor]) -> Operator:
        which = int(operator.OpcodeIndex())
        if which >= self.model.OperatorCodesLength():
            raise ModelError(f"operator {place} is of no known code")
        code = self.model.OperatorCodes(which)
        # Codes above 127 did not fit the old field, and files from before 2020 have no new one.
        builtin = max(int(code.BuiltinCode()), int(code.DeprecatedBuiltinCode()))
        name = OPERATORS.get(builtin, f"operator {builtin}")
        custom = name == "CUSTOM"
        return Operator(
            place,
            self._text(code.CustomCode()) if custom else name,
            int(code.Version()),
            self._operands(operator.InputsAsNumpy(), tensors),
            _present(self._operands(operator.OutputsAsNumpy(), tensors)),
            _options(name, operator),
            custom,
            builtin,
        )

    def _operands(self, field: Any, tensors: list[Tensor]) -> tuple[Tensor | None, ...]:
        places = _vector(field)
        self._counted(places.size, MAX_OPERANDS, "operands")
        if places.size and (places.min() < -1 or places.max() >= len(tensors)):
            raise ModelError("an operator takes a tensor that is not there")
        return tuple(None if place == -1 else tensors[place] for place in places)

    def _text(self, name: bytes | None) -> str:
        name = name or b""
        self._counted(len(name), MAX_LETTERS, "letters of names")
        return name.decode("utf-8", "replace")

    def _counted(self, count: int, limit: int, what: str) -> int:
        """`count`, if a network may have that many more."""
        bounded(count, limit, what)
        self.read[what] += count
        bounded(self.read[what], limit, what)
        return count


def bounded(count: int, limit: int, what: str) -> int:
    """`count`, if a network may have that many."""
    if not 0 <= count <= limit:
        raise ModelError(f"{count} {what} are more than the {limit} that a network may have")
    return int(count)


def _vector(field: Any) -> NDArray[Any]:
    """A vector's values; its accessor returns the number 0 where there is none."""
    return field if isinstance(field, np.ndarray) else np.zeros(0, np.int32)


def _shape(field: Any) -> tuple[int, ...]:
    shape = _vector(field)
    bounded(shape.size, MAX_RANK, "dimensions")
    return tuple(int(n) for n in shape)


def _whole(
    data: NDArray[np.uint8] | None, shape: tuple[int, ...], bits: int
) -> NDArray[np.uint8] | None:
    """The bytes of a constant, if there are as many as its elements need."""
    needed = -(-prod(shape) * bits // 8)
    if data is not None and bits and data.size != needed:
        raise ModelError(f"a constant has {data.size} bytes where its shape needs {needed}")
    return data


def _present(operands: tuple[Tensor | None, ...]) -> tuple[Tensor, ...]:
    return tuple(tensor for tensor in operands if tensor is not None)


def _options(name: str, operator: Any) -> dict[str, int]:
    """An operator's options; the interpreter's defaults, {}, if they are another operator's."""
    expected, accessors = OPTIONS.get(name, ("", ()))
    if OPTION_TYPES.get(operator.BuiltinOptionsType()) != expected:
        return {}
    table = operator.BuiltinOptions()
    options = getattr(schema, expected)()
    options.Init(table.Bytes, table.Pos)
    return {accessor: int(getattr(options, accessor)()) for accessor in accessors}
