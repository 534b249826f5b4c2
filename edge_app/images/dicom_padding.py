"""Pixel Padding: stored values that fill a rectangle or hide its background (PS3.3 C.7.5.1.1.2).

Padding is compared with stored values, before any table or slope. It is shown as background
whatever the polarity is, and takes no part in the choice of a window.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_app.core.errors import ImageError
from edge_app.images.dicom_pixels import Form
from edge_app.images.dicom_values import Values

MOSTLY = 0.6
"""Share of a picture that padding may be without a word."""


class Padding(NamedTuple):
    """Which words are padding.

    Attributes:
        words: for each of the 2**reach words, whether it is.
        values: Pixel Padding Value and Pixel Padding Range Limit as stored values, the lower one
            first; they are the same where there is no range.
    """

    words: NDArray[np.bool_]
    values: tuple[int, int]

    @property
    def name(self) -> str:
        low, high = self.values
        return f"Pixel Padding Value {low}" if low == high else f"Pixel Padding {low}..{high}"

    def tell(self, form: Form, counts: NDArray[np.int64], notes: list[str]) -> None:
        """Notes on padding that looks as if it were part of the picture.

        Args:
            form: of the samples.
            counts: how many pixels have each word.
            notes: warnings.

        Raises:
            ImageError: all of the picture is padding.
        """
        padded, pixels = int(counts[self.words].sum()), int(counts.sum())
        if padded == pixels:
            raise ImageError(f"is nothing but padding: its {self.name} covers all of it")
        if padded > MOSTLY * pixels:
            notes.append(f"is padding to {100 * padded // pixels} %, by its {self.name}")
        stored = form.values()[(counts > 0) & ~self.words]
        if padded and stored.min() < self.values[0] and self.values[1] < stored.max():
            notes.append(
                f"has its {self.name} among the values of the picture, "
                f"{stored.min()}..{stored.max()}: painted black"
            )


def find_padding(header: Values, form: Form) -> Padding | None:
    """The padding that a file declares, None where it declares none that a word can be."""
    ends = header.words("PixelPaddingValue")[:1]
    if not ends:
        return None
    ends += header.words("PixelPaddingRangeLimit")[:1]
    low, *_, high = sorted(_stored(word, form) for word in (*ends, ends[0]))
    values = form.values()
    words = (low <= values) & (values <= high) & ~_strays(form)
    # Padding may be a value that Bits Stored cannot hold, and then fills the whole word.
    for end in ends:
        if not form.lowest <= _stored(end, form) <= form.highest:
            word = end & ((1 << form.allocated) - 1)
            words[word : word + 1] = True
    return Padding(words, (low, high))


def _stored(word: int, form: Form) -> int:
    """The stored value that 16 bits mean; they are written as US or SS at will."""
    if not form.signed:
        return word & ((1 << form.allocated) - 1)
    value = word - (1 << 16) if word >= 1 << 15 else word
    # A negative value that is cut to Bits Stored.
    return value - (1 << form.stored) if form.highest < value < 1 << form.stored else value


def _strays(form: Form) -> NDArray[np.bool_]:
    """Words that hold more than a sample: their value is not what they look like."""
    unused = form.unused()
    return (unused > 0) & (unused != form.sign_bits)
