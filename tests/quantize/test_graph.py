"""Reading flatbuffers: what is in a good one, and one line for any other."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_app.core.errors import ModelError
from quantize.edgetpu.check import check
from quantize.graph import read_graph
from tests.quantize.edgetpu.against_interpreter import differences
from tests.quantize.edgetpu.graphs import (
    CNN28,
    OPERATORS,
    TYPES,
    add_graph,
    edited,
    stand_in,
    tail,
)

TAIL = tail()


def test_operators_and_tensors_of_a_shipped_network_are_those_that_the_interpreter_lists() -> None:
    assert differences(CNN28) == []


def add_tensors(*changes: dict[str, Any]) -> Callable[[Any], None]:
    """A change: further tensors that no operator takes."""

    def change(model: Any) -> None:
        for values in changes:
            tensor = schema.TensorT()
            tensor.name = b"added"
            for name, value in values.items():
                setattr(tensor, name, value)
            model.subgraphs[0].tensors.append(tensor)

    return change


def quantization(**values: Any) -> Any:
    found = schema.QuantizationParametersT()
    for name, value in values.items():
        setattr(found, name, value)
    return found


def two_codes(model: Any) -> None:
    """As files from before 2020 have them, and as those of operators above 127."""
    old, new = model.operatorCodes[0], schema.OperatorCodeT()
    old.builtinCode = 0
    new.builtinCode, new.deprecatedBuiltinCode = OPERATORS.GELU, 127
    model.operatorCodes.append(new)
    model.subgraphs[0].operators[-1].opcodeIndex = len(model.operatorCodes) - 1


def _without(table: Any, *fields: str) -> None:
    for name in fields:
        setattr(table, name, None)


def _add_constant(model: Any, kind: int, elements: int, data: bytes) -> None:
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(data, np.uint8)
    model.buffers.append(buffer)
    add_tensors({"shape": [elements], "type": kind, "buffer": len(model.buffers) - 1})(model)


def custom(model: Any) -> None:
    code = model.operatorCodes[0]
    code.builtinCode = code.deprecatedBuiltinCode = OPERATORS.CUSTOM
    code.customCode = b"FlexErf"


def without_a_bias(model: Any) -> None:
    operator = model.subgraphs[0].operators[0]
    operator.inputs = np.array([*operator.inputs[:2], -1], np.int32)


VALID: dict[str, Callable[[Any], None]] = {
    "scalars": add_tensors({"shape": None}, {"shape": np.zeros(0, np.int32)}),
    "types": add_tensors(*({"shape": [2], "type": k} for k in range(19))),
    "a batch of any size": add_tensors({"shape": [1, 4], "shapeSignature": [-1, 4]}),
    "an empty tensor": add_tensors({"shape": [0], "type": TYPES.INT32}),
    "many dimensions": add_tensors({"shape": [1] * 12}),
    "a state": add_tensors({"shape": [1, 4], "type": TYPES.INT16, "isVariable": True}),
    "a quantization without parameters": add_tensors(
        {"shape": [1], "quantization": quantization()},
        {"shape": [1], "quantization": quantization(min=[0.0], max=[1.0])},
        {"shape": [1], "quantization": quantization(zeroPoint=[3], quantizedDimension=2)},
    ),
    "a long name": add_tensors({"shape": [1], "name": b"x;" * 5000}),
    "no name": add_tensors({"shape": [1], "name": None}),
    "two graphs": add_graph,
    "old and new operator codes": two_codes,
    "a custom operator": custom,
    "an operand left out": without_a_bias,
    "a graph without ends": lambda model: _without(model.subgraphs[0], "inputs", "outputs"),
    "an operator without operands": lambda model: _without(
        model.subgraphs[0].operators[0], "inputs", "outputs"
    ),
    "options of another operator": lambda model: setattr(
        model.subgraphs[0].operators[0], "builtinOptionsType", schema.BuiltinOptions.AddOptions
    ),
    "a constant of 4 bits": lambda model: _add_constant(model, TYPES.INT4, 5, b"abc"),
    "a constant of 16 bits": lambda model: _add_constant(model, TYPES.FLOAT16, 2, b"abcd"),
    "a constant of strings": lambda model: _add_constant(
        model, TYPES.STRING, 1, struct.pack("<iii", 1, 12, 14) + b"ab"
    ),
    "no metadata": lambda model: setattr(model, "metadata", None),
}


@pytest.mark.parametrize("change", VALID.values(), ids=VALID)
def test_whatever_a_flatbuffer_may_hold_is_read_as_the_interpreter_lists_it(
    change: Callable[[Any], None],
) -> None:
    flatbuffer = edited(change, TAIL)
    assert flatbuffer != edited(lambda model: None, TAIL)
    assert differences(flatbuffer) == []


def test_a_scalar_an_empty_tensor_and_a_state_are_distinguished() -> None:
    added = add_tensors(
        {"shape": None, "type": TYPES.INT32},
        {"shape": [0], "type": TYPES.INT32},
        {"shape": [1, 4], "type": TYPES.INT16, "isVariable": True},
        {"shape": [1, 4], "shapeSignature": [-1, 4], "type": TYPES.INT8},
    )
    scalar, empty, state, batch = read_graph(edited(added, TAIL)).tensors[-4:]
    assert (scalar.text, scalar.fixed, scalar.data) == ("int32 scalar", True, None)
    assert (empty.integers(), empty.fixed) == ([], True)
    assert (state.text, state.variable, state.data) == ("int16 1x4", True, None)
    assert (batch.text, batch.fixed) == ("int8 ?x4", False)


def test_constants_may_lie_behind_the_flatbuffer() -> None:
    """As in models of more than 2 GB, whose constants no offset of a flatbuffer reaches."""
    before = read_graph(TAIL).operators[0].constants[0]
    assert before.data is not None
    place = -(-(len(TAIL) + 4096) // 64) * 64

    def change(model: Any) -> None:
        buffer = model.buffers[before.buffer]
        buffer.data, buffer.offset, buffer.size = None, place, before.data.size

    flatbuffer = edited(change, TAIL).ljust(place, b"\0") + before.data.tobytes()
    assert differences(flatbuffer) == []
    after = read_graph(flatbuffer).operators[0].constants[0]
    assert after.data is not None
    assert after.data.tobytes() == before.data.tobytes()
    with pytest.raises(ModelError, match="a constant lies outside the file"):
        read_graph(flatbuffer[:-1])


def test_what_lies_in_another_file_or_has_an_unknown_type_is_refused_by_its_name() -> None:
    def elsewhere(model: Any) -> None:
        model.subgraphs[0].tensors[0].externalBuffer = 1

    with pytest.raises(ModelError, match="its parameters lie in another file"):
        read_graph(edited(elsewhere, TAIL))
    with pytest.raises(ModelError, match="a tensor has type 99, which is not known"):
        read_graph(edited(add_tensors({"shape": [1], "type": 99}), TAIL))
    with pytest.raises(ModelError, match="a constant has 3 bytes where its shape needs 8"):
        read_graph(edited(lambda model: _add_constant(model, TYPES.INT32, 2, b"abc"), TAIL))
    scales = quantization(scale=[1.0, 2.0], zeroPoint=[0])
    with pytest.raises(ModelError, match="other numbers of scales and zero points"):
        read_graph(edited(add_tensors({"shape": [2], "quantization": scales}), TAIL))


def test_a_graph_without_operators_can_be_read_and_not_checked() -> None:
    def change(model: Any) -> None:
        model.subgraphs[0].operators = []

    assert read_graph(edited(change, TAIL)).operators == ()
    with pytest.raises(ModelError, match="no operators, no inputs or no outputs"):
        check(edited(change, TAIL))


def test_constants_are_distinguished_from_computed_tensors() -> None:
    first, *_, last = read_graph(CNN28).operators
    assert [t.text for t in first.computed] == ["int8 1x28x28x1"]
    assert [t.text for t in first.constants] == ["int8 32x3x3x1", "int32 32"]
    assert first.constants[0].scales.size == 32
    assert last.constants[0].integers() == [1, 2]


def test_a_custom_operator_goes_by_its_own_name() -> None:
    (operator,) = read_graph(stand_in()).operators
    assert (operator.name, operator.custom) == ("edgetpu-custom-op", True)


@pytest.mark.parametrize("data", [b"", b"TFL3", b"\x89PNG\r\n\x1a\n" * 9, b"\x1c\0\0\0TFL3"])
def test_what_is_no_flatbuffer_is_refused(data: bytes) -> None:
    with pytest.raises(ModelError, match=r"not a TensorFlow Lite model|damaged flatbuffer"):
        read_graph(data)


def _answered_or_refused(data: bytes) -> None:
    """A graph that makes sense to read, or one printable line; nothing else."""
    try:
        text = json.dumps(check(data).as_dict(), allow_nan=False)
    except ModelError as error:
        text = str(error)
        assert "\n" not in text
    assert "\x1b" not in text


@given(cut=st.integers(0, len(TAIL) - 1))
@settings(max_examples=100, deadline=None)
def test_a_truncated_flatbuffer_gives_no_traceback(cut: int) -> None:
    _answered_or_refused(TAIL[:cut])


@given(
    places=st.lists(st.integers(0, len(TAIL) // 4 - 1), min_size=1, max_size=4),
    value=st.sampled_from([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFF0, len(TAIL)]),
)
@settings(max_examples=200, deadline=None)
def test_offsets_and_lengths_that_lead_anywhere_give_no_traceback(
    places: list[int], value: int
) -> None:
    changed = bytearray(TAIL)
    for place in places:
        changed[4 * place : 4 * place + 4] = struct.pack("<I", value)
    _answered_or_refused(bytes(changed))


@given(
    changes=st.lists(
        st.tuples(st.integers(0, len(TAIL) - 1), st.integers(0, 255)), min_size=1, max_size=8
    )
)
@settings(max_examples=200, deadline=None)
def test_any_bytes_changed_give_no_traceback(changes: list[tuple[int, int]]) -> None:
    changed = bytearray(TAIL)
    for place, value in changes:
        changed[place] = value
    _answered_or_refused(bytes(changed))


def everything(model: Any) -> None:
    for name, change in VALID.items():
        if name not in ("types", "a graph without ends"):
            change(model)


@pytest.mark.parametrize("seed", range(4))
def test_a_file_with_all_of_it_damaged_anywhere_gives_no_traceback(seed: int) -> None:
    """Bytes, and offsets and lengths, at random places; the seed is the test's."""
    random = np.random.default_rng(seed)
    whole = edited(everything, TAIL)
    for _ in range(75):
        changed = bytearray(whole)
        for place in random.integers(0, len(whole) // 4, random.integers(1, 6)):
            value = random.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFF, int(random.integers(1 << 32))])
            changed[4 * place : 4 * place + 4] = struct.pack("<I", int(value))
        _answered_or_refused(bytes(changed))


@given(data=st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_bytes_after_the_head_give_no_traceback(data: bytes) -> None:
    _answered_or_refused(b"\x1c\0\0\0TFL3" + data)


def test_more_of_anything_than_a_network_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, words in (
        ("MAX_SUBGRAPHS", "2 graphs are more than the 1"),
        ("MAX_OPERATORS", "2 operators are more than the 1"),
        ("MAX_TENSORS", "6 tensors are more than the 1"),
        ("MAX_OPERANDS", "operands are more than the 1"),
        ("MAX_RANK", "4 dimensions are more than the 1"),
        ("MAX_SCALES", "15 scales are more than the 1"),
        ("MAX_LETTERS", "letters of names are more than the 1"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(f"quantize.graph.{limit}", 1)
            with pytest.raises(ModelError, match=words):
                read_graph(edited(add_graph, TAIL))


def test_names_that_move_a_cursor_are_not_printed() -> None:
    def change(model: object) -> None:
        for code in model.operatorCodes:  # type: ignore[attr-defined]
            code.builtinCode = code.deprecatedBuiltinCode = 32
            code.customCode = b"\x1b[2Jevil"

    answer = check(edited(change, TAIL)).as_dict()
    assert answer["operators"][0]["operator"] == "?[2Jevil"
    assert answer["operators"][0]["reason"] == "custom operator ?[2Jevil"
