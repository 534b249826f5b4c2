"""Running the golden vectors: does this machine compute what the reference run computed?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from edge_app.backends.protocol import Session
from edge_app.core.errors import ModelError
from edge_app.model.golden import check_answers

STEPS: Final = 255
"""int8's steps in a label's span, the unit of a float32 map if the logits are int8."""


@dataclass(frozen=True)
class SelfTest:
    """Largest difference from the golden outputs, in `unit`, and the tolerance."""

    logits: float
    map: float
    tolerance: float
    unit: str

    @property
    def passed(self) -> bool:
        return max(self.logits, self.map) <= self.tolerance

    def failure(self, who: str) -> str:
        """One line about a failed self-test; `who` is the backend."""
        return (
            f"golden vectors are off by {self.logits:g} (logits) and {self.map:g} (map) "
            f"{self.unit}, allowed are {self.tolerance:g}: do not use it with {who} on this machine"
        )


def measure(session: Session, count: int | None = None) -> SelfTest:
    """Run the golden vectors, or the first `count` of them."""
    model = session.model
    golden = model.golden
    worst = {"logits": 0.0, "map": 0.0}
    outputs = model.manifest["outputs"]
    stored: dict[str, str] = {"logits": outputs["logits"]["dtype"]}
    if "map" in outputs:
        stored["map"] = outputs["map"]["dtype"]
    for row, tensor in enumerate(golden.inputs[:count]):
        answer = session.run(np.ascontiguousarray(tensor[np.newaxis]))
        pairs = {"logits": (answer.logits, golden.logits[row])}
        if answer.map is not None and golden.maps is not None:
            pairs["map"] = answer.map, golden.maps[row]
        for name, (got, expected) in pairs.items():
            off = np.abs(got.astype(np.float64) - expected.astype(np.float64)).max()
            if model.integer and stored[name] == "float32":
                off *= STEPS
            worst[name] = float(np.fmax(worst[name], off)) if np.isfinite(off) else float("inf")
    tolerance = float(model.manifest["golden"]["tolerance"])
    shares = "activation" in model.manifest["outputs"]["logits"]
    unit = "steps" if model.integer else "shares" if shares else "logits"
    return SelfTest(worst["logits"], worst["map"], tolerance, unit)


def self_test(session: Session) -> SelfTest:
    """Run every golden vector, and compare the scores and decisions made from the golden outputs.

    Raises:
        ModelError: an output is further off than the manifest allows, or a score or a decision
            differs from those in the model file.
    """
    result = measure(session)
    if not result.passed:
        raise ModelError(f"{session.model.path}: {result.failure(session.where)}")
    try:
        check_answers(session.model.manifest, session.model.golden)
    except ModelError as error:
        raise ModelError(f"{session.model.path}: {error}") from None
    return result
