"""Subgroups: whom a macro AUROC is taken over, and that a gap is seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from edge_app.evaluation.report import Evaluated, Report
from train.errors import DatasetError
from train.labels import LABELS, NIH
from train.subgroups import subgroups

COUNT = 600
MASS, EDEMA = LABELS.index("Mass"), LABELS.index("Edema")


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "image": [f"{i:04d}.png" for i in range(COUNT)],
            "sex": generator.choice(["M", "F"], COUNT),
            "view": generator.choice(["PA", "AP"], COUNT),
            "age": generator.integers(20, 90, COUNT),
        }
    )


@pytest.fixture(scope="module")
def report(table: pd.DataFrame) -> Report:
    """Mass is ranked well for women and by chance for men; only men have Edema."""
    generator = np.random.default_rng(1)
    targets = np.zeros((COUNT, len(LABELS)), np.uint8)
    male = (table["sex"] == "M").to_numpy()
    targets[:, MASS] = generator.random(COUNT) < 0.3
    targets[:, EDEMA] = (generator.random(COUNT) < 0.3) & male
    logits = generator.normal(size=targets.shape).astype(np.float32)
    logits[~male, MASS] += 3 * targets[~male, MASS]
    patients = np.array([str(i // 3) for i in range(COUNT)])
    facts = {
        "model": {"name": "m", "format": "int8"},
        "head": "independent",
        "dataset": {"split": "test"},
        "labels": [{"label": label.name, "kind": label.kind} for label in NIH],
    }
    return Report(facts, Evaluated(table["image"].to_numpy(str), patients, targets, logits))


def test_groups_are_compared_over_the_findings_that_each_has(
    report: Report, table: pd.DataFrame
) -> None:
    by = subgroups(report, table, resamples=50)["by"]
    assert by["sex"]["over"] == ["Mass"]
    assert by["view"]["over"] == ["Edema", "Mass"]


def test_a_gap_is_seen_and_the_values_are_scikit_learns(
    report: Report, table: pd.DataFrame
) -> None:
    sex = subgroups(report, table, resamples=50)["by"]["sex"]
    for name, letter in (("female", "F"), ("male", "M")):
        rows = (table["sex"] == letter).to_numpy()
        answers = report.evaluated
        expected = roc_auc_score(answers.targets[rows, MASS], answers.logits[rows, MASS])
        macro = sex["groups"][name]["macro_auroc"]
        assert macro["value"] == pytest.approx(expected, abs=1e-6)
        assert macro["low"] < macro["value"] < macro["high"]
        assert sex["groups"][name]["images"] == rows.sum()
    assert sex["gap"] > 0.2


def test_the_order_of_the_table_does_not_matter(report: Report, table: pd.DataFrame) -> None:
    shuffled = table.sample(frac=1, random_state=2)
    assert subgroups(report, shuffled, 20) == subgroups(report, table, 20)


def test_images_of_unknown_age_are_in_no_age_band(report: Report, table: pd.DataFrame) -> None:
    unknown = table.assign(age=[None] * 100 + table["age"].tolist()[100:])
    bands = subgroups(report, unknown, 20)["by"]["age"]["groups"]
    assert sum(band["images"] for band in bands.values()) == COUNT - 100


def test_what_the_data_set_does_not_tell_is_said(report: Report, table: pd.DataFrame) -> None:
    less = subgroups(report, table.drop(columns="view").assign(age=""), 20)
    assert list(less["by"]) == ["sex"]
    assert less["not_told"] == ["age", "view"]
    with pytest.raises(DatasetError, match=r"0000\.png"):
        subgroups(report, table.iloc[1:])


def test_no_comparable_finding_is_no_number(report: Report, table: pd.DataFrame) -> None:
    nothing = replace(report.evaluated, targets=np.zeros_like(report.evaluated.targets))
    sex = subgroups(Report(report.content, nothing), table, 20)["by"]["sex"]
    assert sex["over"] == []
    assert sex["gap"] is None
    assert sex["groups"]["male"]["macro_auroc"]["value"] is None
