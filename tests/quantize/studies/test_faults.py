"""Faults done on purpose: each is caught by what is meant to catch it, and a good one is not."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from edge_app.comparison.compare import Comparison
from edge_app.comparison.gates import REFERENCE_GATES, Gates, judge
from quantize.studies.faults import (
    FAULTS,
    REFUSED,
    Conversion,
    Fault,
    Outcome,
    _of_one_label,
    attempt,
    sabotage,
)
from train.labels import LABELS

NARROW = [fault for fault in FAULTS if fault.meant == ("saturated",)]
"""Calibrated on too little: their gate takes a trained network (docs/quantization.md)."""


@pytest.fixture(scope="module")
def attempted(conversion: Conversion) -> Callable[[Fault], Outcome]:
    """What became of a fault; it is converted with once."""
    return cache(lambda fault: attempt(fault, conversion))


@pytest.fixture(scope="module")
def healthy(conversion: Conversion) -> Comparison:
    return conversion.compared(conversion.correct)


def test_a_good_conversion_meets_every_gate(healthy: Comparison) -> None:
    verdicts = judge(healthy)
    assert [verdict.message for verdict in verdicts if not verdict.passed] == []


@pytest.mark.parametrize(
    "fault", [x for x in FAULTS if x not in NARROW], ids=lambda fault: fault.name
)
def test_a_fault_is_caught_by_what_is_meant_to(
    fault: Fault, attempted: Callable[[Fault], Outcome]
) -> None:
    outcome = attempted(fault)
    assert outcome.caught, (outcome.broken, outcome.refusal)


def test_black_pictures_with_a_white_pixel_pass_for_calibration_and_move_the_logits(
    attempted: Callable[[Fault], Outcome], healthy: Comparison
) -> None:
    (fault,) = (each for each in NARROW if "white pixel" in each.name)
    outcome = attempted(fault)
    assert outcome.comparison is not None
    assert outcome.comparison.content["logits"]["rms"] > 1.3 * healthy.content["logits"]["rms"]


def test_the_ten_images_of_one_label_bear_it(conversion: Conversion) -> None:
    pictures = _of_one_label(conversion)
    assert len(pictures) == 10
    bearing = conversion.bench.training.targets[:, LABELS.index("Atelectasis")] == 1
    known = {
        p.tobytes()
        for p in conversion.bench.training.images[conversion.bench.training.rows[bearing]]
    }
    assert {picture.tobytes() for picture in pictures} <= known


def test_every_gate_has_a_fault_that_it_is_meant_for() -> None:
    names = {*REFERENCE_GATES, *Gates.__dataclass_fields__} - {"label_support"}
    assert names | {REFUSED} == {name for fault in FAULTS for name in fault.meant}


def test_a_refusal_says_what_is_wrong(attempted: Callable[[Fault], Outcome]) -> None:
    refusals = {fault.name: attempted(fault).refusal for fault in FAULTS if REFUSED in fault.meant}
    assert "do not span all gray levels" in refusals["calibrated on black images"]
    assert refusals["a truncated float report"].startswith("truncated.npz: is not the scores file")
    assert (
        "evaluate both models on the same images" in refusals["a float report of half the images"]
    )


def test_the_table_names_what_is_not_caught(
    conversion: Conversion, monkeypatch: pytest.MonkeyPatch
) -> None:
    harmless = Fault(
        "nothing at all", ("misplaced",), lambda conversion: conversion.compared(conversion.correct)
    )
    monkeypatch.setattr("quantize.studies.faults.FAULTS", (harmless,))
    monkeypatch.setattr("quantize.studies.faults.Conversion", lambda bench: conversion)
    result = sabotage(conversion.bench)
    assert result.failure is not None
    assert result.rows[1][:4] == ("nothing at all", "misplaced", "NO", "none")
    assert "misplaced" in result.content["not_tripped"]
    assert result.content["healthy"]["logit_rms"] == result.content["sabotages"][0]["logit_rms"]
