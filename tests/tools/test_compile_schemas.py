"""The checks that ship were made from the schemas that ship."""

from __future__ import annotations

import hashlib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import edge_app
from edge_app.core.errors import InvalidError
from tools import compile_schemas as compile_schema


@pytest.mark.parametrize("schema", compile_schema.SCHEMAS, ids=lambda path: path.name)
def test_the_check_was_made_from_its_schema(schema: Path) -> None:
    place = compile_schema.check_of(schema).relative_to(Path(edge_app.__file__).parents[1])
    check = import_module(".".join(place.with_suffix("").parts))
    digest = hashlib.sha256(schema.read_bytes()).hexdigest()
    assert digest == check.SCHEMA_SHA256, f"run: python -m {compile_schema.__name__}"


def test_another_schema_compiles_to_a_check_of_its_own() -> None:
    made: dict[str, Any] = {}
    schema = b'{"anyOf": [{"const": 3}, {"type": "number", "minimum": 8}]}'
    exec(compile_schema.compiled("three", schema), made)
    for value in (3, 8.5):
        assert made["validate"](value) == value
    for value in (7, "3"):
        with pytest.raises(InvalidError):
            made["validate"](value)


def test_what_is_wrong_is_named_by_its_place_and_by_nothing_else_made() -> None:
    made: dict[str, Any] = {}
    item = '{"type": "object", "properties": {"size": {"type": "number"}}}'
    code = compile_schema.compiled("sizes", f'{{"type": "array", "items": {item}}}'.encode())
    exec(code, made)
    with pytest.raises(InvalidError, match=r"^data\[1\]\.size must be number$"):
        made["validate"]([{"size": 1}, {"size": "2"}])
    assert "locals()" not in code  # hundreds of variables of a large schema for each value in it
