"""Logits → scores: what a number that the device shows means."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def calibrated(
    logits: NDArray[np.floating[Any]], calibration: dict[str, Any]
) -> NDArray[np.float64]:
    """(…, 15) logits → probabilities in [0, 1], sigmoid(slope · logit + intercept) per label.

    Platt scaling (Platt, Advances in Large Margin Classifiers, 1999) with the manifest's numbers.
    """
    slope, intercept = (np.asarray(calibration[key], np.float64) for key in ("slope", "intercept"))
    log_odds = slope * logits.astype(np.float64) + intercept
    # Within exp's range; np.clip takes as long as all the rest.
    return 1 / (1 + np.exp(-np.minimum(np.maximum(log_odds, -700), 700)))
