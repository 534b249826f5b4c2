"""References that prove nothing, each held to a candidate that equals it: none is a pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import edge_app
from edge_app.comparison.compare import Comparison, compare
from edge_app.comparison.gates import judge, verdict
from edge_app.comparison.html import page
from edge_app.evaluation import report as reports
from edge_app.evaluation.metrics import auroc as auroc_of
from edge_app.evaluation.metrics import interval, patient_weights
from edge_app.evaluation.report import Evaluated, Report
from train.labels import LABELS, NIH

from ..conftest import Run
from ..reports import FLOAT, answers, compared, nearly, report, with_logits

Stage = Callable[[Evaluated], Evaluated]


def of_targets(evaluated: Evaluated, targets: NDArray[np.uint8]) -> Evaluated:
    return replace(evaluated, targets=targets)


def of_logits(evaluated: Evaluated, logits: NDArray[np.floating]) -> Evaluated:
    """Other answers, and as faithful to themselves under noise."""
    logits = logits.astype(np.float32)
    return replace(evaluated, logits=logits, retest={"noise": logits + np.float32(0.5)})


def noise(evaluated: Evaluated, size: float = 1.0) -> NDArray[np.float64]:
    return size * np.random.default_rng(7).normal(size=evaluated.logits.shape)


def untrained(evaluated: Evaluated) -> Evaluated:
    """Initial weights: hardly any difference between images, and none that means anything."""
    return of_logits(evaluated, noise(evaluated, 0.002) - 2)


def random_but_wide(evaluated: Evaluated) -> Evaluated:
    """At chance, though the logits look like those of a trained network."""
    return of_logits(evaluated, noise(evaluated))


def constant(evaluated: Evaluated) -> Evaluated:
    return of_logits(evaluated, np.full(evaluated.logits.shape, -1.5))


def one_label_constant(evaluated: Evaluated) -> Evaluated:
    """A dead output among fourteen good ones."""
    return of_logits(evaluated, np.where(np.arange(15) == 3, 0.25, evaluated.logits))


def one_positive_a_label(evaluated: Evaluated) -> Evaluated:
    return of_targets(evaluated, np.eye(len(evaluated.targets), 15, dtype=np.uint8))


def all_positives_of_nine_patients(evaluated: Evaluated) -> Evaluated:
    """Dozens of positive images, and of hardly anybody."""
    few = np.isin(evaluated.patients, [f"p{i}" for i in range(9)])
    return of_targets(evaluated, evaluated.targets * few[:, np.newaxis].astype(np.uint8))


def nine_patients_without(evaluated: Evaluated) -> Evaluated:
    few = np.isin(evaluated.patients, [f"p{i}" for i in range(9)])
    return of_targets(evaluated, np.maximum(evaluated.targets, ~few[:, np.newaxis]).astype("u1"))


def no_positives(evaluated: Evaluated) -> Evaluated:
    return of_targets(evaluated, np.zeros_like(evaluated.targets))


def permuted_images(evaluated: Evaluated) -> Evaluated:
    """The labels' rows in another order than the pictures'."""
    order = np.random.default_rng(3).permutation(len(evaluated.targets))
    return of_targets(evaluated, evaluated.targets[order])


def permuted_labels(evaluated: Evaluated) -> Evaluated:
    """A list of names in another order than the network's channels."""
    return of_targets(evaluated, np.roll(evaluated.targets, 1, axis=1))


def inverted(evaluated: Evaluated) -> Evaluated:
    """The picture's or the label's polarity turned round: sure, and always wrong."""
    return of_logits(evaluated, -evaluated.logits)


def one_patient(evaluated: Evaluated) -> Evaluated:
    return replace(evaluated, patients=np.full(len(evaluated.patients), "p"))


def not_a_number(evaluated: Evaluated) -> Evaluated:
    return of_logits(evaluated, np.full(evaluated.logits.shape, np.nan))


STAGED: dict[Stage, str] = {
    untrained: "reference_constant",
    random_but_wide: "reference_auroc",
    constant: "reference_constant",
    one_label_constant: "reference_constant",
    one_positive_a_label: "reference_support",
    all_positives_of_nine_patients: "reference_support",
    nine_patients_without: "reference_support",
    no_positives: "reference_support",
    permuted_images: "reference_auroc",
    permuted_labels: "reference_auroc",
    inverted: "reference_auroc",
    one_patient: "reference_auroc",
    not_a_number: "reference_auroc",
}


def pair_of(stage: Stage) -> tuple[Report, Report]:
    """A staged reference, and a candidate that answers exactly as it does."""
    reference = stage(answers())
    return report(reference, model=FLOAT), report(with_logits(reference, reference.logits))


def staged(stage: Stage) -> Comparison:
    return compare(*pair_of(stage), 200)


@pytest.mark.parametrize("stage", STAGED, ids=lambda stage: stage.__name__)
def test_a_reference_that_proves_nothing_passes_nothing(stage: Stage) -> None:
    comparison = staged(stage)
    results = judge(comparison)
    outcomes = {result.gate: result.outcome for result in results}
    assert outcomes[STAGED[stage]] == "not proven"
    assert verdict(results) == ("not passed" if stage is not_a_number else "not proven")
    text = page(comparison, results)
    assert "<h1>Passed</h1>" not in text
    assert ">not proven<" in text


@pytest.mark.parametrize("stage", [untrained, one_positive_a_label], ids=lambda s: s.__name__)
def test_the_command_says_not_proven_in_each_form_and_ends_with_5(
    run: Run, tmp_path: Path, stage: Stage
) -> None:
    files = tmp_path / "float.json", tmp_path / "int8.json"
    for part, path in zip(pair_of(stage), files, strict=True):
        reports.write(part, path)
    done = run("compare", *files, "--resamples", 100)
    assert done.returncode == 5
    assert done.stdout.startswith("NOT PROVEN: ")
    assert "PASSED" not in done.stdout
    assert f"edge-cxr: {STAGED[stage]}: not proven: " in done.stderr
    found = json.loads(run("compare", *files, "--resamples", 100, "--json").stdout)
    assert (found["passed"], found["verdict"]) == (False, "not proven")
    assert found["gates"][STAGED[stage]]["outcome"] == "not proven"
    seen = edge_app.compare(*files, resamples=100)
    assert (seen.passed, seen.verdict) == (False, "not proven")


def test_a_gate_that_is_not_met_outweighs_one_that_is_not_proven() -> None:
    reference = random_but_wide(answers())
    other = with_logits(reference, noise(reference)[::-1])
    assert verdict(judge(compared(reference, other))) == "not passed"


def test_no_limit_lets_a_reference_pass_that_proves_nothing() -> None:
    with pytest.raises(edge_app.UsageError, match="there are macro_auroc"):
        edge_app.compare(*pair_of(untrained), gates={"reference_auroc": 0.0})


# --- label by label ----------------------------------------------------------------------------


def test_a_label_that_proves_nothing_is_named_and_the_others_still_count(run: Run) -> None:
    """Hernia is borne by too few, Mass is guessed, No Finding bears on no macro AUROC."""
    hernia, mass = LABELS.index("Hernia"), LABELS.index("Mass")
    evaluated = answers()
    targets, logits = evaluated.targets.copy(), evaluated.logits.copy()
    targets[4:, hernia] = 0
    logits[:, mass] = noise(evaluated)[:, mass]
    evaluated = of_logits(of_targets(evaluated, targets), logits)
    comparison = compared(evaluated, nearly(evaluated))
    reasons = {row["label"]: row["not_proven"] for row in comparison.content["labels"]}
    assert {label for label, reason in reasons.items() if reason} == {"Hernia", "Mass"}
    assert reasons["Hernia"].startswith("too few patients with it (")
    assert "may be chance" in reasons["Mass"]
    results = judge(comparison)
    assert verdict(results) == "passed"
    assert "Not proven: Hernia (too few patients" in page(comparison, results)


def test_the_shipped_models_pass_and_say_of_which_labels_nothing_is_proven(
    run: Run, repository: Path
) -> None:
    folder = repository / "reports" / "cxr-lite0-128"
    done = run("compare", folder / "float.json", folder / "int8.json", "--resamples", 200)
    assert done.returncode == 0
    first, second, *_ = done.stdout.splitlines()
    assert first == "PASSED: all 13 gates met"
    assert second == "not proven for Hernia, Mass: see below"


def test_exclusive_labels_whose_scores_hardly_differ_are_constant() -> None:
    """All logits move together, so the scores, which decide, do not."""
    evaluated = answers()
    together = np.repeat(noise(evaluated)[:, :1], 15, axis=1) + 1e-4 * noise(evaluated)
    reference = of_logits(evaluated, together)
    exclusive = {"head": "exclusive"}
    pair = report(reference, model=FLOAT, **exclusive), report(nearly(reference), **exclusive)
    outcomes = {result.gate: result.outcome for result in judge(compare(*pair, 100))}
    assert outcomes["reference_constant"] == "not proven"


def test_what_all_exclusive_logits_have_in_common_is_no_difference() -> None:
    """A softmax does not see it, and a network whose softmax was undone has another one."""
    evaluated = answers()
    common = 5 * np.random.default_rng(0).normal(size=(len(evaluated.images), 1))
    moved = with_logits(evaluated, evaluated.logits + common)
    pair = (report(each, model=FLOAT, head="exclusive") for each in (evaluated, moved))
    content = compare(*pair, 0).content
    assert content["logits"]["rms"] == pytest.approx(0, abs=1e-5)
    assert min(row["logits"]["correlation"] for row in content["labels"]) > 0.999


def test_a_perfect_reference_on_few_patients_has_an_interval_with_a_width() -> None:
    known = answers(count=40, patients=40, share=0.3)
    known = replace(known, logits=6 * known.targets.astype(np.float32) - 3, retest={})
    content = compared(known, known).content
    of_each = [row["reference_auroc"] for row in content["labels"]]
    assert {row["value"] for row in of_each} == {1}
    assert all(0.7 < row["low"] < 0.98 and row["high"] == 1 for row in of_each)
    assert content["proven"]["auroc"]["low"] < 0.98


def test_a_perfect_label_adds_its_own_width_to_the_macro() -> None:
    known = replace(answers(count=80, patients=40, share=0.3), retest={})
    logits = known.logits.copy()
    logits[:, 3] = 6.0 * known.targets[:, 3] - 3
    content = compared(*[replace(known, logits=logits)] * 2).content
    perfect, auroc = content["labels"][3]["reference_auroc"], content["proven"]["auroc"]
    assert perfect["value"] == 1
    assert perfect["low"] < 0.98
    assert 0.8 < auroc["value"] < 1
    added = (1 - perfect["low"]) / content["proven"]["findings"]
    weights = patient_weights(known.patients, 100, 0)
    areas = [
        auroc_of(known.targets[:, each] == 1, logits[:, each], weights) for each in NIH.findings
    ]
    low, high = interval(np.mean(areas, axis=0))
    assert auroc["low"] == pytest.approx(low - added, abs=2e-6)
    assert auroc["high"] == pytest.approx(high, abs=2e-6)


def test_a_perfect_reference_without_numbers_in_one_label_is_compared() -> None:
    known = answers(count=40, patients=40, share=0.3)
    logits = 6 * known.targets.astype(np.float32) - 3
    logits[:, 3] = np.nan
    content = compared(*[replace(known, logits=logits, retest={})] * 2).content
    auroc = content["proven"]["auroc"]
    assert auroc["value"] == auroc["high"] == 1
    assert 0.7 < auroc["low"] < 0.98
