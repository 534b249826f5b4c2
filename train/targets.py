"""Training targets: labels, teachers' scores, and view, sex and age; and their loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from train.cache import Cached
from train.datasets.dataset import UNLABELLED
from train.errors import DatasetError
from train.labels import OF_NIH, LabelSet
from train.recipes import Recipe

AUXILIARY: Final = ("view", "sex", "age")
CENTURY: Final = 100.0

Loss = Callable[[keras.KerasTensor, keras.KerasTensor], keras.KerasTensor]


def training_targets(
    recipe: Recipe, cached: Cached, teachers: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """M×L targets in 0..1, and one more column for each of `auxiliary_names`.

    NaN is what is not known: labels of unlabelled images that the teachers do not know either, and
    missing views, sexes and ages.

    Args:
        recipe: decides the shares.
        cached: M images with labels.
        teachers: M×L scores, if the recipe distils; NaN for labels that they do not know.

    Raises:
        DatasetError: the recipe distils, and there are no teachers.
    """
    targets = cached.targets.astype(np.float32)
    middle = 1 / targets.shape[1] if cached.labels.head == "exclusive" else 0.5
    targets += recipe.smoothing * (middle - targets)
    if recipe.distil:
        if teachers is None:
            raise DatasetError("the recipe distils, but there are no teachers: give --teacher")
        known = np.isfinite(teachers)  # targets of other labels stay as they are
        targets += recipe.distil * np.where(known, teachers - targets, 0)
        unlabelled = is_unlabelled(cached)
        targets[unlabelled] = teachers[unlabelled]
    names = auxiliary_names(recipe, cached.table)
    if names:
        targets = np.concatenate([targets, auxiliary_targets(cached.table, names)], axis=1)
    return targets


def is_unlabelled(cached: Cached) -> NDArray[np.bool_]:
    """Which of M images have no labels."""
    return (cached.table["split"] == UNLABELLED).to_numpy(bool)


def image_weights(recipe: Recipe, cached: Cached) -> NDArray[np.float32] | None:
    """Weights (M) of the images in the loss; None where all are equal."""
    unlabelled = is_unlabelled(cached)
    if not unlabelled.any():
        return None
    return np.where(unlabelled, recipe.unlabelled, 1.0).astype(np.float32)


def auxiliary_names(recipe: Recipe, table: pd.DataFrame) -> tuple[str, ...]:
    """The `AUXILIARY` targets that the images have; none if the recipe does not use any."""
    return tuple(name for name in AUXILIARY if recipe.auxiliary and _is_known(table, name))


def _is_known(table: pd.DataFrame, name: str) -> bool:
    if name not in table:
        return False
    if name == "age":
        return bool(pd.to_numeric(table[name], errors="coerce").notna().any())
    return bool((table[name].fillna("").astype(str).str.strip() != "").any())


def auxiliary_targets(table: pd.DataFrame, names: Sequence[str]) -> NDArray[np.float32]:
    """M×A in 0..1, NaN where unknown: anterior-posterior view, male sex, age in centuries."""
    columns = []
    for name in names:
        if name == "age":
            ages = pd.to_numeric(table["age"], errors="coerce")
            columns.append(ages.clip(0, CENTURY) / CENTURY)
        else:
            words = table[name].fillna("").astype(str).str.strip()
            yes = (words == {"view": "AP", "sex": "M"}[name]).astype(float)
            columns.append(yes.where(words != ""))
    return np.stack(columns, axis=1).astype(np.float32)


def sampling_weights(recipe: Recipe, targets: NDArray[np.uint8]) -> NDArray[np.float64]:
    """M weights that sum to 1: (frequency of the image's rarest label)^−balance."""
    frequency = np.maximum(targets.mean(axis=0), 1 / len(targets))
    rarest = np.where(targets > 0, frequency, 1.0).min(axis=1)
    weights = rarest**-recipe.balance
    return weights / weights.sum()


def crossentropy(auxiliary: float, labels: LabelSet = OF_NIH) -> Loss:
    """The loss of logits: the labels' columns first, further ones as `auxiliary` weighs them.

    Independent labels: binary cross-entropy, mean over them; exclusive ones: categorical
    cross-entropy of their softmax. Further columns: binary cross-entropy, mean. Goals that are NaN
    do not count; an image whose goals are all NaN has a loss of 0.
    """
    count = len(labels.labels)

    def loss(goals: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
        if labels.head == "exclusive":
            known, filled = _known(goals[:, :count])
            own = known[:, 0] * keras.ops.categorical_crossentropy(
                filled, logits[:, :count], from_logits=True
            )
        else:
            own = _mean_crossentropy(goals[:, :count], logits[:, :count])
        if not auxiliary or logits.shape[1] == count:
            return own
        return own + auxiliary * _mean_crossentropy(goals[:, count:], logits[:, count:])

    return loss


def _known(goals: keras.KerasTensor) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """1 where a goal is known and 0 where it is NaN; and the goals with 0 in place of NaN."""
    missing = keras.ops.isnan(goals)
    return keras.ops.cast(~missing, "float32"), keras.ops.where(missing, 0.0, goals)


def _mean_crossentropy(goals: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """Binary cross-entropy of each image, mean over the goals that are known."""
    known, filled = _known(goals)
    each = known * keras.ops.binary_crossentropy(filled, logits, from_logits=True)
    return keras.ops.sum(each, axis=-1) / keras.ops.maximum(keras.ops.sum(known, axis=-1), 1.0)
