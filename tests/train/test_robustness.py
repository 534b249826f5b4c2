"""What the perturbations do, and how agreement is counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_app.phantom import synthetic_radiograph
from train.cli import read_data
from train.robustness import PERTURBATIONS, decisions_kept, perturbed, robustness
from train.run import open_run

PICTURES = np.stack([synthetic_radiograph(64, seed) for seed in range(3)])
NEUTRAL = {"slope": [1.0] * 15, "intercept": [0.0] * 15}


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_a_perturbation_is_small_repeatable_and_leaves_the_shape(name: str) -> None:
    changed = perturbed(PICTURES, name)
    assert changed.shape == PICTURES.shape
    assert changed.dtype == np.uint8
    assert (changed != PICTURES).any()
    assert np.corrcoef(changed.ravel(), PICTURES.ravel())[0, 1] > 0.95
    np.testing.assert_array_equal(changed, perturbed(PICTURES, name))


def test_noise_is_one_gray_level_and_a_shift_one_pixel() -> None:
    noisy = perturbed(PICTURES, "noise of one gray level").astype(int)
    assert np.abs(noisy - PICTURES).max() == 1
    shifted = perturbed(PICTURES, "shift by one pixel")
    np.testing.assert_array_equal(shifted[:, :, 1:], PICTURES[:, :, :-1])


def test_agreement_counts_decisions_of_labels_with_a_threshold() -> None:
    reference = np.full((4, 15), -1, np.float32)
    candidate = reference.copy()
    candidate[0] = 1
    thresholds = [0.5] * 14 + [None]
    kept = decisions_kept(reference, candidate, NEUTRAL, thresholds)
    assert kept["same"] == pytest.approx(0.75)
    assert kept["rms"] == pytest.approx(1.0)
    assert decisions_kept(reference, reference, NEUTRAL, thresholds) == {"same": 1.0, "rms": 0.0}


def test_a_run_is_measured_under_every_perturbation(finished_run: Path, small_nih: Path) -> None:
    cached = read_data(small_nih, 28, finished_run.parent / "cache").split("test")
    measured = robustness(open_run(finished_run), cached)
    assert set(measured) == set(PERTURBATIONS)
    assert all(0 < kept["rms"] < 10 for kept in measured.values())
