"""What a run trains towards: labels, softened by teachers, and what else is known of an image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from train.cache import Cached
from train.errors import DatasetError
from train.labels import LABELS
from train.recipes import Recipe

AUXILIARY: Final = ("view", "sex", "age")
CENTURY: Final = 100.0

Loss = Callable[[keras.KerasTensor, keras.KerasTensor], keras.KerasTensor]


def training_targets(
    recipe: Recipe, cached: Cached, teachers: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """M×15 targets in 0..1, and three columns more if the recipe has auxiliary ones.

    Args:
        recipe: decides the shares.
        cached: M images with labels.
        teachers: M×15 scores, if the recipe distils; NaN of labels that they do not know.

    Raises:
        DatasetError: the recipe wants what is not known of these images.
    """
    targets = cached.targets.astype(np.float32)
    targets += recipe.smoothing * (0.5 - targets)
    if recipe.distil:
        if teachers is None:
            raise DatasetError("the recipe distils, but there are no teachers: give --teacher")
        known = np.isfinite(teachers)  # of other labels the targets stay what they are
        targets += recipe.distil * np.where(known, teachers - targets, 0)
    if recipe.auxiliary:
        targets = np.concatenate([targets, auxiliary_targets(cached.table)], axis=1)
    return targets


def auxiliary_targets(table: pd.DataFrame) -> NDArray[np.float32]:
    """M×3 in 0..1: anterior-posterior view, male, age in centuries.

    Raises:
        DatasetError: the data set does not tell them.
    """
    missing = [name for name in AUXILIARY if name not in table]
    if missing:
        raise DatasetError(f"no {', '.join(missing)} in this data set for auxiliary targets")
    view, sex = table["view"] == "AP", table["sex"] == "M"
    age = pd.to_numeric(table["age"], errors="coerce").fillna(50.0).clip(0, CENTURY) / CENTURY
    return np.stack([view, sex, age], axis=1).astype(np.float32)


def sampling_weights(recipe: Recipe, targets: NDArray[np.uint8]) -> NDArray[np.float64]:
    """M weights that sum to 1: (frequency of the image's rarest label)^−balance."""
    frequency = np.maximum(targets.mean(axis=0), 1 / len(targets))
    rarest = np.where(targets > 0, frequency, 1.0).min(axis=1)
    weights = rarest**-recipe.balance
    return weights / weights.sum()


def sigmoid_crossentropy(auxiliary: float) -> Loss:
    """Binary cross-entropy of logits, mean over the 15 labels; other columns weigh `auxiliary`."""

    def loss(goals: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
        each = keras.ops.binary_crossentropy(goals, logits, from_logits=True)
        labels = keras.ops.mean(each[:, : len(LABELS)], axis=-1)
        if not auxiliary:
            return labels
        return labels + auxiliary * keras.ops.mean(each[:, len(LABELS) :], axis=-1)

    return loss
