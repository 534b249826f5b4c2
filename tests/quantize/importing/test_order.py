"""A list of labels in a wrong order is told; a network that knows little is not accused."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from edge_app.model.labels import Label, Labels
from quantize.importing.order import doubts

NAMES = ("Mass", "Nodule", "Edema", "Hernia")


def scored(strength: float, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Targets of 400 images, and logits that follow them so strongly."""
    generator = np.random.default_rng(seed)
    targets = (generator.random((400, len(NAMES))) < (0.3, 0.2, 0.4, 0.01)).astype(np.uint8)
    return targets, (strength * targets + generator.normal(size=targets.shape)).astype(np.float32)


def labels(*names: str) -> Labels:
    return Labels(map(Label, names))


@pytest.mark.parametrize("strength", [0.0, 0.3, 2.0])
def test_of_labels_in_the_right_order_nothing_is_said(strength: float) -> None:
    for seed in range(20):
        assert doubts(*scored(strength, seed), labels(*NAMES), "independent") == []


def test_labels_that_changed_places_are_named_and_no_others() -> None:
    targets, logits = scored(2.0)
    said = doubts(targets, logits[:, [1, 0, 2, 3]], labels(*NAMES), "independent")
    assert [line.split(":")[0] for line in said] == ["Mass", "Nodule"]
    assert "named Nodule: are the labels in the order" in said[0]


def test_a_score_of_the_opposite_is_told() -> None:
    targets, logits = scored(2.0)
    logits[:, 2] *= -1
    (said,) = doubts(targets, logits, labels(*NAMES), "independent")
    assert said.startswith("Edema: ")
    assert "absence" in said


def test_it_is_told_of_own_scores_and_that_training_may_be_what_is_missing() -> None:
    """The tables beside it are of scores after fitting, which may well rank the other way."""
    targets, logits = scored(2.0)
    logits[:, 2] *= -1
    (said,) = doubts(targets, logits, labels(*NAMES), "independent")
    own = roc_auc_score(targets[:, 2], logits[:, 2])
    assert f"AUROC {own:.2f} by the network's own scores, before fitting, on validation" in said
    assert said.endswith("or is the network too little trained?")


def test_exclusive_labels_the_other_way_round_are_told() -> None:
    targets, logits = scored(2.0)
    sick = targets[:, 0]
    both = np.stack([sick, 1 - sick], axis=1)
    right = np.stack([logits[:, 0], np.zeros(len(sick))], axis=1).astype(np.float32)
    assert doubts(both, right, labels("Sick", "Well"), "exclusive") == []
    assert len(doubts(both, right[:, ::-1], labels("Sick", "Well"), "exclusive")) == 2
