"""What the perturbations do to a picture."""

from __future__ import annotations

import numpy as np
import pytest

from edge_app.images.perturb import PERTURBATIONS, WORDS, perturbed
from edge_app.images.phantom import synthetic_radiograph

PICTURE = synthetic_radiograph(64, seed=1)


@pytest.mark.parametrize("key", PERTURBATIONS)
def test_a_perturbation_is_small_and_leaves_the_shape(key: str) -> None:
    before = PICTURE.copy()
    changed = perturbed(PICTURE, key, "a.png")
    assert changed.shape == PICTURE.shape
    assert changed.dtype == np.uint8
    assert (changed != PICTURE).any()
    assert np.corrcoef(changed.ravel(), PICTURE.ravel())[0, 1] > 0.95
    np.testing.assert_array_equal(before, PICTURE)


@pytest.mark.parametrize("key", PERTURBATIONS)
def test_it_depends_on_the_name_and_not_on_what_came_before(key: str) -> None:
    first = perturbed(PICTURE, key, "a.png")
    perturbed(PICTURE, key, "b.png")
    np.testing.assert_array_equal(first, perturbed(PICTURE, key, "a.png"))


def test_noise_is_one_gray_level_up_or_down_and_another_one_for_each_image() -> None:
    noisy = perturbed(PICTURE, "noise", "a.png")
    steps = noisy.astype(int) - PICTURE
    assert set(np.unique(steps)) == {-1, 0, 1}
    inner = steps[(PICTURE > 0) & (PICTURE < 255)]
    assert (inner == 1).mean() == pytest.approx(1 / 3, abs=0.05)
    assert (inner == -1).mean() == pytest.approx(1 / 3, abs=0.05)
    assert (noisy != perturbed(PICTURE, "noise", "b.png")).any()


@pytest.mark.parametrize("gray", [0, 255])
def test_noise_never_wraps_round(gray: int) -> None:
    noisy = perturbed(np.full((32, 32), gray, np.uint8), "noise", "a.png")
    assert np.abs(noisy.astype(int) - gray).max() == 1


def test_a_shift_is_one_pixel_to_the_right() -> None:
    shifted = perturbed(PICTURE, "shift", "a.png")
    np.testing.assert_array_equal(shifted[:, 1:], PICTURE[:, :-1])
    np.testing.assert_array_equal(shifted[:, 0], PICTURE[:, 0])


def test_a_zoom_moves_the_edges_outwards_and_keeps_the_middle() -> None:
    ramp = np.broadcast_to(np.linspace(0, 255, 64).astype(np.uint8), (64, 64)).copy()
    zoomed = perturbed(ramp, "zoom", "a.png").astype(int)
    assert zoomed[:, 4].mean() > ramp[:, 4].mean()
    assert zoomed[:, -5].mean() < ramp[:, -5].mean()
    assert np.abs(zoomed[:, 31:33] - ramp[:, 31:33].astype(int)).max() <= 2


def test_each_has_words_for_people() -> None:
    assert WORDS.keys() == PERTURBATIONS.keys()
