"""The device's logistic regression and intervals are those of scikit-learn and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression

from edge_app.evaluation.proportions import beta_cdf, student_quantile, wilson
from edge_app.site.logistic import fit


@pytest.mark.parametrize("seed", range(5))
def test_the_line_is_scikit_learns(seed: int) -> None:
    generator = np.random.default_rng(seed)
    x = generator.normal(seed - 2, 1 + seed, 500)
    truth = generator.random(500) < 1 / (1 + np.exp(-(0.6 * x - seed)))
    line = fit(x, truth, np.arange(500))
    known = LogisticRegression(C=np.inf, tol=1e-10).fit(x[:, np.newaxis], truth)
    assert line
    assert line.slope == pytest.approx(known.coef_[0, 0], abs=1e-5)
    assert line.intercept == pytest.approx(known.intercept_[0], abs=1e-5)


def test_distributions_are_scipys() -> None:
    generator = np.random.default_rng(0)
    x, a, b = generator.random(200), *generator.uniform(0.1, 900, (2, 200))
    np.testing.assert_allclose(beta_cdf(x, a, b), stats.beta.cdf(x, a, b), atol=1e-12)
    for freedom in (1, 2, 7, 60, 3000):
        known = stats.t.ppf(0.975, freedom)
        assert student_quantile(0.975, freedom) == pytest.approx(known, rel=1e-9)


@pytest.mark.parametrize(("hits", "count"), [(0, 20), (3, 20), (500, 2000)])
def test_the_interval_is_scipys(hits: int, count: int) -> None:
    known = stats.binomtest(hits, count).proportion_ci(method="wilson")
    found = wilson(hits / count, count)
    assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=1e-6)
