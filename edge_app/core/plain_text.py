"""Names and texts of others as one harmless line: nothing in them steers a terminal."""

from __future__ import annotations

import os


def printable(name: str) -> str:
    """A file name as text: bytes that are no UTF-8, and control characters, are escaped."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


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


def percent(share: float) -> str:
    """A share, 0 to 1, as people read it: ``8.1 %``."""
    return "< 0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"
