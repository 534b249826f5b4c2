"""What a network's stored outputs mean."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from edge_app.model.manifest_types import Manifest, Quantization


def real(
    manifest: Manifest, output: Literal["logits", "map"]
) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
    """What an output's stored numbers, (…, L), mean: logits, float32 of the same shape.

    Raises:
        KeyError: there is no such output.
    """
    stated, spans = manifest["outputs"][output]["quantization"], manifest.get("spans")
    if spans is None:
        return partial(dequantize, quantization=stated)
    slope = np.array(spans["slope"], np.float32)
    intercept = np.array(spans["intercept"], np.float32)
    return lambda values: dequantize(values, stated) * slope + intercept


def dequantize(values: NDArray[Any], quantization: Quantization | None) -> NDArray[np.float32]:
    """Stored integers → real values, scale · (stored - zero point); float32 passes."""
    if quantization is None:
        return values.astype(np.float32, copy=False)
    offset = values.astype(np.float32) - np.float32(quantization["zero_point"])
    return offset * np.float32(quantization["scale"])
