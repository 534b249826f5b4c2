"""Cached images → augmented batches, the same for the same recipe and epoch."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from train.augment import LAST, OF_THE_BATCH, Draws, augment, draw, gray_levels, normalise
from train.backend import compiled
from train.cache import Cached
from train.machines import own, share_of, whole
from train.recipes import Recipe
from train.targets import image_weights, sampling_weights

Batch = tuple[keras.KerasTensor | NDArray[np.float32], ...]


def batches(
    cached: Cached, goals: NDArray[np.float32], recipe: Recipe, epochs: range
) -> Iterator[Batch]:
    """(images, goals) of these epochs, counted from 0; and weights where these differ.

    Order and augmentation depend on seed and epoch alone, so a resumed run sees the images that an
    uninterrupted one would have seen. An incomplete last batch is dropped. Each of several machines
    yields its own rows of a batch, augmented as on a single machine.

    Args:
        cached: M images.
        goals: M×K, see `targets.training_targets`.
        recipe: how they are drawn, augmented and mixed.
        epochs: which to yield.
    """
    steps = len(cached) // recipe.batch
    weights = image_weights(recipe, cached)
    prepare_at = {s: compiled(partial(prepare, s)) for s in (recipe.early_size, recipe.side)}
    for epoch in epochs:
        side = recipe.side_of_epoch(epoch)
        order = _order(cached, recipe, epoch)
        for step in range(steps):
            rows = order[step * recipe.batch : (step + 1) * recipe.batch]
            rng = np.random.default_rng([recipe.seed, epoch * steps + step])
            drawn = draw(recipe.augmentation, len(rows), side, rng)
            others = [goals[rows]] if weights is None else [goals[rows], weights[rows]]
            if recipe.mixup:
                kept = mixing_shares(rng, recipe.mixup, len(rows))
                drawn["share"] = kept.reshape(-1, 1, 1, 1)
                others = [mixed(each, kept.reshape(-1, *[1] * (each.ndim - 1))) for each in others]
            share = share_of(len(rows))
            images = whole(cached.images[cached.rows[rows[share]]])
            drawn = {
                name: values if name in OF_THE_BATCH else whole(values[share])
                for name, values in drawn.items()
            }
            yield own(prepare_at[side](images, drawn)), *(each[share] for each in others)


def _order(cached: Cached, recipe: Recipe, epoch: int) -> NDArray[np.int64]:
    """The images of an epoch as M places in `cached`."""
    rng = np.random.default_rng([recipe.seed, epoch, 0])
    if not recipe.balance:
        return rng.permutation(len(cached))
    return rng.choice(len(cached), len(cached), p=sampling_weights(recipe, cached.targets))


def prepare(side: int, images: keras.KerasTensor, drawn: Draws) -> keras.KerasTensor:
    """(N, H, W) uint8 → (N, side, side, 1) float32, augmented and normalised."""
    x = images[..., None]
    if side != images.shape[1]:
        x = ops.cast(x, "float32")
        x = gray_levels(ops.image.resize(x, (side, side), antialias=True, data_format=LAST))
    x = normalise(augment(x, drawn))
    return mixed(x, drawn["share"]) if "share" in drawn else x


def mixing_shares(rng: np.random.Generator, alpha: float, count: int) -> NDArray[np.float32]:
    """The share, at least a half, that each of N images keeps of itself, from Beta(α, α)."""
    share = rng.beta(alpha, alpha, count).astype(np.float32)
    return np.maximum(share, 1 - share)


def mixed(values: keras.KerasTensor, share: NDArray[np.float32]) -> keras.KerasTensor:
    """Each image, or its targets, averaged with another's of the batch."""
    return share * values + (1 - share) * values[::-1]
