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
from train.labels import FINDINGS, LABELS

from ..reports import FLOAT, answers, compared, nearly, report, with_logits


def row(content: dict[str, Any], label: str) -> dict[str, Any]:
    return next(row for row in content["labels"] if row["label"] == label)


def width(metric: dict[str, Any]) -> float:
    return float(metric["difference"]["high"] - metric["difference"]["low"])


# --- intervals --------------------------------------------------------------------------------


def binormal(seed: int, count: int, separations: tuple[float, float], correlation: float) -> Any:
    """Two raters of the same images with normal scores: AUROC = Φ(separation / √2) each."""
    generator = np.random.default_rng(seed)
    given = answers(count, count, seed, share=0.5)
    shared, *own = generator.normal(size=(3, *given.logits.shape))
    one, other = (
        math.sqrt(correlation) * shared + math.sqrt(1 - correlation) * part + away * given.targets
        for part, away in zip(own, separations, strict=True)
    )
    return with_logits(given, one), with_logits(given, other)


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
    given = answers()
    candidate = nearly(given, 0.05)
    paired = width(compared(given, candidate, 300).content["labels"][0]["auroc"])
    truth, weights = given.targets[:, 0].astype(bool), patient_weights(given.patients, 300, 0)
    ends = [interval(auroc(truth, x.logits[:, 0], weights)) for x in (given, candidate)]
    unpaired = math.hypot(*(high - low for low, high in ends))
    assert paired < unpaired / 5


def test_copies_of_a_patients_images_do_not_narrow_an_interval() -> None:
    given = answers(120, 40)
    candidate = nearly(given, 0.3)

    def copied(once: Evaluated) -> Evaluated:
        names = [f"{image}-{copy}" for image in once.images for copy in range(8)]
        rest = {
            key: np.repeat(getattr(once, key), 8, axis=0)
            for key in ("patients", "targets", "logits")
        }
        return Evaluated(np.array(names), **rest)

    single = compared(given, candidate, 200).content
    repeated = compared(copied(given), copied(candidate), 200).content
    for one, many in zip(single["labels"], repeated["labels"], strict=True):
        assert width(many["auroc"]) == pytest.approx(width(one["auroc"]), abs=1e-5)


def test_a_model_compared_with_itself_differs_in_nothing() -> None:
    given = answers()
    content = compared(given, given).content
    for metric in METRICS:
        nothing = {"value": 0.0, "low": 0.0, "high": 0.0}
        assert content["macro"][metric]["difference"] == nothing
    balanced = content["operating_points"]["balanced"]
    assert balanced["agreement"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert balanced["kappa"] == 1
    assert content["logits"]["rms"] == 0
    assert content["largest_changes"] == []


def test_the_macro_is_the_mean_over_findings_of_what_the_labels_say() -> None:
    given = answers()
    content = compared(given, nearly(given, 0.5)).content
    for metric in METRICS:
        values = [content["labels"][k][metric]["difference"]["value"] for k in FINDINGS]
        found = content["macro"][metric]["difference"]["value"]
        assert found == pytest.approx(np.mean(values), abs=2e-6)


# --- decisions, logits, resolution ------------------------------------------------------------


def test_decisions_are_counted_by_hand() -> None:
    given = answers(10, 5)
    low, high = -3.0, 3.0
    one = np.full((10, 15), low)
    other = one.copy()
    one[:5, 0] = high  # five yes, of which the candidate keeps three and adds one
    other[:3, 0] = other[9, 0] = high
    reference = replace(with_logits(given, one), retest={"noise": other.astype(np.float32)})
    content = compared(reference, with_logits(given, other)).content
    point = content["operating_points"]["balanced"]
    first = point["labels"][0]
    assert first["agreement"] == 0.7
    assert first["kappa"] == pytest.approx((0.7 - 0.5) / 0.5)
    assert point["labels"][1]["agreement"] == 1
    assert point["labels"][1]["kappa"] is None  # both always say no
    assert point["agreement"]["value"] == pytest.approx(147 / 150)
    assert point["images_changed"] == 3
    assert point["decisions"] == 150
    assert point["retest"]["noise"]["agreement"] == point["agreement"]["value"]
    assert point["retest"]["noise"]["kappa"] == point["kappa"]
    cells = first["candidate"]["confusion"]
    assert cells["tp"] + cells["fp"] == 4
    assert content["logits"]["rms"] == pytest.approx(math.sqrt(3 * 36 / 150), abs=1e-6)
    assert content["logits"]["retest"] == {"noise": content["logits"]["rms"]}
    assert content["logits"]["largest"] == 6


def test_each_report_decides_by_its_own_calibration_and_thresholds() -> None:
    given = answers()
    half = {"slope": [0.5] * 15, "intercept": [0.0] * 15}
    sides = {"sensitivity": [0.5] * 15, "specificity": [0.5] * 15}
    threshold = 1 / (1 + math.exp(-0.5 * math.log(0.4 / 0.6)))
    points = {"balanced": {"thresholds": [threshold] * 15, **sides}}
    candidate = report(given, calibration=half, operating_points=points)
    content = compare(report(given, model=FLOAT), candidate, 100).content
    assert list(content["operating_points"]) == ["balanced"]  # the candidate has no other
    assert content["operating_points"]["balanced"]["agreement"]["value"] == 1
    assert content["macro"]["calibration_error"]["difference"]["value"] != 0


def test_a_lost_threshold_is_a_difference() -> None:
    given = answers()
    lost: list[float | None] = [None, None] + [0.4] * 13
    kept: list[float | None] = [None] + [0.4] * 14
    content = compare(report(given, kept, model=FLOAT), report(given, lost), 100).content
    point = content["operating_points"]["balanced"]
    assert [row["label"] for row in point["labels"]] == list(
        LABELS[1:]
    )  # neither decides the first
    assert point["labels"][0]["agreement"] < 1
    assert point["labels"][0]["candidate"] == {"threshold": None, "confusion": None}
    assert row(content, LABELS[1])["sensitivity"]["difference"]["value"] is None
    assert row(content, LABELS[1])["auroc"]["difference"]["value"] == 0


def test_largest_changes_name_image_label_and_both_decisions() -> None:
    given = answers()
    logits = given.logits.copy()
    logits[7, 3], logits[9, 4] = -6, 6
    given = with_logits(given, logits)
    moved = logits.copy()
    moved[7, 3], moved[9, 4] = 6, 0
    first, second = compared(given, with_logits(given, moved)).content["largest_changes"]
    assert (first["image"], first["label"]) == ("00007.png", LABELS[3])
    assert (first["reference"]["above"], first["candidate"]["above"]) == (False, True)
    assert first["change"] == pytest.approx(0.995055, abs=1e-5)
    assert (second["image"], second["change"]) == ("00009.png", pytest.approx(-0.497527, abs=1e-5))


def test_resolution_is_counted_by_hand() -> None:
    given = answers(4, 4)
    coarse = given.logits.copy()
    coarse[:, 0] = [-1, -1, 0, 2]
    found = compared(given, with_logits(given, coarse)).content["labels"][0]["resolution"]
    assert found["reference"]["tied"] == 0
    assert found["candidate"] == {
        "distinct": 3,
        "tied": pytest.approx(1 / 6, abs=1e-6),  # one pair of six
        "lowest": 0.5,
        "highest": 0.25,
        "non_finite": 0,
    }


def test_swapped_labels_are_told_by_whom_they_follow() -> None:
    given = answers()
    swapped = given.logits.copy()
    swapped[:, [2, 5]] = swapped[:, [5, 2]]
    labels = compared(given, with_logits(given, swapped)).content["labels"]
    follows = {row["label"]: row["logits"]["follows"] for row in labels}
    changed = {label: other for label, other in follows.items() if label != other}
    assert changed == {LABELS[2]: LABELS[5], LABELS[5]: LABELS[2]}


# --- what cannot be computed ------------------------------------------------------------------


def without_positives(given: Evaluated, label: str) -> Evaluated:
    targets = given.targets.copy()
    targets[:, LABELS.index(label)] = 0
    return replace(given, targets=targets)


def test_a_label_without_positives_is_null_and_leaves_the_macro_alone() -> None:
    given = without_positives(answers(), "Hernia")
    content = compared(given, nearly(given)).content
    hernia = row(content, "Hernia")
    nothing = {"value": None, "low": None, "high": None}
    for metric in ("auroc", "average_precision", "sensitivity"):
        expected = {"reference": None, "candidate": None, "difference": nothing}
        assert hernia[metric] == expected
    assert hernia["specificity"]["difference"]["value"] is not None
    values = [
        row(content, LABELS[k])["auroc"]["candidate"] for k in FINDINGS if LABELS[k] != "Hernia"
    ]
    assert content["macro"]["auroc"]["candidate"] == pytest.approx(np.mean(values), abs=2e-6)


def test_one_patient_gives_differences_without_intervals() -> None:
    given = answers(patients=1)
    content = compared(given, nearly(given)).content
    assert content["bootstrap"]["resamples"] == 0
    assert content["macro"]["auroc"]["difference"]["value"] is not None
    assert content["macro"]["auroc"]["difference"]["low"] is None
    assert content["operating_points"]["balanced"]["agreement"]["low"] is None


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_logits_that_are_no_number_make_their_label_null_and_agree_with_nothing(bad: float) -> None:
    given = answers()
    logits = given.logits.copy()
    logits[:, 0] = bad
    content = compared(given, with_logits(given, logits)).content
    assert content["labels"][0]["auroc"]["candidate"] is None
    assert content["labels"][0]["resolution"]["candidate"]["non_finite"] == 200
    assert content["labels"][1]["auroc"]["difference"]["value"] == 0
    point = content["operating_points"]["balanced"]
    assert point["labels"][0]["agreement"] == 0
    assert point["agreement"]["value"] == pytest.approx(14 / 15, abs=1e-6)
    assert point["kappa"] is None
    json.dumps(content, allow_nan=False)


def test_a_single_image_is_compared() -> None:
    given = answers(1, 1)
    content = compared(given, nearly(given)).content
    assert content["labels"][0]["auroc"]["difference"]["value"] is None
    assert content["labels"][0]["resolution"]["candidate"]["tied"] is None


# --- what is comparable -----------------------------------------------------------------------


def shuffled(given: Evaluated) -> Evaluated:
    order = np.random.default_rng(5).permutation(len(given.images))
    arrays = {
        key: getattr(given, key)[order] for key in ("images", "patients", "targets", "logits")
    }
    return Evaluated(**arrays)


def test_images_are_matched_by_name() -> None:
    given = answers()
    candidate = nearly(given)
    assert compared(given, shuffled(candidate)).content == compared(given, candidate).content


def fewer(given: Evaluated) -> Evaluated:
    keys = ("images", "patients", "targets", "logits")
    return Evaluated(**{key: getattr(given, key)[:-40] for key in keys})


def renamed(given: Evaluated) -> Evaluated:
    images = given.images.copy()
    images[3] = "other.png"
    return replace(given, images=images)


def relabelled(given: Evaluated) -> Evaluated:
    targets = given.targets.copy()
    targets[5, 2] ^= 1
    return replace(given, targets=targets)


def other_patient(given: Evaluated) -> Evaluated:
    patients = given.patients.copy()
    patients[5] = "p0"
    return replace(given, patients=patients)


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
    given = answers()
    for pair in ((given, change(given)), (change(given), given)):
        with pytest.raises(ReportError) as caught:
            compared(*pair)
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)


def test_other_data_is_refused_by_its_digest() -> None:
    given = answers()
    other = report(given, dataset={"name": "d", "split": "test", "digest": "9" * 64})
    with pytest.raises(ReportError, match=r"different data .*111111111111 and 999999999999"):
        compare(report(given), other)


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
    given = answers()
    good, bad = report(given), report(given)
    change(bad.content)
    with pytest.raises(ReportError, match="the reference is damaged") as caught:
        compare(bad, good)
    assert "\n" not in str(caught.value)
    with pytest.raises(ReportError, match="the candidate is damaged"):
        compare(good, bad)


def test_absurd_facts_are_borne() -> None:
    given = answers()
    absurd = report(given)
    nested: list[Any] = []
    for _ in range(900):
        nested = [nested]
    absurd.content["runtime"] |= {"name": nested, "version": {"a": math.inf}, "delegate": 10**400}
    absurd.content["calibration"] = {"slope": [1e308] * 15, "intercept": [-1e308] * 15}
    absurd.content["operating_points"]["balanced"][0]["threshold"] = 1e308
    content = compare(report(given), absurd, 100).content
    assert content["candidate"]["runtime"]["version"] == {"a": None}
    json.dumps(content, allow_nan=False)


def test_an_image_that_is_there_twice_is_refused() -> None:
    given = answers()
    images = given.images.copy()
    images[1] = images[0]
    twice = replace(given, images=images)
    with pytest.raises(ReportError, match="has an image twice"):
        compared(twice, twice)


def test_without_a_common_default_operating_point_nothing_is_decided_alike() -> None:
    given = answers()
    points = report(given).content["operating_points"]
    candidate = report(given)
    candidate.content["operating_points"] = {"other": points["other"]}
    candidate.content["operating_point"] = "other"
    with pytest.raises(ReportError, match="no operating point 'balanced'"):
        compare(report(given), candidate)


def test_what_may_surprise_is_noted() -> None:
    given = answers()
    same = compare(report(given), report(given), 100).content["notes"]
    assert any("same model file" in note for note in same)
    assert compared(given, given).content["notes"] == []


def test_the_keys_are_those_that_are_documented() -> None:
    given = answers()
    content = compared(given, nearly(given)).content
    assert list(content) == [
        *("kind", "schema_version", "edge_cxr", "disclaimer", "reference", "candidate"),
        *("dataset", "bootstrap", "notes", "operating_point", "labels", "macro", "logits"),
        *("operating_points", "largest_changes"),
    ]
    assert list(content["labels"][0]) == ["label", "support", *METRICS, "logits", "resolution"]
    assert list(content["labels"][0]["auroc"]) == ["reference", "candidate", "difference"]
    assert list(content["labels"][0]["logits"]) == ["rms", "correlation", "follows"]
    assert list(content["macro"]) == ["over", *METRICS]
    assert list(content["operating_points"]["balanced"]) == [
        *("decisions", "agreement", "kappa", "images_changed", "retest", "labels"),
    ]
    assert list(content["largest_changes"][0]) == [
        *("image", "label", "present", "change", "reference", "candidate"),
    ]
    assert json.loads(json.dumps(content, allow_nan=False)) == content
