"""Names and texts of others as one harmless line: nothing in them steers a terminal."""

from __future__ import annotations

import codecs
import os
from typing import Final, TextIO


def printable(name: str) -> str:
    """A file name as text: bytes that are no UTF-8, and control characters, are escaped."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def is_utf8_stream(out: TextIO) -> bool:
    """Whether what is written there leaves as UTF-8."""
    return codecs.lookup(out.encoding or "utf-8").name == "utf-8"


def is_utf8(name: str) -> bool:
    """Whether a result can be tied to this name without ambiguity."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def plain(text: str) -> str:
    """A file's own text in one line, without what would steer a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes a cell for a formula by, and runs it (OWASP, CSV injection)."""


def cell(text: str) -> str:
    """A text of others as a cell of a CSV that no spreadsheet takes for a formula."""
    return f"'{text}" if _is_formula(text) else text


def file_cell(name: str) -> str:
    """As `cell`, of a file's name, which still leads to the file: ``./=1.png``."""
    return f"./{name}" if _is_formula(name) else name


def _is_formula(text: str) -> bool:
    """A sign alone is none: ``-`` stands for standard input."""
    return len(text) > 1 and text.startswith(FORMULA)


def readable(label: str) -> str:
    """A label as people read it: ``Pleural Thickening``. Files and programs keep its own name."""
    return label.replace("_", " ")


DECIMALS: Final = 6
"""Of a probability in an answer."""


def rounded(share: float) -> float:
    """A share, 0 to 1, with the `DECIMALS` that answers have. No rounding makes none of it, or all:
    what lies between 0 and 1 stays there, and of two shares neither overtakes the other."""
    least = 10.0**-DECIMALS
    near = round(float(share), DECIMALS)
    return min(max(near, least), 1 - least) if 0 < share < 1 else near


def percent(share: float, digits: int = 1, sign: str = " %") -> str:
    """A share, 0 to 1, as people read it: ``8.1 %``. No rounding makes none of it, or all.

    It is that of `rounded`, so that a share and what an answer keeps of it look alike, unless more
    digits are asked for.
    """
    known = rounded(share) if digits + 2 <= DECIMALS else share
    return f"{_short_of(100, 100 * known, digits)}{sign}"


def decimal(share: float, digits: int = 3) -> str:
    """A share, 0 to 1, as a table of metrics has it: ``0.081``. As of `percent`, no rounding makes
    none of it, or all: ``> 0.999``. Other numbers are rounded as ever."""
    return _short_of(1, share, digits)


def _short_of(whole: int, number: float, digits: int) -> str:
    """A number with these digits, unless they would say none or all of the whole, and it is not."""
    text, least = f"{number:.{digits}f}", 10.0**-digits
    if 0 < number < whole and float(text) == 0:
        return f"< {least:.{digits}f}"
    if 0 < number < whole and float(text) == whole:
        return f"> {whole - least:.{digits}f}"
    return text
