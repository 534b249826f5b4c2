"""Each gate is broken by what it is there for, and by nothing else."""

from __future__ import annotations

import copy
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import validate
from rich.console import Console

from edge_app.comparison.compare import Comparison
from edge_app.comparison.gates import REFERENCE_GATES, GateResult, Gates, judge, record, verdict
from edge_app.comparison.tables import print_comparison
from edge_app.core.errors import UsageError
from edge_app.evaluation.report import Evaluated
from edge_app.model.model_file import read
from train.labels import LABELS

from ..reports import answers, compared, nearly, with_logits

NAMES = [
    *REFERENCE_GATES,
    *("macro_auroc", "macro_auroc_low", "label_auroc", "agreement"),
    *("agreement_over_noise", "agreement_over_noise_low"),
    *("tied", "saturated", "misplaced", "non_finite"),
]


@pytest.fixture(scope="module")
def reference() -> Evaluated:
    return answers()


@pytest.fixture(scope="module")
def faithful(reference: Evaluated) -> Comparison:
    return compared(reference, nearly(reference))


def broken(verdicts: list[GateResult]) -> list[str]:
    return [verdict.gate for verdict in verdicts if not verdict.passed]


def test_a_faithful_candidate_passes_every_gate(faithful: Comparison) -> None:
    verdicts = judge(faithful)
    assert [verdict.gate for verdict in verdicts] == NAMES
    assert broken(verdicts) == []


BEYOND = ("operating_points", "balanced", "retest", "noise", "beyond")

CHANGES: dict[str, tuple[tuple[Any, ...], Any]] = {
    "macro_auroc": (("macro", "auroc", "difference", "value"), -0.00201),
    "macro_auroc_low": (("macro", "auroc", "difference", "low"), -0.00501),
    "label_auroc": (("labels", 3, "auroc", "difference", "value"), -0.0101),
    "agreement_over_noise": ((*BEYOND, "high"), -0.0001),
    "agreement_over_noise_low": ((*BEYOND, "low"), -0.0051),
    "tied": (("labels", 12, "resolution", "candidate", "tied"), 0.0501),
    "saturated": (("labels", 12, "resolution", "candidate", "highest"), 0.06),
    "misplaced": (("labels", 12, "logits", "follows"), "Mass"),
    "non_finite": (("labels", 12, "resolution", "candidate", "non_finite"), 1),
}


@pytest.mark.parametrize("gate", CHANGES)
def test_a_gate_is_broken_by_its_own_quantity_alone(gate: str, faithful: Comparison) -> None:
    content = copy.deepcopy(faithful.content)
    (*steps, last), value = CHANGES[gate]
    place = content
    for step in steps:
        place = place[step]
    place[last] = value
    verdicts = judge(replace(faithful, content=content))
    assert broken(verdicts) == [gate]
    assert "\n" not in next(verdict.message for verdict in verdicts if not verdict.passed)


def test_agreement_has_a_floor_of_its_own_besides_the_yardstick(faithful: Comparison) -> None:
    content = copy.deepcopy(faithful.content)
    point = content["operating_points"]["balanced"]
    point["agreement"]["value"], point["retest"]["noise"]["agreement"] = 0.9699, 0.96
    assert broken(judge(replace(faithful, content=content))) == ["agreement"]


@pytest.mark.parametrize(
    ("beyond", "outcomes"),
    [
        ((+0.0001, -0.0018, +0.0021), ("met", "met")),
        ((-0.0001, -0.0020, +0.0019), ("met", "met")),  # six decisions fewer change nothing
        ((-0.0010, -0.0200, +0.0100), ("met", "not proven")),  # too few images to say
        ((-0.0063, -0.0077, -0.0050), ("not met", "not met")),
        ((-0.0030, -0.0040, -0.0020), ("not met", "met")),
    ],
)
def test_agreement_beyond_noise_is_judged_by_its_interval(
    faithful: Comparison, beyond: tuple[float, float, float], outcomes: tuple[str, str]
) -> None:
    content = copy.deepcopy(faithful.content)
    noise = content["operating_points"]["balanced"]["retest"]["noise"]
    noise["beyond"] = dict(zip(("value", "low", "high"), beyond, strict=True))
    found = {each.gate: each.outcome for each in judge(replace(faithful, content=content))}
    assert (found["agreement_over_noise"], found["agreement_over_noise_low"]) == outcomes


def test_equal_decisions_of_few_patients_prove_nothing() -> None:
    few = answers(patients=12)
    few = replace(few, retest={"noise": few.logits})
    verdicts = judge(compared(few, few))
    assert verdict(verdicts) == "not proven"
    assert broken(verdicts) == ["macro_auroc_low", "agreement_over_noise_low"]
    assert "none of the 12 patients is ranked otherwise: a loss of 0.0" in verdicts[4].message
    many = answers(1200, 300)
    many = replace(many, retest={"noise": many.logits})
    assert verdict(judge(compared(many, many))) == "passed"


def test_a_patient_whom_noise_changes_proves_no_more_than_none() -> None:
    """That the candidate changes nobody, every resample of a few patients repeats."""
    few, outcomes = answers(patients=12), []
    for changed in range(6):
        noisy = few.logits.copy()
        noisy[np.isin(few.patients, np.unique(few.patients)[:changed]), 0] *= -1
        again = replace(few, retest={"noise": noisy})
        found = {each.gate: each.outcome for each in judge(compared(again, again))}
        outcomes.append(found["agreement_over_noise_low"])
    assert outcomes == ["not proven"] * 4 + ["met"] * 2


def test_the_interval_beyond_noise_is_of_pairs(reference: Evaluated) -> None:
    """Who decides like the reference under noise is neither better nor worse in any sample.

    What 50 patients' 15 decisions do not show is left.
    """
    candidate = with_logits(reference, reference.retest["noise"])
    noise = compared(reference, candidate).written["operating_points"]["balanced"]["retest"][
        "noise"
    ]
    unseen = round(1 - 0.025 ** (1 / (50 * 15)), 6)
    assert noise["beyond"] == {"value": 0, "low": -unseen, "high": unseen}
    point = compared(reference, nearly(reference)).content["operating_points"]["balanced"]
    expected = point["agreement"]["value"] - point["retest"]["noise"]["agreement"]
    found = point["retest"]["noise"]["beyond"]
    assert found["value"] == pytest.approx(expected, abs=2e-6)
    assert found["low"] < found["value"] < found["high"]


def test_few_positives_are_left_to_chance(faithful: Comparison) -> None:
    content = copy.deepcopy(faithful.content)
    content["labels"][3]["auroc"]["difference"]["value"] = -0.2
    content["labels"][3]["support"] = 49
    few = replace(faithful, content=content)
    assert broken(judge(few)) == []
    assert broken(judge(few, Gates(label_support=49))) == ["label_auroc"]


# --- sabotage on the logits --------------------------------------------------------------------


def swapped(logits: np.ndarray) -> np.ndarray:
    return logits[:, [1, 0, *range(2, 15)]]


def sigmoid_in_256_steps(logits: np.ndarray) -> np.ndarray:
    """What an int8 sigmoid head tells of labels rarer than one in 256."""
    steps = np.round(256 / (1 + np.exp(-logits.astype(float)))) / 256
    return np.log(np.clip(steps, 1e-3, 1 - 1e-3) / (1 - np.clip(steps, 1e-3, 1 - 1e-3)))


def clipped(logits: np.ndarray) -> np.ndarray:
    """An output range that calibration took too narrow."""
    return np.clip(logits, -1, None)


def not_a_number(logits: np.ndarray) -> np.ndarray:
    return np.where(np.arange(15) == 7, np.nan, logits)


@pytest.mark.parametrize(
    ("sabotage", "gate"),
    [
        (np.negative, "macro_auroc"),
        (lambda logits: logits / 4, "agreement"),
        (lambda logits: np.zeros_like(logits), "tied"),
        (swapped, "misplaced"),
        (clipped, "saturated"),
        (lambda logits: np.round(logits / 2) * 2, "tied"),
    ],
)
def test_sabotage_breaks_the_gate_that_is_meant_for_it(
    reference: Evaluated, sabotage: Any, gate: str
) -> None:
    candidate = with_logits(reference, sabotage(reference.logits))
    assert gate in broken(judge(compared(reference, candidate)))


def test_a_sigmoid_head_is_caught_though_auroc_and_decisions_hold() -> None:
    evaluated = answers(600, 150, share=0.2)
    rare = evaluated.logits - np.float32(4) * (np.arange(15) == LABELS.index("Hernia"))
    reference = replace(with_logits(evaluated, rare), retest={"noise": rare + np.float32(0.5)})
    candidate = with_logits(evaluated, sigmoid_in_256_steps(rare))
    assert broken(judge(compared(reference, candidate))) == ["tied", "saturated"]


def test_logits_that_are_no_number_are_caught(reference: Evaluated) -> None:
    candidate = with_logits(reference, not_a_number(reference.logits))
    verdicts = judge(compared(reference, candidate))
    assert "non_finite" in broken(verdicts)
    assert f"200, required ≤ 0 ({LABELS[7]})" in verdicts[-1].message


# --- what cannot be computed is not proven --------------------------------------------------------


def test_without_a_retest_the_yardstick_is_not_met_and_says_how_to_measure_it(
    reference: Evaluated,
) -> None:
    evaluated = replace(reference, retest={})
    verdicts = judge(compared(evaluated, nearly(evaluated)))
    assert broken(verdicts) == ["agreement_over_noise", "agreement_over_noise_low"]
    message = next(verdict.message for verdict in verdicts if not verdict.passed)
    assert "no retest: evaluate its model again" in message


def test_one_patient_has_no_interval_so_no_lower_end() -> None:
    evaluated = answers(patients=1)
    verdicts = judge(compared(evaluated, nearly(evaluated)))
    intervals = ["macro_auroc_low", "agreement_over_noise", "agreement_over_noise_low"]
    assert broken(verdicts) == ["reference_support", "reference_auroc", *intervals]
    assert verdict(verdicts) == "not proven"


def test_no_positives_anywhere_meet_no_auroc_gate(reference: Evaluated) -> None:
    evaluated = replace(reference, targets=np.zeros_like(reference.targets))
    verdicts = judge(compared(evaluated, nearly(evaluated)))
    gates = ["reference_support", "reference_auroc"]
    assert broken(verdicts) == [*gates, "macro_auroc", "macro_auroc_low", "label_auroc"]
    assert all("not computable" in v.message for v in verdicts[1:] if not v.passed)
    assert verdict(verdicts) == "not proven"


# --- settings and record -----------------------------------------------------------------------


def test_settings_change_their_limit_alone() -> None:
    changed = Gates.of(["agreement=0.99", "label_support=20", "macro_auroc=-1e-3"])
    assert changed == Gates(agreement=0.99, label_support=20, macro_auroc=-0.001)
    assert Gates.of([]) == Gates()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["agreement"], "write NAME=VALUE"),
        (["accuracy=0.9"], "--gate accuracy: there are macro_auroc, macro_auroc_low"),
        (["agreement=0.9", "agreement=0.8"], "given twice"),
        (["agreement=97"], "'97' is no number from -1 to 1"),
        (["agreement=nan"], "is no number"),
        (["agreement="], "is no number"),
        (["label_support=1.5"], "is no count"),
        (["misplaced=-1"], "is no count"),
        (["=1"], "there are"),
    ],
)
def test_settings_that_are_none_are_refused(settings: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Gates.of(settings)


def test_value_and_limit_never_look_equal_when_the_gate_is_broken(faithful: Comparison) -> None:
    content = copy.deepcopy(faithful.content)
    content["macro"]["auroc"]["difference"]["value"] = -0.002004
    first = next(v for v in judge(replace(faithful, content=content)) if not v.passed)
    assert (first.found, first.required) == ("−0.002004", "≥ −0.002000")


@pytest.mark.parametrize(
    ("value", "found", "written"),
    [
        (-0.0020000000000000018, "−0.0020", -0.002),  # the limit, as 0.7 - 0.702 is
        (-0.0020004, "−0.0020004", -0.0020004),
        (-0.001999999, "−0.001999999", -0.001999999),
        (-0.00312345678, "−0.0031", -0.003123),
    ],
)
def test_gates_decide_on_figures_that_are_not_rounded(
    faithful: Comparison, value: float, found: str, written: float
) -> None:
    content = copy.deepcopy(faithful.content)
    content["macro"]["auroc"]["difference"]["value"] = value
    results = judge(replace(faithful, content=content))
    gate = next(each for each in results if each.gate == "macro_auroc")
    assert (gate.passed, gate.found) == (written >= -0.002, found)
    assert record(results)["gates"]["macro_auroc"]["value"] == written


def test_a_difference_that_only_rounding_brings_to_its_limit_breaks_the_gate() -> None:
    first = answers()
    tried = (compared(first, nearly(first, by)) for by in np.arange(0.01, 0.2, 0.01))
    rounded_up = next(
        each
        for each in tried
        if each.content["macro"]["auroc"]["difference"]["value"]
        < each.written["macro"]["auroc"]["difference"]["value"]
    )
    written = rounded_up.written["macro"]["auroc"]["difference"]["value"]
    assert written == round(written, 6)
    assert broken(judge(rounded_up, Gates(macro_auroc=written))) == ["macro_auroc"]


def test_agreement_that_is_less_than_whole_is_not_called_100_percent(faithful: Comparison) -> None:
    content = copy.deepcopy(faithful.content)
    point = content["operating_points"]["balanced"]
    point["agreement"]["value"] = 0.99996
    comparison = replace(faithful, content=content)
    results = judge(comparison)
    assert "> 99.9 %, required" in next(r.message for r in results if r.gate == "agreement")
    file = io.StringIO()
    print_comparison(comparison, results, Console(file=file, width=200))
    (row,) = [line for line in file.getvalue().splitlines() if line.startswith(" candidate ")]
    assert "> 99.99 % (" in row


def test_the_record_is_plain_json_that_a_manifest_may_hold(
    faithful: Comparison, cnn28: Path, repository: Path
) -> None:
    kept = record(judge(faithful))
    assert kept["passed"] is True
    assert list(kept["gates"]) == NAMES
    assert kept["gates"]["agreement"]["limit"] == 0.97
    assert set(kept["gates"]["agreement"]) == {"measure", "value", "limit", "passed", "outcome"}
    schema = json.loads((repository / "edge_app" / "model" / "manifest.schema.json").read_text())
    manifest = read(cnn28).manifest
    manifest = {**manifest, "quantization": {**manifest["quantization"], **kept}}
    validate(json.loads(json.dumps(manifest, allow_nan=False)), schema)
    for outcome in ("not met", "not proven"):
        failed = record([replace(v, outcome=outcome) for v in judge(faithful)])
        assert failed["passed"] is False
        assert failed["verdict"] == {"not met": "not passed"}.get(outcome, outcome)
