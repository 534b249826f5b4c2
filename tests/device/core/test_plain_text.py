"""Shares as people read them: no rounding makes all, or none, of what is not."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge_app.core.plain_text import decimal, percent, rounded
from edge_app.model.decisions import mark


@pytest.mark.parametrize(
    ("share", "digits", "words"),
    [
        (0.0, 1, "0.0 %"),
        (1e-9, 1, "< 0.1 %"),
        (0.0004, 1, "< 0.1 %"),
        (0.0004, 2, "0.04 %"),
        (0.00004, 2, "< 0.01 %"),
        (0.081, 1, "8.1 %"),
        (0.996, 0, "> 99 %"),
        (0.9996, 1, "> 99.9 %"),
        (0.9996, 2, "99.96 %"),
        (0.99996, 2, "> 99.99 %"),
        (1 - 1e-12, 2, "> 99.99 %"),
        (1.0, 2, "100.00 %"),
    ],
)
def test_only_all_is_100_percent_and_only_none_is_0(share: float, digits: int, words: str) -> None:
    assert percent(share, digits) == words


@pytest.mark.parametrize(
    ("number", "digits", "words"),
    [
        (0.0, 3, "0.000"),
        (0.0004, 3, "< 0.001"),
        (0.0005001, 3, "0.001"),
        (0.9996, 3, "> 0.999"),
        (0.9996, 4, "0.9996"),
        (1.0, 3, "1.000"),
        (-0.25, 3, "-0.250"),
        (1.2345, 3, "1.234"),
    ],
)
def test_only_all_is_1_and_only_none_is_0_in_a_table(
    number: float, digits: int, words: str
) -> None:
    assert decimal(number, digits) == words


@given(st.floats(0, 1), st.floats(0, 1))
@example(0.08149999999, 0.0)
@example(0.0999499999, 0.01)
@example(0.00049999999, 0.0)
@example(0.99949999999, 0.0)
def test_a_probability_and_what_an_answer_keeps_of_it_look_alike(
    probability: float, usually: float
) -> None:
    """The box has the answer's digits alone, a terminal has all: both show one radiograph."""
    kept = rounded(probability)
    assert kept == rounded(kept) == pytest.approx(probability, abs=1e-6)
    assert percent(kept) == percent(probability)
    assert mark(kept, usually, None, False) == mark(probability, usually, None, False)


@given(st.floats(0, 1), st.floats(0, 1))
def test_no_rounding_turns_two_shares_round_or_makes_them_none_or_all(
    one: float, other: float
) -> None:
    assert rounded(min(one, other)) <= rounded(max(one, other))
    assert (0 < rounded(one) < 1) == (0 < one < 1)
