"""Cached images → endless augmented batches, the same ones whenever they are asked for."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from train.augment import augment, normalise
from train.cache import Cached
from train.recipes import Recipe


def batches(cached: Cached, recipe: Recipe, first_epoch: int) -> tf.data.Dataset:
    """Endless (images, targets) batches from `first_epoch` on.

    Order and augmentation depend on seed and epoch alone, so a resumed run sees what the
    uninterrupted one would have seen. An incomplete last batch is dropped.
    """
    steps = len(cached) // recipe.batch
    rows = tf.constant(np.arange(len(cached)))

    def epoch_batches(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(rows, seed=[recipe.seed, epoch])
        return (
            tf.data.Dataset.from_tensor_slices(order)
            .batch(recipe.batch, drop_remainder=True)
            .enumerate(epoch * steps)
        )

    def gather(indices: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        images = cached.images[cached.rows[indices]][..., np.newaxis]
        return images, cached.targets[indices].astype(np.float32)

    def load(step: tf.Tensor, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images, targets = tf.numpy_function(gather, [indices], [tf.uint8, tf.float32])
        images.set_shape((recipe.batch, recipe.side, recipe.side, 1))
        targets.set_shape((recipe.batch, cached.targets.shape[1]))
        seed = tf.stack([tf.constant(recipe.seed, tf.int64), step])
        return normalise(augment(images, recipe.augmentation, seed)), targets

    return (
        tf.data.Dataset.range(first_epoch, recipe.epochs)
        .flat_map(epoch_batches)
        .map(load, num_parallel_calls=2, deterministic=True)
        .prefetch(4)
    )
