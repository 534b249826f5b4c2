"""An array of pixels → the radiograph that a file with the same samples would give."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_app.core.errors import ImageError
from edge_app.images.radiograph import Limits, Radiograph, require_pixels
from edge_app.images.sample_range import windowed


def from_array(pixels: object, limits: Limits | None = None) -> Radiograph:
    """A radiograph of samples that the caller already has.

    Args:
        pixels: H×W, uint8 or uint16; air dark, bone bright. Of uint16 the bits in use are
            windowed to 8, as for a 16-bit PNG. The array is neither kept nor changed.
        limits: on the number of pixels.

    Raises:
        ImageError: another type, shape or size.
    """
    if not isinstance(pixels, np.ndarray):
        raise ImageError(
            f"no image can be made of {type(pixels).__name__}: give a path, a file's bytes, an "
            "open binary file, or a numpy array"
        )
    if pixels.ndim != 2 or pixels.dtype not in (np.uint8, np.uint16):
        raise ImageError(
            f"an array of {pixels.dtype} {pixels.shape} is no image: give height×width, uint8 or "
            "uint16, with air dark"
        )
    height, width = pixels.shape
    require_pixels(width, height, limits or Limits())
    facts: dict[str, Any] = {"format": "array", "mode": str(pixels.dtype)}
    notes: list[str] = []
    if pixels.dtype == np.uint16:
        gray = windowed(np.ascontiguousarray(pixels), facts, notes)
    else:
        gray = np.ascontiguousarray(pixels)
        facts.update(bits=8, window="0..255")
    facts.update(inverted=False, width=width, height=height)
    return Radiograph(gray, facts, tuple(notes))
