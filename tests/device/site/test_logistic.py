"""The line that makes a probability true."""

from __future__ import annotations

import numpy as np
import pytest

from edge_app.site.logistic import fit, fit_softmax


def drawn(count: int, slope: float, intercept: float) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    x = generator.normal(0, 2, count)
    return x, generator.random(count) < 1 / (1 + np.exp(-(slope * x + intercept)))


def test_the_line_is_found_and_its_interval_holds_it() -> None:
    x, truth = drawn(4000, 0.7, -2)
    line = fit(x, truth, np.arange(4000))
    assert line
    assert line.slope_ends[0] < 0.7 < line.slope_ends[1]
    assert line.intercept_ends[0] < -2 < line.intercept_ends[1]
    probability = 1 / (1 + np.exp(-(line.slope * x + line.intercept)))
    assert probability.mean() == pytest.approx(truth.mean())  # what maximum likelihood makes equal
    assert (x * probability).mean() == pytest.approx((x * truth).mean())


def test_the_level_alone() -> None:
    x, truth = drawn(4000, 1, -3)
    line = fit(x + 8, truth, np.arange(4000), slope=False)
    assert line
    assert line.slope == 1
    assert line.intercept == pytest.approx(-11, abs=0.3)


def test_images_of_a_patient_are_no_independent_evidence() -> None:
    x, truth = drawn(1000, 1, 0)
    alone, copied = (
        fit(np.tile(x, times), np.tile(truth, times), np.tile(np.arange(1000), times))
        for times in (1, 10)
    )
    assert alone
    assert copied
    assert copied.slope_ends == pytest.approx(alone.slope_ends, rel=1e-6)


@pytest.mark.parametrize("truth", [np.arange(50) > 20, np.zeros(50, bool)])
def test_there_is_no_line_where_the_two_are_apart_or_one_is_missing(truth: np.ndarray) -> None:
    assert fit(np.arange(50.0), truth, np.arange(50)) is None


def of_three(count: int, slope: float, intercepts: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds, with a constant in them that no label owns, and which label each image bears."""
    generator = np.random.default_rng(3)
    odds = generator.normal(0, 2, (count, 3)) + generator.normal(0, 5, (count, 1))
    drawn = (slope * odds + intercepts + generator.gumbel(size=(count, 3))).argmax(axis=1)
    return odds, np.eye(3, dtype=bool)[drawn]


@pytest.mark.parametrize("slope", [True, False])
def test_a_softmax_is_fitted_as_it_was_drawn(slope: bool) -> None:
    odds, targets = of_three(4000, 0.6 if slope else 1, [1, -1, 0])
    found = fit_softmax(odds, targets, np.ones(4000), slope=slope)
    assert found
    assert found[0] == pytest.approx(0.6 if slope else 1, abs=0.04)
    np.testing.assert_allclose(found[1], [1, -1, 0], atol=0.2)


def test_what_a_likeliest_softmax_makes_equal() -> None:
    """Its mean probabilities are the labels' shares, as the images are weighed."""
    odds, targets = of_three(500, 0.5, [0, 1, -1])
    weights = np.where(targets[:, 0], 1.8, 0.2)
    found = fit_softmax(odds, targets, weights)
    assert found
    share = np.exp(found[0] * odds + found[1])
    residuals = share / share.sum(axis=1, keepdims=True) - targets
    np.testing.assert_allclose(weights @ residuals, 0, atol=1e-6)
    assert (weights @ (residuals * odds)).sum() == pytest.approx(0, abs=1e-5)


def test_there_is_no_softmax_where_scores_part_the_labels() -> None:
    targets = np.eye(3, dtype=bool)[np.arange(60) % 3]
    assert fit_softmax(targets * 4.0, targets, np.ones(60)) is None
