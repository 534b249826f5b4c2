"""The class-activation map of the network, enlarged to the radiograph, and its peak.

A cell of the map is what a part of the picture adds to a label's logit: the map's mean is the logit
(Zhou et al., Learning Deep Features for Discriminative Localization, CVPR 2016), or what
`outputs.pooled` makes of it: then the highest cells count for most of it. Of a map of equal cells
both are the cell's value, so a cell means the same. What is drawn is
the weight of evidence (Good, Probability and the Weighing of Evidence, 1950): the logarithm of how
many times its usual odds a finding would have if all of the picture were like that cell. The scale
is one for all findings and all pictures, so what is weak looks weak.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_app.classifier import Findings
from edge_app.model.decisions import Finding
from edge_app.model.preprocess import WHOLE, Box

if TYPE_CHECKING:
    from edge_app.model.manifest_types import Manifest

Floats = NDArray[np.floating[Any]]

SHOWN: Final = 3
"""The largest number of findings in one heatmap."""

GRID: Final = 128
"""Cells on each side of the grid on which the peak is looked for."""

FLAT: Final = 1e-6
"""Logits above the mean below which a map has no peak."""

FULL: Final = 1000
"""The odds, as a multiple of the usual ones, that have the brightest colour."""

RINGED: Final = 10
"""A peak of lower odds, as a multiple of the usual ones, means little and gets no ring."""


class EvidenceScale:
    """What turns a map's logits into the weight of evidence for each label.

    Attributes:
        usual: whether the model tells the usual odds; without, a map's own mean takes their place.
    """

    def __init__(self, manifest: Manifest) -> None:
        calibration, prevalence = manifest["calibration"], manifest.get("prevalence")
        self.usual = prevalence is not None
        self._slope = calibration["slope"]
        self._offset = calibration["intercept"]
        if prevalence is not None:
            shares = np.clip(prevalence, 1e-4, 1 - 1e-4)
            self._offset = (self._offset - np.log(shares / (1 - shares))).tolist()

    def weighed(self, cells: Floats, channel: int) -> NDArray[np.float32]:
        """h×w cells of one label, in logits → natural logarithms of odds over the usual ones."""
        if not self.usual:
            return (self._slope[channel] * (cells - cells.mean())).astype(np.float32)
        return (self._slope[channel] * cells + self._offset[channel]).astype(np.float32)


def strength(cells: Floats, height: int, width: int, seen: Box = WHOLE) -> NDArray[np.float32]:
    """h×w cells as `EvidenceScale` weighs them → height×width: 0 at the usual odds, 1 at `FULL`.

    Args: as of `enlarged`.
    """
    shown: NDArray[np.float32] = np.clip(
        enlarged(cells, height, width, seen) / np.float32(np.log(FULL)), 0, 1
    )
    return shown


def evidence(cells: Floats, height: int, width: int, seen: Box = WHOLE) -> NDArray[np.float32]:
    """h×w cells of one label → height×width: 0 at or below their mean, 1 at the peak.

    All 0 where the cells are equal.

    Args: as of `enlarged`.
    """
    above = np.maximum(enlarged(cells - cells.mean(), height, width, seen), 0)
    highest = above.max(initial=0)
    relative: NDArray[np.float32] = above / highest if highest > FLAT else np.zeros_like(above)
    return relative


def enlarged(cells: Floats, height: int, width: int, seen: Box = WHOLE) -> NDArray[np.float32]:
    """h×w cells of one label → height×width.

    Cubic between the cells' centres, flat beyond the outer ones; 0 where the network does not see
    the picture.

    Args:
        cells: over what the network sees.
        height, width: of the picture.
        seen: what the network sees of it; see `InputSpec.seen`.
    """
    from PIL import Image

    rows, columns = cells.shape
    padded = np.pad(cells.astype(np.float32), 1, mode="edge")
    left, right, x, x_end = _shared(seen[0], seen[2], width, columns)
    top, bottom, y, y_end = _shared(seen[1], seen[3], height, rows)
    smooth = np.asarray(
        Image.fromarray(padded).resize(
            (right - left, bottom - top),
            Image.Resampling.BICUBIC,
            box=(1 + x, 1 + y, 1 + x_end, 1 + y_end),
        )
    )
    whole = np.zeros((height, width), np.float32)
    whole[top:bottom, left:right] = smooth
    return whole


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


def peak(cells: Floats, seen: Box = WHOLE) -> tuple[float, float] | None:
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
    """What a heatmap shows: the most probable findings, which the answer names first.

    Where labels are decided one by one, those above their thresholds, or else the most probable.
    """
    ranked = findings.ranked
    if findings.overall is None or findings.overall.flagged is None:
        return [each for each in ranked if each.above][:SHOWN] or ranked[:1]
    return ranked[:SHOWN]
