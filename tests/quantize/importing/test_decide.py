"""What validation images decide, and the file that names the labels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from edge_app.model.calibration import calibrated
from edge_app.model.labels import Label, Labels
from quantize.importing.decide import decided, undecided

THREE = Labels([Label("Bacterial"), Label("Viral"), Label("Healthy", "normal")])


def drawn(slope: float, count: int = 6000) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and one label an image that is drawn as their softmax times `slope` says."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (count, 3)).astype(np.float32)
    shares = softmax(slope * logits, axis=1).cumsum(axis=1)
    chosen = (rng.random((count, 1)) > shares).sum(axis=1)
    return logits, np.eye(3, dtype=np.uint8)[chosen]


@pytest.mark.parametrize("slope", [0.4, 1.0, 2.5])
def test_a_temperature_finds_how_sure_the_labels_are(slope: float) -> None:
    logits, targets = drawn(slope)
    found = decided(targets, logits, THREE, "exclusive", "here").calibration
    assert len(set(found["slope"])) == 1
    assert found["slope"][0] == pytest.approx(slope, rel=0.1)
    assert found["intercept"] == pytest.approx([0.0] * 3, abs=0.1)
    scores = calibrated(logits, found, "exclusive")
    np.testing.assert_allclose(scores.mean(axis=0), targets.mean(axis=0), atol=0.02)


def test_exclusive_labels_get_thresholds_on_their_softmax() -> None:
    logits, targets = drawn(1.0, 600)
    made = decided(targets, logits, THREE, "exclusive", "here")
    scores = calibrated(logits, made.calibration, "exclusive")
    point = made.operating_points["screening"]
    for channel, threshold in enumerate(point["thresholds"]):
        reached = (scores[targets[:, channel] > 0, channel] >= threshold).mean()
        assert reached == pytest.approx(point["sensitivity"][channel])
        assert reached >= 0.9
    assert made.image_level["prevalence"] == pytest.approx(targets.mean(axis=0), abs=1e-4)


def test_without_images_nothing_is_decided() -> None:
    made = undecided(3)
    assert made.calibration["method"] == "none"
    assert all(at is None for p in made.operating_points.values() for at in p["thresholds"])
