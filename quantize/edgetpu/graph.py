"""A TensorFlow Lite flatbuffer → its operators and tensors, as plain values.

The file may hold anything: lengths are bounded before they are used, and every error of the
flatbuffers package becomes a `ModelError`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edge_app.core.errors import ModelError
from edge_app.model.model_file import TFLITE_IDENTIFIER

MAX_OPERATORS: Final = 10_000
MAX_TENSORS: Final = 50_000
MAX_OPERANDS: Final = 256
"""Inputs or outputs of one operator, or of the graph."""
MAX_RANK: Final = 8
MAX_NAME: Final = 1000
MAX_SCALES: Final = 1 << 20

DAMAGED: Final = (
    *(struct.error, IndexError, KeyError, ValueError, TypeError, AttributeError),
    *(OverflowError, BufferError, MemoryError),
)
"""What the flatbuffers package and numpy raise on offsets and lengths that lead nowhere."""


def _names(enumeration: Any) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}


OPERATORS: Final = _names(schema.BuiltinOperator)
TYPES: Final = _names(schema.TensorType)
OPTION_TYPES: Final = _names(schema.BuiltinOptions)
ACTIVATIONS: Final = _names(schema.ActivationFunctionType)

_DILATIONS: Final = ("FusedActivationFunction", "DilationHFactor", "DilationWFactor")
OPTIONS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "ADD": ("AddOptions", ("FusedActivationFunction",)),
    "AVERAGE_POOL_2D": ("Pool2DOptions", ("FusedActivationFunction",)),
    "CONCATENATION": ("ConcatenationOptions", ("FusedActivationFunction",)),
    "CONV_2D": ("Conv2DOptions", _DILATIONS),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", _DILATIONS),
    "FULLY_CONNECTED": ("FullyConnectedOptions", ("FusedActivationFunction", "WeightsFormat")),
    "MAX_POOL_2D": ("Pool2DOptions", ("FusedActivationFunction",)),
    "MUL": ("MulOptions", ("FusedActivationFunction",)),
    "PACK": ("PackOptions", ("Axis",)),
    "STRIDED_SLICE": ("StridedSliceOptions", ("EllipsisMask", "NewAxisMask")),
    "SUB": ("SubOptions", ("FusedActivationFunction",)),
    "TRANSPOSE_CONV": ("TransposeConvOptions", ("FusedActivationFunction",)),
}
"""By operator: the schema's table of its options, and the accessors that are read."""


@dataclass(frozen=True)
class Tensor:
    """One tensor.

    Attributes:
        name: in the flatbuffer.
        shape: -1 where a dimension was not known when the network was converted.
        fixed: whether the whole shape was known.
        dtype: the schema's name, such as "INT8".
        scales: float32, one a tensor or one a channel; empty: not quantized.
        zero_points: int64, as many, or none where all are 0.
        channel_axis: the dimension that `scales` goes along, if there are several.
        buffer: of its constant data; tensors may share one.
        data: uint8, the constant's bytes; None: computed, or the graph's input.
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
    """

    index: int
    name: str
    version: int
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    options: dict[str, int] = field(default_factory=dict)
    custom: bool = False

    @property
    def computed(self) -> list[Tensor]:
        """Inputs that are no constants."""
        return [tensor for tensor in self.inputs if tensor is not None and tensor.data is None]

    @property
    def constants(self) -> list[Tensor]:
        return [tensor for tensor in self.inputs if tensor is not None and tensor.data is not None]


@dataclass(frozen=True)
class Graph:
    """The main subgraph of a flatbuffer."""

    operators: tuple[Operator, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def read_graph(flatbuffer: bytes) -> Graph:
    """Read the main subgraph.

    Raises:
        ModelError: it is no TensorFlow Lite flatbuffer, or a damaged one.
    """
    if flatbuffer[4:8] != TFLITE_IDENTIFIER:
        raise ModelError("not a TensorFlow Lite model")
    try:
        return _Reader(flatbuffer).graph()
    except DAMAGED:
        raise ModelError("a damaged flatbuffer: copy the file again, or convert again") from None


def printable(text: str) -> str:
    """Without what could move a terminal's cursor."""
    return "".join(c if c.isprintable() else "?" for c in text[:MAX_NAME])


class _Reader:
    def __init__(self, flatbuffer: bytes) -> None:
        self.flatbuffer = flatbuffer
        self.model = schema.Model.GetRootAs(flatbuffer, 0)

    def graph(self) -> Graph:
        if self.model.SubgraphsLength() < 1:
            raise ModelError("it has no graph")
        main = self.model.Subgraphs(0)
        count = bounded(main.TensorsLength(), MAX_TENSORS, "tensors")
        tensors = [self._tensor(main.Tensors(place)) for place in range(count)]
        count = bounded(main.OperatorsLength(), MAX_OPERATORS, "operators")
        operators = tuple(self._operator(k, main.Operators(k), tensors) for k in range(count))
        inputs = _present(_operands(main.InputsAsNumpy(), tensors))
        outputs = _present(_operands(main.OutputsAsNumpy(), tensors))
        if not operators or not inputs or not outputs:
            raise ModelError("its graph has no operators, no inputs or no outputs")
        return Graph(operators, inputs, outputs)

    def _tensor(self, tensor: Any) -> Tensor:
        shape = _shape(tensor.ShapeAsNumpy())
        signature = _shape(tensor.ShapeSignatureAsNumpy()) or shape
        quantization = tensor.Quantization()
        scales = _vector(quantization.ScaleAsNumpy() if quantization else 0)
        zero_points = _vector(quantization.ZeroPointAsNumpy() if quantization else 0)
        bounded(scales.size, MAX_SCALES, "scales")
        if zero_points.size not in (0, scales.size):
            raise ModelError("a tensor has other numbers of scales and zero points")
        return Tensor(
            _text(tensor.Name()),
            signature,
            min(*shape, *signature, 1) > 0 and len(shape) == len(signature),
            TYPES[tensor.Type()],
            scales.astype(np.float32, copy=False),
            zero_points.astype(np.int64, copy=False),
            int(quantization.QuantizedDimension()) if quantization else 0,
            int(tensor.Buffer()),
            self._data(int(tensor.Buffer())),
        )

    def _data(self, place: int) -> NDArray[np.uint8] | None:
        if place >= self.model.BuffersLength():
            raise ModelError(f"a tensor's buffer {place} is not there")
        buffer = self.model.Buffers(place)
        start, size = int(buffer.Offset()), int(buffer.Size())
        if start > 1:  # the data of large models lie behind the flatbuffer
            if start + size > len(self.flatbuffer):
                raise ModelError("a constant lies outside the file")
            return np.frombuffer(self.flatbuffer, np.uint8, size, start)
        data = _vector(buffer.DataAsNumpy())
        return data.astype(np.uint8, copy=False) if data.size else None

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
            _text(code.CustomCode()) if custom else name,
            int(code.Version()),
            _operands(operator.InputsAsNumpy(), tensors),
            _present(_operands(operator.OutputsAsNumpy(), tensors)),
            _options(name, operator),
            custom,
        )


def bounded(count: int, limit: int, what: str) -> int:
    """`count`, if a network may have so many."""
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


def _operands(field: Any, tensors: list[Tensor]) -> tuple[Tensor | None, ...]:
    places = _vector(field)
    bounded(places.size, MAX_OPERANDS, "operands")
    if places.size and (places.min() < -1 or places.max() >= len(tensors)):
        raise ModelError("an operator takes a tensor that is not there")
    return tuple(None if place == -1 else tensors[place] for place in places)


def _present(operands: tuple[Tensor | None, ...]) -> tuple[Tensor, ...]:
    if None in operands:
        raise ModelError("an output is not there")
    return tuple(tensor for tensor in operands if tensor is not None)


def _text(name: bytes | None) -> str:
    name = name or b""
    bounded(len(name), MAX_NAME, "letters of a name")
    return name.decode("utf-8", "replace")


def _options(name: str, operator: Any) -> dict[str, int]:
    kind = OPTION_TYPES.get(operator.BuiltinOptionsType(), "")
    if name not in OPTIONS or kind == "NONE":
        return {}
    expected, wanted = OPTIONS[name]
    if kind != expected:
        raise ModelError(f"{name} has options of another operator")
    table = operator.BuiltinOptions()
    options = getattr(schema, kind)()
    options.Init(table.Bytes, table.Pos)
    return {accessor: int(getattr(options, accessor)()) for accessor in wanted}
