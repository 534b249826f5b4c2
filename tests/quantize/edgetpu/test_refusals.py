"""Files that are newer than the last compiler; those it was seen to refuse are in test_evidence."""

from __future__ import annotations

import pytest

from quantize.edgetpu.refusals import KNOWN_LATER, TOO_NEW, refusal
from quantize.graph import OPERATORS, Graph, Operator


def graph(name: str, version: int, code: int = 0, custom: bool = False) -> Graph:
    return Graph((Operator(0, name, version, (), (), {}, custom, code),), (), ())


@pytest.mark.parametrize(
    ("name", "version", "known"),
    [
        ("ADD", 4, None),
        ("ADD", 5, "guessed"),
        ("CONV_2D", 5, None),
        ("CONV_2D", 6, "seen"),
        ("CONV_2D", 7, "guessed"),
        ("FULLY_CONNECTED", 9, None),
        ("FULLY_CONNECTED", 12, "guessed"),
        ("an operator of no list", 99, None),
    ],
)
def test_a_version_that_came_later_is_refused(name: str, version: int, known: str | None) -> None:
    found = refusal([graph(name, version)])
    assert (None if found is None else found.basis.known) == known


def test_an_operator_that_came_later_is_refused_in_any_graph() -> None:
    gelu = graph("GELU", 1, OPERATORS_BY_NAME["GELU"])
    old = graph("MULTINOMIAL", 1, OPERATORS_BY_NAME["MULTINOMIAL"])
    assert refusal([old]) is None
    found = refusal([old, gelu])
    assert found is not None
    assert found.reason == "GELU is newer than the compiler"
    newest = refusal([graph("operator 1000", 1, 1000)])
    assert newest is not None
    assert newest.basis.known == "guessed"


def test_a_custom_operator_has_no_version_of_its_own() -> None:
    assert refusal([graph("Mine", 99, OPERATORS_BY_NAME["CUSTOM"], custom=True)]) is None


OPERATORS_BY_NAME = {name: code for code, name in OPERATORS.items()}


def test_the_lists_hold_operators_of_the_schema() -> None:
    assert set(KNOWN_LATER) | set(TOO_NEW) <= set(OPERATORS_BY_NAME)
    assert not set(KNOWN_LATER) & set(TOO_NEW)
