"""Weights rounded to int8 so that each layer's outputs change as little as possible.

Rounding each weight to the nearest step is best only for independent inputs. Here the layers are
rounded in order of execution: each gets the outputs of the rounded layers before it, and its
integers are chosen so that its outputs on training images are closest to the float network's
(layerwise reconstruction: Nagel et al., AdaRound, ICML 2020; by coordinate descent as in Behdin et
al., QuantEase, 2023). The bias takes up the mean error that is left (Nagel et al., ICCV 2019).

The result is a float network whose weights lie on the grid that the converter rounds to.
"""

from __future__ import annotations

from typing import Any, Final

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from quantize.int8_grid import LEVELS, as_kernel, as_matrix, in_256_steps, steps
from quantize.repairs.fold import Conv, after, before, is_plain, stored

Floats = NDArray[np.float64]

POSITIONS: Final = 32768
"""About how many output positions of a layer its weights are fitted to."""
RIDGE: Final = 1e-2
"""Ridge: share of the inputs' mean power added to each tap's, so that weights that few images do
not determine stay as they are."""
PASSES: Final = 5
IMAGES: Final = 128


def round_weights(
    folded: keras.Model, images: NDArray[np.float32], passes: int = PASSES
) -> keras.Model:
    """A copy of a folded network with its kernels on the int8 grid and its biases adjusted.

    Args:
        folded: see `fold.fold`.
        images: K×size×size×1 in [-1, 127/128]; `IMAGES` of them are enough. Layer outputs for all
            of them are held in memory while they are needed.
        passes: see `least_squares_rounding`; with none, only the biases are corrected.
    """
    rounded = keras.models.clone_model(folded)
    rounded.set_weights(folded.get_weights())
    on_grid = stored(folded)
    waiting = {layer.name: len(after(folded, layer)) for layer in folded.layers}
    exact: dict[str, NDArray[np.float32]] = {}
    inexact: dict[str, NDArray[np.float32]] = {}
    for layer in folded.layers:
        if isinstance(layer, layers.InputLayer):
            exact[layer.name] = inexact[layer.name] = images
            continue
        names = [source.name for source in before(layer)]
        copy = rounded.get_layer(layer.name)
        if is_plain(layer):
            _round_layer(layer, copy, exact[names[0]], inexact[names[0]], passes)
        exact[layer.name] = _outputs(layer, [exact[name] for name in names])
        inexact[layer.name] = _outputs(copy, [inexact[name] for name in names])
        if layer.name in on_grid:
            x = inexact[layer.name]
            held = in_256_steps(x, min(float(x.min()), 0.0), max(float(x.max()), 0.0))
            inexact[layer.name] = np.asarray(held, np.float32)
        for name in names:
            waiting[name] -= 1
            if not waiting[name]:
                del exact[name], inexact[name]
    return rounded


def _outputs(layer: layers.Layer, inputs: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.asarray(layer(inputs if len(inputs) > 1 else inputs[0]))


def _round_layer(
    conv: Conv, copy: Conv, exact: NDArray[np.float32], inexact: NDArray[np.float32], passes: int
) -> None:
    """Set `copy` so that its outputs on `inexact` are nearest to those of `conv` on `exact`."""
    kernel, *bias = conv.get_weights()
    matrix = as_matrix(conv, kernel).astype(np.float64)
    count = max(1, POSITIONS // int(np.prod(conv.output.shape[1:3])))
    seen, exact_windows = windows(conv, inexact[:count]), windows(conv, exact[:count])
    mean, goal = (
        seen.mean(axis=1, keepdims=True),
        exact_windows.mean(axis=1, keepdims=True) @ matrix,
    )
    seen = seen - mean
    gram = (seen.transpose(0, 2, 1) @ seen).astype(np.float64) / seen.shape[1]
    power = np.einsum("gtt->gt", gram)
    power += RIDGE * power.mean(axis=1, keepdims=True) + 1e-12
    integers, step = least_squares_rounding(matrix, gram, passes)
    matrix = integers * step
    weights = [as_kernel(conv, matrix, kernel.shape)]
    if bias:
        shift = (goal - mean @ matrix).reshape(-1)
        weights.append((bias[0] + shift).astype(np.float32))
    copy.set_weights(weights)


def windows(conv: Conv, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The inputs of each output of a convolution: groups×rows×taps, rows = images × positions.

    See `int8_grid.as_matrix`.
    """
    (high, wide), (down, across) = conv.kernel_size, conv.strides
    margins, reaches = [(0, 0)], []
    for length, side, stride in zip(x.shape[1:3], (high, wide), (down, across), strict=True):
        out = -(-length // stride) if conv.padding == "same" else (length - side) // stride + 1
        total = max((out - 1) * stride + side - length, 0)
        margins.append((total // 2, total - total // 2))
        reaches.append((out - 1) * stride + 1)
    padded = np.pad(x, (*margins, (0, 0)))
    taps = [
        padded[:, i : i + reaches[0] : down, j : j + reaches[1] : across]
        for i in range(high)
        for j in range(wide)
    ]
    stacked = np.stack(taps, axis=-2).reshape(-1, high * wide, x.shape[3])  # rows, taps, channels
    if isinstance(conv, layers.DepthwiseConv2D):
        return np.ascontiguousarray(np.moveaxis(stacked, 2, 0))
    return stacked.reshape(1, len(stacked), -1)


def least_squares_rounding(
    weights: Floats, gram: Floats, passes: int = PASSES
) -> tuple[Floats, Floats]:
    """Integers and steps whose product gives nearly the same outputs as `weights`.

    Coordinate descent on (q − w)ᵀ gram (q − w), from the nearest integers; never worse than they
    are. The largest weight of each output stays as it is, so that the converter finds the step.

    Args:
        weights: groups×taps×outputs.
        gram: groups×taps×taps, of the inputs; its diagonal is positive.
        passes: over the taps; none leaves the nearest integers.

    Returns:
        groups×taps×outputs integers within ±127, and groups×1×outputs steps.
    """
    step = steps(weights)
    q = np.rint(weights / step)
    peak = np.abs(weights) == np.abs(weights).max(axis=1, keepdims=True)
    slope = np.ascontiguousarray((gram @ (q * step - weights)).transpose(0, 2, 1))
    columns = np.ascontiguousarray(gram.transpose(0, 2, 1))
    for _ in range(passes):
        for tap in range(weights.shape[1]):
            better = np.rint(q[:, tap] - slope[..., tap] / gram[:, tap, tap, None] / step[:, 0])
            better = np.where(peak[:, tap], q[:, tap], np.clip(better, -LEVELS, LEVELS))
            change: Any = (better - q[:, tap]) * step[:, 0]
            q[:, tap] = better
            moved = np.nonzero(change)  # few are, after the first pass
            slope[moved] += change[moved][:, None] * columns[moved[0], tap]
    return q, step
