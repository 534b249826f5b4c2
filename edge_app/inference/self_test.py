"""Does this machine compute what the reference run computed? The golden vectors tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_app.errors import ModelError
from edge_app.inference.runtime import Session


@dataclass(frozen=True)
class SelfTest:
    """Largest difference from the golden outputs, in `unit`, beside what is allowed."""

    logits: float
    map: float
    tolerance: float
    unit: str


def self_test(session: Session) -> SelfTest:
    """Run every golden vector.

    Raises:
        ModelError: an output is further off than the manifest allows.
    """
    model = session.model
    golden = model.golden
    worst = {"logits": 0.0, "map": 0.0}
    for tensor, logits, maps in zip(golden.inputs, golden.logits, golden.maps, strict=True):
        answer = session.run(np.ascontiguousarray(tensor[np.newaxis]))
        for name, got, expected in (("logits", answer.logits, logits), ("map", answer.map, maps)):
            off = np.abs(got.astype(np.float64) - expected.astype(np.float64)).max()
            worst[name] = float(np.fmax(worst[name], off)) if np.isfinite(off) else float("inf")
    tolerance = float(model.manifest["golden"]["tolerance"])
    unit = "steps" if model.integer else "logits"
    if max(worst.values()) > tolerance:
        raise ModelError(
            f"{model.path}: golden vectors are off by {worst['logits']:g} (logits) and "
            f"{worst['map']:g} (map) {unit}, allowed are {tolerance:g}: "
            f"do not use it with {session.runtime.package} on this machine"
        )
    return SelfTest(worst["logits"], worst["map"], tolerance, unit)
