"""Numbers of README and the manual are tied to a file, all that `untied` looks for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tools.manual import figures, printed
from tools.manual.untied import own, untied


@pytest.mark.parametrize("page", printed.pages(), ids=lambda page: page.name)
def test_a_page_has_no_number_that_is_untied(page: Path) -> None:
    assert list(untied(page)) == []


@pytest.mark.parametrize("tie", figures.ties()["figure"], ids=lambda tie: tie["phrase"][:40])
def test_a_tied_phrase_has_all_of_its_numbers_from_files(tie: Mapping[str, Any]) -> None:
    assert own(tie["phrase"]) == []
