"""The device's own metrics are scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    cohen_kappa_score,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)
from sklearn.metrics import roc_curve as sklearn_roc_curve

from edge_app.evaluation.metrics import Confusion, Ranked, cohen_kappa, roc_curve


@pytest.mark.parametrize("levels", [4, 50, 10**6])
@pytest.mark.parametrize("seed", range(5))
def test_weighted_metrics_equal_scikit_learns(seed: int, levels: int) -> None:
    """Few levels mean many ties, as int8 scores have."""
    generator = np.random.default_rng(seed)
    truth = generator.random(300) < 0.1 + 0.1 * seed
    scores = np.floor((generator.random(300) + 0.3 * truth) * levels) / levels
    weights = generator.integers(0, 4, (3, 300)).astype(float)
    areas = Ranked.of(truth, scores).areas(weights)
    for weight, area, precision in zip(weights, *areas, strict=True):
        assert area == pytest.approx(roc_auc_score(truth, scores, sample_weight=weight), abs=1e-12)
        expected = average_precision_score(truth, scores, sample_weight=weight)
        assert precision == pytest.approx(expected, abs=1e-12)


def test_ratios_equal_scikit_learns() -> None:
    generator = np.random.default_rng(0)
    truth, predicted = generator.random((2, 200)) < 0.3
    ratios = Confusion.of(truth, predicted, np.ones((1, 200))).ratios()
    for name, metric in {
        "precision": precision_score,
        "recall": recall_score,
        "f1": f1_score,
        "accuracy": accuracy_score,
    }.items():
        assert ratios[name][0] == pytest.approx(metric(truth, predicted))
    assert ratios["specificity"][0] == pytest.approx(recall_score(~truth, ~predicted))


@pytest.mark.parametrize("seed", range(5))
def test_kappa_equals_scikit_learns(seed: int) -> None:
    generator = np.random.default_rng(seed)
    one, other = generator.random((2, 200)) < [[0.1 + 0.1 * seed], [0.3]]
    assert cohen_kappa(one, other) == pytest.approx(cohen_kappa_score(one, other))
    other = one ^ (generator.random(200) < 0.05)
    assert cohen_kappa(one, other) == pytest.approx(cohen_kappa_score(one, other))


@pytest.mark.parametrize("levels", [4, 50, 10**6])
def test_the_roc_curve_is_scikit_learns(levels: int) -> None:
    generator = np.random.default_rng(1)
    truth = generator.random(300) < 0.2
    scores = np.floor((generator.random(300) + 0.3 * truth) * levels) / levels
    false, true, _ = sklearn_roc_curve(truth, scores, drop_intermediate=False)
    found = roc_curve(truth, scores)
    np.testing.assert_allclose(found[0], false)
    np.testing.assert_allclose(found[1], true)
