"""How a model flags images as a whole, fitted on validation, judged on other images."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from edge_app.model.decisions import mark
from edge_app.model.labels import NORMAL, Label, Labels
from train.overall import image_level, marks, prevalence, raised, ranking, reached

LABELS = Labels((Label("A"), Label("Clear", NORMAL), Label("B")))


def drawn(images: int, seed: int, separation: float = 2) -> tuple[np.ndarray, np.ndarray]:
    """Targets and calibrated scores N×3 of images; a negative separation is the wrong way round."""
    generator = np.random.default_rng(seed)
    found = generator.random((images, 2)) < 0.2
    targets = np.stack([found[:, 0], ~found.any(axis=1), found[:, 1]], axis=1).astype(np.uint8)
    seen = separation * (found - 0.5) + generator.normal(size=found.shape)
    known = 1 / (1 + np.exp(-(abs(separation) * seen + np.log(0.2 / 0.8))))  # Bayes' theorem
    return targets, np.stack([known[:, 0], (1 - known).prod(axis=1), known[:, 1]], axis=1)


def test_points_keep_their_promise_where_they_are_fitted_and_on_images_like_them() -> None:
    targets, scores = drawn(4000, 0)
    facts = image_level(targets, scores, LABELS, "independent", "here")["overall"]
    others, their_scores = drawn(4000, 1)
    patients = np.arange(4000).astype(str)
    usually = prevalence(targets)
    judged = reached(facts, others, their_scores, LABELS, patients, "there", usually)
    points = judged["operating_points"]
    for name, alarms in (("one-in-ten", 0.10), ("one-in-four", 0.25)):
        point = points[name]
        assert 1 - point["specificity"] <= alarms
        assert 1 - point["specificity"] == pytest.approx(alarms, abs=0.01)
        test = point["test"]["specificity"]
        assert test["low"] <= 1 - alarms <= test["high"]
        assert point["test"]["on"] == "there"
    assert points["screening"]["sensitivity"] >= 0.90
    assert points["screening"]["test"]["sensitivity"]["value"] == pytest.approx(0.9, abs=0.03)


def test_marks_are_counted_an_image_by_whether_it_is_normal() -> None:
    """Four images, of which two are not normal; A and B are findings."""
    targets = np.array([[1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 0]], np.uint8)
    scores = np.array([[0.6, 0.1, 0.5], [0.5, 0.1, 0.1], [0.5, 0.9, 0.01], [0.09, 0.9, 0.01]])
    counted = marks(targets, scores, LABELS, np.array([0.04, 0.5, 0.2]))
    assert counted == {"right": 0.5, "wrong": 1.0, "of_normal": 0.5}


def test_marks_are_those_of_answers_where_digits_lie_in_the_middle() -> None:
    """25.5 thousandths are 2.5 or 2.6 per cent by how they are rounded."""
    usually = np.round(np.arange(0.05, 0.4, 0.0005), 4)
    scores = np.round([2 * usually, 2 * usually - 0.0005, 2 * usually + 0.0005], 4)
    as_answered = [
        [bool(mark(*pair, None, False)) for pair in zip(row, usually, strict=True)]
        for row in scores.tolist()
    ]
    np.testing.assert_array_equal(raised(scores, usually), as_answered)


@pytest.mark.parametrize("normal", [True, False])
def test_of_test_images_of_one_kind_marks_say_nothing(normal: bool) -> None:
    """A manifest holds no number that is none: with it, the model file could not be read."""
    targets, scores = drawn(400, 0)
    facts = image_level(targets, scores, LABELS, "independent", "here")["overall"]
    kept = LABELS.not_normal(targets) != normal
    patients = np.arange(kept.sum()).astype(str)
    images = targets[kept], scores[kept]
    tested = reached(facts, *images, LABELS, patients, "there", prevalence(targets))
    assert tested["raised"] == facts["raised"]
    assert "test" in tested["operating_points"]["one-in-ten"]
    json.dumps(tested, allow_nan=False)


def test_the_probability_is_calibrated() -> None:
    targets, scores = drawn(20000, 2)
    facts = image_level(targets, scores, LABELS, "independent", "here")
    from edge_app.model.overall import OverallScore

    probability = OverallScore(LABELS, "normal", facts["overall"]).probability(scores)
    truth = LABELS.not_normal(targets)
    assert facts["overall"]["usually"] == pytest.approx(truth.mean(), abs=1e-4)
    for low in np.arange(0, 1, 0.2):
        inside = (probability >= low) & (probability < low + 0.2)
        assert truth[inside].mean() == pytest.approx(probability[inside].mean(), abs=0.05)


def test_too_few_images_or_a_ranking_the_wrong_way_round_flag_nothing() -> None:
    targets, scores = drawn(30, 3)
    assert "overall" not in image_level(targets[:12], scores[:12], LABELS, "independent", "few")
    targets, scores = drawn(2000, 4, separation=-2)
    facts = image_level(targets, scores, LABELS, "independent", "wrong")
    assert "overall" not in facts
    assert len(facts["prevalence"]) == 3


def test_its_auroc_is_scikit_learns() -> None:
    targets, scores = drawn(500, 5)
    truth = LABELS.not_normal(targets)
    value, low, high = ranking(truth, -scores[:, 1], np.arange(500).astype(str))
    assert value == pytest.approx(roc_auc_score(truth, -scores[:, 1]))
    assert low < value < high
