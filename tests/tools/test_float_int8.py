"""README's picture of float beside int8 is that of the reports."""

from __future__ import annotations

from xml.etree import ElementTree

from edge_app.model.shipped import DEFAULT_MODEL
from tools.manual.float_int8 import PICTURE, picture, reports, rows


def test_the_picture_is_that_of_the_reports() -> None:
    assert PICTURE.read_text("utf-8") == picture(), (
        "python -m tools.manual.float_int8 draws it anew"
    )


def test_every_finding_stands_there_with_both_values() -> None:
    texts = {
        "".join(each.itertext())
        for each in ElementTree.fromstring(picture()).iter()
        if each.tag.endswith("text")
    }
    for name, row in rows(reports(DEFAULT_MODEL)):
        assert {name, f"{row['float']['value']:.3f} → {row['int8']['value']:.3f}"} <= texts
