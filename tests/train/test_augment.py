"""What augmentation may do to a picture, and that the same seed does the same again."""

from __future__ import annotations

from dataclasses import fields, replace
from io import BytesIO

import numpy as np
import pytest
from keras import ops
from numpy.typing import NDArray
from PIL import Image

from edge_app.model.preprocess import normalised
from train.augment import (
    NONE,
    Augmentation,
    augment,
    draw,
    jpeg_table,
    normalise,
    saved_as_jpeg,
)
from train.backend import compiled

SIZE = 28


def pictures(count: int = 16) -> NDArray[np.uint8]:
    """Smooth pictures like radiographs: white noise would not survive any resampling."""
    rng = np.random.default_rng(0)
    coarse = rng.uniform(40, 215, (count, 4, 4, 1)).astype(np.float32)
    smooth = ops.convert_to_numpy(ops.image.resize(coarse, (SIZE, SIZE), "bicubic"))
    return smooth.clip(0, 255).astype(np.uint8)


def augmented(
    images: NDArray[np.uint8], strength: Augmentation, seed: int = 0, step: int = 0
) -> NDArray[np.uint8]:
    drawn = draw(strength, len(images), images.shape[1], np.random.default_rng([seed, step]))
    result = ops.convert_to_numpy(augment(ops.convert_to_tensor(images), drawn))
    assert result.dtype == np.float32
    assert np.array_equal(result, result.astype(np.uint8))  # whole gray levels
    return result.astype(np.uint8)


def test_no_strength_changes_nothing() -> None:
    assert all(getattr(NONE, each.name) == 0 for each in fields(NONE))
    images = np.random.default_rng(1).integers(0, 256, (8, SIZE, SIZE, 1), np.uint8)
    assert np.array_equal(augmented(images, NONE), images)


def test_shape_and_type_stay_and_the_whole_range_is_survived() -> None:
    extremes = np.stack([np.zeros((SIZE, SIZE, 1)), np.full((SIZE, SIZE, 1), 255)] * 8)
    strong = Augmentation(noise=20.0, gamma=0.5)
    for images in (pictures(), extremes.astype(np.uint8)):
        result = augmented(images, strong)
        assert result.dtype == np.uint8
        assert result.shape == images.shape
    # Values are clipped, not wrapped round: black with noise does not become white.
    still = augmented(extremes.astype(np.uint8), replace(NONE, noise=4.0))
    assert still[::2].max() < 64
    assert still[1::2].min() > 192


def test_the_same_seed_gives_the_same_images_in_graph_and_out() -> None:
    images = pictures()
    first = augmented(images, Augmentation(), seed=3, step=7)
    assert np.array_equal(augmented(images, Augmentation(), seed=3, step=7), first)
    drawn = draw(Augmentation(), len(images), SIZE, np.random.default_rng([3, 7]))
    in_graph = compiled(augment)
    once, again = (ops.convert_to_numpy(in_graph(images, drawn)) for _ in range(2))
    assert np.array_equal(once, again)
    # The graph's arithmetic may round a level differently; the random draws are the same.
    assert np.mean(np.abs(once - first) > 1) < 0.01


def test_other_steps_and_other_seeds_give_other_images() -> None:
    images = pictures()
    first = augmented(images, Augmentation(), seed=3, step=7)
    for seed, step in ((3, 8), (4, 7), (7, 3)):
        other = augmented(images, Augmentation(), seed=seed, step=step)
        changed = (other != first).reshape(len(images), -1).any(axis=1)
        assert changed.all()


def test_images_of_one_batch_are_drawn_apart() -> None:
    images = np.repeat(pictures(1), 16, axis=0)
    for each in fields(Augmentation):
        alone = replace(NONE, **{each.name: getattr(Augmentation(), each.name)})
        results = augmented(images, alone)
        assert len({result.tobytes() for result in results}) > 1, each.name
    assert len({result.tobytes() for result in augmented(images, Augmentation())}) == 16


def test_a_flip_mirrors_left_and_right_and_does_nothing_else() -> None:
    images = np.random.default_rng(1).integers(0, 256, (64, SIZE, SIZE, 1), np.uint8)
    mirrored = images[:, :, ::-1]
    assert np.array_equal(augmented(images, replace(NONE, flip=1.0)), mirrored)
    results = augmented(images, replace(NONE, flip=0.5))
    is_same = (results == images).all(axis=(1, 2, 3))
    is_mirrored = (results == mirrored).all(axis=(1, 2, 3))
    assert np.all(is_same ^ is_mirrored)
    assert 16 <= is_mirrored.sum() <= 48


def test_gamma_keeps_black_white_and_the_order_of_grays() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    results = augmented(np.repeat(ramp, 16, axis=0), replace(NONE, gamma=0.15))
    for result in results.reshape(16, 256).astype(int):
        assert (result[0], result[255]) == (0, 255)
        assert np.all(np.diff(result) >= 0)


def test_a_shift_moves_each_picture_a_little_way_of_its_own() -> None:
    images = np.zeros((32, SIZE, SIZE, 1), np.uint8)
    images[:, 10:18, 10:18] = 200
    results = augmented(images, replace(NONE, shift=0.03))[..., 0].astype(np.float64)
    places = np.arange(SIZE)
    across = (results.sum(axis=1) * places).sum(axis=1) / results.sum(axis=(1, 2)) - 13.5
    down = (results.sum(axis=2) * places).sum(axis=1) / results.sum(axis=(1, 2)) - 13.5
    for moved in (across, down):
        assert len(np.unique(moved.round(3))) > 20
        assert 0.3 < moved.std() < 1.2  # 0.03 of 28 pixels is 0.84
        assert np.abs(moved).max() < 2 * 0.03 * SIZE + 0.1  # the tails are cut off
    assert abs(np.corrcoef(across, down)[0, 1]) < 0.6


def test_what_comes_in_from_outside_the_picture_is_black() -> None:
    white = np.full((16, SIZE, SIZE, 1), 255, np.uint8)
    results = augmented(white, Augmentation(0.0, 4.0, 0.08, 0.1, 0.0, 0.0, 0.0, 0.0))
    assert np.all(results[:, 8:-8, 8:-8] == 255)
    border = np.concatenate([results[:, 0], results[:, -1], results[:, :, 0], results[:, :, -1]])
    assert 0.2 < (border == 0).mean() < 0.8


@pytest.mark.parametrize(
    ("change", "mean_difference"),
    [
        ({"rotate": 4.0}, 15.0),
        ({"zoom": 0.08}, 15.0),
        ({"shift": 0.03}, 15.0),
        ({"resample": 1.0}, 6.0),
        ({"jpeg": 1.0}, 6.0),
        ({"noise": 4.0}, 4.0),
    ],
)
def test_each_step_changes_pictures_a_little(
    change: dict[str, float], mean_difference: float
) -> None:
    images = pictures()
    inside = slice(4, -4)  # the border may turn black
    results = augmented(images, replace(NONE, **change))
    difference = np.abs(results.astype(int) - images)[:, inside, inside]
    assert 0.2 < difference.mean() < mean_difference


@pytest.mark.parametrize("side", [28, 64])
@pytest.mark.parametrize("quality", [50, 75, 95])
def test_the_loss_of_jpeg_is_that_of_a_file(side: int, quality: int) -> None:
    rng = np.random.default_rng(quality)
    smooth = np.add.outer(np.linspace(30, 150, side), np.linspace(0, 70, side))
    image = (smooth + rng.normal(0, 6, (side, side))).clip(0, 255).astype(np.uint8)
    file = BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    theirs = np.asarray(Image.open(file)).astype(float) - image
    steps = jpeg_table(quality)[np.newaxis, np.newaxis, np.newaxis]
    pixels = ops.convert_to_tensor(image[np.newaxis, ..., np.newaxis], "float32")
    ours = ops.convert_to_numpy(saved_as_jpeg(pixels, steps))[0, ..., 0] - image
    # libjpeg's cosines are whole eighths: near a half, some are rounded to the other step.
    assert np.abs(ours).mean() == pytest.approx(np.abs(theirs).mean(), rel=0.1)
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.8
    assert np.mean(np.abs(ours - theirs) <= 2) > 0.95


def test_a_jpeg_table_is_that_of_a_file() -> None:
    for quality in (1, 30, 50, 80, 95, 100):
        file = BytesIO()
        Image.new("L", (8, 8)).save(file, "JPEG", quality=quality)
        table = Image.open(file).quantization[0]  # Pillow gives it row by row
        assert np.array_equal(jpeg_table(quality).ravel(), table), quality


def test_normalised_images_are_the_devices_to_the_bit() -> None:
    grays = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    for function in (normalise, compiled(normalise)):
        result = ops.convert_to_numpy(function(ops.convert_to_tensor(grays)))
        assert result.dtype == np.float32
        assert result.tobytes() == normalised(grays).tobytes()
