"""Untrusted names and texts as one harmless line, without control characters; and numbers."""

from __future__ import annotations

import codecs
import os
from typing import Final, TextIO


def printable(name: str) -> str:
    """A file name as text: bytes that are no UTF-8, and control characters, are escaped."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def is_utf8_stream(out: TextIO) -> bool:
    """Whether text that is written to a stream is encoded as UTF-8."""
    return codecs.lookup(out.encoding or "utf-8").name == "utf-8"


def is_utf8(name: str) -> bool:
    """Whether a file name is UTF-8, so that a result can name it without ambiguity."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def plain(text: str) -> str:
    """A text from a file in one line, without control characters."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""First letters of a cell that a spreadsheet runs as a formula (OWASP, CSV injection)."""


def cell(text: str) -> str:
    """An untrusted text as a CSV cell that no spreadsheet takes for a formula."""
    return f"'{text}" if _is_formula(text) else text


def file_cell(name: str) -> str:
    """`cell` for a file name, which still leads to the file: ``./=1.png``."""
    return f"./{name}" if _is_formula(name) else name


def _is_formula(text: str) -> bool:
    """Whether it is a formula; a sign alone is not: ``-`` stands for standard input."""
    return len(text) > 1 and text.startswith(FORMULA)


def readable(label: str) -> str:
    """A label as people read it: ``Pleural Thickening``. Files and programs keep its own name."""
    return label.replace("_", " ")


DECIMALS: Final = 6
"""Decimals of a probability in an answer."""


def rounded(share: float) -> float:
    """A share, 0 to 1, with the `DECIMALS` of answers.

    A share between 0 and 1 never becomes 0 or 1, and two shares never swap their order.
    """
    smallest = 10.0**-DECIMALS
    near = round(float(share), DECIMALS)
    return min(max(near, smallest), 1 - smallest) if 0 < share < 1 else near


def percent(share: float, digits: int = 1, sign: str = " %") -> str:
    """A share, 0 to 1, for people: ``8.1 %``; one between 0 and 1 never becomes 0 % or 100 %.

    It is `rounded` first, so that a share looks the same as its value in an answer, unless
    `digits` needs more decimals.
    """
    known = rounded(share) if digits + 2 <= DECIMALS else share
    return f"{_short_of(100, 100 * known, digits)}{sign}"


def decimal(share: float, digits: int = 3) -> str:
    """A share, 0 to 1, as a table of metrics has it: ``0.081``. As of `percent`, no rounding makes
    none of it, or all: ``> 0.999``. Other numbers are rounded as ever."""
    return _short_of(1, share, digits)


def _short_of(whole: int, number: float, digits: int) -> str:
    """A number with these digits, unless they would say none or all of the whole, and it is not."""
    text, smallest = f"{number:.{digits}f}", 10.0**-digits
    if 0 < number < whole and float(text) == 0:
        return f"< {smallest:.{digits}f}"
    if 0 < number < whole and float(text) == whole:
        return f"> {whole - smallest:.{digits}f}"
    return text
