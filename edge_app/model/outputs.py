"""A network's stored outputs → logits and maps."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_app.model.manifest_types import Activation, Manifest, Quantization


def real(
    manifest: Manifest, output: Literal["logits", "map"]
) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
    """A function from an output's stored numbers, (…, L), to logits, float32 of the same shape.

    Raises:
        KeyError: there is no such output.
    """
    stated, spans = manifest["outputs"][output]["quantization"], manifest.get("spans")
    activation = manifest["outputs"]["logits"].get("activation")
    if activation is not None:
        return partial(undone, quantization=stated, activation=activation)
    if spans is None:
        return partial(dequantize, quantization=stated)
    slope = np.array(spans["slope"], np.float32)
    intercept = np.array(spans["intercept"], np.float32)
    return partial(_spread, quantization=stated, slope=slope, intercept=intercept)


def _spread(
    values: NDArray[Any],
    quantization: Quantization | None,
    slope: NDArray[np.float32],
    intercept: NDArray[np.float32],
) -> NDArray[np.float32]:
    return dequantize(values, quantization) * slope + intercept


def pooled(manifest: Manifest) -> Callable[[NDArray[np.float32]], NDArray[np.float32]] | None:
    """A function from a map of logits, (…, h, w, L), to logits, (…, L); None if not needed.

    log(mean(exp(r · cell))) / r lies between the mean, at a small r, and the maximum, at a large
    one; with r = 1 the cells' odds are averaged. (Pinheiro & Collobert, CVPR 2015; Wang et al.,
    ChestX-ray8, CVPR 2017.) int8 holds no exponential function, so it is computed here, in float64.
    """
    stated = manifest.get("pooling")
    if stated is None:
        return None
    return partial(_log_sum_exp, r=stated["r"])


def _log_sum_exp(cells: NDArray[np.float32], r: float) -> NDArray[np.float32]:
    scaled = r * cells.astype(np.float64)
    highest = scaled.max(axis=(-3, -2), keepdims=True)
    mean = np.exp(scaled - highest).mean(axis=(-3, -2))
    return ((np.log(mean) + highest[..., 0, 0, :]) / r).astype(np.float32)


SMALLEST: Final = 1e-30
"""The smallest probability with full precision in float32."""
ROUNDED: Final = 1e-3
"""How far beyond 0 and 1 a float32 probability may be by rounding."""
BELOW_ONE: Final = 2.0**-24
"""The distance between 1 and the next smaller float32."""


def undone(
    values: NDArray[Any], quantization: Quantization | None, activation: Activation
) -> NDArray[np.float32]:
    """Stored probabilities (…, L) → the logits before the activation at the graph's end.

    A softmax determines them up to a constant. A probability stored as 0 or 1 is moved by half a
    step, or to the nearest float32, so that every logit is finite. Values far outside 0..1 become
    NaN.
    """
    real = dequantize(values, quantization).astype(np.float64)
    step = quantization["scale"] if quantization else ROUNDED
    inside = (real >= -step) & (real <= 1 + step)
    low, high = (step / 2, 1 - step / 2) if quantization else (SMALLEST, 1 - BELOW_ONE)
    share = np.clip(np.where(inside, real, np.nan), low, high)
    logits = np.log(share)
    if activation == "sigmoid":
        logits = logits - np.log1p(-share)
    return logits.astype(np.float32)


def dequantize(values: NDArray[Any], quantization: Quantization | None) -> NDArray[np.float32]:
    """Stored integers → real values, scale · (stored - zero point); float32 passes."""
    if quantization is None:
        return values.astype(np.float32, copy=False)
    offset = values.astype(np.float32) - np.float32(quantization["zero_point"])
    return offset * np.float32(quantization["scale"])
