"""Intervals: as in the tables, as sure as they say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_app.performance.interval import (
    adjusted_ratio,
    of_runs,
    paired_ratio,
    ratio,
    student_cdf,
    student_quantile,
)
from edge_app.performance.quantity import Quantity, percentile

TABLE = [  # two-sided quantiles as printed in every statistics book
    (0.95, 1, 12.706), (0.95, 2, 4.303), (0.95, 4, 2.776), (0.95, 7, 2.365), (0.95, 30, 2.042),
    (0.99, 3, 5.841), (0.99, 10, 3.169), (0.999, 5, 6.869), (0.9, 20, 1.725),
]  # fmt: skip


@pytest.mark.parametrize(("level", "freedom", "expected"), TABLE)
def test_students_t_is_the_tables(level: float, freedom: int, expected: float) -> None:
    assert student_quantile(level, freedom) == pytest.approx(expected, abs=6e-4)


@given(t=st.floats(0, 50), freedom=st.integers(1, 60))
def test_students_distribution_rises_from_0_to_1(t: float, freedom: int) -> None:
    assert 0 <= student_cdf(t, freedom) <= 1 + 1e-12
    assert student_cdf(t, freedom) <= student_cdf(t + 0.1, freedom) + 1e-12


def test_an_interval_covers_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    hits = 0
    for _ in range(1000):
        found = of_runs(list(3.0 * np.exp(generator.normal(0, 0.05, 6))))
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 3.0 <= found.high
    assert 920 < hits < 980


def test_a_ratio_covers_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    hits = 0
    for _ in range(1000):
        these = list(2.2 * np.exp(generator.normal(0, 0.08, 5)))
        those = list(2.0 * np.exp(generator.normal(0, 0.01, 9)))
        found = ratio(these, those)
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 1.1 <= found.high
    assert 920 < hits < 985


def test_one_run_has_no_interval_and_is_never_precise() -> None:
    assert of_runs([2.0]).low is None
    assert of_runs([2.0]).half_width == math.inf
    assert ratio([2.0], [1.0, 1.1]).low is None


def test_a_quantity_is_the_runs_median_and_its_percentiles_are_the_samples() -> None:
    one = Quantity("s")
    one.add([1.0, 2.0, 3.0])
    one.add([2.0, 2.0, 9.0])
    made = one.as_dict()
    assert made["value"] == 2.0
    assert made["runs"] == [2.0, 2.0]
    assert (made["count"], made["min"], made["p50"]) == (6, 1.0, 2.0)
    assert made["p90"] == pytest.approx(np.percentile([1, 2, 3, 2, 2, 9], 90))


def test_a_process_of_several_samples_has_its_quiet_tenth_too() -> None:
    one = Quantity("s")
    one.add(range(1, 12))
    one.add(range(2, 13))
    assert one.as_dict()["runs_p10"] == [2.0, 3.0]
    single = Quantity("s")
    single.add([1.0])
    assert "runs_p10" not in single.as_dict()


def test_a_clock_too_coarse_to_see_a_step_gives_no_sample() -> None:
    one = Quantity("s")
    one.add([0.0, 0.0])
    assert one.runs == []


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30), st.floats(0, 1))
def test_percentiles_are_numpys(values: list[float], share: float) -> None:
    found = percentile(sorted(values), share)
    assert found == pytest.approx(float(np.quantile(values, share)), rel=1e-9, abs=1e-9)


def test_what_slowed_a_round_does_not_widen_a_paired_ratio() -> None:
    pace = [1.0, 1.4, 0.8, 1.2, 1.0]
    found = paired_ratio([2.0 * each for each in pace], pace)
    assert found.value == pytest.approx(2)
    assert found.half_width < 1e-6 < ratio([2.0 * each for each in pace], pace).half_width
    with pytest.raises(ValueError, match="zip"):
        paired_ratio([1.0, 2.0], pace)


def beside_others(generator: np.random.Generator, count: int, spread: float) -> tuple[Any, Any]:
    """Times that follow two yardsticks, and the yardsticks."""
    paces = np.exp(generator.normal(0, 0.05, (2, count)) + generator.normal(0, 0.05))
    times = paces[0] ** 1.5 * paces[1] ** 0.3 * np.exp(generator.normal(0, spread, count))
    return times.tolist(), paces.tolist()


@pytest.mark.parametrize(
    ("counts", "spreads"), [((20, 20), (0.02, 0.02)), ((40, 6), (0.005, 0.05))]
)
def test_an_adjusted_interval_covers_as_often_as_it_says(
    counts: tuple[int, int], spreads: tuple[float, float]
) -> None:
    generator = np.random.default_rng(5)
    hits, widths = 0, []
    for _ in range(1000):
        those, first = beside_others(generator, counts[0], spreads[0])
        these, second = beside_others(generator, counts[1], spreads[1])
        found, machine = adjusted_ratio([1.1 * each for each in these], those, (second, first))
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 1.1 <= found.high
        widths.append(found.half_width < ratio(these, those).half_width)
        assert machine == pytest.approx(ratio(these, those).value * 1.1 / found.value)
    assert 920 < hits < 985
    assert np.mean(widths) > 0.9


@pytest.mark.parametrize("change", [0.0, 1e-11])
def test_two_yardsticks_that_say_the_same_adjust_nothing(change: float) -> None:
    pace = [1.0, 1.1, 1.2, 1.1, 1.0, 1.3]
    twice = [pace, [each * (1 + change * n) for n, each in enumerate(pace)]]
    found, machine = adjusted_ratio(pace[::-1], pace, (twice, twice))
    assert (found, machine) == (ratio(pace[::-1], pace), 1)


def test_wildly_different_runs_have_a_wide_interval_and_no_overflow() -> None:
    found = ratio([9e17, 1.0], [1e-18, 1.0], 0.9999)
    assert found.low is not None
    assert found.high is not None
    assert 0 < found.low < 1 < found.high < math.inf
