"""Which of the supported operators lie in the one part of the graph that is compiled.

The documentation says that everything after the first unsupported operation runs on the CPU. In a
network with branches "after" is not the order of the file: the compiler applies a TensorFlow Lite
delegate (its messages name one: https://github.com/google-coral/edgetpu/issues/512), for which
TensorFlow Lite divides a graph by its dependencies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from quantize.edgetpu.sources import EFFICIENTDET, guessed
from quantize.graph import Operator

PARTITION: Final = guessed(
    "https://github.com/tensorflow/tensorflow/blob/v2.16.1/tensorflow/lite/graph_info.cc; "
    f"agrees with {EFFICIENTDET}, where the CPU makes two outputs floats and nothing else is lost"
)


def first_part(operators: Sequence[Operator], supported: Sequence[bool]) -> set[int]:
    """The places of the operators that are compiled.

    First the CPU computes what no supported operator can be run without; then follow all supported
    operators that depend on nothing else.
    """
    waiting = [len(before) for before in _producers(operators)]
    consumers: list[list[int]] = [[] for _ in operators]
    for place, before in enumerate(_producers(operators)):
        for producer in before:
            consumers[producer].append(place)

    ready = {place for place, count in enumerate(waiting) if count == 0}

    def closure(kind: bool) -> set[int]:
        done: set[int] = set()
        going = [place for place in ready if supported[place] == kind]
        while going:
            place = going.pop()
            ready.discard(place)
            done.add(place)
            for after in consumers[place]:
                waiting[after] -= 1
                if waiting[after] == 0:
                    ready.add(after)
                    if supported[after] == kind:
                        going.append(after)
        return done

    if ready and not supported[min(ready)]:
        closure(False)
    return closure(True)


def blockers(
    operators: Sequence[Operator], part: set[int], unsupported: Sequence[bool]
) -> dict[int, int]:
    """For supported operators outside the part: the unsupported operator that they depend on."""
    found: dict[int, int] = {}
    first = unsupported.index(True) if True in unsupported else 0
    for place, before in enumerate(_producers(operators)):
        if place in part or unsupported[place]:
            continue
        outside = sorted(producer for producer in before if producer not in part)
        causes = (p if unsupported[p] else found.get(p) for p in outside)
        found[place] = next((cause for cause in causes if cause is not None), first)
    return found


def _producers(operators: Sequence[Operator]) -> list[set[int]]:
    """The places of the operators whose outputs each operator takes."""
    made = {tensor.index: k for k, o in enumerate(operators) for tensor in o.outputs}
    return [
        {made[t.index] for t in operator.inputs if t is not None and t.index in made}
        for operator in operators
    ]
