"""From modality values to grays: the window that a file names, or the range that its pixels use.

PS3.3 C.11.2.1.2 (LINEAR), C.11.2.1.3 (LINEAR_EXACT, SIGMOID).
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_app.core.errors import ImageError
from edge_app.images.dicom_values import Values
from edge_app.images.windowing import BIT_DEPTHS, LOW_CONTRAST, middle

FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")

ALL_BITS = 16
"""Bits Stored that toolkits write whatever a detector gave: 15 bits are a usual range then, and
unsigned levels may be signed ones with half of their range added."""

FEWEST_VALUES = 16
"""Different values that a picture has, without those that stand apart from it."""


class Window(NamedTuple):
    """A VOI window, in modality values."""

    center: float
    width: float
    function: str

    def __str__(self) -> str:
        return f"center {self.center:g}, width {self.width:g}, {self.function}"

    def shares(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """The share of the display range, 0 to 1, that each value gets."""
        center, width = self.center, self.width
        if self.function == "SIGMOID":
            return 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -500, 500)))
        if self.function == "LINEAR":
            center, width = center - 0.5, width - 1
        return np.clip((values - center + width / 2) / max(width, 1e-9), 0, 1)


def find_window(header: Values, notes: list[str]) -> Window | None:
    """The first window that is one; `notes` get a line where there are more, or none is usable.

    Raises:
        ImageError: it has a function that the standard does not know.
    """
    centers, widths = header.numbers("WindowCenter"), header.numbers("WindowWidth")
    function = header.text("VOILUTFunction").replace(" ", "_") or "LINEAR"
    pairs = [
        Window(center, width, function)
        for center, width in zip(centers, widths, strict=False)
        if center is not None and width is not None
    ]
    usable = [
        window
        for window in pairs
        if (window.width >= 1 if function == "LINEAR" else window.width > 0)
    ]
    if not usable:
        if pairs:
            notes.append(f"gives a window of width {pairs[0].width:g}: the full range was used")
        elif header.text("WindowCenter") or header.text("WindowWidth") or any((*centers, *widths)):
            notes.append(
                "gives a Window Center and a Window Width that are no window: the full range was "
                "used"
            )
        return None
    if function not in FUNCTIONS:
        raise ImageError("is a DICOM image with an unknown VOI LUT function")
    if len(usable) > 1:
        notes.append(f"offers {len(usable)} windows: the first was used")
    return usable[0]


AIR: Final = 1024
HOUNSFIELD: Final = 4096
"""Signed levels of 12 bits on the scale of Hounsfield units begin at -1024: air is -1000."""


class Range(NamedTuple):
    """The 2**bits values from `first` on."""

    first: int
    bits: int

    @property
    def last(self) -> int:
        return self.first + (1 << self.bits) - 1

    def __str__(self) -> str:
        return f"{self.first}..{self.last}"


class Levels(NamedTuple):
    """What is windowed where the file names no window.

    Attributes:
        values: the level of each word, a whole number.
        container: the levels that there can be.
        signed: whether these lie about 0.
        zero: the level that stands for a modality value of 0; None where there is none.
        descending: whether higher levels are lower modality values.
    """

    values: NDArray[np.integer]
    container: Range
    signed: bool = False
    zero: int | None = None
    descending: bool = False


def grays_in_use(
    levels: Levels, counts: NDArray[np.int64], notes: list[str]
) -> tuple[NDArray[np.uint8], str]:
    """The gray of each word, and the window in words, by the levels that pixels use.

    The window is the smallest usual range that holds them, so that a picture of 8 bits that was
    stored wider comes back exactly; where that leaves little contrast it is the levels of the
    middle 99 % of the pixels. `notes` get a line unless it is all that the file can hold.

    Args:
        levels: of the words.
        counts: how many pixels have each word, without padding.
        notes: warnings.
    """
    first, bits = levels.container
    per_level = np.bincount(levels.values - first, weights=counts, minlength=1 << bits)
    present = np.flatnonzero(per_level) + first
    core = _without_ends_apart(present, levels.container)
    low, high = int(core[0]), int(core[-1])
    per_level[: low - first] = per_level[high - first + 1 :] = 0
    darkest, brightest = (level + first for level in middle(per_level.astype(np.int64)))
    if levels.signed and low < 0 <= darkest:
        low = 0  # a little noise below what would be unsigned
    window = usual_range(low, high, levels, halved=len(core) < len(present))
    if len(core) < len(present) and window != usual_range(
        int(present[0]), int(present[-1]), levels
    ):
        ends = " and ".join(str(end) for end in sorted({*present.tolist()} - {*core.tolist()}))
        notes.append(f"has pixels of {ends} that stand apart from {low}..{high}: not windowed to")
    if window.bits < bits:
        to_what = "them" if window.first == first else str(window)
        notes.append(f"uses {window.bits} of its {bits} bits: windowed to {to_what}")
    if _lacks_contrast(darkest, brightest, window, levels):
        text = f"{darkest}..{brightest} (narrowed: low contrast)"
        notes.append(f"has little contrast at {window.bits} bits: windowed to {text}")
        shares = (levels.values - darkest) * (255 / (brightest - darkest))
        grays = np.clip(np.rint(shares), 0, 255).astype(np.uint8)
    else:
        text = str(window)
        grays = np.clip((levels.values - window.first) * 256 >> window.bits, 0, 255)
        grays = grays.astype(np.uint8)
    return (255 - grays if levels.descending else grays), text


def usual_range(low: int, high: int, levels: Levels, *, halved: bool = False) -> Range:
    """The smallest usual range of levels that holds those from `low` to `high`.

    Usual ranges have as many bits as detectors store. They begin where the file's own do, or where
    the modality value is 0; those of signed levels at 0, or half of them are negative, or 1024.
    Levels of 16 unsigned bits that are all in the upper half of their range are signed ones in
    disguise.

    Args:
        low, high: of the pixels.
        levels: what there can be.
        halved: whether a range of one bit less than the file's own is a usual one, too.
    """
    container, zero = levels.container, levels.zero
    half = container.first + (1 << container.bits - 1)
    fewest = container.bits - (halved or container.bits == ALL_BITS)
    for bits in sorted({*BIT_DEPTHS, container.bits - 1, container.bits}):
        size = 1 << bits
        usual = bits in BIT_DEPTHS or bits >= fewest
        firsts = [container.first] if usual else []
        if zero is not None and usual:
            firsts.append(zero - size + 1 if levels.descending else zero)
        if levels.signed:
            negative = [half - size // 2] if usual else []
            negative += [half - AIR] if size == HOUNSFIELD else []
            firsts = [half, *firsts[1:], *negative, *firsts[:1]]
        elif container.bits == ALL_BITS:
            firsts.append(half)
        for first in firsts:
            if first <= low and high < first + size:
                return Range(first, bits)
        if bits == container.bits:
            break
    return container


def _lacks_contrast(darkest: int, brightest: int, window: Range, levels: Levels) -> bool:
    """Whether the levels of the middle pixels are too small a part of the window.

    Nobody stores signed levels about an odd place to show a part of them, so half is required.
    """
    half = levels.container.first + (1 << levels.container.bits - 1)
    odd = levels.signed and window.first not in (half, levels.zero)
    share = 1 / 2 if odd else LOW_CONTRAST
    return window.bits > 8 and 0 < brightest - darkest < share * (1 << window.bits)


def _without_ends_apart(present: NDArray[np.intp], container: Range) -> NDArray[np.intp]:
    """The levels in use, without markers or padding at the ends of what a file can hold.

    These stand apart by more than the range of all others: -32768 around a picture of 0..4095,
    letters of 65535 on one of 14 bits.
    """
    lowest, highest = present[0] == container.first, present[-1] == container.last
    for below, above in ((lowest, highest), (lowest, False), (False, highest)):
        core = present[int(below) : len(present) - int(above)]
        if not (below or above) or len(core) < FEWEST_VALUES:
            continue
        span = core[-1] - core[0]
        gaps = ([core[0] - present[0]] if below else []) + (
            [present[-1] - core[-1]] if above else []
        )
        if min(gaps) > span:
            return core
    return present
