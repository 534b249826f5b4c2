"""A model's labels: what its channels stand for."""

from __future__ import annotations

import json

import numpy as np

from edge_app.model.labels import NORMAL, Code, Label, Labels
from edge_app.model.model_file import read, shipped_models
from train.labels import LABELS, NIH

MIXED = Labels([Label("Cavity"), Label("Healthy", NORMAL), Label("Scar", code=Code("X", "1", "y"))])


def test_findings_and_the_normal_label_are_distinguished() -> None:
    assert MIXED.names == ("Cavity", "Healthy", "Scar")
    assert MIXED.findings == (0, 2)
    assert MIXED.normal == 1
    assert Labels([Label("Cavity")]).normal is None


def test_an_image_without_the_normal_label_is_not_normal() -> None:
    """It may bear what none of the findings names; where no label is normal nothing says so."""
    targets = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]], np.uint8)
    assert MIXED.not_normal(targets).tolist() == [False, True, True]
    assert MIXED.not_normal(np.array([[1, 1, 0]])).tolist() == [True]
    findings = Labels([Label("Cavity"), Label("Scar")])
    assert findings.not_normal(targets[:, [0, 2]]).tolist() == [False, True, False]


def test_labels_survive_a_manifest() -> None:
    assert Labels.of(json.loads(json.dumps(MIXED.entries()))) == MIXED
    assert "code" not in MIXED.entries()[0]


def test_the_findings_are_counted_in_words() -> None:
    assert (NIH.all_findings, Labels([Label("a")]).all_findings) == (
        "the 14 findings",
        "the one finding",
    )
    assert MIXED.computable_findings == "the 2 findings that are computable"


def test_the_shipped_models_have_the_labels_that_networks_are_trained_for() -> None:
    for path in shipped_models():
        labels = read(path).labels
        assert labels == NIH
        assert (labels.names, labels.findings, labels.normal) == (LABELS, tuple(range(14)), 14)
