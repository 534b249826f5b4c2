"""JSON strictly as in RFC 8259: no NaN or Infinity, no integers of more than 64 bits (section 6),
and no recursion errors."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable
from typing import Any, Final

MIN_INTEGER: Final = -(1 << 63)
MAX_INTEGER: Final = (1 << 64) - 1
LONGEST: Final = 20
"""The range of 64-bit integers, signed or unsigned, and the length of the longest in digits."""


def parse(
    text: bytes | str,
    parse_float: Callable[[str], Any] | None = None,
    parse_int: Callable[[str], Any] | None = None,
) -> Any:
    """The value of an untrusted JSON text.

    Args:
        text: UTF-8 if it is bytes.
        parse_float, parse_int: digits → number; may raise ValueError.

    Raises:
        ValueError: it is no JSON, holds a number that JSON does not have, or is nested too deeply.
    """
    try:
        if isinstance(text, bytes):
            text = text.removeprefix(codecs.BOM_UTF8).decode()
        return json.loads(
            text,
            parse_constant=_refuse,
            parse_float=parse_float,
            parse_int=parse_int or _integer,
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("it is no UTF-8 text") from None


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _integer(digits: str) -> int:
    if len(digits) > LONGEST or not MIN_INTEGER <= (number := int(digits)) <= MAX_INTEGER:
        raise ValueError(f"{digits[:20]}… is an integer of more than 64 bits")
    return number
