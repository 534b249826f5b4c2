"""The class-activation map of the network, enlarged to the radiograph, and its peak.

A cell of the map is the evidence, in logits, that a part of the picture adds: the map's mean is the
logit (Zhou et al., Learning Deep Features for Discriminative Localization, CVPR 2016). What is
drawn and measured is the evidence above the map's own mean, relative to its peak.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_app.classifier import Finding, Findings
from edge_app.model.labels import FINDING
from edge_app.model.preprocess import WHOLE, Box

SHOWN: Final = 3
"""The largest number of findings in one heatmap."""

GRID: Final = 128
"""Cells on each side of the grid on which the peak is looked for."""

FLAT: Final = 1e-6
"""Logits above the mean below which a map has no peak."""


def evidence(
    cells: NDArray[np.floating[Any]], height: int, width: int, seen: Box = WHOLE
) -> NDArray[np.float32]:
    """h×w cells of one label, in logits → height×width: 0 at or below their mean, 1 at the peak.

    Cubic between the cells' centres, flat beyond the outer ones. All 0 where the cells are equal;
    0 where the network does not see the picture.

    Args:
        cells: over what the network sees.
        height, width: of the picture.
        seen: what the network sees of it; see `InputSpec.seen`.
    """
    from PIL import Image

    rows, columns = cells.shape
    padded = np.pad((cells - cells.mean()).astype(np.float32), 1, mode="edge")
    left, right, x, x_end = _shared(seen[0], seen[2], width, columns)
    top, bottom, y, y_end = _shared(seen[1], seen[3], height, rows)
    smooth = np.asarray(
        Image.fromarray(padded).resize(
            (right - left, bottom - top),
            Image.Resampling.BICUBIC,
            box=(1 + x, 1 + y, 1 + x_end, 1 + y_end),
        )
    )
    above = np.zeros((height, width), np.float32)
    above[top:bottom, left:right] = np.maximum(smooth, 0)
    highest = above.max(initial=0)
    return above / highest if highest > FLAT else np.zeros_like(above)


def _shared(first: float, last: float, pixels: int, cells: int) -> tuple[int, int, float, float]:
    """Along one side, what the picture and the network's view have in common.

    Args:
        first, last: where the view begins and ends, as shares of the picture's side.
        pixels: of the picture's side.
        cells: of the map's side.

    Returns:
        The first pixel, and the one after the last; where they lie among the cells.
    """
    begin = min(max(0, round(first * pixels)), pixels - 1)
    end = max(min(pixels, round(last * pixels)), begin + 1)
    places = [(place / pixels - first) / (last - first) * cells for place in (begin, end)]
    start, stop = (min(max(0.0, place), cells) for place in places)
    return (begin, end, start, stop) if start < stop else (begin, end, 0.0, cells)


def peak(cells: NDArray[np.floating[Any]], seen: Box = WHOLE) -> tuple[float, float] | None:
    """Where the evidence is highest, as shares of the picture's width and height; None if nowhere.

    It lies between the centres of the outer cells, because the map says nothing beyond them.

    Args:
        cells: h×w, over what the network sees.
        seen: what the network sees of the picture; see `InputSpec.seen`.
    """
    found = evidence(cells, GRID, GRID)
    rows, columns = cells.shape
    top, bottom = _searched(seen[1], seen[3], rows)
    left, right = _searched(seen[0], seen[2], columns)
    inner = found[top:bottom, left:right]
    if not inner.any():
        return None
    row, column = divmod(int(inner.argmax()), inner.shape[1])
    wide, high = seen[2] - seen[0], seen[3] - seen[1]
    return seen[0] + wide * (left + column + 0.5) / GRID, seen[1] + high * (top + row + 0.5) / GRID


def _searched(first: float, last: float, cells: int) -> tuple[int, int]:
    """Along one side of the grid, what is between the outer cells' centres and in the picture."""
    margin, length = GRID // (2 * cells), last - first
    begin = max(margin, round(-first / length * GRID))
    end = min(GRID - margin, round((1 - first) / length * GRID))
    return (begin, end) if begin < end else (GRID // 2, GRID // 2 + 1)


def shown(findings: Findings) -> list[Finding]:
    """What a heatmap shows: the findings furthest above their thresholds, else the nearest to it.

    Distance is the ratio of score and threshold, because a rare finding has a low score and a low
    threshold. The normal label is left out: it has no place in the picture.
    """
    ranked = sorted(
        (f for f in findings.findings if f.kind == FINDING),
        key=lambda f: f.score / f.threshold if f.threshold else 0.0,
        reverse=True,
    )
    return [f for f in ranked if f.above][:SHOWN] or ranked[:1]
