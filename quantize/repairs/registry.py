"""What can be done to a folded network before the converter rounds it, by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import keras
import numpy as np
from numpy.typing import NDArray

from edge_app.model.preprocess import normalised
from quantize.repairs.equalise import equalised, stem_equalised
from quantize.repairs.rounding import IMAGES, PASSES, round_weights
from quantize.repairs.spare_channels import spares_used

Repair = Callable[[keras.Model, NDArray[np.float32]], keras.Model]
"""A folded network and K×size×size×1 training images → a network of (nearly) the same answers."""


def as_input(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """K×size×size pictures → K×size×size×1, as a network takes them."""
    return normalised(images)[..., np.newaxis]


def _unrepaired(folded: keras.Model, images: NDArray[np.float32]) -> keras.Model:
    return folded


def _rounded(folded: keras.Model, images: NDArray[np.float32], passes: int = PASSES) -> keras.Model:
    return round_weights(folded, images[:IMAGES], passes)


def _equalised_and_rounded(folded: keras.Model, images: NDArray[np.float32]) -> keras.Model:
    return _rounded(equalised(folded, images[:IMAGES]), images)


def _all_but_spares(folded: keras.Model, images: NDArray[np.float32]) -> keras.Model:
    return _equalised_and_rounded(stem_equalised(folded, images), images)


def _all_of_it(folded: keras.Model, images: NDArray[np.float32]) -> keras.Model:
    begun = spares_used(stem_equalised(folded, images), images[:IMAGES])
    return _equalised_and_rounded(begun, images)


SHIPPED: Final = "both equalisations, spare channels and least squares"

REPAIRS: Final[dict[str, Repair]] = {
    "none": _unrepaired,
    "bias correction": partial(_rounded, passes=0),
    "equalisation": equalised,
    "least squares": _rounded,
    "equalisation and least squares": _equalised_and_rounded,
    "both equalisations and least squares": _all_but_spares,
    SHIPPED: _all_of_it,
}
"""What can be done to a folded network before the converter rounds it, by name."""

repaired: Final = REPAIRS[SHIPPED]
"""What is done to the models that ship."""
