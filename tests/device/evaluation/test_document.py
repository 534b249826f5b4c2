"""Reports are as their schema says: those of today, and those that were written long ago."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from edge_app.evaluation import document
from edge_app.evaluation.report import KIND, write

from ..reports import answers, report

SCHEMA = json.loads(Path(document.__file__).with_name("report.schema.json").read_text())

MODEL = {"name": "m", "format": "int8", "sha256": "0" * 64, "architecture": "cnn28"}
RUNTIME = {"name": "litert", "version": "0", "delegate": "cpu"}


def written(folder: Path) -> dict[str, Any]:
    """The JSON of a report that was made and written here."""
    write(report(answers(), model=MODEL, runtime=RUNTIME), folder / "report.json")
    return json.loads((folder / "report.json").read_text())


def test_the_schema_is_one() -> None:
    Draft7Validator.check_schema(SCHEMA)


def test_a_report_that_is_written_holds_to_its_schema(tmp_path: Path) -> None:
    Draft7Validator(SCHEMA).validate(written(tmp_path))


def test_the_reports_of_the_shipped_models_hold_to_the_schema(repository: Path) -> None:
    seen = 0
    for path in repository.glob("reports/*/*.json"):
        content = json.loads(path.read_text())
        if content.get("kind") == KIND:
            Draft7Validator(SCHEMA).validate(content)
            seen += 1
    assert seen


@pytest.mark.parametrize("key", SCHEMA["required"])
def test_what_the_schema_requires_cannot_be_left_out(key: str, tmp_path: Path) -> None:
    content = written(tmp_path)
    del content[key]
    assert not Draft7Validator(SCHEMA).is_valid(content)


def test_the_types_and_the_schema_name_the_same_parts() -> None:
    assert set(document.ReportDocument.__annotations__) == set(SCHEMA["properties"])
