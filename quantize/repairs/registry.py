"""The repairs of a folded network before the converter rounds it, by name.

A repair is one function in one file, and one line of `REPAIRS`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import keras
import numpy as np
from numpy.typing import NDArray

from edge_app.model.preprocess import InputSpec, lookup_table, normalised
from quantize.repairs.equalise import equalised, stem_equalised
from quantize.repairs.rounding import IMAGES, round_weights
from quantize.repairs.spare_channels import use_spare_channels

Repair = Callable[[keras.Model, NDArray[np.float32]], keras.Model]
"""A folded network and K×size×size×1 training images → a network with (nearly) the same outputs."""


def as_input(images: NDArray[np.uint8], spec: InputSpec | None = None) -> NDArray[np.float32]:
    """K×height×width pictures → K×height×width×channels, as a network takes them.

    Args:
        images: at its size.
        spec: what it sees; None for the normalisation of the networks trained here.
    """
    if spec is None:
        return normalised(images)[..., np.newaxis]
    return np.asarray(lookup_table(spec, None)[images], np.float32)


def _in_turn(*steps: Repair) -> Repair:
    """Several repairs, one after the other, as one."""

    def repair(folded: keras.Model, images: NDArray[np.float32]) -> keras.Model:
        for step in steps:
            folded = step(folded, images)
        return folded

    return repair


def _on_few(repair: Repair) -> Repair:
    """A repair with the first `IMAGES` images: more change little and take memory."""
    return lambda folded, images: repair(folded, images[:IMAGES])


rounded: Final = _on_few(round_weights)
_equalised_and_rounded: Final = _in_turn(_on_few(equalised), rounded)

scaled: Final = _in_turn(stem_equalised, _on_few(use_spare_channels), _on_few(equalised))
"""The repairs of the shipped models but for the last, which puts the weights onto int8's grid."""

SHIPPED: Final = "both equalisations, spare channels and least squares"

REPAIRS: Final[dict[str, Repair]] = {
    "none": _in_turn(),
    "bias correction": _on_few(partial(round_weights, passes=0)),
    "equalisation": equalised,
    "least squares": rounded,
    "equalisation and least squares": _equalised_and_rounded,
    "both equalisations and least squares": _in_turn(stem_equalised, _equalised_and_rounded),
    SHIPPED: _in_turn(scaled, rounded),
}

repaired: Final = REPAIRS[SHIPPED]
"""The repair of the shipped models."""
