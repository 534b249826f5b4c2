"""Predicting which operators of a flatbuffer the Edge TPU would run, without its compiler.

The prediction follows what is known about the compiler; the compiler's own answer is decisive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Final

from edge_app.backends.edgetpu import OPERATOR
from edge_app.core.errors import ModelError
from quantize.edgetpu.partition import PARTITION, blockers, first_part
from quantize.edgetpu.refusals import refusal
from quantize.edgetpu.rules import RULES, Obstacle, doubt, obstacle
from quantize.edgetpu.sources import DOCUMENTATION, Basis, issue
from quantize.graph import Graph, Operator, printable, read_graphs

ON_CHIP_BYTES: Final = 8 << 20
"""On-chip memory for code and parameters together: "roughly 8 MB".

https://coral.ai/docs/edgetpu/compiler/#parameter-data-caching
"""
SURE_BYTES: Final = 6 << 20
"""The least part of it for parameters: 6.0 to 7.0 MiB in compiler reports posted by users.

For instance https://github.com/google-coral/edgetpu/issues/433 (6.1), /60 (6.9), /75 (7.0).
"""
LARGE_ACTIVATION: Final = 60 * 152 * 90
"""Bytes of the smallest tensor that was reported to make the compiler fail."""
LARGE_ACTIVATION_FROM: Final = issue(309)


@dataclass(frozen=True)
class OperatorPrediction:
    """Where one operator would run.

    Attributes:
        basis: how this is known.
        reason: why it runs on the CPU; empty: it runs on the Edge TPU.
        own: whether the reason lies in the operator itself, not in an earlier one.
        doubt: why an operator that should be mapped may not be.
    """

    operator: Operator
    basis: Basis
    reason: str = ""
    own: bool = False
    doubt: Obstacle | None = None

    @property
    def maps(self) -> bool:
        return not self.reason


@dataclass(frozen=True)
class Check:
    """Where each part of a network would run.

    Attributes:
        graph: the main graph.
        predictions: one for each of its operators.
        parameter_bytes: of the weights and biases that would be on the Edge TPU.
        others: graphs of control flow or of other signatures, which run on the CPU.
        refused: why the compiler would refuse the whole file; None if no reason is known.
    """

    graph: Graph
    predictions: tuple[OperatorPrediction, ...]
    parameter_bytes: int
    others: tuple[Graph, ...] = ()
    refused: Obstacle | None = None

    @property
    def mapped(self) -> int:
        return sum(prediction.maps for prediction in self.predictions)

    @property
    def elsewhere(self) -> int:
        """The number of operators in the other graphs."""
        return sum(len(graph.operators) for graph in self.others)

    @property
    def on_cpu(self) -> int:
        return len(self.predictions) - self.mapped + self.elsewhere

    @property
    def passed(self) -> bool:
        """Whether everything would run on the Edge TPU."""
        return self.on_cpu == 0

    @property
    def fits(self) -> bool | None:
        """Whether the parameters stay on the chip; None: too close to tell."""
        if self.parameter_bytes <= SURE_BYTES:
            return True
        return False if self.parameter_bytes > ON_CHIP_BYTES else None

    @property
    def streamed_bytes(self) -> int:
        """The least number of parameter bytes that are sent to the chip in every run."""
        return max(0, self.parameter_bytes - ON_CHIP_BYTES)

    @property
    def largest_activation(self) -> int:
        """Bytes of the largest input or output of a mapped operator."""
        mapped = (prediction.operator for prediction in self.predictions if prediction.maps)
        tensors = (tensor for o in mapped for tensor in (*o.computed, *o.outputs))
        return max((prod(tensor.shape) for tensor in tensors), default=0)

    def as_dict(self) -> dict[str, Any]:
        return {
            "source": DOCUMENTATION,
            "passed": self.passed,
            "operations": {"accelerator": self.mapped, "cpu": self.on_cpu},
            "refused": None if self.refused is None else _with_basis(self.refused),
            "one_part": _basis(PARTITION),
            "parameters": {
                "bytes": self.parameter_bytes,
                "on_chip_limit": ON_CHIP_BYTES,
                "fits": self.fits,
                "streamed_at_least": self.streamed_bytes,
            },
            "largest_activation": self.largest_activation,
            "operators": [_as_dict(prediction) for prediction in self.predictions],
            "operators_of_other_graphs": self.elsewhere,
        }


def _as_dict(prediction: OperatorPrediction) -> dict[str, Any]:
    operator, doubted = prediction.operator, prediction.doubt
    return {
        "index": operator.index,
        "operator": printable(operator.name),
        "version": operator.version,
        "inputs": [t.text for t in operator.inputs if t is not None],
        "outputs": [t.text for t in operator.outputs],
        "maps": prediction.maps,
        "reason": printable(prediction.reason) or None,
        **_basis(prediction.basis),
        "caveat": None if doubted is None else doubted.reason,
        "caveat_basis": None if doubted is None else _basis(doubted.basis),
    }


def _basis(basis: Basis) -> dict[str, str]:
    return {"known": basis.known, "from": basis.source}


def _with_basis(found: Obstacle) -> dict[str, str]:
    return {"reason": printable(found.reason), **_basis(found.basis)}


def check(flatbuffer: bytes) -> Check:
    """Predict where each operator of a flatbuffer would run.

    Raises:
        ModelError: it cannot be read, is compiled for the Edge TPU already, or computes nothing.
    """
    return check_graphs(read_graphs(flatbuffer))


def check_graphs(graphs: Sequence[Graph]) -> Check:
    """`check` for the graphs of `read_graphs`."""
    graph, *others = graphs
    if any(o.custom and o.name == OPERATOR.decode() for o in graph.operators):
        raise ModelError(
            "is compiled for the Edge TPU already: check or compile what it was made from"
        )
    if not graph.operators or not graph.inputs or not graph.outputs:
        raise ModelError("its graph has no operators, no inputs or no outputs")
    refused = refusal(graphs)
    predictions = tuple(_predict(graph) if refused is None else _refuse(graph, refused))
    parameters = {
        tensor.buffer: tensor.data.size
        for prediction in predictions
        if prediction.maps
        for tensor in prediction.operator.constants
        if tensor.data is not None and tensor.scales.size  # shapes and axes are not loaded
    }
    return Check(graph, predictions, sum(parameters.values()), tuple(others), refused)


def _refuse(graph: Graph, refused: Obstacle) -> list[OperatorPrediction]:
    return [OperatorPrediction(o, refused.basis, "the file is refused") for o in graph.operators]


def _predict(graph: Graph) -> list[OperatorPrediction]:
    obstacles = [obstacle(operator) for operator in graph.operators]
    part = first_part(graph.operators, [found is None for found in obstacles])
    stopped = blockers(graph.operators, part, [found is not None for found in obstacles])
    predictions: list[OperatorPrediction] = []
    for place, (operator, found) in enumerate(zip(graph.operators, obstacles, strict=True)):
        if found is not None:
            made = OperatorPrediction(operator, found.basis, found.reason, own=True)
        elif place in part:
            basis = RULES[operator.name].basis
            made = OperatorPrediction(operator, basis, doubt=doubt(operator))
        else:
            first = graph.operators[stopped[place]]
            after = f"after {printable(first.name)} ({first.index}): only one part is compiled"
            made = OperatorPrediction(operator, PARTITION, after)
        predictions.append(made)
    return predictions
