"""A data set's table with age, sex and view in one notation."""

from __future__ import annotations

import pandas as pd

from edge_app.evaluation.demographics import age_in_years, plain_sex, plain_view


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
        table = table.assign(sex=table["sex"].astype(str).map(plain_sex))
    if "view" in table:
        table = table.assign(view=table["view"].astype(str).map(plain_view))
    return table, notes
