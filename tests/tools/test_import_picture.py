"""The picture of the imports is that of the code, and shows what a contract would forbid."""

from __future__ import annotations

import pytest

from tools.manual.import_picture import PICTURE, needed, picture, rows, svg


def test_the_picture_in_the_manual_is_that_of_the_code() -> None:
    command = "python -m tools.manual.import_picture"
    assert PICTURE.read_text("utf-8") == picture(), f"{command} draws it anew"


def test_every_floor_and_package_has_its_row() -> None:
    names = rows()
    assert names[0] == "boards"
    assert names[-1] == "edge_app.core"
    assert {"train", "edge_app.film", "edge_app.archive"} < set(names)


@pytest.mark.parametrize(("arc", "red"), [(("top", "floor"), 0), (("floor", "top"), 1)])
def test_an_arc_that_leads_up_is_red(arc: tuple[str, str], red: int) -> None:
    assert svg(["top", "floor"], {arc}).count("#d00") == red


def test_what_only_shortens_a_way_is_not_needed() -> None:
    arcs = {("a", "b"), ("b", "c"), ("a", "c")}
    assert needed(arcs) == {("a", "b"), ("b", "c")}
