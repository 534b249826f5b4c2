"""Reading flatbuffers: what is in a good one, and one line for any other."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_app.backends.interpreters import find_interpreter
from edge_app.core.errors import ModelError
from quantize.edgetpu.check import check
from quantize.edgetpu.graph import read_graph
from tests.quantize.edgetpu.graphs import CNN28, edited, stand_in, tail

TAIL = tail()


def test_operators_and_tensors_are_those_that_the_interpreter_sees() -> None:
    interpreter = find_interpreter().interpreter(model_content=CNN28)
    interpreter.allocate_tensors()
    graph = read_graph(CNN28)
    operators = [d for d in interpreter._get_ops_details() if d["op_name"] != "DELEGATE"]
    assert [o.name for o in graph.operators] == [d["op_name"] for d in operators]
    for details, tensors in (
        (interpreter.get_input_details(), graph.inputs),
        (interpreter.get_output_details(), graph.outputs),
    ):
        for detail, tensor in zip(details, tensors, strict=True):
            assert tensor.name == detail["name"]
            assert list(tensor.shape) == detail["shape"].tolist()
            scale, zero_point = detail["quantization"]
            assert (tensor.scales.tolist(), tensor.zero_points.tolist()) == ([scale], [zero_point])


def test_constants_are_told_from_what_is_computed() -> None:
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


@given(data=st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_bytes_after_the_head_give_no_traceback(data: bytes) -> None:
    _answered_or_refused(b"\x1c\0\0\0TFL3" + data)


def test_more_of_anything_than_a_network_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, words in (
        ("MAX_OPERATORS", "2 operators are more than the 1"),
        ("MAX_TENSORS", "6 tensors are more than the 1"),
        ("MAX_OPERANDS", "operands are more than the 1"),
        ("MAX_RANK", "4 dimensions are more than the 1"),
        ("MAX_SCALES", "15 scales are more than the 1"),
        ("MAX_NAME", "letters of a name are more than the 1"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(f"quantize.edgetpu.graph.{limit}", 1)
            with pytest.raises(ModelError, match=words):
                read_graph(TAIL)


def test_names_that_move_a_cursor_are_not_printed() -> None:
    def change(model: object) -> None:
        for code in model.operatorCodes:  # type: ignore[attr-defined]
            code.builtinCode = code.deprecatedBuiltinCode = 32
            code.customCode = b"\x1b[2Jevil"

    answer = check(edited(change, TAIL)).as_dict()
    assert answer["operators"][0]["operator"] == "?[2Jevil"
    assert answer["operators"][0]["reason"] == "custom operator ?[2Jevil"
