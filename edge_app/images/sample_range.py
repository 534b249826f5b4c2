"""Which of a 16-bit picture's values are the picture's, and the 8 bits that show them.

A 16-bit PNG or TIFF does not say how many of its bits a detector filled, nor where it began to
count. Both are read off the histogram:

- Where all values share their leading bits, these carry nothing: 12 bits in a 16-bit file are shown
  as 12 bits, and 14 bits stored from 32768 on as 14 bits.
- Where an 8-bit picture was widened, the step between its grays tells by how many bits.
- A marker or a border that was painted over the picture later lies apart from all other values: it
  is shown black or white and does not set the range.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_app.images import windowing
from edge_app.images.windowing import LOW_CONTRAST, looked_up, middle

CONTAINER_BITS: Final = 16

FAR: Final = 1 / 4
"""Share of the range below which no value lies where a picture begins far from black."""

MIN_GRAYS: Final = 16
"""Fewer distinct values do not tell whether they are an 8-bit picture's."""

FEW: Final = 0.05
FEW_IN_THE_OTHER_HALF: Final = 0.01
"""Share of the pixels that painted letters have at most; the lower one where the range without them
is half of that with them. Of 13,677 chest radiographs at 8 bits none has fewer than 5 % of its
pixels outside of one quarter of the range, and 2 fewer than 1 % outside of one half."""

STRAY: Final = 1e-4
"""Share of the pixels that may be defective, of whatever value."""

BORDER: Final = 0.5
"""Share of the pixels that a border of a single value has at most."""


class Range(NamedTuple):
    """A range of values that is shown as 8 bits.

    Attributes:
        start: the value shown as black.
        bits: the values up to start + 2**bits are distinguished.
        exact: whether the values are an 8-bit picture's, widened.
    """

    start: int
    bits: int
    exact: bool = False

    @property
    def end(self) -> int:
        return self.start + (1 << self.bits)

    @property
    def is_aligned(self) -> bool:
        """Whether all its values have the same leading bits."""
        return self.start % (1 << self.bits) == 0

    def __str__(self) -> str:
        return f"{self.start}..{self.end - 1}"


class Histogram(NamedTuple):
    """The distinct values of a picture, ascending, and how many pixels have each."""

    values: NDArray[np.int64]
    counts: NDArray[np.int64]

    @property
    def pixels(self) -> int:
        return int(self.counts.sum())

    def between(self, start: int, end: int) -> Histogram:
        """The part with start ≤ value < end."""
        part = slice(*np.searchsorted(self.values, (start, end)))
        return Histogram(self.values[part], self.counts[part])


def windowed(
    values: NDArray[np.uint16],
    facts: dict[str, Any],
    notes: list[str],
    counted: NDArray[np.uint16] | None = None,
) -> NDArray[np.uint8]:
    """Show the samples of a 16-bit picture, H×W, as 8 bits.

    A picture that fills its 16 bits, and one widened from 8 bits to any depth, comes out as the
    upper 8 bits. Where the middle 99 % of the pixels use less than an eighth of the range, it is
    narrowed to them.

    Args:
        values: the samples.
        facts: get `bits` and `window`.
        notes: get a line for all that is not shown as it is stored.
        counted: the samples that decide the range, if `values` alone do not.
    """
    histogram = histogram_of(values if counted is None else counted)
    chosen = range_of(histogram)
    low, high = _middle(histogram.between(chosen.start, chosen.end))
    narrowed = not chosen.exact and chosen.bits > 8 and 0 < high - low < _little(chosen.bits)
    window = f"{low}..{high} (narrowed: low contrast)" if narrowed else str(chosen)
    facts.update(window=window, bits=chosen.bits)
    notes += _notes(histogram, chosen, window, narrowed)
    ramp = np.arange(1 << CONTAINER_BITS, dtype=np.int32)
    if narrowed:
        table = np.rint((ramp - low) * (255 / (high - low)))
    else:
        table = (ramp - chosen.start) >> (chosen.bits - 8)
    return looked_up(table.clip(0, 255).astype(np.uint8), values)


def histogram_of(values: NDArray[np.uint16]) -> Histogram:
    counts = windowing.histogram(values, CONTAINER_BITS)
    occupied = np.flatnonzero(counts)
    return Histogram(occupied, counts[occupied])


def range_of(histogram: Histogram, *, whole: bool = True) -> Range:
    """The smallest range that holds the picture; what lies outside of it was painted over it.

    Args:
        histogram: of all its pixels.
        whole: False where samples have lost their lower bits, which then tell no step.
    """
    full = best = _range(histogram.values, whole)
    for values in _without_extremes(histogram):
        if best.exact:
            break
        tried = _range(values, whole)
        if tried.bits < best.bits and _outside_is_painted(histogram, tried, full.bits):
            best = tried
    return best


def _range(values: NDArray[np.int64], whole: bool) -> Range:
    """The smallest range that holds all these values."""
    low, high = int(values[0]), int(values[-1])
    if low == high:
        return Range(0, _depth(high))
    step = _step_bits(values) if whole else 0
    if step and high - (low >> 8 + step << 8 + step) < 1 << 8 + step:
        return Range(low >> 8 + step << 8 + step, 8 + step, exact=True)
    bits = _depth(low ^ high)
    aligned = Range(low >> bits << bits, bits)
    if _depth(high - low) < bits and low - aligned.start >= FAR * (1 << bits):
        return Range(low, _depth(high - low))
    return aligned


def _depth(maximum: int) -> int:
    return max(8, maximum.bit_length())


def _step_bits(values: NDArray[np.int64]) -> int:
    """By how many bits an 8-bit picture of these values was widened, at most 8; 0 if it was not."""
    if len(values) < MIN_GRAYS:
        return 0
    if not (values % 257).any():  # 8 bits, twice
        return 8
    varying = int(np.bitwise_or.reduce(values ^ values[0]))
    return min((varying & -varying).bit_length() - 1, 8)


def _without_extremes(histogram: Histogram) -> Iterator[NDArray[np.int64]]:
    """The values without the highest, the lowest, or some few of them, least left out first."""
    values, reached = histogram.values, np.cumsum(histogram.counts)
    count, pixels = len(values), histogram.pixels
    firsts = np.searchsorted(reached, [FEW_IN_THE_OTHER_HALF * pixels, FEW * pixels], "right")
    lasts = np.searchsorted(reached, [(1 - FEW_IN_THE_OTHER_HALF) * pixels, (1 - FEW) * pixels])
    for begin in sorted({0, 1, *firsts.tolist()}):
        for end in sorted({count, count - 1, *(lasts + 1).tolist()}, reverse=True):
            if end - begin > 1:
                yield values[begin:end]


def _outside_is_painted(histogram: Histogram, inside: Range, full_bits: int) -> bool:
    """Whether what lies outside of a range is no part of a picture that needs `full_bits` with it.

    Where letters were painted, the range must be told by the leading bits: a beginning that is only
    the lowest value left is no evidence of its own.
    """
    few = FEW_IN_THE_OTHER_HALF if full_bits - inside.bits == 1 else FEW
    few = few if inside.is_aligned else 0
    below = histogram.between(0, inside.start)
    above = histogram.between(inside.end, 1 << CONTAINER_BITS)
    beyond = (
        Histogram((inside.start - below.values)[::-1], below.counts[::-1]),
        Histogram(above.values - inside.end, above.counts),
    )
    return all(_is_painted(each, few, histogram.pixels) for each in beyond)


def _is_painted(outside: Histogram, few: float, pixels: int) -> bool:
    """Whether pixels at these distances from a range are no part of the picture in it.

    They are of one value, a border's; or few, and most of them at the far end, as letters with
    smooth edges are, while the ends of a picture's own histogram thin out; or single strays.
    """
    share = outside.pixels / pixels
    if len(outside.values) == 1:
        return share <= BORDER
    if share <= STRAY:
        return True
    at_the_end = outside.counts[outside.values >= 0.75 * outside.values[-1]].sum()
    return share <= few and bool(at_the_end >= outside.pixels / 2)


def _middle(histogram: Histogram) -> tuple[int, int]:
    """The 0.5th and 99.5th percentile."""
    low, high = middle(histogram.counts)
    return int(histogram.values[low]), int(histogram.values[high])


def _little(bits: int) -> float:
    return LOW_CONTRAST * (1 << bits)


def _notes(histogram: Histogram, chosen: Range, window: str, narrowed: bool) -> Iterator[str]:
    inside = histogram.between(chosen.start, chosen.end)
    stored = _depth(int(inside.values[-1]))
    for outside, shown in (
        (histogram.between(0, chosen.start), "black"),
        (histogram.between(chosen.end, 1 << CONTAINER_BITS), "white"),
    ):
        if len(outside.values):
            low, high = outside.values[[0, -1]]
            which = f"of {low}" if low == high else f"of {low}..{high}"
            yield (
                f"has {outside.pixels} pixels {which} apart from all others: taken for a marker or "
                f"border and shown {shown}"
            )
    if narrowed or (1 << chosen.bits) < _little(stored):
        yield f"has little contrast at {stored} bits: windowed to {window}"
    elif chosen.start:
        yield f"has no value below {inside.values[0]} in the picture: windowed to {window}"
    elif chosen.bits < CONTAINER_BITS:
        yield f"uses {chosen.bits} of {CONTAINER_BITS} bits: windowed to them"
