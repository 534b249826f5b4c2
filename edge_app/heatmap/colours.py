"""A perceptually uniform colour map, from a small table.

`inferno` by Nathaniel J. Smith and Stéfan van der Walt (CC0; matplotlib's), at 17 of its 256
levels, with straight lines between: lightness grows evenly, also for the colour-blind and in print.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

INFERNO: Final = (
    *((0, 0, 4), (11, 7, 36), (33, 12, 74), (61, 9, 101), (87, 16, 110), (113, 25, 110)),
    *((138, 34, 106), (163, 44, 97), (188, 55, 84), (210, 70, 68), (228, 90, 49), (241, 115, 29)),
    *((249, 142, 9), (252, 172, 17), (249, 203, 53), (242, 234, 105), (252, 255, 164)),
)
"""Red, green and blue, 0 to 255, from low to high."""


def coloured(values: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Any shape of values in [0, 1] → the same shape ×3, uint8 red, green and blue."""
    table = np.array(INFERNO, np.float64)
    levels = np.linspace(0, 1, 256)
    steps = np.linspace(0, 1, len(table))
    dense = np.stack([np.interp(levels, steps, table[:, i]) for i in range(3)], axis=-1)
    places = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return np.rint(dense).astype(np.uint8)[places]
