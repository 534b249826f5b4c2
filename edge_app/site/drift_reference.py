"""What answers at a site look like when all is well, for `drift` to compare later ones with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_app.evaluation.proportions import Clusters
from edge_app.site.labelled_set import LabelledSet

if TYPE_CHECKING:
    from edge_app.site.calibrate import Scored

Floats = NDArray[np.float64]

QUANTILES: Final = 101


def made(
    scored: Scored,
    flagged: NDArray[np.bool_],
    labelled: LabelledSet,
    each: Floats,
) -> dict[str, Any]:
    """A site file's `reference`.

    Args:
        scored: N images at the site.
        flagged: N.
        labelled: the same images.
        each: N, what an image stands for in routine.
    """
    of_findings = {
        labelled.labels[channel].name: expected(scored.scores[:, channel], labelled.patients, each)
        for channel in labelled.labels.findings
    }
    overall = expected(scored.probability, labelled.patients, each)
    return {
        "images": len(each),
        "design": round(max(len(each) / max(overall["effective"], 1.0), 1.0), 4),
        "quantiles": _quantiles(scored.probability, each),
        "overall": overall,
        "flagged": expected(flagged.astype(np.float64), labelled.patients, each),
        "findings": of_findings,
    }


def expected(values: Floats, patients: NDArray[Any], weights: Floats) -> dict[str, float]:
    """The weighted mean of N values, their spread, and how many independent ones tell as much."""
    total = weights.sum()
    mean = float((weights * values).sum() / total)
    spread = float(np.sqrt((weights * np.square(values - mean)).sum() / total))
    moves = Clusters(patients).sums(weights * (values - mean)) / total
    variance = len(moves) / max(len(moves) - 1, 1) * float(np.square(moves).sum())
    effective = min(spread**2 / variance, len(values)) if variance > 0 else len(moves)
    return {
        "value": round(mean, 6), "spread": round(spread, 6), "effective": round(float(effective), 1)
    }  # fmt: skip


def _quantiles(values: Floats, weights: Floats) -> list[float]:
    """At `QUANTILES` evenly spaced shares."""
    order = np.argsort(values, kind="stable")
    shares = (np.cumsum(weights[order]) - weights[order] / 2) / weights.sum()
    at = np.linspace(0, 1, QUANTILES)
    return [round(float(value), 6) for value in np.interp(at, shares, values[order])]
