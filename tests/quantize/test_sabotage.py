"""Faults done on purpose: each is caught by what is meant to catch it, and a good one is not."""

from __future__ import annotations

import pytest

from edge_app.comparison.gates import Gates, judge
from quantize.sabotage import REFUSED, SABOTAGES, Sabotage, Workshop, attempt, sabotage

CALIBRATION = "calibrated on ten images of one label"
"""Ten images of these labels are as good as any: what tells them apart takes a real network."""


def test_a_good_conversion_meets_every_gate(workshop: Workshop) -> None:
    verdicts = judge(workshop.compared(workshop.healthy))
    assert [verdict.message for verdict in verdicts if not verdict.passed] == []


@pytest.mark.parametrize("fault", SABOTAGES, ids=lambda fault: fault.name)
def test_a_fault_is_caught_by_what_is_meant_to(fault: Sabotage, workshop: Workshop) -> None:
    outcome = attempt(fault, workshop)
    assert outcome.caught, (outcome.broken, outcome.refusal)


def test_every_gate_has_a_fault_that_it_is_meant_for() -> None:
    names = set(Gates.__dataclass_fields__) - {"label_support"}
    assert names | {REFUSED} == {fault.meant for fault in SABOTAGES}


def test_a_refusal_says_what_is_wrong(workshop: Workshop) -> None:
    refusals = {
        fault.name: attempt(fault, workshop).refusal
        for fault in SABOTAGES
        if fault.meant == REFUSED
    }
    assert "do not span all gray levels" in refusals["calibrated on black images"]
    assert "not the scores file" in refusals["a truncated float report"]
    assert (
        "evaluate both models on the same images" in refusals["a float report of half the images"]
    )


def test_the_table_names_what_is_not_caught(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    harmless = Sabotage("nothing at all", "misplaced", lambda shop: shop.compared(shop.healthy))
    monkeypatch.setattr("quantize.sabotage.SABOTAGES", (harmless,))
    result, caught = sabotage(workshop)
    assert not caught
    assert result.rows[1][:4] == ("nothing at all", "misplaced", "NO", "none")
    assert "misplaced" in result.content["not_tripped"]
    assert result.content["healthy"]["logit_rms"] == result.content["sabotages"][0]["logit_rms"]
