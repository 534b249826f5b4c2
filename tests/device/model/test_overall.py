"""One probability for the whole image, from its labels' probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_app.model.cautions import NOT_ILL, NOT_NORMAL, Cautions
from edge_app.model.labels import NORMAL, Label, Labels
from edge_app.model.overall import (
    SMALLEST,
    Method,
    Overall,
    OverallScore,
    Percentiles,
    log_odds,
    method_of,
    verdict,
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


def test_its_numbers_are_one_line() -> None:
    assert Overall(0.713, 0.378, 0.96, 0.56, True).in_words() == (
        "71.3 % probable that it is not normal where 37.8 % of all images are not, lower where "
        "fewer are (threshold 56.0 %); higher than at least 96 of 100 normal images"
    )
    of_validation = Overall(0.5, None, 0.995, None, None, normal_images="normal validation images")
    assert of_validation.in_words().endswith(
        "; higher than at least 995 of 1,000 normal validation images"
    )
    assert (
        Overall(0.5, None, 1.0, None, None).in_words().endswith("; higher than all normal images")
    )
    assert Overall(0.0001, None, None, None, None).in_words() == (
        "< 0.1 % probable that it is not normal"
    )


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


def test_findings_that_are_not_calibrated_at_the_site_do_not_bound_it() -> None:
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
    assert Overall(0.4, None, None, 0.5, False).caution(False) == NOT_NORMAL
    assert Overall(0.6, None, None, 0.5, True).caution(True) == NOT_ILL
    assert Overall(0.6, None, None, None, None).caution(True) is None
    worth = Cautions(NOT_ILL, NOT_NORMAL, "of 100 raised findings 2 are right")
    for flagged, said in ((True, NOT_ILL), (False, NOT_NORMAL)):
        whole = Overall(0.4, None, None, 0.5, flagged, worth)
        assert whole.caution(False) == said
        assert whole.caution(True) == (
            f"{said}; where 1 image in 10 is not normal, of 100 raised findings 2 are right"
        )


def test_a_verdict_names_what_is_raised_once_and_does_not_take_itself_back() -> None:
    clear, flagged = Overall(0.4, None, None, 0.5, False), Overall(0.6, None, None, 0.5, True)
    assert verdict(clear, ["Mass", "Edema"]) == ["not flagged", "but raised: Mass, Edema"]
    assert verdict(flagged, ["Mass"]) == ["flagged", "raised: Mass"]
    assert verdict(flagged, []) == ["flagged", "nothing is raised"]
    for undecided in (None, Overall(0.6, None, None, None, None)):
        assert verdict(undecided, ["Mass"]) == ["above the threshold: Mass"]
        assert verdict(undecided, []) == ["nothing is above its threshold"]


@pytest.mark.parametrize(
    ("probability", "begin"),
    [
        (0.5584, ["flagged", "borderline: reads like its threshold"]),
        (0.5576, ["not flagged", "borderline: reads like its threshold"]),
        (0.5591, ["flagged"]),
        (0.5571, ["not flagged"]),
    ],
)
def test_what_the_digits_do_not_tell_apart_could_go_either_way(
    probability: float, begin: list[str]
) -> None:
    whole = Overall(probability, None, None, 0.5583, probability >= 0.5583)
    assert verdict(whole, []) == [*begin, "nothing is raised"]
