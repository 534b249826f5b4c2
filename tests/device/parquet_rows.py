"""Parquet files of answers, written from them and read back into them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from edge_app.core import strict_json
from edge_app.pipeline import parquet

REFUSED_HAS_NOT: Final = (
    *("overall", "findings", "input_check", "blank", "warnings", "image", "heatmap"),
)


def encoded(answers: Iterable[Mapping[str, Any]]) -> bytes:
    rows = parquet.Rows()
    for answer in answers:
        rows.append(answer)
    return rows.encoded()


def answer_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The answer in a row, as `answer.schema.json` describes it."""
    found = {
        key: strict_json.parse(value) if key in parquet.TEXTS and value is not None else value
        for key, value in row.items()
    }
    if found["error"] is None:
        del found["error"]
        return found
    return {key: value for key, value in found.items() if key not in REFUSED_HAS_NOT}
