"""Pages on which every number is tied to a file stay so."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tools.manual.untied import untied

REPOSITORY = Path(__file__).resolve().parents[2]

HELD: Final = (
    "docs/quantization.md",
)  # fmt: skip
"""A page a line, by name."""


@pytest.mark.parametrize("page", HELD)
def test_every_number_of_a_page_is_tied_to_a_file(page: str) -> None:
    assert list(untied(REPOSITORY / page)) == []
