"""A measurement's table as files, and in a document."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_app import DISCLAIMER
from quantize.errors import ConversionError
from quantize.studies.result import Result

RESULT = Result(
    "layers", "python -m quantize layers RUN DATA", "What.", ("a", "b"), [("x", "1")], {"x": 1}
)


def test_files_hold_the_table_the_numbers_and_the_disclaimer(tmp_path: Path) -> None:
    RESULT.write(tmp_path / "new")
    text = (tmp_path / "new" / "layers.md").read_text()
    assert (
        "`python -m quantize layers RUN DATA`\n\nWhat.\n\n| a | b |\n| --- | --- |\n| x | 1 |"
        in text
    )
    assert DISCLAIMER in text
    assert json.loads((tmp_path / "new" / "layers.json").read_text())["x"] == 1


def test_a_document_keeps_what_is_around_its_place(tmp_path: Path) -> None:
    document = tmp_path / "d.md"
    document.write_text("before\n<!-- layers -->\nold\n<!-- end of layers -->\nafter\n")
    RESULT.insert(document)
    once = document.read_text()
    RESULT.insert(document)
    assert document.read_text() == once
    assert once.startswith("before\n")
    assert once.endswith("<!-- end of layers -->\nafter\n")
    assert "old" not in once
    assert "| x | 1 |" in once


@pytest.mark.parametrize("text", [None, "no place", "<!-- layers --> without end"])
def test_a_document_without_a_place_is_left_alone(tmp_path: Path, text: str | None) -> None:
    document = tmp_path / "d.md"
    if text is not None:
        document.write_text(text)
    with pytest.raises(ConversionError, match=r"d\.md"):
        RESULT.insert(document)
    assert text is None or document.read_text() == text
