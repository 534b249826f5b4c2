"""Cached images → endless augmented batches, the same ones whenever they are asked for."""

from __future__ import annotations

from functools import partial, reduce
from typing import Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from train.augment import augment, normalise
from train.cache import Cached
from train.recipes import Recipe
from train.targets import sampling_weights

MIXING_STREAM: Final = 1_000  # far from those that augmentation draws from


def batches(
    cached: Cached, goals: NDArray[np.float32], recipe: Recipe, first_epoch: int
) -> tf.data.Dataset:
    """Endless (images, goals) batches from `first_epoch` on.

    Order and augmentation depend on seed and epoch alone, so a resumed run sees what the
    uninterrupted one would have seen. An incomplete last batch is dropped.

    Args:
        cached: M images.
        goals: M×K, see `targets.training_targets`.
        recipe: how they are drawn, augmented and mixed.
        first_epoch: the first epoch to yield, from 0.
    """
    steps = len(cached) // recipe.batch
    rows = tf.constant(np.arange(len(cached)))
    log_weights = np.log(sampling_weights(recipe, cached.targets))[np.newaxis]

    def epoch_batches(epoch: tf.Tensor) -> tf.data.Dataset:
        seed = [recipe.seed, epoch]
        if recipe.balance:
            order = tf.random.stateless_categorical(log_weights, len(cached), seed)[0]
        else:
            order = tf.random.experimental.stateless_shuffle(rows, seed=seed)
        return (
            tf.data.Dataset.from_tensor_slices(order)
            .batch(recipe.batch, drop_remainder=True)
            .enumerate(epoch * steps)
        )

    def gather(indices: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        images = cached.images[cached.rows[indices]][..., np.newaxis]
        return images, goals[indices]

    def load(side: int, step: tf.Tensor, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images, targets = tf.numpy_function(gather, [indices], [tf.uint8, tf.float32])
        images.set_shape((recipe.batch, recipe.side, recipe.side, 1))
        targets.set_shape((recipe.batch, goals.shape[1]))
        if side != recipe.side:
            resized = tf.image.resize(images, (side, side), antialias=True)
            images = tf.cast(tf.round(resized), tf.uint8)
        seed = tf.stack([tf.constant(recipe.seed, tf.int64), step])
        images = normalise(augment(images, recipe.augmentation, seed))
        return mixed(images, targets, recipe.mixup, seed) if recipe.mixup else (images, targets)

    def stage(start: int, stop: int) -> tf.data.Dataset:
        side = recipe.side_of_epoch(start)
        return (
            tf.data.Dataset.range(start, stop)
            .flat_map(epoch_batches)
            .map(partial(load, side), num_parallel_calls=2, deterministic=True)
        )

    change = min(max(recipe.early_epochs, first_epoch), recipe.epochs)
    stages = [(first_epoch, change), (change, recipe.epochs)]
    early_or_late = [stage(start, stop) for start, stop in stages if start < stop]
    return reduce(tf.data.Dataset.concatenate, early_or_late).prefetch(4)


def mixed(
    images: tf.Tensor, targets: tf.Tensor, alpha: float, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Each image and its targets averaged with another's, by a share drawn from Beta(α, α)."""
    size = tf.shape(images)[0]
    stream = tf.random.fold_in(seed, MIXING_STREAM)
    gammas = tf.random.stateless_gamma((2, size), stream, alpha)
    # Both can come out as zero for a small alpha; then nothing is mixed.
    share = tf.math.divide_no_nan(gammas[0], gammas[0] + gammas[1])
    share = tf.maximum(share, 1 - share)
    other = tf.reverse(images, [0]), tf.reverse(targets, [0])
    s, t = tf.reshape(share, (-1, 1, 1, 1)), tf.reshape(share, (-1, 1))
    return s * images + (1 - s) * other[0], t * targets + (1 - t) * other[1]
