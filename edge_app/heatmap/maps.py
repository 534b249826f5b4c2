"""The class-activation map of the network, enlarged to the radiograph: where it peaks, how far.

A cell of the map is the evidence, in logits, that a part of the picture adds: the map's mean is the
logit (Zhou et al., Learning Deep Features for Discriminative Localization, CVPR 2016). What is
drawn and measured is the evidence above the map's own mean, relative to its peak.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_app.classifier import Finding, Findings
from edge_app.labels import LABELS, NO_FINDING

SHOWN: Final = 3
"""Findings that a heatmap shows at most."""

GRID: Final = 128
"""Cells a side among which the peak is looked for."""

FLAT: Final = 1e-6
"""Logits above the mean below which a map has no peak."""


def evidence(cells: NDArray[np.floating[Any]], height: int, width: int) -> NDArray[np.float32]:
    """h×w cells of one label, in logits → height×width: 0 at or below their mean, 1 at the peak.

    Cubic between the cells' centres, flat beyond the outer ones. All 0 where the cells are equal.
    """
    from PIL import Image

    rows, columns = cells.shape
    padded = np.pad((cells - cells.mean()).astype(np.float32), 1, mode="edge")
    smooth = np.asarray(
        Image.fromarray(padded).resize(
            (width, height), Image.Resampling.BICUBIC, box=(1, 1, columns + 1, rows + 1)
        )
    )
    above = np.maximum(smooth, 0)
    highest = above.max(initial=0)
    return above / highest if highest > FLAT else np.zeros_like(above)


def peak(cells: NDArray[np.floating[Any]]) -> tuple[float, float] | None:
    """Where the evidence is highest, as shares of width and height; None where nowhere.

    It lies between the centres of the outer cells: what is beyond them is not told apart.
    """
    found = evidence(cells, GRID, GRID)
    if not found.any():
        return None
    top, left = (GRID // (2 * count) for count in cells.shape)
    inner = found[top : GRID - top, left : GRID - left]
    row, column = divmod(int(inner.argmax()), inner.shape[1])
    return (left + column + 0.5) / GRID, (top + row + 0.5) / GRID


def shown(findings: Findings) -> list[Finding]:
    """What a heatmap shows: the findings furthest above their thresholds, else the nearest to it.

    As a ratio: a rare finding's score is low, and so is its threshold. "No Finding" has no place
    in a picture.
    """
    ranked = sorted(
        (f for f in findings.findings if f.label != LABELS[NO_FINDING]),
        key=lambda f: f.score / f.threshold if f.threshold else 0.0,
        reverse=True,
    )
    return [f for f in ranked if f.above][:SHOWN] or ranked[:1]
