"""Logits → scores: what a number that the device shows means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_app.model.manifest_types import Head


def calibrated(
    logits: NDArray[np.floating[Any]], calibration: Mapping[str, Any], head: Head = "independent"
) -> NDArray[np.float64]:
    """Logits of L labels → their probabilities.

    Each label's log-odds are slope · logit + intercept (Platt, Advances in Large Margin
    Classifiers, 1999).

    Args:
        logits: (…, L).
        calibration: ``slope`` and ``intercept``, L numbers each, as in a manifest.
        head: ``independent`` labels get a sigmoid each; of ``exclusive`` ones just one applies, so
            a softmax makes their scores add up to 1.

    Returns:
        (…, L), in [0, 1].
    """
    slope, intercept = (np.asarray(calibration[key], np.float64) for key in ("slope", "intercept"))
    log_odds = slope * logits.astype(np.float64) + intercept
    if head == "exclusive":
        shares = np.exp(log_odds - log_odds.max(axis=-1, keepdims=True))
        softmax: NDArray[np.float64] = shares / shares.sum(axis=-1, keepdims=True)
        return softmax
    # Within exp's range; np.clip takes as long as all the rest.
    return 1 / (1 + np.exp(-np.minimum(np.maximum(log_odds, -700), 700)))
