"""Figures of exclusive scores are scikit-learn's on the softmax over all of their columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import average_precision_score, roc_auc_score

import edge_app

LABELS = ("TB", "Pneumonia", "Normal")
COUNT = 300


@pytest.mark.parametrize("scale", ["logits", "probabilities"])
@pytest.mark.parametrize("normal", ["none", "Normal"])
def test_figures_are_those_of_the_whole_softmax(tmp_path: Path, scale: str, normal: str) -> None:
    """Whatever the table calls its normal images; images' logits have an offset each."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, COUNT)
    logits = rng.normal(0, 0.5, (COUNT, 3)) + np.eye(3)[truth] + rng.normal(0, 8, (COUNT, 1))
    logits[:, 2] += np.where(truth == 2, 3, -3)
    shares = softmax(logits, axis=1)
    images = np.array([f"{i}.png" for i in range(COUNT)])
    scores = tmp_path / "scores.npz"
    np.savez(
        scores, images=images, labels=LABELS, **{scale: logits if scale == "logits" else shares}
    )
    words = [*LABELS[:2], normal]
    lines = (f"{image},{words[place]}" for image, place in zip(images, truth, strict=True))
    (tmp_path / "labels.csv").write_text("\n".join(["image,labels", *lines]))
    made = edge_app.evaluate_scores(
        scores, tmp_path / "labels.csv", normal="Normal", exclusive=True
    )
    assert [row["label"] for row in made.content["labels"]] == list(LABELS)
    for channel, row in enumerate(made.content["labels"]):
        positive = truth == channel
        area = roc_auc_score(positive, shares[:, channel])
        precision = average_precision_score(positive, shares[:, channel])
        assert row["auroc"]["value"] == pytest.approx(area, abs=1e-4)
        assert row["average_precision"]["value"] == pytest.approx(precision, abs=1e-4)
    part = softmax(logits[:, :2], axis=1)[:, 0]
    assert roc_auc_score(truth == 0, part) < made.content["labels"][0]["auroc"]["value"] - 0.02
