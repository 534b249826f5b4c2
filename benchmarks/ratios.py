"""Ratios of quantities that were measured in the same rounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge_app.performance.interval import Interval, paired_ratio


def round_ratio(top: Mapping[str, Any], bottom: Mapping[str, Any]) -> Interval:
    """top / bottom, round by round; an interrupted last round, with only one of them, is dropped.

    Args:
        top, bottom: see `Quantity.as_dict`.
    """
    whole = min(len(top["runs"]), len(bottom["runs"]))
    return paired_ratio(top["runs"][:whole], bottom["runs"][:whole])


def ratio_text(ratio: Interval) -> str:
    """`1.54 (1.50 to 1.58)`."""
    if ratio.low is None or ratio.high is None:
        return f"{ratio.value:.2f}"
    return f"{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"
