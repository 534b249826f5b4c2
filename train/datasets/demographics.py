"""Age, sex and view in one notation, whatever a data set's own."""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import pandas as pd

UNITS: Final = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}
"""Years of each unit that DICOM's age string (PS3.5, value representation AS) ends in."""

AGE: Final = re.compile(r"(\d{1,3}(?:\.\d+)?)\s*([YMWD]?)(?:EARS?|R?S)?")
SEXES: Final = {"M": "M", "MALE": "M", "F": "F", "FEMALE": "F"}


def age_in_years(text: str) -> float:
    """An age such as ``58``, ``058Y``, ``018M`` or ``58 years``; NaN where it is none."""
    found = AGE.fullmatch(text.strip().upper())
    return float(found[1]) * UNITS[found[2] or "Y"] if found else np.nan


def with_plain_demographics(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """A data set's table with `age` in years, `sex` M or F, `view` in capitals, where it has them.

    Returns:
        The table, and a line about ages that cannot be understood.
    """
    notes = []
    if "age" in table:
        written = table["age"].astype(str).str.strip()
        ages = written.map(age_in_years).astype(float)
        unread = written[ages.isna() & (written != "")]
        if len(unread):
            notes.append(
                f"{len(unread)} of {len(table)} ages are not known, first {unread.iloc[0][:40]!r}: "
                "these images are in no age band"
            )
        table = table.assign(age=ages)
    if "sex" in table:
        letters = table["sex"].astype(str).str.strip()
        table = table.assign(sex=letters.str.upper().map(SEXES).fillna(letters))
    if "view" in table:
        table = table.assign(view=table["view"].astype(str).str.strip().str.upper())
    return table, notes
