"""The line that makes a probability true."""

from __future__ import annotations

import numpy as np
import pytest

from edge_app.site.logistic import fit


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
