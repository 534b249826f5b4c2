"""The types of a benchmark's result and its schema."""

from __future__ import annotations

import json
from pathlib import Path

from edge_app.performance import document

SCHEMA = json.loads(Path(document.__file__).with_name("benchmark.schema.json").read_text())


def test_the_types_and_the_schema_name_the_same_parts() -> None:
    parts = SCHEMA["properties"]
    cell = parts["cells"]["items"]["properties"]
    for kind, properties in (
        (document.BenchmarkDocument, parts),
        (document.Settings, parts["settings"]["properties"]),
        (document.Conditions, parts["conditions"]["properties"]),
        (document.NotMeasured, parts["not_measured"]["items"]["properties"]),
        (document.CellDocument, cell),
        (document.QuantityDocument, cell["quantities"]["additionalProperties"]["properties"]),
    ):
        assert set(kind.__annotations__) == set(properties), kind
