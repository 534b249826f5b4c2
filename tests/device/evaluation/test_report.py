"""Evaluation reports: what is in them, and what happens to bad ones."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_app.core.errors import ReportError
from edge_app.evaluation import report
from edge_app.evaluation.metrics import auroc, interval, patient_weights
from edge_app.evaluation.report import (
    Evaluated,
    Report,
    dataset_digest,
    decisions_kept,
    interval_text,
    logit_rms,
    read,
    write,
)
from edge_app.evaluation.report_text import summary
from edge_app.images.perturb import PERTURBATIONS
from edge_app.model.labels import NORMAL, Label, Labels
from edge_app.model.manifest_types import Head
from train.labels import LABELS, NIH

from ..reports import report as report_of

COUNT = 240


def evaluated(patients: int = 40, seed: int = 0) -> Evaluated:
    generator = np.random.default_rng(seed)
    targets = (generator.random((COUNT, len(LABELS))) < 0.2).astype(np.uint8)
    targets[:, LABELS.index("Hernia")] = 0
    logits = generator.normal(size=targets.shape) + targets - 1
    return Evaluated(
        np.array([f"{i:04d}.png" for i in range(COUNT)]),
        np.array([str(i % patients) for i in range(COUNT)]),
        targets,
        logits.astype(np.float32),
    )


def make(answers: Evaluated, **changes: Any) -> Report:
    count = len(LABELS)
    thresholds: list[float | None] = [0.4] * count
    thresholds[LABELS.index("Mass")] = None
    point = {
        "thresholds": thresholds,
        "sensitivity": [0.5] * count,
        "specificity": [0.5] * count,
    }
    facts = {"operating_points": {"balanced": point}, "resamples": 200}
    return report_of(answers, **(facts | changes))


def row(made: Report, label: str) -> dict[str, Any]:
    return next(row for row in made.content["labels"] if row["label"] == label)


def test_each_metric_lies_in_its_interval_and_counts_add_up() -> None:
    made = make(evaluated())
    for label in LABELS:
        cells = row(made, label)["confusion"]
        assert cells is None or sum(cells.values()) == COUNT
        for metric in ("auroc", "average_precision", "recall", "specificity", "calibration_error"):
            value = row(made, label)[metric]
            assert value["value"] is None or value["low"] <= value["value"] <= value["high"]
    assert made.content["dataset"]["patients"] == 40


def test_a_share_that_is_all_or_none_is_not_certain() -> None:
    """A bootstrap of nothing but hits draws nothing else."""
    answers = evaluated()
    answers.logits[:, LABELS.index("Edema")] = np.where(
        answers.targets[:, LABELS.index("Edema")], 5, -5
    )
    perfect = make(answers, operating_points={"balanced": all_at(0.4)})
    edema = row(perfect, "Edema")
    for metric in ("recall", "specificity", "precision", "accuracy"):
        found = edema[metric]
        assert (found["value"], found["high"]) == (1, 1)
        assert 0.85 < found["low"] < 0.95  # of some 30 to 40 patients
    missed = row(make(answers, operating_points={"balanced": all_at(1.0)}), "Edema")["recall"]
    assert (missed["value"], missed["low"]) == (0, 0)
    assert 0.05 < missed["high"] < 0.15


def all_at(threshold: float) -> dict[str, list[float]]:
    """An operating point."""
    count = len(LABELS)
    sides = {"sensitivity": [0.5] * count, "specificity": [0.5] * count}
    return {"thresholds": [threshold] * count, **sides}


def test_a_label_without_positives_is_not_computable_and_leaves_the_macro_alone() -> None:
    made = make(evaluated())
    hernia = row(made, "Hernia")
    assert hernia["auroc"] == {"value": None, "low": None, "high": None}
    assert hernia["recall"]["value"] is None
    others = [row(made, label)["auroc"]["value"] for label in LABELS[:-1] if label != "Hernia"]
    assert made.content["macro"]["auroc"]["value"] == pytest.approx(np.mean(others), abs=1e-6)


def test_a_label_without_threshold_has_scores_but_no_decisions() -> None:
    mass = row(make(evaluated()), "Mass")
    assert mass["confusion"] is None
    assert mass["precision"]["value"] is None
    assert mass["auroc"]["value"] is not None


def test_one_patient_gives_values_without_intervals() -> None:
    made = make(evaluated(patients=1))
    assert row(made, "Edema")["auroc"]["value"] is not None
    assert row(made, "Edema")["auroc"]["low"] is None
    assert made.content["bootstrap"]["resamples"] == 0


def test_of_one_patient_with_a_finding_no_interval_is_told() -> None:
    """Drawn again and again it is the same one: sensitivity was 0.500 (0.500 to 0.500)."""
    answers = evaluated()
    channel = LABELS.index("Hernia")
    mine = np.flatnonzero(answers.patients == answers.patients[0])[:2]
    answers.targets[mine, channel] = 1
    answers.logits[mine, channel] = (5, -5)
    made = make(answers, operating_points={"balanced": all_at(0.4)})
    hernia = row(made, "Hernia")
    assert hernia["recall"] == {"value": 0.5, "low": None, "high": None}
    for metric in ("auroc", "average_precision", "f1"):
        assert hernia[metric]["value"] is not None
        assert hernia[metric]["low"] is hernia[metric]["high"] is None
    assert hernia["specificity"]["low"] < hernia["specificity"]["value"]
    made.content["overall"] = None
    assert "0.500 (no interval)" in summary(made)


def test_of_one_normal_patient_no_interval_is_told_of_images_as_a_whole() -> None:
    answers = evaluated()
    normal = LABELS.index("No Finding")
    mine = answers.patients == answers.patients[0]
    answers.targets[:] = 0
    answers.targets[:, LABELS.index("Edema")] = ~mine
    answers.targets[:, normal] = mine
    whole = make(answers).content["overall"]
    assert whole is not None
    assert whole["auroc"]["value"] is not None
    assert whole["auroc"]["low"] is None


def test_a_perfect_order_of_few_is_no_certainty() -> None:
    """Newcombe's interval, one patient an image; what no method covers has no interval."""
    answers = evaluated()
    perfect = 8 * answers.targets.astype(np.float32) - 4
    answers = replace(answers, logits=perfect, patients=answers.images)
    edema = row(make(answers), "Edema")
    positives, count = edema["support"], len(answers.images)
    assert (edema["auroc"]["value"], edema["auroc"]["high"]) == (1, 1)
    low = edema["auroc"]["low"]
    others = count / 2 - 1
    ties = (1 - low) / (2 - low) + low / (1 + low)
    variance = low * (1 - low) * (1 + others * ties) / (positives * (count - positives))
    assert (1 - low) ** 2 == pytest.approx(1.959964**2 * variance, rel=1e-3)
    assert edema["average_precision"] == {"value": 1, "low": None, "high": None}
    made = make(answers).content
    lows = [each["auroc"]["low"] for each in made["labels"] if each["kind"] == "finding"]
    known = [each for each in lows if each is not None]
    assert made["macro"]["auroc"]["low"] == pytest.approx(np.mean(known), abs=1e-6)
    reversed_order = row(make(replace(answers, logits=-perfect)), "Edema")["auroc"]
    assert reversed_order["high"] == pytest.approx(1 - low, abs=1e-6)


def test_a_perfect_label_among_others_widens_the_macro() -> None:
    answers = evaluated()
    edema = LABELS.index("Edema")
    logits = answers.logits.copy()
    logits[:, edema] = 8.0 * answers.targets[:, edema] - 4
    made = make(replace(answers, logits=logits)).content
    findings = [each for each in made["labels"] if each["kind"] == "finding" and each["support"]]
    added = (1 - row(make(replace(answers, logits=logits)), "Edema")["auroc"]["low"]) / len(
        findings
    )
    weights = patient_weights(answers.patients, 200, 0)
    areas = [
        auroc(answers.targets[:, at] == 1, logits[:, at].astype(np.float64), weights)
        for at in (LABELS.index(each["label"]) for each in findings)
    ]
    low, high = interval(np.mean(areas, axis=0))
    macro = made["macro"]["auroc"]
    assert added > 0.003
    assert macro["value"] < 1
    assert (macro["low"], macro["high"]) == pytest.approx((low - added, high), abs=2e-6)


def test_it_is_read_back_as_written(tmp_path: Path) -> None:
    made = make(evaluated())
    write(made, tmp_path / "float.json")
    found = read(tmp_path / "float.json")
    assert {k: v for k, v in found.content.items() if k != "scores"} == made.content
    np.testing.assert_array_equal(found.evaluated.logits, made.evaluated.logits)
    np.testing.assert_array_equal(found.evaluated.images, made.evaluated.images)
    json.loads((tmp_path / "float.json").read_text(), parse_constant=pytest.fail)


# --- the retest ------------------------------------------------------------------------------


def test_numpy_1_writes_a_report_that_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There every keyword of `savez_compressed` is an array to store, `allow_pickle` too."""

    def of_numpy_1(file: Any, **arrays: Any) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            for name, array in arrays.items():
                buffer = BytesIO()
                np.lib.format.write_array(buffer, np.asanyarray(array))
                archive.writestr(f"{name}.npy", buffer.getvalue())

    monkeypatch.setattr(np, "savez_compressed", of_numpy_1)
    made = make(evaluated())
    write(made, tmp_path / "r.json")
    found = read(tmp_path / "r.json")
    np.testing.assert_array_equal(found.evaluated.logits, made.evaluated.logits)


def test_a_retest_counts_the_decisions_kept_and_is_read_back(tmp_path: Path) -> None:
    answers = evaluated()
    moved = answers.logits + np.float32(0.25)
    opposite = -10 * answers.logits
    retested = replace(answers, retest={"noise": answers.logits, "jpeg90": moved, "zoom": opposite})
    made = make(retested)
    measured = made.content["retest"]
    assert list(measured) == ["noise", "jpeg90", "zoom"]
    assert measured["noise"] == {"logit_rms": 0.0, "decisions_kept": {"balanced": 1.0}}
    assert measured["jpeg90"]["logit_rms"] == pytest.approx(0.25, abs=1e-5)
    kept = [measured[key]["decisions_kept"]["balanced"] for key in measured]
    assert kept == sorted(kept, reverse=True)
    assert kept[2] < 0.5
    write(made, tmp_path / "r.json")
    found = read(tmp_path / "r.json")
    assert found.content["retest"] == measured
    assert found.evaluated.retest.keys() == measured.keys()
    for key, logits in found.evaluated.retest.items():
        np.testing.assert_array_equal(logits, retested.retest[key])


def test_agreement_counts_decisions_of_labels_with_a_threshold() -> None:
    reference = np.full((4, len(LABELS)), 0.2)
    candidate = reference.copy()
    candidate[0] = 0.8
    thresholds: list[float | None] = [0.5] * 14 + [None]
    assert decisions_kept(reference, candidate, thresholds) == 0.75
    assert decisions_kept(reference, reference, thresholds) == 1.0
    candidate[0, :14] = 0.2  # only the label without a threshold differs
    assert decisions_kept(reference, candidate, thresholds) == 1.0
    assert decisions_kept(reference, candidate, [None] * 15) is None


def test_the_logit_difference_is_a_root_mean_square_over_images_and_labels() -> None:
    zeros = np.zeros((2, len(LABELS)), np.float32)
    other = zeros.copy()
    other[0, 0] = 3
    assert logit_rms(zeros, other) == pytest.approx(np.sqrt(9 / 30))


def test_a_report_of_before_there_was_a_retest_is_read(repository: Path, tmp_path: Path) -> None:
    write(make(evaluated()), tmp_path / "old.json")
    content = json.loads((tmp_path / "old.json").read_text())
    del content["retest"]
    (tmp_path / "old.json").write_text(json.dumps(content))
    found = read(tmp_path / "old.json")
    assert found.content["retest"] == {}
    assert found.evaluated.retest == {}


# --- scores that somebody else wrote ---------------------------------------------------------


def with_scores(tmp_path: Path, data: bytes) -> Path:
    """A report whose scores file is `data`, properly stated."""
    path = tmp_path / "r.json"
    write(make(replace(evaluated(), retest={"noise": evaluated(seed=1).logits})), path)
    content = json.loads(path.read_text())
    content["scores"]["sha256"] = hashlib.sha256(data).hexdigest()
    path.write_text(json.dumps(content))
    path.with_suffix(".npz").write_bytes(data)
    return path


def scores(**changes: Any) -> bytes:
    answers = evaluated()
    arrays: dict[str, Any] = {
        "images": answers.images,
        "patients": answers.patients,
        "targets": answers.targets,
        "logits": answers.logits,
        "retest_noise": answers.logits,
    } | changes
    buffer = BytesIO()
    np.savez(buffer, **{name: array for name, array in arrays.items() if array is not None})
    return buffer.getvalue()


def test_properly_stated_scores_are_read(tmp_path: Path) -> None:
    assert read(with_scores(tmp_path, scores())).evaluated.retest.keys() == {"noise"}


LOGITS = evaluated().logits
NOT_A_NUMBER = np.where(np.arange(len(LABELS)) == 3, np.float32(np.nan), LOGITS)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"retest_blur": LOGITS}, "'retest_blur', which does not belong there"),
        ({"more": LOGITS}, "'more', which does not belong there"),
        ({"retest_noise": LOGITS[:-1]}, "retest_noise are float32"),
        ({"retest_noise": LOGITS[:, :-1]}, "retest_noise are float32"),
        ({"retest_noise": LOGITS.astype(np.float64)}, "retest_noise are not finite 32-bit"),
        ({"retest_noise": NOT_A_NUMBER}, "retest_noise are not finite 32-bit"),
        ({"retest_noise": None}, "its retest is not the one in"),
        ({"retest_zoom": LOGITS}, "its retest is not the one in"),
        ({"logits": NOT_A_NUMBER}, "logits are not finite"),
        ({"logits": LOGITS.astype(">f4").astype(object)}, "damaged or no"),
        ({"logits": None}, "logits"),
        ({"targets": evaluated().targets + 1}, "targets are not 0 or 1"),
        ({"targets": evaluated().targets.astype(np.uint16)}, "targets are not 0 or 1"),
        ({"images": np.arange(COUNT)}, "images are int64"),
        ({"patients": evaluated().patients[1:]}, "patients are <U"),
        ({"images": np.array("x")}, "damaged"),
    ],
)
def test_scores_that_are_none_are_refused_in_one_line(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    path = with_scores(tmp_path, scores(**changes))
    with pytest.raises(ReportError, match=words) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def huge_header(data: bytes) -> bytes:
    """One array says that it holds 10^15 numbers."""
    buffer = BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as source, zipfile.ZipFile(buffer, "w") as changed:
        for name in source.namelist():
            member = source.read(name)
            if name == "logits.npy":
                header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (10**15, 15), }"
                header = header.replace(b"10**15", b"1000000000000000").ljust(117) + b"\n"
                member = member[:8] + len(header).to_bytes(2, "little") + header
            changed.writestr(name, member)
    return buffer.getvalue()


def bomb(data: bytes) -> bytes:
    """Little to store, much to unpack."""
    buffer = BytesIO(data)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("more.npy", bytes(report.MAX_SCORES_BYTES))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-40],
        lambda data: data[:500] + bytes(64) + data[564:],
        lambda data: data.replace(b"numpy", b"mumps").replace(b"NUMPY", b"MUMPS"),
        huge_header,
        bomb,
    ],
    ids=["empty", "truncated", "damaged", "no arrays", "huge", "bomb"],
)
def test_a_damaged_scores_file_is_refused_in_one_line(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = with_scores(tmp_path, damage(scores()))
    with pytest.raises(ReportError, match="damaged") as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_all_perturbations_can_be_in_a_report(tmp_path: Path) -> None:
    retest = dict.fromkeys(PERTURBATIONS, LOGITS)
    write(make(replace(evaluated(), retest=retest)), tmp_path / "r.json")
    assert list(read(tmp_path / "r.json").evaluated.retest) == list(PERTURBATIONS)


def test_scores_of_another_report_are_noticed(tmp_path: Path) -> None:
    write(make(evaluated()), tmp_path / "a.json")
    write(make(evaluated(seed=1)), tmp_path / "b.json")
    (tmp_path / "b.npz").replace(tmp_path / "a.npz")
    with pytest.raises(ReportError, match="not the scores file"):
        read(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "damaged"),
        ("{}", "kind"),
        ('{"kind": "other"}', "is not an"),
        ("[1]", "damaged"),
        (json.dumps({"kind": report.KIND, "schema_version": 99}), "update"),
        (json.dumps({"kind": report.KIND, "schema_version": 1, "scores": {"file": "x"}}), "/x: no"),
    ],
)
def test_what_is_no_report_is_refused_in_one_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(ReportError, match=words) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_the_data_digest_knows_order_no_more_than_it_must() -> None:
    images, digests = ["a", "b"], ["1", "2"]
    targets = np.eye(2, 15, dtype=np.uint8)
    digest = dataset_digest(images, digests, targets)
    assert dataset_digest(images[::-1], digests[::-1], targets[::-1]) == digest
    assert dataset_digest(images, digests[::-1], targets) != digest
    assert dataset_digest(images, digests, targets[::-1]) != digest


# --- labels of any model -------------------------------------------------------------------------

OTHERS = Labels([Label("Cavity"), Label("Healthy", NORMAL), Label("Scar")])


def of_others(head: Head, **changes: Any) -> Report:
    generator = np.random.default_rng(5)
    targets = np.eye(3, dtype=np.uint8)[generator.integers(0, 3, COUNT)]
    logits = (generator.normal(size=targets.shape) + 2 * targets).astype(np.float32)
    names = np.array([f"{i}.png" for i in range(COUNT)])
    evaluated = Evaluated(names, names, targets, logits)
    thirds = {key: [1 / 3] * 3 for key in ("thresholds", "sensitivity", "specificity")}
    return make(
        evaluated,
        labels=OTHERS,
        head=head,
        calibration={"slope": [1.0] * 3, "intercept": [0.0, 0.5, -0.5]},
        operating_points={"balanced": thirds},
        **changes,
    )


def test_kinds_and_head_are_in_a_report_and_read_back(tmp_path: Path) -> None:
    for head in ("independent", "exclusive"):
        made = of_others(head)
        write(made, tmp_path / "report.json")
        again = read(tmp_path / "report.json")
        assert (again.labels, again.head) == (OTHERS, head)
        assert again.content["macro"]["over"] == "the 2 findings that are computable"


def test_exclusive_labels_are_judged_by_their_softmax_one_against_the_rest() -> None:
    made = of_others("exclusive")
    log_odds = made.evaluated.logits.astype(np.float64) + [0.0, 0.5, -0.5]
    shares = np.exp(log_odds) / np.exp(log_odds).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(made.calibrated(made.evaluated.logits), shares)
    for channel, label in enumerate(OTHERS.names):
        truth, values = made.evaluated.targets[:, channel] == 1, shares[:, channel]
        pairs = values[truth][:, np.newaxis] > values[~truth]
        assert row(made, label)["auroc"]["value"] == pytest.approx(pairs.mean(), abs=2e-6)
        assert row(made, label)["confusion"]["tp"] == ((values >= 1 / 3) & truth).sum()


def test_a_report_of_version_1_has_the_kinds_that_its_names_tell(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write(make(evaluated()), path)
    content = json.loads(path.read_text())
    content["schema_version"] = 1
    del content["head"]
    for each in content["labels"]:
        del each["kind"]
    path.write_text(json.dumps(content))
    again = read(path)
    assert (again.labels.names, again.labels.normal) == (LABELS, NIH.normal)
    assert (again.head, again.content["schema_version"]) == ("independent", 2)


@pytest.mark.parametrize("change", [{"head": "other"}, {"labels": [{"label": "a", "kind": "b"}]}])
def test_a_report_of_an_unknown_kind_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "report.json"
    write(make(evaluated()), path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ReportError, match="no kind that is known"):
        read(path)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.9641, 0.999612, "0.998 (0.964 to > 0.999)"),
        (0.9641, 1.0, "0.998 (0.964 to 1.000)"),
        (0.0003, 0.5, "0.998 (< 0.001 to 0.500)"),
    ],
)
def test_no_end_of_an_interval_reads_as_all_or_none_unless_it_is(
    low: float, high: float, words: str
) -> None:
    metric = {"value": 0.998, "low": low, "high": high}
    assert interval_text(metric) == words
