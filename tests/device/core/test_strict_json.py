"""JSON that anybody may have written."""

from __future__ import annotations

import pytest

from edge_app.core import strict_json


@pytest.mark.parametrize("text", ["1" + "0" * 400, "-" + "9" * 5000, str(1 << 64)])
def test_an_integer_of_no_machine_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is an integer of more than 64 bits") as raised:
        strict_json.parse(f'{{"a": [{text}]}}')
    assert len(str(raised.value)) < 80


@pytest.mark.parametrize("number", [0, -1, -(1 << 63), (1 << 64) - 1])
def test_every_other_integer_is_read(number: int) -> None:
    assert strict_json.parse(str(number)) == number


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "-Infinity"])
def test_what_json_has_no_number_for_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no JSON number"):
        strict_json.parse(text)


def test_a_mark_before_the_text_is_passed_over() -> None:
    assert strict_json.parse(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


def test_depth_and_encoding_errors_are_in_words() -> None:
    with pytest.raises(ValueError, match="it is nested too deeply"):
        strict_json.parse("[" * 100_000)
    with pytest.raises(ValueError, match="it is no UTF-8 text"):
        strict_json.parse(b'"\xff"')
