"""Comparisons are as their schema says."""

from __future__ import annotations

import json
from pathlib import Path

from jsonschema import Draft7Validator

from edge_app.comparison import document
from edge_app.comparison.gates import as_json, judge

from ..reports import answers, compared, nearly

SCHEMA = json.loads(Path(document.__file__).with_name("comparison.schema.json").read_text())


def test_the_schema_is_one() -> None:
    Draft7Validator.check_schema(SCHEMA)


def test_what_compare_prints_holds_to_its_schema() -> None:
    first = answers()
    for second in (first, nearly(first)):
        comparison = compared(first, second)
        Draft7Validator(SCHEMA).validate(json.loads(as_json(comparison, judge(comparison))))


def test_the_types_and_the_schema_name_the_same_parts() -> None:
    of_the_gates = {"passed", "verdict", "gates"}
    named = set(document.ComparisonDocument.__annotations__)
    assert named == set(SCHEMA["properties"]) - of_the_gates == set(SCHEMA["required"])
