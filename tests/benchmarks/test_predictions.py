"""Predictions for boards: of the right size, and as wrong as they say."""

from __future__ import annotations

import math

import pytest

from benchmarks import predictions as boards


def test_the_prediction_of_a_published_network_is_off_by_no_more_than_the_factor() -> None:
    wrong = [abs(math.log(row["predicted"] / row["published"])) for row in boards.checks()]
    assert len(wrong) == len(boards.PUBLISHED)
    assert max(wrong) == pytest.approx(math.log(boards.factor()))
    assert boards.factor() < 4


def test_every_published_number_has_its_source_and_a_possible_efficiency() -> None:
    for one in boards.PUBLISHED:
        assert one.source.startswith("github.com/")
        assert 0.05 < one.efficiency < 0.8


def test_a_larger_network_takes_longer_and_a_faster_board_less() -> None:
    small, large = boards.predict(1e8, "int8"), boards.predict(2e8, "int8")
    for one, other in zip(small, large, strict=True):
        assert other["predicted"] == 2 * one["predicted"]
    times = {row["board"]: row["predicted"] for row in small}
    assert times["Raspberry Pi 5"] < times["Raspberry Pi 4"] < times["Raspberry Pi Zero 2 W"]


def test_int8_gains_most_where_there_is_a_dot_product() -> None:
    rows = zip(boards.predict(1e8, "int8"), boards.predict(1e8, "float32"), strict=True)
    gains = {one["core"]: other["predicted"] / one["predicted"] for one, other in rows}
    assert gains["Cortex-A76"] > gains["Cortex-A72"]
