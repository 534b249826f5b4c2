"""Age, sex and view in one notation, whatever a table's own."""

from __future__ import annotations

import math
import re
from typing import Final

UNITS: Final = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}
"""Years of each unit that DICOM's age string (PS3.5, value representation AS) ends in."""

AGE: Final = re.compile(r"(\d{1,3}(?:\.\d+)?)\s*([YMWD]?)(?:EARS?|R?S)?")
SEXES: Final = {"M": "M", "MALE": "M", "F": "F", "FEMALE": "F"}


def age_in_years(text: str) -> float:
    """An age such as ``58``, ``058Y``, ``018M`` or ``58 years``; NaN where it is none."""
    found = AGE.fullmatch(text.strip().upper())
    return float(found[1]) * UNITS[found[2] or "Y"] if found else math.nan


def plain_sex(text: str) -> str:
    """M or F, however it is written; any other word as it is."""
    return SEXES.get(text.strip().upper(), text.strip())


def plain_view(text: str) -> str:
    """A view such as PA, in capitals."""
    return text.strip().upper()
