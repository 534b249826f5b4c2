"""One probability for the whole image, from its labels' probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_app.model.labels import NORMAL, Label, Labels
from edge_app.model.overall import (
    SMALLEST,
    Method,
    Mistakes,
    Overall,
    OverallScore,
    Percentiles,
    log_odds,
    method_of,
)

TWO = Labels((Label("A"), Label("B")))
WITH_NORMAL = Labels((Label("A"), Label("Clear", NORMAL), Label("B")))


def test_the_normal_label_says_it_where_there_is_one() -> None:
    assert method_of(WITH_NORMAL, "independent") == "normal"
    assert method_of(WITH_NORMAL, "exclusive") == "normal"
    score = OverallScore(WITH_NORMAL, "normal")
    np.testing.assert_allclose(score.probability(np.array([0.6, 0.3, 0.2])), 0.7)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=2))
def test_independent_findings_say_it_otherwise(scores: list[float]) -> None:
    assert method_of(TWO, "independent") == "noisy-or"
    found = OverallScore(TWO, "noisy-or").probability(np.array(scores))
    assert found == pytest.approx(1 - (1 - scores[0]) * (1 - scores[1]), abs=1e-9)


def test_exclusive_findings_alone_say_nothing_of_it() -> None:
    assert method_of(TWO, "exclusive") is None


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3), st.floats(0.01, 50), st.floats(-50, 50))
def test_it_is_a_probability_whatever_the_scores(
    scores: list[float], slope: float, intercept: float
) -> None:
    for method in ("normal", "noisy-or"):
        score = OverallScore(WITH_NORMAL, method)
        score.slope, score.intercept = slope, intercept
        assert 0 <= score.probability(np.array(scores)) <= 1


def test_percentiles_never_claim_more_than_the_reference_shows() -> None:
    normal = np.sort(np.random.default_rng(0).random((400, 2)), axis=0)
    shares = [0.1, 0.5, 0.9, 1.0]
    columns = np.quantile(normal, shares, axis=0, method="higher").T.tolist()
    percentiles = Percentiles(
        {"images": "", "shares": shares, "labels": columns, "overall": columns[0]}
    )
    for score in np.linspace(0, 1, 101):
        claimed = percentiles.of_labels(np.full(2, score))
        assert (claimed <= (normal < score).mean(axis=0) + 1e-12).all()
        assert percentiles.of_overall(float(score)) == claimed[0]


def test_it_is_one_line_in_words() -> None:
    assert Overall(0.713, 0.378, 0.96, 0.56, True).in_words() == (
        "flagged (threshold 56.0 %): 71.3 % probable that it is not normal (usually 37.8 %); "
        "higher than 96 of 100 normal images"
    )
    assert (
        Overall(0.5, None, 0.995, None, None)
        .in_words()
        .endswith("; higher than 995 of 1,000 normal images")
    )
    assert (
        Overall(0.5, None, 1.0, None, None).in_words().endswith("; higher than all normal images")
    )
    assert Overall(0.0001, None, None, None, None).in_words() == (
        "< 0.1 % probable that it is not normal"
    )
    assert Overall(0.99963, 0.9995, None, 0.9999, False).in_words() == (
        "not flagged, borderline (threshold > 99.9 %): > 99.9 % probable that it is not normal "
        "(usually > 99.9 %)"
    )
    assert Overall(1.0, None, None, None, None).in_words().startswith("100.0 % probable")


@given(
    st.lists(st.floats(0, 1), min_size=3, max_size=3),
    st.floats(0.01, 50),
    st.floats(-50, 50),
    st.sampled_from(["normal", "noisy-or"]),
)
def test_no_finding_is_more_probable_than_that_the_image_is_not_normal(
    scores: list[float], slope: float, intercept: float, method: Method
) -> None:
    score = OverallScore(WITH_NORMAL, method)
    score.slope, score.intercept = slope, intercept
    found = float(score.probability(np.array(scores)))
    assert found >= max(scores[0], scores[2])
    # The normal label is no finding, and what no finding tops stays as it was fitted.
    bare = slope * float(log_odds(np.array(scores), WITH_NORMAL, method)) + intercept
    alone = 1 / (1 + np.exp(-np.clip(bare, -700, 700)))
    assert found in (pytest.approx(alone), scores[0], scores[2])
    held = min(max(found, SMALLEST), 1 - SMALLEST)
    odds = score.log_odds(np.array(scores))
    assert odds == pytest.approx(np.log(held) - np.log1p(-held), rel=1e-6, abs=1e-9)


def test_findings_that_are_not_calibrated_where_it_is_asked_do_not_bound_it() -> None:
    facts = {"method": "normal", "slope": 1.0, "intercept": 0.0, "bounded_by": [2]}
    score = OverallScore(WITH_NORMAL, "normal", facts)  # type: ignore[arg-type]
    found = score.probability(np.array([[0.9, 0.6, 0.1], [0.1, 0.6, 0.9]]))
    np.testing.assert_allclose(found, [0.4, 0.9])


def test_exclusive_findings_too_are_never_more_probable() -> None:
    scores = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]])
    score = OverallScore(WITH_NORMAL, "normal")
    score.slope, score.intercept = 0.5, -1.0
    found = score.probability(scores)
    assert found[0] == 0.7
    assert found[1] == pytest.approx(1 / (1 + np.exp(0.5 * np.log(0.8 / 0.2) + 1.0)))


def test_an_image_that_is_not_flagged_is_never_called_normal() -> None:
    assert Overall(0.4, None, None, 0.5, False).caution() == "'not flagged' does not mean normal"
    assert Overall(0.4, None, None, 0.5, False).caution(["Mass", "Edema"]) == (
        "'not flagged' does not mean normal; raised all the same: Mass, Edema"
    )
    assert Overall(0.6, None, None, None, None).caution() is None


def test_how_often_a_verdict_is_wrong_on_new_patients_stands_under_it() -> None:
    wrong = Mistakes(alarms=0.506, missed=0.377)
    flagged = Overall(0.6, None, None, 0.5, True, wrong)
    assert flagged.caution(["Mass"]) == (
        "'flagged' does not mean ill: of 100 normal test images, 51 are flagged, too"
    )
    assert Overall(0.4, None, None, 0.5, False, wrong).caution(["Mass"]) == (
        "'not flagged' does not mean normal: of 100 test images that are not normal, 38 are "
        "missed; raised all the same: Mass"
    )
    assert flagged._replace(mistakes=Mistakes()).caution() == "'flagged' does not mean ill"


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.004, "fewer than 1 are"),
        (0.005, "fewer than 1 are"),
        (0.995, "more than 99 are"),
        (0.996, "more than 99 are"),
        (0.07, "7 are"),
    ],
)
def test_no_rounding_makes_none_of_some_or_all_of_most(share: float, said: str) -> None:
    missed = Overall(0.4, None, None, 0.5, False, Mistakes(missed=share)).caution()
    assert f"not normal, {said} missed" in str(missed)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_none_of_those_seen_is_not_told_as_none(share: float) -> None:
    missed = Overall(0.4, None, None, 0.5, False, Mistakes(missed=share)).caution()
    assert missed == "'not flagged' does not mean normal"


@pytest.mark.parametrize(
    ("probability", "begin"),
    [
        (0.5584, "flagged, borderline (threshold 55.8 %): 55.8 %"),
        (0.5576, "not flagged, borderline (threshold 55.8 %): 55.8 %"),
        (0.5591, "flagged (threshold 55.8 %): 55.9 %"),
        (0.5571, "not flagged (threshold 55.8 %): 55.7 %"),
    ],
)
def test_what_the_digits_do_not_tell_apart_is_borderline(probability: float, begin: str) -> None:
    whole = Overall(probability, None, None, 0.5583, probability >= 0.5583)
    assert whole.in_words().startswith(begin)
