"""Sample values of any bit depth → the 8 bits a network was trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BIT_DEPTHS = (8, 10, 12, 14, 16)
"""Depths detectors store; a 16-bit container usually holds fewer significant bits."""

LOW_CONTRAST = 1 / 8
"""Share of the window below which deep pixels are stretched: at 8 bits they would be ≤ 32 grays."""

CONTAINER_BITS = 16

PIECE = 1 << 20
"""Pixels counted at a time; their number, not that of the rows, sets the cost."""


def significant_bits(maximum: int) -> int:
    """The smallest usual depth (8, 10, 12, 14 or 16) that holds `maximum`, 0 ≤ maximum < 65536."""
    return next(bits for bits in BIT_DEPTHS if maximum < 1 << bits)


def to_8bit(values: NDArray[np.uint16], bits: int) -> tuple[NDArray[np.uint8], str]:
    """Window unsigned samples to 8 bits.

    The window is the full range [0, 2**bits): the result is the top 8 bits of the significant
    ones, so a picture with a gray level of 64 or more that was widened from 8 to 16 bits comes
    back unchanged (a darker one looks like fewer bits, and is widened to them). Where the middle
    99 % of the pixels use less than an eighth of it, the window is narrowed to them instead.

    Args:
        values: H×W, uint16, each below 2**bits.
        bits: significant bits, 8 to 16.

    Returns:
        H×W uint8, and the window in words, such as ``"0..4095"``.
    """
    low, high = middle(histogram(values, bits))
    if lacks_contrast(low, high, bits):
        return ramp(low, high, bits)[values], f"{low}..{high} (narrowed: low contrast)"
    lut = (np.arange(1 << bits, dtype=np.uint32) >> (bits - 8)).astype(np.uint8)
    return lut[values], f"0..{(1 << bits) - 1}"


def lacks_contrast(low: int, high: int, bits: int) -> bool:
    """Whether pixels that lie from `low` to `high` are too few grays of a window of `bits`."""
    return bits > 8 and 0 < high - low < LOW_CONTRAST * (1 << bits)


def ramp(low: int, high: int, bits: int) -> NDArray[np.uint8]:
    """(2**bits,) uint8: black up to `low`, white from `high` > `low` on."""
    grays = (np.arange(1 << bits, dtype=np.float64) - low) * (255 / (high - low))
    return np.clip(np.rint(grays), 0, 255).astype(np.uint8)


def windowed(
    values: NDArray[np.uint16], facts: dict[str, Any], notes: list[str]
) -> NDArray[np.uint8]:
    """Window the samples of a 16-bit picture, H×W, to 8 bits by the bits that they use.

    `facts` get `bits` and `window`; `notes` get a line where the picture uses fewer than 16 bits,
    and one where it has little contrast.
    """
    bits = significant_bits(int(values.max()))
    pixels, window = to_8bit(values, bits)
    facts.update(window=window, bits=bits)
    if bits < CONTAINER_BITS:
        notes.append(f"uses {bits} of {CONTAINER_BITS} bits: windowed to them")
    if "narrowed" in window:
        notes.append(f"has little contrast at {bits} bits: windowed to {window}")
    return pixels


def histogram(values: NDArray[Any], bits: int) -> NDArray[np.int64]:
    """(2**bits,): how many pixels have each value, 0 ≤ value < 2**bits.

    Counted in pieces: bincount widens what it gets.
    """
    counts = np.zeros(1 << bits, dtype=np.int64)
    flat = values.reshape(-1)
    for start in range(0, flat.size, PIECE):
        counts += np.bincount(flat[start : start + PIECE], minlength=1 << bits)
    return counts


def middle(counts: NDArray[np.int64]) -> tuple[int, int]:
    """The 0.5th and 99.5th percentile of a histogram."""
    cumulative = np.cumsum(counts)
    low, high = np.searchsorted(cumulative, (0.005 * cumulative[-1], 0.995 * cumulative[-1]))
    return int(low), int(high)
