"""int8's grid: kernels by output channel, tensors in 256 steps.

As in the converter, weights are symmetric per output channel and activations asymmetric per tensor
(Jacob et al., CVPR 2018).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from quantize.repairs.fold import Conv

LEVELS: Final = 127
"""Weights are -127 to 127 steps; a channel's largest weight is at one of the ends."""


def as_matrix(conv: Conv, kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """A kernel as groups×taps×outputs, with one group, or one a channel if it is depthwise."""
    if isinstance(conv, layers.DepthwiseConv2D):
        return kernel.reshape(-1, kernel.shape[2]).T[:, :, np.newaxis]
    return kernel.reshape(1, -1, kernel.shape[3])


def as_kernel(
    conv: Conv, matrix: NDArray[np.floating], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """`as_matrix`, undone."""
    if isinstance(conv, layers.DepthwiseConv2D):
        matrix = matrix[:, :, 0].T
    return matrix.reshape(shape).astype(np.float32)


def steps(matrix: NDArray[Any]) -> NDArray[Any]:
    """groups×taps×outputs weights → groups×1×outputs, the step of each output; 1 if all are 0."""
    largest = np.abs(matrix).max(axis=1, keepdims=True)
    return np.where(largest > 0, largest / LEVELS, 1.0)


def nearest_kernel(conv: Conv, kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """The kernel rounded to the nearest steps, as in plain conversion."""
    matrix = as_matrix(conv, kernel)
    step = steps(matrix)
    return as_kernel(conv, np.rint(matrix / step) * step, kernel.shape)


def in_256_steps(x: Any, low: Any, high: Any) -> Any:
    """A tensor in int8's 256 steps from `low` (≤ 0) to `high` (≥ 0); 0 is one of them."""
    step = ops.maximum((high - low) / 255, 1e-12)
    zero = ops.round(-low / step)
    return (ops.clip(ops.round(x / step) + zero, 0, 255) - zero) * step
