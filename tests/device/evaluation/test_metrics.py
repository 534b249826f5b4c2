"""Metrics against their definitions, and intervals against cases whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_app.evaluation.metrics import (
    Confusion,
    Ranked,
    auroc,
    calibration_error,
    cohen_kappa,
    interval,
    patient_weights,
    roc_curve,
    summed,
    weight_chunks,
    whole_and_resampled,
)

ONE = np.ones((1, 6))
TRUTH = np.array([0, 0, 1, 1, 0, 1], bool)
SCORES = np.array([0.1, 0.4, 0.35, 0.8, 0.4, 0.4])


def average_precision(truth: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return Ranked.of(truth, scores).areas(weights).average_precision


def pairs_won(truth: np.ndarray, scores: np.ndarray) -> float:
    """AUROC by its definition: every positive against every negative."""
    duels = scores[truth][:, None] - scores[~truth][None, :]
    return float(np.mean((duels > 0) + 0.5 * (duels == 0)))


def test_auroc_is_the_share_of_pairs_won() -> None:
    assert auroc(TRUTH, SCORES, ONE)[0] == pytest.approx(pairs_won(TRUTH, SCORES))


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=40
    )
)
def test_an_integer_weight_is_that_many_copies(rows: list[tuple[bool, int, int]]) -> None:
    truth, scores, weights = (np.array(column) for column in zip(*rows, strict=True))
    truth = truth.astype(bool)
    scores = scores / 5
    weighted = weights[np.newaxis].astype(float)
    copied = np.repeat(np.arange(len(truth)), weights)
    for metric in (auroc, average_precision, calibration_error):
        with_weights = metric(truth, scores, weighted)[0]
        if len(copied) == 0:
            assert math.isnan(with_weights)
            continue
        with_copies = metric(truth[copied], scores[copied], np.ones((1, len(copied))))[0]
        np.testing.assert_allclose(with_weights, with_copies, atol=1e-12)


@given(
    st.lists(
        st.tuples(*[st.booleans()] * 2, *[st.integers(0, 5)] * 2, *[st.integers(0, 3)] * 2),
        min_size=1,
        max_size=40,
    )
)
def test_pooled_labels_are_one_list_of_all_their_images(rows: list[tuple[int, ...]]) -> None:
    columns = np.array(rows).T
    targets, scores, weights = columns[:2].astype(bool), columns[2:4] / 5, columns[4:] * 1.0
    pooled = Ranked.of(targets.T, scores.T).areas(weights)
    listed = targets.ravel(), scores.ravel(), np.tile(weights, 2)
    np.testing.assert_array_equal(pooled.auroc, auroc(*listed))
    np.testing.assert_allclose(pooled.average_precision, average_precision(*listed), atol=1e-12)


def test_a_pool_with_an_unknown_score_is_not_computable() -> None:
    known, unknown = SCORES, np.where(np.arange(6) == 2, np.nan, SCORES)
    pooled = Ranked.of(np.stack([TRUTH, TRUTH], axis=1), np.stack([known, unknown], axis=1))
    assert np.isnan(pooled.areas(ONE)).all()


@pytest.mark.parametrize("at_once", [1, 25, 1 << 18])
def test_many_weightings_are_as_each_of_them_alone(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_app.evaluation.metrics.WEIGHTS_AT_ONCE", at_once)
    weights = np.random.default_rng(0).integers(0, 4, (9, 6)).astype(float)
    for metric in (auroc, average_precision, calibration_error):
        alone = [metric(TRUTH, SCORES, row[np.newaxis])[0] for row in weights]
        np.testing.assert_allclose(metric(TRUTH, SCORES, weights), alone, atol=1e-12)
        assert metric(TRUTH, SCORES, weights[:0]).shape == (0,)


def test_what_cannot_be_computed_is_nan_never_0_or_1() -> None:
    for truth in (np.zeros(6, bool), np.ones(6, bool)):
        assert math.isnan(auroc(truth, SCORES, ONE)[0])
    assert math.isnan(average_precision(np.zeros(6, bool), SCORES, ONE)[0])
    unknown = np.where(np.arange(6) == 2, np.nan, SCORES)
    for metric in (auroc, average_precision, calibration_error):
        assert math.isnan(metric(TRUTH, unknown, ONE)[0])
    nothing = Confusion.of(np.zeros(6, bool), np.zeros(6, bool), ONE).ratios()
    assert math.isnan(nothing["precision"][0])
    assert math.isnan(nothing["recall"][0])
    assert nothing["specificity"][0] == 1


def test_confusion_counts_each_image_once() -> None:
    table = Confusion.of(TRUTH, SCORES >= 0.4, ONE)
    assert (table.tp[0], table.fp[0], table.fn[0], table.tn[0]) == (2, 2, 1, 1)


def test_calibration_error_of_a_known_case() -> None:
    """Ten images scored 0.3 of which five are positive: off by 0.2."""
    truth = np.arange(10) < 5
    assert calibration_error(truth, np.full(10, 0.3), np.ones((1, 10)))[0] == pytest.approx(0.2)


def test_every_resample_draws_as_many_patients_with_all_their_images() -> None:
    patients = np.array(["a", "a", "b", "c", "c", "c"])
    weights = patient_weights(patients, 500, seed=0)
    assert weights.shape == (500, 6)
    per_patient = weights[:, [0, 2, 3]]
    assert (per_patient.sum(axis=1) == 3).all()
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 3] == weights[:, 5]).all()


def test_weights_of_patients_give_what_weights_of_their_images_give() -> None:
    generator = np.random.default_rng(2)
    patients = generator.choice(["c", "a", "d", "b", "e"], 60)
    truth = generator.random((60, 3)) < 0.4
    scores = np.round(generator.random((60, 3)), 1)
    drawn = whole_and_resampled(patients, 40, seed=5)
    each = np.concatenate([np.ones((1, 60)), patient_weights(patients, 40, seed=5)])
    ranked = Ranked.of(truth[:, 0], scores[:, 0])
    for one, other in zip(ranked.areas(*drawn), ranked.areas(each), strict=True):
        np.testing.assert_array_equal(one, other)
    one, other = (calibration_error(truth[:, 1], scores[:, 1], *by) for by in (drawn, (each,)))
    np.testing.assert_array_equal(one, other)
    tables = Confusion.of(truth, scores > 0.5, *drawn)
    for label in range(3):
        alone = Confusion.of(truth[:, label], scores[:, label] > 0.5, each)
        for cell in ("tp", "fp", "fn", "tn"):
            np.testing.assert_array_equal(getattr(tables, cell)[:, label], getattr(alone, cell))
    pooled = tables.over([0, 2])
    np.testing.assert_array_equal(pooled.fp, tables.fp[:, 0] + tables.fp[:, 2])
    np.testing.assert_array_equal(summed(drawn.weights, truth, drawn.whose), each @ truth)


def normal_case(generator: np.random.Generator, patients: int) -> tuple[np.ndarray, np.ndarray]:
    truth = np.arange(patients) % 2 == 1
    return truth, generator.normal(size=patients) + truth


def test_the_interval_has_the_coverage_it_claims() -> None:
    """Two normals one standard deviation apart: AUROC = Φ(1/√2) = 0.7602."""
    expected = 0.5 * (1 + math.erf(0.5))
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        truth, scores = normal_case(generator, 120)
        weights = patient_weights(np.arange(120).astype(str), 300, seed=1)
        low, high = interval(auroc(truth, scores, weights))
        covered += low <= expected <= high
    assert 0.90 <= covered / 200 <= 0.99


def test_copies_of_a_patients_images_do_not_narrow_the_interval() -> None:
    truth, scores = normal_case(np.random.default_rng(1), 100)
    names = np.arange(100).astype(str)
    single = interval(auroc(truth, scores, patient_weights(names, 1000, seed=0)))
    copies = [np.repeat(values, 8) for values in (truth, scores, names)]
    weights = patient_weights(copies[2], 1000, seed=0)
    repeated = interval(auroc(copies[0], copies[1], weights))
    assert repeated[1] - repeated[0] == pytest.approx(single[1] - single[0], rel=0.15)


def test_an_interval_needs_values() -> None:
    assert all(math.isnan(end) for end in interval(np.full(100, np.nan)))
    assert interval(np.array([1.0] * 60 + [np.nan] * 40)) == (1.0, 1.0)


def test_kappa_against_cohens_arithmetic() -> None:
    """20 both yes, 5 and 10 one of them, 15 both no: observed 0.7, by chance 0.5."""
    one = np.repeat([True, True, False, False], [20, 5, 10, 15])
    other = np.repeat([True, False, True, False], [20, 5, 10, 15])
    assert cohen_kappa(one, other) == pytest.approx(0.4)
    assert cohen_kappa(one, one) == 1
    assert cohen_kappa(one, np.zeros(50, bool)) == 0
    assert math.isnan(cohen_kappa(np.ones(50, bool), np.ones(50, bool)))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40))
def test_the_area_under_the_roc_curve_is_the_auroc(rows: list[tuple[bool, int]]) -> None:
    truth, scores = (np.array(column) for column in zip(*rows, strict=True))
    if truth.all() or not truth.any():
        return
    false, true = roc_curve(truth, scores.astype(float))
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    area = np.sum(np.diff(false) * (true[1:] + true[:-1]) / 2)
    assert area == pytest.approx(auroc(truth, scores, np.ones((1, len(truth))))[0])


def test_weights_come_in_chunks_that_do_not_depend_on_their_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    patients = np.array(["b", "a", "b", "c"])
    whole = patient_weights(patients, 50, seed=3)
    monkeypatch.setattr("edge_app.evaluation.metrics.WEIGHTS_AT_ONCE", 40)
    chunks = list(weight_chunks(patients, 50, seed=3))
    assert [len(chunk) for chunk in chunks] == [10] * 5
    np.testing.assert_array_equal(np.concatenate(chunks), whole)
    assert patient_weights(patients, 0, seed=3).shape == (0, 4)
