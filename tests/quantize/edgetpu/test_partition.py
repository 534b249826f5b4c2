"""Which operators lie in the one part that is compiled, as TensorFlow Lite divides a graph."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantize.edgetpu.partition import blockers, first_part
from quantize.graph import Operator, Tensor


def tensor(index: int) -> Tensor:
    scales, zeros = np.ones(1, np.float32), np.zeros(1, np.int64)
    return Tensor("", (1, 4), True, "INT8", scales, zeros, 0, 0, None, index)


def operators(edges: list[set[int]]) -> list[Operator]:
    """Operator k gives tensor k and takes those of `edges[k]`, or the network's input."""
    return [
        Operator(k, "ADD", 1, tuple(map(tensor, sorted(before) or [1000])), (tensor(k),))
        for k, before in enumerate(edges)
    ]


# Letters are operators, capital ones can be mapped; `edges` says what each takes.
@pytest.mark.parametrize(
    ("names", "edges", "part"),
    [
        ("ABC", ["", "A", "B"], "ABC"),
        ("AbC", ["", "A", "b"], "A"),
        ("aBC", ["", "a", "B"], "BC"),  # what the CPU does first stops nothing
        ("abC", ["", "a", "b"], "C"),
        ("abcD", ["", "", "b", "abc"], "D"),
        ("AbCD", ["", "A", "A", "C"], "ACD"),  # a branch ends on the CPU, another goes on
        ("AbCD", ["", "A", "A", "bC"], "AC"),
        ("aBcD", ["", "a", "", "Bc"], "BD"),
        ("Abcd", ["", "", "A", "b"], "A"),
        ("ab", ["", "a"], ""),
        ("AB", ["", ""], "AB"),
    ],
)
def test_the_part_holds_what_depends_on_nothing_unsupported(
    names: str, edges: list[str], part: str
) -> None:
    graph = operators([{names.index(name) for name in before} for before in edges])
    found = first_part(graph, [name.isupper() for name in names])
    assert "".join(names[k] for k in sorted(found)) == part


def by_epochs(edges: list[set[int]], supported: list[bool]) -> set[int]:
    """The first supported subset, step by step as tensorflow/lite/graph_info.cc finds it.

    Epochs follow each other; the first ready operator decides what kind one takes, and it is gone
    through in the file's order until nothing more can be taken.
    """
    epoch: dict[int, int] = {}
    for number in range(len(edges) + 1):
        kind, took = None, True
        while took:
            took = False
            for k, before in enumerate(edges):
                if k in epoch or any(b not in epoch for b in before):
                    continue
                kind = supported[k] if kind is None else kind
                if supported[k] == kind:
                    epoch[k], took = number, True
        if kind:
            return {k for k, n in epoch.items() if n == number}
    return set()


@st.composite
def networks(draw: st.DrawFn) -> tuple[list[set[int]], list[bool]]:
    size = draw(st.integers(1, 12))
    edges = [draw(st.sets(st.integers(0, k - 1), max_size=3)) if k else set() for k in range(size)]
    return edges, draw(st.lists(st.booleans(), min_size=size, max_size=size))


@given(network=networks())
def test_it_is_the_first_part_of_tensorflow_lites_division(
    network: tuple[list[set[int]], list[bool]],
) -> None:
    edges, supported = network
    part = first_part(operators(edges), supported)
    assert part == by_epochs(edges, supported)
    stopped = blockers(operators(edges), part, [not each for each in supported])
    outside = {k for k, each in enumerate(supported) if each} - part
    assert set(stopped) == outside
    assert all(not supported[cause] for cause in stopped.values())


def test_operators_that_wait_for_each_other_are_not_compiled() -> None:
    """No interpreter runs such a file; none is to hang this check either."""
    cycle = operators([{1}, {0}])
    assert first_part(cycle, [True, True]) == set()
    assert blockers(cycle, set(), [False, False]) == {0: 0, 1: 0}
