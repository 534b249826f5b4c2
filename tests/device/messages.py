"""What no message may say: Python's own words, which tell nobody what is wrong with a file."""

from __future__ import annotations

import re
from typing import Final

PYTHON: Final = re.compile(
    r"NoneType|Traceback|File \"|<class |<module |\bobject (is not|of type|has no|cannot|does not)"
    r"|has no (attribute|len\b)|attribute '|could not (convert|broadcast)|can'?t convert|broadcast"
    r"|unsupported operand|not (subscriptable|iterable|callable|hashable)|unhashable"
    r"|(list|tuple|string|bytearray|index) (index|out of)|index \d+ is out|invalid literal"
    r"|codec can'?t|expected (str|bytes|int|a |an |at (least|most) \d+ arg)|must be (str|bytes|int)"
    r"|positional argument|keyword argument|unexpected keyword|not enough values"
    r"|too many values|unpack|requires a buffer|buffer (is|size|too)|not supported between"
    r"|dictionary|math (domain|range)|int too (large|big)|cannot (reshape|fit|assign|unpack|cast)"
    r"|zero-size array|operands|ufunc|dtype|numpy|ndarray|bytes-like|argument (must|out|should)"
    r"|string (argument|indices)|byte must be|not in range\(|out of bounds|setting an array"
    r"|maximum recursion|\b(None|True|False|self|struct\.|zlib\.error)\b"
    r"|\b[A-Z]\w*(Error|Exception|Warning|Interrupt|Iteration|Decoder|Dataset|DataElement)\b"
)
"""Words of Python, of numpy and of their errors; names of classes, as in ``KeyError``."""


def python_in(line: str) -> str | None:
    """The first of Python's words in a message; None where there is none."""
    found = PYTHON.search(line)
    return found[0] if found else None
