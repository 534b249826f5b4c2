"""JSON as RFC 8259 has it: without NaN and Infinity, without integers that no machine has a type
for (section 6), and never a recursion error."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable
from typing import Any, Final

LEAST: Final = -(1 << 63)
MOST: Final = (1 << 64) - 1
LONGEST: Final = 20
"""Integers of 64 bits, signed or not; digits of the longest."""


def parse(
    text: bytes | str,
    parse_float: Callable[[str], Any] | None = None,
    parse_int: Callable[[str], Any] | None = None,
) -> Any:
    """The value in a JSON text that may be anybody's.

    Args:
        text: UTF-8 where it is bytes.
        parse_float, parse_int: make a number of its digits; may raise ValueError.

    Raises:
        ValueError: it is no JSON, holds a number that JSON has none of, or is nested too deeply.
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
    if len(digits) > LONGEST or not LEAST <= (number := int(digits)) <= MOST:
        raise ValueError(f"{digits[:20]}… is an integer of more than 64 bits")
    return number
