"""The values of a DICOM data set, read from their bytes and trusted with nothing.

A file may call a number text, write a decimal comma, leave a value out, or hold what is none at
all. Each function here returns a value of the requested kind, or None, and never raises a parser's
exception.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any, NoReturn

from edge_app.core.errors import ImageError
from edge_app.core.shortage import blamed

if TYPE_CHECKING:
    from pydicom import Dataset

BINARY = {"US": "H", "OW": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d"}
"""Value representations that are numbers in binary (PS3.5 6.2); all others here are text."""

EITHER_SIGN = "US or SS"
"""How the dictionary names what Pixel Representation decides."""

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(E[+-]?\d+)?", re.IGNORECASE)
NAME = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

LONGEST_TEXT = 64
MAX_ELEMENTS = 50_000


def line(value: object, longest: int = 120) -> str:
    """Anything as one bounded line of printable ASCII: it may come from the file."""
    text = " ".join(str(value).split()) or type(value).__name__
    return re.sub(r"[^ -~]", "?", text)[:longest]


def spoken(keyword: str) -> str:
    """An attribute's name as the standard writes it: ``BitsStored`` is Bits Stored."""
    return NAME.sub(" ", keyword)


def damaged(reason: str) -> NoReturn:
    raise ImageError(f"is a damaged DICOM file: {reason}")


class Values:
    """The elements of a data set, or of an item of a sequence.

    Args:
        elements: as pydicom parsed them; their values are not yet converted, and never are.
        more: values of the same object that stand elsewhere, for what `elements` does not have.
    """

    def __init__(self, elements: Dataset, more: Sequence[Values] = ()) -> None:
        self._elements, self._more = elements, more

    def has(self, attribute: str | int) -> bool:
        """Whether there is such an element, with or without a value."""
        return attribute in self._elements or any(each.has(attribute) for each in self._more)

    def data(self, attribute: str | int) -> tuple[bytes, str, bool]:
        """An element's bytes, its value representation, and whether they are little-endian.

        There are no bytes where it is absent, empty or a sequence. What implicit VR leaves unsaid
        is as the dictionary says.

        Args:
            attribute: its keyword, or its tag.
        """
        from pydicom.datadict import dictionary_VR

        element = self._raw(attribute)
        value = getattr(element, "value", None)
        if element is None or not isinstance(value, bytes):
            return b"", "", True
        implicit = element.VR in (None, "UN")
        representation = dictionary_VR(element.tag) if implicit else element.VR
        return value, representation, element.is_little_endian

    def _raw(self, attribute: str | int) -> Any:
        """An element as pydicom parsed it, not converted; None where it is absent."""
        if attribute in self._elements:
            return self._elements.get_item(attribute, keep_deferred=True)
        found = (each._raw(attribute) for each in self._more)
        return next((element for element in found if element is not None), None)

    def texts(self, attribute: str | int) -> list[str]:
        """An element's values as text, without the spaces and zeros around them."""
        value, representation, _ = self.data(attribute)
        if not value or representation in BINARY:
            return []
        return [text.strip(" \0\t\r\n") for text in value.decode("latin-1").split("\\")]

    def text(self, keyword: str) -> str:
        """An element's first value in upper case, as one harmless line; "" where there is none."""
        first = (self.texts(keyword) or [""])[0]
        return line(first, LONGEST_TEXT).strip().upper() if first else ""

    def numbers(self, attribute: str | int) -> list[float | None]:
        """An element's values as numbers, None for one that is empty or is no finite number.

        A decimal comma is read as a point, as dcmtk does: a device that runs in German or French
        writes one.
        """
        value, representation, little_endian = self.data(attribute)
        if representation == EITHER_SIGN:
            representation = "US"
        if kind := BINARY.get(representation):
            size = struct.calcsize(kind)
            form = f"{'<' if little_endian else '>'}{len(value) // size}{kind}"
            found = struct.unpack_from(form, value)
            return [float(number) if math.isfinite(number) else None for number in found]
        return [_number(text) for text in self.texts(attribute)]

    def words(self, keyword: str) -> list[int]:
        """An element's values as words of 16 bits, whichever sign they are written with."""
        return [int(number) & 0xFFFF for number in self.numbers(keyword) if number is not None]

    def number(self, keyword: str, default: float) -> float:
        """An element's first value, `default` where it is absent or empty.

        Raises:
            ImageError: it is no number.
        """
        first = (self.numbers(keyword) or [None])[0]
        if first is not None:
            return first
        if self.text(keyword):
            damaged(f"its {spoken(keyword)} is no number")
        return default

    def integer(self, keyword: str) -> int | None:
        """An element's first value, None where it is absent or empty.

        Raises:
            ImageError: it is no whole number.
        """
        number = self.number(keyword, math.nan)
        if math.isnan(number):
            return None
        if number != int(number):
            damaged(f"its {spoken(keyword)} is {number:g}, which is no whole number")
        return int(number)

    def items(self, keyword: str) -> list[Values]:
        """The items of a sequence."""
        from pydicom import Dataset
        from pydicom.filereader import read_sequence

        element = self._raw(keyword)
        items = getattr(element, "value", None) or ()
        if isinstance(items, bytes):
            form = element.is_implicit_VR, element.is_little_endian, len(items), "iso8859"
            file = Metered(items)
            with parsing(file):
                items = read_sequence(file, *form)
        return [Values(item) for item in items if isinstance(item, Dataset)]


class Metered(BytesIO):
    """Counts the short reads that each element, item and fragment costs.

    pydicom makes an object of over 1 KB for an item of 8 bytes, as many as there are.
    """

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += size is not None and 0 <= size <= 8
        self.require_few()
        return super().read(size)

    def require_few(self) -> None:
        if self.reads > MAX_ELEMENTS:
            raise ImageError(f"is DICOM of more than {MAX_ELEMENTS} elements")


@contextmanager
def parsing(file: Metered) -> Iterator[None]:
    """pydicom raises almost anything on a broken file, and its words are a programmer's."""
    try:
        yield
    except (ImageError, MemoryError, ImportError):
        raise
    except Exception as error:
        file.require_few()  # pydicom turns this very refusal into an error of its own
        raise blamed(error, "is a damaged DICOM file: its elements cannot be told apart") from None


def _number(text: str) -> float | None:
    text = text.replace(",", ".")
    if not NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None
