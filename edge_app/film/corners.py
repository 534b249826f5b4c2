"""The film's corners in a photograph: the quadrilateral that stands out most, if any does."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_app.film.opencv import opencv

WORKING_SIDE: Final = 640
"""Pixels of the longer side at which the film is looked for."""

SMALLEST: Final = 0.12
LARGEST: Final = 0.97
"""Share of the photograph that a film covers."""

LONGEST: Final = 1.55
"""Largest ratio of a film's sides in a photograph; films themselves have 1.0 to about 1.3."""

STANDS_OUT: Final = 12.0
"""Smallest difference across the film's edge, in gray levels."""

MARGIN: Final = 0.04
"""Width of the photograph's margin, as a share of its side; it shows what the film lies on."""

MIN_AWAY: Final = 7.0
"""Smallest difference from the surroundings, in gray levels, that makes a pixel the film's."""

Corners = NDArray[np.float64]
"""4×2: x and y of the top left, top right, bottom right and bottom left corner, in pixels."""


def find(gray: NDArray[np.uint8]) -> Corners | None:
    """The film's corners in an H×W photograph, or None where nothing looks like one."""
    cv2 = opencv()
    height, width = gray.shape
    scale = min(1.0, WORKING_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    best, best_score = None, 0.0
    for mask in _masks(cv2.GaussianBlur(small, (5, 5), 0)):
        for quad in _quadrilaterals(mask):
            score = _score(small, quad)
            if score > best_score:
                best, best_score = quad, score
    return None if best is None else (best + 0.5) / scale - 0.5


def _masks(small: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Pictures whose white parts may be the film or its outline."""
    cv2 = opencv()
    middle, otsu = cv2.threshold(small, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    kernel = np.ones((5, 5), np.uint8)
    masks = [_unlike_surroundings(small), otsu, 255 - otsu]
    for level in (0.5 * middle, 0.7 * middle, (middle + 255) / 2, 0.3 * middle + 170):
        above = np.where(small > level, 255, 0).astype(np.uint8)
        masks += [above, 255 - above]
    masks = [cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel) for mask in masks]
    for low in (20, 50, 100):
        masks.append(cv2.dilate(cv2.Canny(small, low, 3 * low), kernel))
    return masks


def _unlike_surroundings(small: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What differs from a smooth surface through the photograph's margin."""
    cv2 = opencv()
    height, width = small.shape
    y, x = np.mgrid[:height, :width]
    x, y = x / width - 0.5, y / height - 0.5
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    margin = np.maximum(np.abs(x), np.abs(y)) > 0.5 - MARGIN
    values = small.astype(np.float64)
    surface, *_ = np.linalg.lstsq(terms[margin], values[margin], rcond=None)
    away = np.abs(values - terms @ surface)
    usual = float(np.median(away[margin]))
    mask = np.where(away > max(MIN_AWAY, 5 * usual), 255, 0).astype(np.uint8)
    opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return np.asarray(cv2.morphologyEx(opened, cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8)))


def _quadrilaterals(mask: NDArray[np.uint8]) -> list[Corners]:
    """Convex quadrilaterals of a film's size around the white parts of a mask."""
    cv2 = opencv()
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    found = []
    for contour in sorted(contours, key=cv2.contourArea, reverse=True)[:6]:
        hull = cv2.convexHull(contour)
        if not SMALLEST < cv2.contourArea(hull) / mask.size < LARGEST:
            continue
        for share in (0.01, 0.02, 0.04, 0.08):
            outline = cv2.approxPolyDP(hull, share * cv2.arcLength(hull, True), True)
            if len(outline) == 4:
                quad = ordered(outline.reshape(4, 2).astype(np.float64))
                across, down = (_length(quad, first) for first in (0, 1))
                if max(across, down) < LONGEST * min(across, down):
                    found.append(quad)
                break
    return found


def _length(quad: Corners, first: int) -> float:
    """Mean length of the side from corner `first` and of its opposite."""
    sides = np.linalg.norm(quad - np.roll(quad, -1, axis=0), axis=1)
    return float(sides[first] + sides[first + 2]) / 2


def ordered(points: NDArray[Any]) -> Corners:
    """Four corners in any order → clockwise from the top left."""
    centre = points.mean(axis=0)
    turn = np.arctan2(points[:, 1] - centre[1], points[:, 0] - centre[0])
    around = points[np.argsort(turn)].astype(np.float64)
    first = int(np.argmin(around.sum(axis=1)))
    return np.roll(around, -first, axis=0)


def _score(small: NDArray[np.uint8], quad: Corners) -> float:
    """How well a quadrilateral stands out all around, times how large it is; 0 if it does not."""
    cv2 = opencv()
    height, width = small.shape
    centre = quad.mean(axis=0)
    steps = np.linspace(0.08, 0.92, 40)[:, np.newaxis]
    sides = []
    for start, end in zip(quad, np.roll(quad, -1, axis=0), strict=True):
        along = start + steps * (end - start)
        inward = centre - along
        inward /= np.linalg.norm(inward, axis=1, keepdims=True) + 1e-9
        pair = []
        for distance in (5.0, -5.0):
            at = along + distance * inward
            inside = ((at >= 0) & (at < (width, height))).all(axis=1)
            values = cv2.remap(
                small, at[:, :1].astype(np.float32), at[:, 1:].astype(np.float32), cv2.INTER_LINEAR
            )
            pair.append(np.where(inside, values[:, 0].astype(np.float64), np.nan))
        seen = np.abs(pair[0] - pair[1])
        # A side along the photograph's own border has nothing to be compared with: no film's edge.
        sides.append(np.nanmedian(seen) if np.isfinite(seen).mean() > 0.5 else 0.0)
    weakest, typical = min(sides), float(np.mean(sides))
    if weakest < STANDS_OUT / 2 or typical < STANDS_OUT:
        return 0.0
    area = cv2.contourArea(quad.astype(np.float32)) / small.size
    return float(np.sqrt(area) * min(weakest + typical, 120))
