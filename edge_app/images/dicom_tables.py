"""Modality and VOI look-up tables, as their own entries are and not as their descriptors say.

LUT Descriptor (PS3.3 C.11.1.1.1, C.11.2.1.1) has three numbers: entries, the first value mapped,
bits of an entry. All three are often wrong, and viewers have learned to look at the table:

- Bits. Agfa's CR calls 12-bit tables 16-bit. cornerstone (`getVOILut.js`), Horos and dicom-rs
  (pull request 825) take the bits of the largest entry, dcm4che (issue 413) corrects 12 in 16,
  dcmtk (`DiLookupTable::checkBits`) takes those where the declared ones are none of 8 to 16.
  Here the declared bits hold unless the largest entry does not fit them or leaves some of them
  unused: a table of 12 bits reaches about 4095.
- Entries. dcmtk (`DiLookupTable::checkTable`) takes as many as there are; half as many words as
  declared are two 8-bit entries each.
- First value. It has the sign of the values mapped (C.11.2.1.1), but is written as US or SS at
  will (pydicom issue 942, dcm4che issue 1521): of the two readings the one that meets the values
  is taken.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_app.images.dicom_values import Values, damaged
from edge_app.images.windowing import significant_bits

FULL = 63 / 64
"""Share of 2**bits that the largest entry of a table of so many bits reaches at least."""

FEWEST = 1 / 2
"""Share of the declared entries that a table must have."""


class Table(NamedTuple):
    """A look-up table.

    Attributes:
        entries: in order.
        first: the value that the first one stands for.
        bits: such that the entries reach from 0 to about 2**bits - 1.
        declared_bits: what the descriptor says of that; None where it says nothing.
    """

    entries: NDArray[np.uint16]
    first: int
    bits: int
    declared_bits: int | None

    def at(self, values: NDArray[Any]) -> NDArray[np.uint16]:
        """The entries for `values`, held at the table's ends outside of it (C.11.2.1.1)."""
        place = np.clip(np.rint(values) - self.first, 0, len(self.entries) - 1)
        return np.asarray(self.entries[place.astype(np.intp)])

    def shares(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """The same as shares of the output range, 0 to 1."""
        return np.minimum(self.at(values) / ((1 << self.bits) - 1), 1)


def tables(items: list[Values]) -> list[Values]:
    """The items that are not blank: de-identification and templates leave empty ones."""
    return [item for item in items if item.words("LUTDescriptor") or item.data("LUTData")[0]]


def table(item: Values, name: str, low: float, high: float, signed: bool) -> Table:
    """A sequence's item as a table.

    Args:
        item: not blank.
        name: of the sequence, for messages.
        low, high: the range of the values that are looked up.
        signed: whether the standard has the first value signed.

    Raises:
        ImageError: it has no entries, or less than half of those declared.
    """
    descriptor = item.words("LUTDescriptor")
    if len(descriptor) < 2:
        damaged(f"the LUT Descriptor of its {name} has {len(descriptor)} numbers, not 3")
    count = descriptor[0] or 1 << 16
    declared = descriptor[2] if len(descriptor) > 2 else None
    entries = _entries(item, count)
    if len(entries) < FEWEST * count:
        damaged(f"its {name} has {len(entries)} entries, not {count}")
    first = _first(descriptor[1], len(entries), low, high, signed)
    return Table(entries, first, _bits(int(entries.max()), declared), declared)


def _entries(item: Values, count: int) -> NDArray[np.uint16]:
    """As many entries as there are; one more than declared is padding."""
    value, representation, little_endian = item.data("LUTData")
    order = "<" if little_endian else ">"
    words = np.frombuffer(value[: len(value) & ~1], f"{order}u2").astype("<u2")
    if abs(len(value) - count) <= 2 < count:  # bytes, one missing, too many, or made even
        packed = np.frombuffer(value, np.uint8) if representation == "OB" else words.view(np.uint8)
        return packed[:count].astype(np.uint16)
    return words[: count if len(words) == count + 1 else 1 << 16]


def _bits(largest: int, declared: int | None) -> int:
    # 4096 at the end of 12 bits is 4095 rounded up, and no 13th bit.
    full = max(8, (largest - 1).bit_length() if largest else 0)
    usual = significant_bits(min(largest, 0xFFFF)) if largest else 8
    needed = full if largest >= FULL * (1 << full) else max(full, usual)
    if declared is None or not 8 <= declared <= 16 or full > declared:
        return needed
    return min(declared, needed)


def _first(word: int, count: int, low: float, high: float, signed: bool) -> int:
    readings = sorted({word, word - (1 << 16) if word >= 1 << 15 else word}, reverse=not signed)

    def met(first: int) -> float:
        return min(high, first + count - 1) - max(low, first)

    return next((first for first in readings if met(first) >= 0), readings[0])
