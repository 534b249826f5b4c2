"""Shares over patients."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edge_app.evaluation.proportions import (
    beta_cdf,
    patients_needed,
    share,
    student_quantile,
    surely,
    weighted_share,
    wilson,
)

TABLE = {1: 12.706, 2: 4.303, 5: 2.571, 10: 2.228, 30: 2.042, 120: 1.980}
"""Student's t, two-sided 95 %, as in any book of tables."""


def test_students_quantiles_are_the_printed_ones() -> None:
    for freedom, printed in TABLE.items():
        assert student_quantile(0.975, freedom) == pytest.approx(printed, abs=6e-4)


@pytest.mark.parametrize(("a", "b"), [(1, 1), (3, 5), (40, 2)])
def test_the_beta_distribution_sums_its_binomial(a: int, b: int) -> None:
    """I_x(a, b) is the probability of a or more hits in a + b − 1 (DLMF 8.17.5)."""
    for x in (0.05, 0.5, 0.93):
        trials = a + b - 1
        tail = sum(
            math.comb(trials, k) * x**k * (1 - x) ** (trials - k) for k in range(a, trials + 1)
        )
        found = beta_cdf(np.array([x]), np.array([float(a)]), np.array([float(b)]))[0]
        assert found == pytest.approx(tail, abs=1e-12)


def test_an_image_a_patient_counts_in_full() -> None:
    hits = np.arange(200) < 50
    alone = share(hits, np.arange(200))
    assert alone.value == 0.25
    assert 190 < alone.effective <= 200
    assert (alone.low, alone.high) == pytest.approx(wilson(0.25, alone.effective)[1:3])


def test_images_of_a_patient_that_are_alike_count_once() -> None:
    patients = np.repeat(np.arange(40), 10)
    hits = patients < 10
    assert share(hits, patients).effective == pytest.approx(40, rel=0.1)
    assert share(hits, patients).high - share(hits, patients).low > 0.2


def test_nothing_is_said_of_no_images_and_no_interval_of_one_patient() -> None:
    nothing = share(np.zeros(0, bool), np.zeros(0, str)).as_dict()
    assert nothing == {"value": None, "low": None, "high": None}
    one = share(np.array([True, False]), np.array(["p", "p"])).as_dict()
    assert one == {"value": 0.5, "low": None, "high": None}


def test_what_so_many_patients_can_show() -> None:
    """Of independent images all of which are hits; 29 would do for 0.9 if t were normal."""
    assert patients_needed(0.9, 0.95) == 31
    needed = patients_needed(0.8, 0.95)
    all_hits = np.ones((needed, 1), bool)
    assert surely(all_hits, np.arange(needed), 0.8, 0.95).all()
    assert not surely(all_hits[1:], np.arange(needed - 1), 0.8, 0.95).any()


def test_a_promise_is_surer_with_more_patients() -> None:
    hits = np.tile(np.arange(20) < 17, 40)[:, np.newaxis]
    few, many = hits[:40], hits
    assert not surely(few, np.arange(len(few)), 0.8, 0.95)[0]
    assert surely(many, np.arange(len(many)), 0.8, 0.95)[0]


def test_a_weighted_share_is_the_plain_one_where_all_images_weigh_the_same() -> None:
    generator = np.random.default_rng(0)
    patients, hits = np.repeat(np.arange(50), 4), generator.random(200) < 0.3
    every = np.ones(200, bool)
    found = weighted_share(hits, every, patients, np.full(200, 3.0), every)
    assert found == pytest.approx(share(hits, patients))


def test_a_weighted_share_of_independent_images_varies_as_a_stratified_one() -> None:
    """Σ W² · p (1 − p) / (n − 1): Cochran, Sampling Techniques, 1977, theorem 5.3."""
    first = np.arange(1000) < 400
    hits = np.where(first, np.arange(1000) % 2 == 0, np.arange(1000) % 10 == 0)
    weights = np.where(first, 0.1 / 0.4, 0.9 / 0.6)
    found = weighted_share(hits, np.ones(1000, bool), np.arange(1000), weights, first)
    assert found.value == pytest.approx(0.1 * 0.5 + 0.9 * 0.1)
    variance = 0.1**2 * 0.25 / 399 + 0.9**2 * 0.09 / 599
    expected = found.value * (1 - found.value) / variance
    assert found.effective == pytest.approx(expected, rel=0.01)


def test_nothing_is_said_of_a_weighted_share_of_no_images() -> None:
    none, every = np.zeros(4, bool), np.ones(4, bool)
    share = weighted_share(every, none, np.arange(4), np.ones(4), every).as_dict()
    assert share == {"value": None, "low": None, "high": None}
