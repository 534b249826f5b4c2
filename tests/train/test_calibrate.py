"""Logits → scores, where validation separates the labels perfectly."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from edge_app.model.calibration import calibrated
from edge_app.model.labels import NORMAL, Label, Labels
from edge_app.model.overall import OverallScore, Percentiles
from train.calibrate import _thresholds, fitted, logistic
from train.overall import image_level

LABELS = Labels((Label("opaque"), Label("clear", NORMAL)))


def separate(images: int, labels: int, head: str) -> tuple[np.ndarray, np.ndarray]:
    """Targets and logits of images whose labels no image's logits confuse."""
    generator = np.random.default_rng(0)
    channels = np.arange(images) % labels
    targets = np.eye(labels, dtype=np.uint8)[channels]
    logits = 3.0 * targets + generator.uniform(0, 1, targets.shape)
    return targets, logits.astype(np.float32)


@pytest.mark.parametrize("head", ["independent", "exclusive"])
@pytest.mark.parametrize("labels", [2, 3])
def test_no_more_certain_than_so_many_images_allow(head: str, labels: int) -> None:
    targets, logits = separate(60, labels, head)
    scores = calibrated(logits, fitted(targets, logits, "here", head), head)
    counts, ways = targets.sum(axis=0)[0], labels if head == "exclusive" else 2
    certain = scores[targets.astype(bool)]
    assert certain.mean() == pytest.approx((counts + 1) / (counts + ways), abs=0.02)
    assert certain.max() < 0.999
    assert (scores.argmax(axis=1) == targets.argmax(axis=1)).all()


def test_what_does_not_separate_is_fitted_as_ever() -> None:
    generator = np.random.default_rng(0)
    truth = generator.random(500) < 0.3
    values = truth + generator.normal(size=500)
    own = LogisticRegression(C=1e4).fit(values[:, np.newaxis], truth)
    assert logistic(truth, values) == pytest.approx((own.coef_[0, 0], own.intercept_[0]))


@pytest.mark.parametrize("head", ["independent", "exclusive"])
def test_clear_images_do_not_lie_above_all_clear_images(head: str) -> None:
    targets, logits = separate(60, 2, head)
    logits[:, :] = targets * 4.0  # as int8 has it: alike
    scores = calibrated(logits, fitted(targets, logits, "here", head), head)
    facts = image_level(targets, scores, LABELS, head, "here")
    overall = OverallScore(LABELS, "normal", facts["overall"]).probability(scores)
    percentiles = Percentiles(facts["reference"])
    clear = overall[targets[:, 1] == 1]
    assert {percentiles.of_overall(float(each)) for each in clear} == {0.0}
    assert percentiles.of_labels(scores[1])[0] == 0.0
    point = facts["overall"]["operating_points"]["one-in-ten"]
    assert point["specificity"] == 1
    assert point["rule"] == "at most 1 in 10 normal validation images is flagged: 0 of 30"
    assert 0.01 < point["threshold"] < 0.99


def test_one_tie_between_the_two_is_no_certainty() -> None:
    truth = np.arange(120) < 20
    values = np.where(truth, 3.0, -3.0)
    values[[0, 20]] = 0.0
    slope, intercept = logistic(truth, values)
    certain = 1 / (1 + np.exp(-(slope * values + intercept)))
    assert np.median(certain[truth]) < 0.99
    assert np.median(certain[~truth]) > 0.001


def test_a_point_that_flags_more_than_it_promises_says_so() -> None:
    scores = np.array([[1.0, 0.0]] * 30 + [[0.1, 0.9]] * 70 + [[1.0, 0.0]] * 40)
    targets = np.array([[0, 1]] * 100 + [[1, 0]] * 40, np.uint8)
    point = image_level(targets, scores, LABELS, "independent", "here")["overall"]
    assert point["operating_points"]["one-in-ten"]["rule"].startswith("not 1 in 10")


def test_what_a_threshold_reaches_is_counted_where_scores_are_certain() -> None:
    """A score of exactly 1 reaches every threshold, also one that was meant to be above it."""
    truth = np.r_[np.ones(12), np.zeros(30)].astype(np.uint8)
    score = np.r_[np.linspace(0.2, 0.9, 12), np.ones(5), np.linspace(0.01, 0.5, 25)]
    for at, sensitivity, specificity in _thresholds(truth, score).values():
        assert sensitivity == (score[truth > 0] >= at).mean()
        assert specificity == (score[truth == 0] < at).mean()
