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


def percent(share: float) -> str:
    """A share, 0 to 1, as people read it: ``8.1 %``. No rounding makes none of it, or all."""
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return "> 99.9 %" if 0.9995 <= share < 1 else f"{100 * share:.1f} %"
