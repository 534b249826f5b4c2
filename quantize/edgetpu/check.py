"""A flatbuffer → which operators the Edge TPU would run, predicted from the documentation.

This needs no compiler; where there is one, its own answer counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from edge_app.backends.edgetpu import OPERATOR
from edge_app.core.errors import ModelError
from quantize.edgetpu.graph import Graph, Operator, printable, read_graph
from quantize.edgetpu.rules import EIGHT_BITS, RULES, SOURCE, obstacle

ON_CHIP_BYTES: Final = 8 << 20
"""Of static memory for code and parameters together: "roughly 8 MB".

https://coral.ai/docs/edgetpu/compiler/#parameter-data-caching
"""
SURE_BYTES: Final = 6 << 20
"""The part of it for parameters, by compiler reports that users have posted: 6.0 to 7.0 MiB.

Such as https://github.com/google-coral/edgetpu/issues/433 (6.1), /60 (6.9), /75 (7.0).
"""


@dataclass(frozen=True)
class OperatorPrediction:
    """Where one operator would run.

    Attributes:
        reason: why it runs on the CPU; empty: it runs on the Edge TPU.
        own: whether the reason lies in the operator itself, not in an earlier one.
        caveat: what the documentation leaves open about an operator that would be mapped.
    """

    operator: Operator
    reason: str = ""
    own: bool = False
    caveat: str = ""

    @property
    def maps(self) -> bool:
        return not self.reason


@dataclass(frozen=True)
class Check:
    """What would run where.

    Attributes:
        parameter_bytes: weights and biases of what would run on the Edge TPU.
    """

    graph: Graph
    predictions: tuple[OperatorPrediction, ...]
    parameter_bytes: int

    @property
    def mapped(self) -> int:
        return sum(prediction.maps for prediction in self.predictions)

    @property
    def on_cpu(self) -> int:
        return len(self.predictions) - self.mapped

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
        """The smallest number of bytes of parameters that are sent to the chip at every run."""
        return max(0, self.parameter_bytes - ON_CHIP_BYTES)

    def as_dict(self) -> dict[str, Any]:
        return {
            "source": SOURCE,
            "passed": self.passed,
            "operations": {"accelerator": self.mapped, "cpu": self.on_cpu},
            "parameters": {
                "bytes": self.parameter_bytes,
                "on_chip_limit": ON_CHIP_BYTES,
                "fits": self.fits,
                "streamed_at_least": self.streamed_bytes,
            },
            "operators": [
                {
                    "index": prediction.operator.index,
                    "operator": printable(prediction.operator.name),
                    "version": prediction.operator.version,
                    "inputs": [t.text for t in prediction.operator.inputs if t is not None],
                    "outputs": [t.text for t in prediction.operator.outputs],
                    "maps": prediction.maps,
                    "reason": printable(prediction.reason) or None,
                    "caveat": prediction.caveat or None,
                }
                for prediction in self.predictions
            ],
        }


def check(flatbuffer: bytes) -> Check:
    """Predict where each operator of a flatbuffer would run.

    Raises:
        ModelError: it cannot be read, or is compiled for the Edge TPU already.
    """
    graph = read_graph(flatbuffer)
    if any(o.custom and o.name == OPERATOR.decode() for o in graph.operators):
        raise ModelError(
            "is compiled for the Edge TPU already: check or compile what it was made from"
        )
    predictions = tuple(_predict(graph))
    parameters = {
        tensor.buffer: tensor.data.size
        for prediction in predictions
        if prediction.maps
        for tensor in prediction.operator.constants
        if tensor.data is not None and tensor.scales.size  # shapes and axes are not loaded
    }
    return Check(graph, predictions, sum(parameters.values()))


def _predict(graph: Graph) -> list[OperatorPrediction]:
    """One part is compiled; in order of execution it ends before the first operator not mapped.

    `SOURCE`, under "Compiling". A float input is quantized on the CPU before that part begins.
    """
    predictions: list[OperatorPrediction] = []
    first: Operator | None = None
    for operator in graph.operators:
        reason = obstacle(operator)
        started = any(prediction.maps for prediction in predictions)
        if reason is not None:
            predictions.append(OperatorPrediction(operator, reason, own=True))
            if first is None and (started or not _quantizes_an_input(operator)):
                first = operator
        elif first is not None:
            after = f"after {printable(first.name)} ({first.index}): only one part is compiled"
            predictions.append(OperatorPrediction(operator, after))
        else:
            predictions.append(OperatorPrediction(operator, caveat=RULES[operator.name].caveat))
    return predictions


def _quantizes_an_input(operator: Operator) -> bool:
    return operator.name == "QUANTIZE" and all(t.dtype in EIGHT_BITS for t in operator.outputs)
