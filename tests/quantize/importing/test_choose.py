"""The precision is chosen on images that do not judge it."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from edge_app.comparison.gates import GateResult, Gates, Outcome
from quantize.convert import calibration_rows
from quantize.importing.choose import Choosers, Tried, choosers, chosen, with_reserve
from quantize.importing.convert import Converted
from train.cache import Cached

CALIBRATE = 5


def images(train: int, validation: int, test: int) -> Cached:
    """Images in the order test, train, validation; the first target is each one's place."""
    splits = ["test"] * test + ["train"] * train + ["validation"] * validation
    count = len(splits)
    table = pd.DataFrame(
        {
            "image": [f"{place}.png" for place in range(count)],
            "patient": [f"p{place}" for place in range(count)],
            "split": splits,
            "sha256": ["0" * 64] * count,
        }
    )
    places = np.arange(count)
    targets = np.stack([places % 2, places % 3 == 0], axis=1).astype(np.uint8)
    return Cached(np.zeros((count, 2, 2), np.uint8), targets, table, places, "drawn")


def test_no_test_image_chooses_and_there_are_as_many() -> None:
    cached = images(train=20, validation=4, test=10)
    found, calibrate = choosers(cached, CALIBRATE, seed=0)
    assert calibrate == 0
    assert len(found) == 10
    assert set(found.table["split"]) == {"validation", "train"}
    assert (found.table["split"] == "validation").sum() == 4
    np.testing.assert_array_equal(found.targets, cached.targets[found.rows])
    assert [f"{row}.png" for row in found.rows] == list(found.table["image"])


def test_what_calibrates_int8_chooses_where_nothing_else_is_left() -> None:
    cached = images(train=20, validation=4, test=10)
    training = cached.split("train")
    order = calibration_rows(training, 20, 0)
    calibrating = set(training.rows[order[:CALIBRATE]])
    assert calibrating.isdisjoint(choosers(cached, CALIBRATE, 0).images.rows)
    many = images(train=20, validation=4, test=22)  # 18 training images, three of which calibrate
    training = many.split("train")
    calibrating = set(training.rows[calibration_rows(training, CALIBRATE, 0)])
    found = choosers(many, CALIBRATE, 0)
    assert len(calibrating.intersection(found.images.rows)) == found.calibrate == 3
    found = choosers(images(train=3, validation=2, test=40), CALIBRATE, 0)
    assert (len(found.images), found.calibrate) == (5, 3)


def test_many_validation_images_are_cut_to_as_many() -> None:
    found, calibrate = choosers(images(train=9, validation=30, test=10), CALIBRATE, 0)
    assert calibrate == 0
    assert len(found) == len(found.table) == len(found.targets) == 10
    assert set(found.table["split"]) == {"validation"}


def result(gate: str, outcome: Outcome, value: float | None = 1.0) -> GateResult:
    return GateResult(gate, outcome, value, 0.0, "", "", "", "")


def choice(*attempts: list[GateResult]) -> tuple[int, int, str, dict]:
    """Which of some attempts is taken, how many were made, what was said, and the facts."""
    made: list[Converted] = []

    def conversions() -> Iterator[Converted]:
        for nth, _ in enumerate(attempts):
            kept = {"operators": ["x"] * nth, "of": 9, "times_as_long_as_int8": 1.5}
            facts = {"in_float32": kept} if nth else {}
            made.append(Converted(bytes([nth]), {}, {}, None, facts))
            yield made[-1]

    def judged(one: Converted) -> Tried:
        results = attempts[one.flatbuffer[0]]
        return Tried(one, results, all(each.passed and each is not BARELY for each in results))

    output = StringIO()
    found = chosen(
        conversions(), judged, Choosers(images(8, 4, 6), 1), Console(file=output, width=200)
    )
    return made.index(found.made), len(made), output.getvalue(), found.facts


MET, LOST = result("agreement", "met"), result("agreement", "not met")
BARELY = result("agreement", "met")
"""Met, and without a reserve."""


def test_int8_as_a_whole_is_taken_where_it_meets_all_gates() -> None:
    for met in (MET, BARELY):
        assert choice([met], [MET])[:2] == (0, 1)


def test_else_it_is_the_first_attempt_that_meets_all_gates_with_a_reserve() -> None:
    nth, count, said, facts = choice([LOST], [BARELY], [MET], [MET])
    assert (nth, count) == (2, 3)
    assert "attempt 2: 1 of 9 operators" in said
    assert "PASSED: all 1 gates met, without a reserve\n" in said
    assert said.endswith("PASSED: all 1 gates met\n")
    assert (facts["attempt"], facts["passed"]) == (3, True)
    assert (facts["on"]["images"], facts["on"]["calibrate"]) == (18, 1)
    assert [each["in_float32"] for each in facts["attempts"]] == [0, 1, 2]
    assert [each["reserve"] for each in facts["attempts"]] == [False, False, True]


def test_where_none_has_a_reserve_it_is_the_last_that_meets_them() -> None:
    assert choice([LOST], [BARELY])[:2] == (1, 2)
    nth, count, _, facts = choice([LOST], [BARELY], [BARELY], [LOST])
    assert (nth, count, facts["passed"]) == (2, 4, True)
    assert facts["attempts"][0]["not_met"] == ["agreement"]


def test_where_none_does_it_is_the_first_of_those_that_break_the_fewest() -> None:
    unsure = result("agreement_over_noise_low", "not proven")
    assert choice([LOST], [LOST], [LOST])[:2] == (0, 3)
    nth, count, said, facts = choice([LOST, LOST], [LOST], [unsure, unsure], [LOST])
    assert (nth, count, facts["passed"]) == (2, 4, False)
    assert "none of 4 attempts meets all gates where it is chosen; attempt 3" in said


def test_nothing_more_exact_is_tried_where_nothing_is_ranked_otherwise() -> None:
    unseen = result("macro_auroc_low", "not proven", 0.0)
    nth, count, said, facts = choice([unseen], [MET])
    assert (nth, count, facts["passed"]) == (0, 1, False)
    assert "too few images to choose by" in said
    assert "(macro_auroc_low): it stays int8 as a whole" in said
    nth, count, said, _ = choice([LOST], [LOST, unseen], [unseen], [unseen])
    assert (nth, count) == (2, 3)
    assert "(macro_auroc_low): attempt 3 is written" in said


def test_nothing_is_tried_that_cannot_help() -> None:
    unknown = result("label_auroc", "not proven", None)  # of too few images
    blind = result("reference_auroc", "not proven")
    for broken in (unknown, blind):
        nth, count, said, _ = choice([LOST, broken], [MET])
        assert (nth, count) == (0, 1)
        assert "too few images to choose by" in said
        assert broken.gate in said


def test_what_is_said_to_be_written_is_what_is() -> None:
    nth, _, said, _ = choice([LOST], [result("label_auroc", "not proven", None)], [MET])
    assert nth == 1
    assert "stays int8" not in said
    assert "attempt 2 is written" in said


def test_no_reserve_is_below_nothing() -> None:
    """A bootstrap interval may lie above its value."""
    found = {"value": -0.01, "low": -0.004, "high": 0.0}
    point = {"retest": {"noise": {"beyond": found}}}
    content: Any = {
        "operating_point": "balanced",
        "operating_points": {"balanced": point},
        "macro": {"auroc": {"difference": found}},
    }
    assert with_reserve(content) == Gates()


def test_a_reserve_is_as_wide_as_the_samples_differ() -> None:
    """Of two samples of as many images, the second passes mostly where the first has a reserve."""
    images, limit = 1000, Gates().agreement_over_noise_low

    def measured(rng: np.random.Generator, lost: float) -> tuple[float, float]:
        differences = rng.choice([1, 0, -1], images, p=[0.007, 0.993 - lost, lost])
        half = 1.96 * differences.std() / images**0.5
        return differences.mean(), differences.mean() - half

    def limit_of(value: float, low: float) -> float:
        metric = {"value": value, "low": low, "high": None}
        content: Any = {
            "operating_point": "x",
            "operating_points": {"x": {"retest": {"noise": {"beyond": metric}}}},
            "macro": {"auroc": {"difference": {"value": None, "low": None, "high": None}}},
        }
        return with_reserve(content).agreement_over_noise_low

    rng, passed = np.random.default_rng(0), {True: [], False: []}
    for _ in range(4000):
        lost = rng.uniform(0, 0.012)
        value, low = measured(rng, lost)
        if low >= limit:
            passed[low >= limit_of(value, low)].append(measured(rng, lost)[1] >= limit)
    assert np.mean(passed[True]) > 0.85 > np.mean(passed[False]) + 0.15
