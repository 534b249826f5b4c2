"""A photograph of a film → the radiograph: straight, evenly lit, upright and bone bright."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_app.film.corners import Corners, find
from edge_app.film.opencv import opencv
from edge_app.images.radiograph import Radiograph, Reader, Source
from edge_app.model.input_check import InputCheck
from edge_app.model.preprocess import InputSpec, resize

MAX_SIDE: Final = 2048
"""Pixels of the longer side of the rectified picture, at most."""

EDGE: Final = 0.01
"""Share of each side that is cut off, because it shows the rim of the film or screen."""

RESIDUAL: Final = 0.12
"""Largest deviation of the surroundings' log brightness from a smooth surface; above it they do not
show how the film is lit."""

DARKEST: Final = 40
"""Smallest median gray level of the surroundings; below it they do not show it either."""

UNDONE: Final = {
    "turned-clockwise": "turned by 90° counter-clockwise",
    "turned-counter-clockwise": "turned by 90° clockwise",
    "upside-down": "turned by 180°",
    "inverted": "inverted",
}
"""For each kind of the input check that a photographer can cause: what undoes it."""

Pixels = NDArray[np.uint8]


def film_reader(read: Reader[Source], check: InputCheck | None, spec: InputSpec) -> Reader[Source]:
    """A reader of photographs, from a reader of pictures.

    Args:
        read: reads the picture.
        check: tells which way up the film is; None where the model has no input check.
        spec: of the pictures that `check` judges.

    Raises:
        MissingExtraError: OpenCV is not there.
    """
    opencv()
    return lambda source, limits: rectified(read(source, limits), check, spec)


def rectified(photograph: Radiograph, check: InputCheck | None, spec: InputSpec) -> Radiograph:
    """The radiograph in a photograph; where no film is found, the whole photograph and a warning.

    The facts get a `film`: the corners found, in pixels of the photograph (null: none), whether
    the light was evened, and what was turned or inverted.
    """
    gray = photograph.pixels
    corners = find(gray)
    warnings = list(photograph.warnings)
    if corners is None:
        warnings.append("shows no film or screen that stands out: all of it was used")
        flat, evened = gray, False
    else:
        lit, evened = _evenly_lit(gray, corners)
        flat = _straight(lit, corners)
        if not evened:
            warnings.append(
                "shows too little around the film to tell how it was lit: left as it is"
            )
    pixels, done = _righted(_stretched(flat), check, spec)
    warnings += [f"was {words} by the input check's advice: compare it" for words in done]
    film = {
        "corners": None if corners is None else np.round(corners, 1).tolist(),
        "photograph": [gray.shape[1], gray.shape[0]],
        "light_evened": evened,
        "righted": done,
    }
    height, width = pixels.shape
    facts = {**photograph.facts, "width": width, "height": height, "film": film}
    return Radiograph(np.ascontiguousarray(pixels), facts, tuple(warnings))


def _straight(gray: NDArray[Any], corners: Corners) -> Pixels:
    """The inside of the corners as a rectangle, by the perspective that makes it one."""
    cv2 = opencv()
    top, right, bottom, left = (
        float(np.linalg.norm(a - b))
        for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)
    )
    width, height = max(top, bottom), max(left, right)
    scale = min(1.0, MAX_SIDE / max(width, height))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    target = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64) * size
    matrix = cv2.getPerspectiveTransform(
        corners.astype(np.float32), (target - 0.5).astype(np.float32)
    )
    whole = cv2.warpPerspective(gray, matrix, size, flags=cv2.INTER_AREA)
    x, y = (round(EDGE * side) for side in size)
    return np.asarray(whole[y : size[1] - y, x : size[0] - x], np.uint8)


def _evenly_lit(gray: Pixels, corners: Corners) -> tuple[Pixels, bool]:
    """The photograph divided by its light, if the surroundings of the film tell it.

    A light box, a wall or a screen's frame would be even: a second-degree surface through the
    logarithm of its brightness, extended over the film, is the light and the lens's vignetting.
    The film itself cannot be used for this, because a chest is not evenly bright.
    """
    cv2 = opencv()
    height, width = gray.shape
    scale = 160 / max(height, width)
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = cv2.resize(gray, size, interpolation=cv2.INTER_AREA).astype(np.float64)
    film = np.zeros((size[1], size[0]), np.uint8)
    cv2.fillConvexPoly(film, np.rint(corners * scale).astype(np.int32), 1)
    around = cv2.dilate(film, np.ones((7, 7), np.uint8)) == 0
    if around.mean() < 0.05 or np.median(small[around]) < DARKEST:
        return gray, False
    y, x = np.mgrid[: size[1], : size[0]]
    x, y = x / size[0] - 0.5, y / size[1] - 0.5
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    log = np.log(small + 1)
    surface, *_ = np.linalg.lstsq(terms[around], log[around], rcond=None)
    light = terms @ surface
    if np.std(log[around] - light[around]) > RESIDUAL:
        return gray, False
    gain = np.exp(np.clip(light[film > 0].max() - light, -1.5, 1.5)).astype(np.float32)
    whole = cv2.resize(gain, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(np.rint(gray * whole), 0, 255).astype(np.uint8), True


def _stretched(gray: Pixels) -> Pixels:
    """The middle 99 % of the gray levels spread over all of them: a film is never 0 to 255."""
    low, high = np.percentile(gray, (0.5, 99.5))
    if high - low < 8:
        return gray
    ramp = (np.arange(256) - low) * (255 / (high - low))
    return np.clip(np.rint(ramp), 0, 255).astype(np.uint8)[gray]


def _righted(pixels: Pixels, check: InputCheck | None, spec: InputSpec) -> tuple[Pixels, list[str]]:
    """Turned and inverted where the input check then accepts the picture; otherwise as it is."""
    if check is None:
        return pixels, []
    done: list[str] = []
    best = pixels
    verdict = check.judge(resize(np.ascontiguousarray(best), spec))
    for _ in range(2):  # it may be turned and inverted
        if verdict.kind not in UNDONE:
            break
        best, done = _undone(best, verdict.kind), [*done, UNDONE[verdict.kind]]
        verdict = check.judge(resize(best, spec))
    return (best, done) if not verdict.flagged else (pixels, [])


def _undone(pixels: Pixels, kind: str) -> Pixels:
    if kind == "inverted":
        return 255 - pixels
    quarters = {"turned-clockwise": 1, "turned-counter-clockwise": -1, "upside-down": 2}[kind]
    return np.ascontiguousarray(np.rot90(pixels, quarters))
