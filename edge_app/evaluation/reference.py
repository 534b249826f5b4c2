"""Quantiles of normal images' scores: what a percentile in an answer refers to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from edge_app.model.overall import DECIMALS

if TYPE_CHECKING:
    from edge_app.model.manifest_types import Reference

Floats = NDArray[np.float64]

SHARES: Final = tuple(
    round(float(share), 3)
    for share in (*np.arange(0.02, 0.9, 0.04), *np.arange(0.9, 0.995, 0.01), 0.995, 1.0)
)
"""Shares of normal images, for percentiles; finer where images are flagged."""


def reference(scores: Floats, probability: Floats, images: str) -> Reference:
    """The manifest's `reference`: quantiles of normal images' scores.

    Args:
        scores: N×L, calibrated.
        probability: N, that an image is not normal.
        images: says which images these are.
    """
    quantiles = np.quantile(np.column_stack([scores, probability]), SHARES, axis=0, method="higher")
    columns = np.round(quantiles.T, DECIMALS).tolist()
    return {
        "images": images,
        "shares": list(SHARES),
        "labels": columns[:-1],
        "overall": columns[-1],
    }
