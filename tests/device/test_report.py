"""Evaluation reports: what is in them, and what happens to bad ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_app import report
from edge_app.errors import ReportError
from edge_app.labels import LABELS
from edge_app.report import Evaluated, Report, build, dataset_digest, read, write

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
    facts: dict[str, Any] = {
        "model": {"name": "m", "format": "int8", "sha256": "0" * 64},
        "dataset": {"name": "d", "split": "test", "digest": "1" * 64},
        "runtime": {"name": "litert", "version": "0"},
        "calibration": {"slope": [1.0] * count, "intercept": [0.0] * count},
        "operating_points": {"balanced": point},
        "operating_point": "balanced",
        "resamples": 200,
    }
    return build(answers, **(facts | changes))


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


def test_it_is_read_back_as_written(tmp_path: Path) -> None:
    made = make(evaluated())
    write(made, tmp_path / "float.json")
    found = read(tmp_path / "float.json")
    assert {k: v for k, v in found.content.items() if k != "scores"} == made.content
    np.testing.assert_array_equal(found.evaluated.logits, made.evaluated.logits)
    np.testing.assert_array_equal(found.evaluated.images, made.evaluated.images)
    json.loads((tmp_path / "float.json").read_text(), parse_constant=pytest.fail)


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
