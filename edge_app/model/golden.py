"""The golden vectors: what a machine has to compute to be trusted with a model."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray


class Golden(NamedTuple):
    """K input tensors and what the reference run answered, in the model's own dtypes.

    Attributes:
        inputs: K×height×width×channels.
        logits: K×L, of the model's L labels.
        maps: K×h×w×L; None where the model has no map.
    """

    inputs: NDArray[Any]
    logits: NDArray[Any]
    maps: NDArray[Any] | None
