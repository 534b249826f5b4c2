"""The class-activation map of the network, cell by cell over the radiograph, and its peak.

A cell of the map is what a part of the picture adds to a label's logit: the map's mean is the logit
(Zhou et al., Learning Deep Features for Discriminative Localization, CVPR 2016), or what
`outputs.pooled` makes of it: then the highest cells count for most of it. Of a map of equal cells
both are the cell's value, so a cell means the same. What is drawn is
the weight of evidence (Good, Probability and the Weighing of Evidence, 1950): the logarithm of how
many times its usual odds a finding would have if all of the picture were like that cell. The scale
is one for all findings and all pictures, so what is weak looks weak. Each cell is drawn as the
square that it is: what is smooth looks as if it knew more than it does.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_app.classifier import Findings
from edge_app.core.plain_text import percent
from edge_app.model.decisions import Finding
from edge_app.model.overall import NONE_ABOVE, NONE_RAISED
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

MARKED: Final = 10
"""A peak of lower odds, as a multiple of the usual ones, means little and is not marked."""

OUTLINED: Final = "outlined: the square that speaks most for each finding, if it stands out"

OF_SEVERAL: Final = "a square is for one finding, the strongest there; which one is not shown"
"""Said of a picture with several findings."""

NO_PLACE: Final = (
    "this map does not show where, do not aim by it: its peak lies in radiologists' boxes about "
    "as often as the picture's middle does"
)

ANYWHERE: Final = "the finding may be anywhere, in colour or not"
"""Said of every map."""

SIDES: Final = "a mirrored picture may go unnoticed: trust the film's own marker"
"""Said of every picture: its sides are as they were read."""


POINTING: Final = "pointing"
POINTING_OF_MIDDLE: Final = "pointing_of_middle"
POINTING_BEYOND: Final = "pointing_beyond_middle"
"""Metrics of a manifest: the share of boxes that a map's peak lies in, that the picture's middle
does, and their paired difference."""


class EvidenceScale:
    """What turns a map's logits into the weight of evidence for each label.

    Attributes:
        usual: whether the model tells the usual odds; without, a map's own mean takes their place.
        outlines: whether a strongest square is outlined: not where the peaks were measured, and
            not shown to lie in more of radiologists' boxes than the middle of the picture does.
        worth: what a map is worth for finding a place, in a line; None where it was not measured.
    """

    def __init__(self, manifest: Manifest) -> None:
        calibration, prevalence = manifest["calibration"], manifest.get("prevalence")
        self.usual = prevalence is not None
        self.outlines, self.worth = _worth(manifest)
        self._exclusive = manifest.get("head") == "exclusive"
        self._slope, self._intercept = calibration["slope"], calibration["intercept"]
        if prevalence is not None:
            shares = np.clip(prevalence, 1e-4, 1 - 1e-4)
            self._usually = np.log(shares / (1 - shares)).tolist()

    @property
    def words(self) -> tuple[str, str, str]:
        """What the darkest colour stands for, the one in the middle, and the brightest."""
        return "none" if self.usual else "as the map's mean", "weak", "strong"

    def weighed(self, cells: Floats, channel: int) -> NDArray[np.float32]:
        """h×w×L cells in logits → h×w of one label: natural logarithms of odds over the usual ones.

        Exclusive labels share the probability: a cell speaks for one only as far as for no other.
        """
        odds = self._slope[channel] * cells[..., channel] + self._intercept[channel]
        if self._exclusive:
            odds = odds - self._of_others(cells, channel)
        return (odds - (self._usually[channel] if self.usual else odds.mean())).astype(np.float32)

    def _of_others(self, cells: Floats, channel: int) -> Floats:
        """log Σ exp over the other labels: what a softmax's log-odds are less."""
        others = np.delete(np.asarray(self._slope) * cells + self._intercept, channel, axis=-1)
        highest = others.max(axis=-1)
        total: Floats = highest + np.log(np.exp(others - highest[..., np.newaxis]).sum(axis=-1))
        return total


def _worth(manifest: Manifest) -> tuple[bool, str | None]:
    metrics = manifest.get("metrics", {})
    peak, middle, beyond = (
        metrics.get(name) for name in (POINTING, POINTING_OF_MIDDLE, POINTING_BEYOND)
    )
    if not isinstance(peak, dict) or not isinstance(middle, dict):
        return True, None
    if peak["value"] is None or middle["value"] is None:
        return True, None
    if not (isinstance(beyond, dict) and beyond["low"] is not None and beyond["low"] > 0):
        return False, NO_PLACE
    return True, (
        f"of {peak['on']}, the map's peak hit {percent(peak['value'])}, "
        f"the middle of the picture {percent(middle['value'])}"
    )


def strength(cells: Floats, height: int, width: int, seen: Box = WHOLE) -> NDArray[np.float32]:
    """h×w cells as `EvidenceScale` weighs them → height×width: 0 at the usual odds, 1 at `FULL`.

    Every pixel has its own cell's value; 0 where the network does not see the picture.

    Args:
        cells: over what the network sees.
        height, width: of the picture.
        seen: what the network sees of it; see `InputSpec.seen`.
    """
    rows, columns = cells_of(cells.shape, height, width, seen)
    unseen = ((0, 1), (0, 1))  # one more row and column, which the index -1 means
    padded = np.pad(np.clip(cells / np.float32(np.log(FULL)), 0, 1), unseen)
    shown: NDArray[np.float32] = padded[np.ix_(rows, columns)].astype(np.float32)
    return shown


def cells_of(
    grid: tuple[int, ...], height: int, width: int, seen: Box = WHOLE
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The map's row that each row of pixels lies in, and its column of each column; -1 unseen.

    Args:
        grid: the map's height and width, in cells.
        height, width, seen: as of `strength`.
    """
    return (
        _cells_along(height, grid[0], seen[1], seen[3]),
        _cells_along(width, grid[1], seen[0], seen[2]),
    )


def _cells_along(pixels: int, cells: int, first: float, last: float) -> NDArray[np.intp]:
    at = ((np.arange(pixels) + 0.5) / pixels - first) / (last - first)
    inside = (at >= 0) & (at < 1)
    return np.where(inside, np.floor(at * cells), -1).astype(np.intp)


def strongest(cells: Floats, seen: Box = WHOLE) -> tuple[int, int]:
    """Row and column of the highest cell that is in the picture.

    Args: as of `peak`.
    """
    rows = _in_picture(cells.shape[0], seen[1], seen[3])
    columns = _in_picture(cells.shape[1], seen[0], seen[2])
    row, column = divmod(int(cells[rows, columns].argmax()), columns.stop - columns.start)
    return rows.start + row, columns.start + column


def _in_picture(cells: int, first: float, last: float) -> slice:
    """Along one side, the cells that are in the picture, even partly."""
    begin = math.floor(-first / (last - first) * cells + 1e-9)
    end = math.ceil((1 - first) / (last - first) * cells - 1e-9)
    return slice(min(max(0, begin), cells - 1), max(min(cells, end), 1))


def cell_box(cell: tuple[int, int], grid: tuple[int, ...], seen: Box = WHOLE) -> Box:
    """Left, top, right and bottom of a cell, as shares of the picture's sides, as far as it is in
    the picture.

    Args:
        cell: its row and column.
        grid: the map's height and width, in cells.
        seen: as of `strength`.
    """
    wide, high = (seen[2] - seen[0]) / grid[1], (seen[3] - seen[1]) / grid[0]
    left, top = seen[0] + cell[1] * wide, seen[1] + cell[0] * high
    ends = (left, top, left + wide, top + high)
    x0, y0, x1, y1 = (float(min(max(end, 0.0), 1.0)) for end in ends)
    return x0, y0, x1, y1


def outlined(cells: Floats, seen: Box = WHOLE) -> Box | None:
    """The box of the strongest cell; None where none stands out.

    None does where it is below `MARKED`, or all cells are equal.

    Args:
        cells: h×w of one label, as `EvidenceScale` weighs them.
        seen: as of `strength`.
    """
    cell = strongest(cells, seen)
    if cells[cell] < math.log(MARKED) or cells[cell] - cells.min() <= FLAT:
        return None
    return cell_box(cell, cells.shape, seen)


def evidence(cells: Floats, height: int, width: int) -> NDArray[np.float32]:
    """h×w cells of one label → height×width: 0 at or below their mean, 1 at the peak.

    Cubic between the cells' centres, flat beyond the outer ones; all 0 where the cells are equal.
    It is for finding the peak, not for looking at.
    """
    from PIL import Image

    rows, columns = cells.shape
    padded = np.pad((cells - cells.mean()).astype(np.float32), 1, mode="edge")
    smooth = Image.fromarray(padded).resize(
        (width, height), Image.Resampling.BICUBIC, box=(1, 1, 1 + columns, 1 + rows)
    )
    above = np.maximum(np.asarray(smooth), 0)
    highest = above.max(initial=0)
    relative: NDArray[np.float32] = above / highest if highest > FLAT else np.zeros_like(above)
    return relative


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
    """What a heatmap shows: the findings that the answer marks, the most probable first.

    None where it marks none. A model that does not tell what is usual, or has no thresholds where
    these decide, can mark none: of it the most probable finding is shown.
    """
    return findings.marked[:SHOWN] if findings.marks else findings.ranked[:1]


def share_shown(findings: Findings) -> str | None:
    """How many findings there are in addition to those of `shown`, and how these were chosen.

    Returns:
        A line; None where all are shown.
    """
    count, there, marked = len(shown(findings)), len(findings.ranked), len(findings.marked)
    if count == 0:
        return f"{NONE_ABOVE if findings.by_label else NONE_RAISED}: no map"
    if count == there:
        return None
    what = "above their thresholds" if findings.by_label else "raised"
    rule = "the most probable"
    if marked == count:
        rule = f"what is {'above its threshold' if findings.by_label else 'raised'}"
    elif marked:
        others = ", ".join(finding.name for finding in findings.marked[count:])
        rule = f"the most probable of {marked} {what}, without {others}"
    return f"{count} of {there} findings shown: {rule}"
