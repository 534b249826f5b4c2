"""Comparisons against cases whose answer is known, and reports that cannot be compared."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edge_app.comparison.compare import METRICS, compare
from edge_app.core.errors import ReportError
from edge_app.evaluation.metrics import auroc, interval, patient_weights
from edge_app.evaluation.report import Evaluated
from train.labels import LABELS, NIH

from ..reports import FLOAT, answers, compared, nearly, report, with_logits


def row(content: dict[str, Any], label: str) -> dict[str, Any]:
    return next(row for row in content["labels"] if row["label"] == label)


def width(metric: dict[str, Any]) -> float:
    return float(metric["difference"]["high"] - metric["difference"]["low"])


# --- intervals --------------------------------------------------------------------------------


def binormal(seed: int, count: int, separations: tuple[float, float], correlation: float) -> Any:
    """Two raters of the same images with normal scores: AUROC = Φ(separation / √2) each."""
    generator = np.random.default_rng(seed)
    evaluated = answers(count, count, seed, share=0.5)
    shared, *own = generator.normal(size=(3, *evaluated.logits.shape))
    one, other = (
        math.sqrt(correlation) * shared
        + math.sqrt(1 - correlation) * part
        + away * evaluated.targets
        for part, away in zip(own, separations, strict=True)
    )
    return with_logits(evaluated, one), with_logits(evaluated, other)


def test_intervals_cover_a_known_difference_and_are_as_wide_as_its_spread() -> None:
    separations = (1.0, 0.7)
    first, second = (0.5 * (1 + math.erf(away / 2)) for away in separations)
    metrics = [
        row["auroc"]
        for seed in range(10)
        for row in compared(*binormal(seed, 160, separations, 0.8), 200).content["labels"]
    ]
    found = np.array([metric["difference"]["value"] for metric in metrics])
    covered = [
        metric["difference"]["low"] <= second - first <= metric["difference"]["high"]
        for metric in metrics
    ]
    assert found.mean() == pytest.approx(second - first, abs=3 * found.std() / math.sqrt(150))
    assert 0.88 <= np.mean(covered) <= 0.99
    assert np.mean([width(m) for m in metrics]) == pytest.approx(3.92 * found.std(), rel=0.2)


def test_intervals_are_paired() -> None:
    evaluated = answers()
    candidate = nearly(evaluated, 0.05)
    paired = width(compared(evaluated, candidate, 300).content["labels"][0]["auroc"])
    truth, weights = (
        evaluated.targets[:, 0].astype(bool),
        patient_weights(evaluated.patients, 300, 0),
    )
    ends = [interval(auroc(truth, x.logits[:, 0], weights)) for x in (evaluated, candidate)]
    unpaired = math.hypot(*(high - low for low, high in ends))
    assert paired < unpaired / 5


def test_copies_of_a_patients_images_do_not_narrow_an_interval() -> None:
    evaluated = answers(120, 40)
    candidate = nearly(evaluated, 0.3)

    def copied(once: Evaluated) -> Evaluated:
        names = [f"{image}-{copy}" for image in once.images for copy in range(8)]
        rest = {
            key: np.repeat(getattr(once, key), 8, axis=0)
            for key in ("patients", "targets", "logits")
        }
        return Evaluated(np.array(names), **rest)

    single = compared(evaluated, candidate, 200).content
    repeated = compared(copied(evaluated), copied(candidate), 200).content
    for one, many in zip(single["labels"], repeated["labels"], strict=True):
        assert width(many["auroc"]) == pytest.approx(width(one["auroc"]), abs=1e-5)


def test_a_model_compared_with_itself_differs_in_nothing() -> None:
    evaluated = answers()
    content = compared(evaluated, evaluated).content
    for metric in METRICS:
        nothing = {"value": 0.0, "low": 0.0, "high": 0.0}
        assert content["macro"][metric]["difference"] == nothing
    balanced = content["operating_points"]["balanced"]
    assert (balanced["agreement"]["value"], balanced["agreement"]["high"]) == (1, 1)
    assert balanced["kappa"] == 1
    assert content["logits"]["rms"] == 0
    assert content["largest_changes"] == []
    assert "No AUROC differs on any of the 50 patients" in content["notes"][-1]
    assert "No AUROC" not in str(compared(evaluated, nearly(evaluated)).content["notes"])


@pytest.mark.parametrize("patients", [5, 50, 500])
def test_equal_decisions_of_few_patients_have_an_interval_with_a_width(patients: int) -> None:
    """Were more decisions to differ, so many of 15 labels would hardly all be equal."""
    evaluated = answers(1000, patients)
    evaluated = replace(evaluated, retest={"noise": evaluated.logits})
    balanced = compared(evaluated, evaluated).content["operating_points"]["balanced"]
    agreement = balanced["agreement"]
    assert agreement["high"] == agreement["value"] == 1
    assert agreement["low"] ** (15 * patients) == pytest.approx(0.025, abs=1e-3)
    unseen = 1 - agreement["low"]
    beyond = balanced["retest"]["noise"]["beyond"]
    assert beyond["value"] == 0
    assert (-beyond["low"], beyond["high"]) == pytest.approx((unseen, unseen), abs=1e-6)


@pytest.mark.parametrize("patients", [12, 45])
def test_a_changed_decision_proves_no_more_than_none(patients: int) -> None:
    evaluated = answers(200, patients)
    evaluated = replace(evaluated, retest={"noise": evaluated.logits})
    ends = []
    for changed in range(4):
        logits = evaluated.logits.copy()
        logits[:changed, 0] *= -1
        point = compared(evaluated, with_logits(evaluated, logits)).content["operating_points"]
        balanced = point["balanced"]
        assert balanced["images_changed"] == changed
        ends.append((balanced["agreement"]["low"], balanced["retest"]["noise"]["beyond"]["low"]))
    assert ends == sorted(ends, reverse=True)


def test_the_macro_is_the_mean_over_findings_of_what_the_labels_say() -> None:
    evaluated = answers()
    content = compared(evaluated, nearly(evaluated, 0.5)).content
    for metric in METRICS:
        values = [content["labels"][k][metric]["difference"]["value"] for k in NIH.findings]
        found = content["macro"][metric]["difference"]["value"]
        assert found == pytest.approx(np.mean(values), abs=2e-6)


# --- decisions, logits, resolution ------------------------------------------------------------


def test_decisions_are_counted_by_hand() -> None:
    evaluated = answers(10, 5)
    low, high = -3.0, 3.0
    one = np.full((10, 15), low)
    other = one.copy()
    one[:5, 0] = high  # five yes, of which the candidate keeps three and adds one
    other[:3, 0] = other[9, 0] = high
    reference = replace(with_logits(evaluated, one), retest={"noise": other.astype(np.float32)})
    content = compared(reference, with_logits(evaluated, other)).content
    point = content["operating_points"]["balanced"]
    first = point["labels"][0]
    assert first["agreement"] == 0.7
    assert first["kappa"] == pytest.approx((0.7 - 0.5) / 0.5)
    assert point["labels"][1]["agreement"] == 1
    assert point["labels"][1]["kappa"] is None  # both always say no
    assert point["agreement"]["value"] == pytest.approx(147 / 150)
    assert point["images_changed"] == 3
    assert point["decisions"] == 150
    assert point["retest"]["noise"]["agreement"] == pytest.approx(point["agreement"]["value"])
    assert point["retest"]["noise"]["kappa"] == point["kappa"]
    cells = first["candidate"]["confusion"]
    assert cells["tp"] + cells["fp"] == 4
    assert content["logits"]["rms"] == pytest.approx(math.sqrt(3 * 36 / 150), abs=1e-6)
    assert content["logits"]["retest"] == {"noise": content["logits"]["rms"]}
    assert content["logits"]["largest"] == 6


def test_each_report_decides_by_its_own_calibration_and_thresholds() -> None:
    evaluated = answers()
    half = {"slope": [0.5] * 15, "intercept": [0.0] * 15}
    sides = {"sensitivity": [0.5] * 15, "specificity": [0.5] * 15}
    threshold = 1 / (1 + math.exp(-0.5 * math.log(0.4 / 0.6)))
    points = {"balanced": {"thresholds": [threshold] * 15, **sides}}
    candidate = report(evaluated, calibration=half, operating_points=points)
    content = compare(report(evaluated, model=FLOAT), candidate, 100).content
    assert list(content["operating_points"]) == ["balanced"]  # the candidate has no other
    assert content["operating_points"]["balanced"]["agreement"]["value"] == 1
    assert content["macro"]["calibration_error"]["difference"]["value"] != 0


def test_a_lost_threshold_is_a_difference() -> None:
    evaluated = answers()
    lost: list[float | None] = [None, None] + [0.4] * 13
    kept: list[float | None] = [None] + [0.4] * 14
    content = compare(report(evaluated, kept, model=FLOAT), report(evaluated, lost), 100).content
    point = content["operating_points"]["balanced"]
    assert [row["label"] for row in point["labels"]] == list(
        LABELS[1:]
    )  # neither decides the first
    assert point["labels"][0]["agreement"] < 1
    assert point["labels"][0]["candidate"] == {"threshold": None, "confusion": None}
    assert row(content, LABELS[1])["sensitivity"]["difference"]["value"] is None
    assert row(content, LABELS[1])["auroc"]["difference"]["value"] == 0


def test_largest_changes_name_image_label_and_both_decisions() -> None:
    evaluated = answers()
    logits = evaluated.logits.copy()
    logits[7, 3], logits[9, 4] = -6, 6
    evaluated = with_logits(evaluated, logits)
    moved = logits.copy()
    moved[7, 3], moved[9, 4] = 6, 0
    first, second = compared(evaluated, with_logits(evaluated, moved)).content["largest_changes"]
    assert (first["image"], first["label"]) == ("00007.png", LABELS[3])
    assert (first["reference"]["above"], first["candidate"]["above"]) == (False, True)
    assert first["change"] == pytest.approx(0.995055, abs=1e-5)
    assert (second["image"], second["change"]) == ("00009.png", pytest.approx(-0.497527, abs=1e-5))


def test_resolution_is_counted_by_hand() -> None:
    evaluated = answers(4, 4)
    coarse = evaluated.logits.copy()
    coarse[:, 0] = [-1, -1, 0, 2]
    found = compared(evaluated, with_logits(evaluated, coarse)).content["labels"][0]["resolution"]
    assert found["reference"]["tied"] == 0
    assert found["candidate"] == {
        "distinct": 3,
        "tied": pytest.approx(1 / 6, abs=1e-6),  # one pair of six
        "lowest": 0.5,
        "highest": 0.25,
        "non_finite": 0,
    }


def test_exclusive_labels_are_as_coarse_as_the_scores_that_rank_them() -> None:
    """A softmax sees differences of logits alone: one label's may be 0 on every image."""
    evaluated, one = answers(), {"head": "exclusive"}

    def resolution(logits: np.ndarray) -> dict[str, Any]:
        pair = report(evaluated, model=FLOAT, **one), report(with_logits(evaluated, logits), **one)
        found: dict[str, Any] = compare(*pair, 0).content["labels"][0]["resolution"]["candidate"]
        return found

    same = resolution(evaluated.logits - evaluated.logits[:, :1])
    assert (same["distinct"], same["tied"]) == (200, 0)
    certain = resolution(3000 * evaluated.logits)
    assert certain["distinct"] < 20
    assert certain["tied"] > 0.5


@pytest.mark.parametrize("changed", [0, 1, 2])
def test_hardly_any_patient_ranked_otherwise_leaves_a_loss_unseen(changed: int) -> None:
    """Of 40 patients and 14 findings, 0.66 % of the answers may be chance, and none show it."""
    evaluated = answers(40, 40)
    logits = evaluated.logits.copy()
    for label in range(changed):  # the lowest positive below all others: of one patient
        positives = np.flatnonzero(evaluated.targets[:, label])
        logits[positives[logits[positives, label].argmin()], label] -= 9
    macro = compared(evaluated, with_logits(evaluated, logits)).content["macro"]
    share = 1 - 0.025 ** (1 / (40 * len(NIH.findings)))
    expected = 2 * share * (macro["auroc"]["reference"] - 0.5)
    assert macro["unseen"] == pytest.approx(expected, abs=1e-6)
    assert compared(evaluated, nearly(evaluated, 0.1)).content["macro"]["unseen"] is None


def test_swapped_labels_are_told_by_whom_they_follow() -> None:
    evaluated = answers()
    swapped = evaluated.logits.copy()
    swapped[:, [2, 5]] = swapped[:, [5, 2]]
    labels = compared(evaluated, with_logits(evaluated, swapped)).content["labels"]
    follows = {row["label"]: row["logits"]["follows"] for row in labels}
    changed = {label: other for label, other in follows.items() if label != other}
    assert changed == {LABELS[2]: LABELS[5], LABELS[5]: LABELS[2]}


# --- what cannot be computed ------------------------------------------------------------------


def without_positives(evaluated: Evaluated, label: str) -> Evaluated:
    targets = evaluated.targets.copy()
    targets[:, LABELS.index(label)] = 0
    return replace(evaluated, targets=targets)


def test_a_label_without_positives_is_null_and_leaves_the_macro_alone() -> None:
    evaluated = without_positives(answers(), "Hernia")
    content = compared(evaluated, nearly(evaluated)).content
    hernia = row(content, "Hernia")
    nothing = {"value": None, "low": None, "high": None}
    for metric in ("auroc", "average_precision", "sensitivity"):
        expected = {"reference": None, "candidate": None, "difference": nothing}
        assert hernia[metric] == expected
    assert hernia["specificity"]["difference"]["value"] is not None
    values = [
        row(content, LABELS[k])["auroc"]["candidate"] for k in NIH.findings if LABELS[k] != "Hernia"
    ]
    assert content["macro"]["auroc"]["candidate"] == pytest.approx(np.mean(values), abs=2e-6)


def test_one_patient_gives_differences_without_intervals() -> None:
    evaluated = answers(patients=1)
    content = compared(evaluated, nearly(evaluated)).content
    assert content["bootstrap"]["resamples"] == 0
    assert content["macro"]["auroc"]["difference"]["value"] is not None
    assert content["macro"]["auroc"]["difference"]["low"] is None
    assert content["operating_points"]["balanced"]["agreement"]["low"] is None


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_logits_that_are_no_number_make_their_label_null_and_agree_with_nothing(bad: float) -> None:
    evaluated = answers()
    logits = evaluated.logits.copy()
    logits[:, 0] = bad
    content = compared(evaluated, with_logits(evaluated, logits)).content
    assert content["labels"][0]["auroc"]["candidate"] is None
    assert content["labels"][0]["resolution"]["candidate"]["non_finite"] == 200
    assert content["labels"][1]["auroc"]["difference"]["value"] == 0
    point = content["operating_points"]["balanced"]
    assert point["labels"][0]["agreement"] == 0
    assert point["agreement"]["value"] == pytest.approx(14 / 15, abs=1e-6)
    assert point["kappa"] is None
    json.dumps(content, allow_nan=False)


def test_a_single_image_is_compared() -> None:
    evaluated = answers(1, 1)
    content = compared(evaluated, nearly(evaluated)).content
    assert content["labels"][0]["auroc"]["difference"]["value"] is None
    assert content["labels"][0]["resolution"]["candidate"]["tied"] is None


# --- what is comparable -----------------------------------------------------------------------


def shuffled(evaluated: Evaluated) -> Evaluated:
    order = np.random.default_rng(5).permutation(len(evaluated.images))
    arrays = {
        key: getattr(evaluated, key)[order] for key in ("images", "patients", "targets", "logits")
    }
    return Evaluated(**arrays)


def test_images_are_matched_by_name() -> None:
    evaluated = answers()
    candidate = nearly(evaluated)
    assert (
        compared(evaluated, shuffled(candidate)).content == compared(evaluated, candidate).content
    )


def fewer(evaluated: Evaluated) -> Evaluated:
    keys = ("images", "patients", "targets", "logits")
    return Evaluated(**{key: getattr(evaluated, key)[:-40] for key in keys})


def renamed(evaluated: Evaluated) -> Evaluated:
    images = evaluated.images.copy()
    images[3] = "other.png"
    return replace(evaluated, images=images)


def relabelled(evaluated: Evaluated) -> Evaluated:
    targets = evaluated.targets.copy()
    targets[5, 2] ^= 1
    return replace(evaluated, targets=targets)


def other_patient(evaluated: Evaluated) -> Evaluated:
    patients = evaluated.patients.copy()
    patients[5] = "p0"
    return replace(evaluated, patients=patients)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (fewer, "40 images are in one of the reports only, such as 00160.png"),
        (renamed, "2 images are in one of the reports only, such as 00003.png"),
        (relabelled, "image 00005.png has other labels in the two reports"),
        (other_patient, "image 00005.png has other patients in the two reports"),
    ],
)
def test_other_images_labels_or_patients_are_refused(change: Any, words: str) -> None:
    evaluated = answers()
    for pair in ((evaluated, change(evaluated)), (change(evaluated), evaluated)):
        with pytest.raises(ReportError) as caught:
            compared(*pair)
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)


def test_other_data_is_refused_by_its_digest() -> None:
    evaluated = answers()
    other = report(evaluated, dataset={"name": "d", "split": "test", "digest": "9" * 64})
    with pytest.raises(ReportError, match=r"different data .*111111111111 and 999999999999"):
        compare(report(evaluated), other)


def without(key: str) -> Any:
    def change(content: dict[str, Any]) -> None:
        del content[key]

    return change


def changed(*path: Any, to: Any) -> Any:
    def change(content: dict[str, Any]) -> None:
        for step in path[:-1]:
            content = content[step]
        content[path[-1]] = to

    return change


@pytest.mark.parametrize(
    "change",
    [
        without("dataset"),
        without("labels"),
        without("operating_points"),
        changed("labels", 0, "label", to="Cough"),
        changed("labels", to=7),
        changed("dataset", "images", to=199),  # a truncated report
        changed("dataset", "images", to=None),
        changed("dataset", to={"images": 200}),  # of data without a digest
        changed("dataset", "digest", to=7),
        changed("calibration", "slope", to=[1.0] * 14),
        changed("calibration", "slope", to=[float("inf")] * 15),
        changed("calibration", "intercept", to=[10**400] * 15),
        changed("calibration", to=None),
        changed("operating_points", "balanced", 0, "threshold", to="high"),
        changed("operating_points", "balanced", to=[]),
        changed("operating_points", to={"other": []}),
        changed("operating_point", to="nowhere"),
        changed("operating_point", to=["balanced"]),
        changed("model", to="m"),
        changed("runtime", to=None),
    ],
)
def test_a_damaged_report_is_refused_in_one_line(change: Any) -> None:
    evaluated = answers()
    good, bad = report(evaluated), report(evaluated)
    change(bad.content)
    with pytest.raises(ReportError, match="the reference is damaged") as caught:
        compare(bad, good)
    assert "\n" not in str(caught.value)
    assert "None" not in str(caught.value)  # Python's word, and no reader's
    with pytest.raises(ReportError, match="the candidate is damaged"):
        compare(good, bad)


def test_absurd_facts_are_borne() -> None:
    evaluated = answers()
    absurd = report(evaluated)
    nested: list[Any] = []
    for _ in range(900):
        nested = [nested]
    absurd.content["runtime"] |= {"name": nested, "version": {"a": math.inf}, "delegate": 10**400}
    absurd.content["calibration"] = {"slope": [1e308] * 15, "intercept": [-1e308] * 15}
    absurd.content["operating_points"]["balanced"][0]["threshold"] = 1e308
    content = compare(report(evaluated), absurd, 100).content
    assert content["candidate"]["runtime"]["version"] == {"a": None}
    json.dumps(content, allow_nan=False)


def test_an_image_that_is_there_twice_is_refused() -> None:
    evaluated = answers()
    images = evaluated.images.copy()
    images[1] = images[0]
    twice = replace(evaluated, images=images)
    with pytest.raises(ReportError, match="has an image twice"):
        compared(twice, twice)


def test_without_a_common_default_operating_point_nothing_is_decided_alike() -> None:
    evaluated = answers()
    points = report(evaluated).content["operating_points"]
    candidate = report(evaluated)
    candidate.content["operating_points"] = {"other": points["other"]}
    candidate.content["operating_point"] = "other"
    with pytest.raises(ReportError, match="no operating point 'balanced'"):
        compare(report(evaluated), candidate)


def test_what_may_surprise_is_noted() -> None:
    evaluated = answers()
    same = compare(report(evaluated), report(evaluated), 100).content["notes"]
    assert any("same model file" in note for note in same)
    assert compared(evaluated, nearly(evaluated)).content["notes"] == []


def test_the_keys_are_those_that_are_documented() -> None:
    evaluated = answers()
    content = compared(evaluated, nearly(evaluated)).content
    assert list(content) == [
        *("kind", "schema_version", "edge_cxr", "disclaimer", "reference", "candidate"),
        *("dataset", "bootstrap", "notes", "operating_point", "labels", "macro", "proven"),
        *("logits", "operating_points", "largest_changes"),
    ]
    assert list(content["labels"][0]) == [
        *("label", "support", "patients", "spread", "reference_auroc", "not_proven"),
        *(*METRICS, "logits", "resolution"),
    ]
    assert list(content["labels"][0]["auroc"]) == ["reference", "candidate", "difference"]
    assert list(content["labels"][0]["logits"]) == ["rms", "correlation", "follows"]
    assert list(content["macro"]) == ["over", "unseen", *METRICS]
    assert list(content["operating_points"]["balanced"]) == [
        *("decisions", "agreement", "kappa", "images_changed", "retest", "labels"),
    ]
    assert list(content["largest_changes"][0]) == [
        *("image", "label", "present", "change", "reference", "candidate"),
    ]
    assert json.loads(json.dumps(content, allow_nan=False)) == content
