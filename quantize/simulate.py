"""int8 simulated in float arithmetic with a switch for each rounding, to locate its error."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from quantize.int8_grid import in_256_steps, nearest_kernel
from quantize.repairs.fold import Conv, stored

BATCH: Final = 64


class Rounded(layers.Layer):
    """A layer that applies `in_256_steps`, once its range is set and it is switched on."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.low, self.high, self.on = (
            self.add_weight(name=name, shape=(), initializer="zeros", trainable=False)
            for name in ("low", "high", "on")
        )

    def call(self, x: Any) -> Any:
        return ops.where(self.on > 0, in_256_steps(x, self.low, self.high), x)


class Simulation:
    """A folded network in which any choice of kernels and activations is rounded.

    Args:
        folded: see `fold.fold`.
        calibration: K×size×size×1 in [-1, 127/128], for the activations' ranges.

    Attributes:
        kernels, activations: names of the layers whose kernels and outputs can be rounded.
    """

    def __init__(self, folded: keras.Model, calibration: NDArray[np.float32]) -> None:
        chosen = stored(folded)
        self._exact = {x.name: x.get_weights() for x in folded.layers if isinstance(x, Conv)}
        self._tensors = {x.name: Rounded() for x in folded.layers if x.name in chosen}

        def call(layer: layers.Layer, *args: Any, **kwargs: Any) -> Any:
            x = layer(*args, **kwargs)
            return self._tensors[layer.name](x) if layer.name in self._tensors else x

        self._model = keras.models.clone_model(folded, call_function=call)
        for layer in folded.layers:
            self._model.get_layer(layer.name).set_weights(layer.get_weights())
        self.kernels, self.activations = list(self._exact), list(self._tensors)
        for name, (low, high) in ranges(folded, self.activations, calibration).items():
            self._tensors[name].low.assign(low)
            self._tensors[name].high.assign(high)

    def range_of(self, activation: str) -> tuple[float, float]:
        """Lowest and highest value on the calibration images, zero included."""
        tensor = self._tensors[activation]
        return float(tensor.low), float(tensor.high)

    def logits(
        self,
        images: NDArray[np.float32],
        kernels: Collection[str] = (),
        activations: Collection[str] = (),
    ) -> NDArray[np.float32]:
        """M×L, with these kernels and activations rounded."""
        for name, (kernel, *bias) in self._exact.items():
            conv = self._model.get_layer(name)
            held = nearest_kernel(conv, kernel) if name in kernels else kernel
            conv.set_weights([held, *bias])
        for name, tensor in self._tensors.items():
            tensor.on.assign(float(name in activations))
        return np.concatenate([self._model.predict_on_batch(x)[0] for x in batches(images)])


def ranges(
    folded: keras.Model, names: Collection[str], images: NDArray[np.float32]
) -> dict[str, tuple[float, float]]:
    """Lowest and highest output of some layers over images, zero included."""
    watched = keras.Model(folded.input, [folded.get_layer(name).output for name in names])
    found = dict.fromkeys(names, (0.0, 0.0))
    for batch in batches(images):
        for name, value in zip(names, watched.predict_on_batch(batch), strict=True):
            low, high = found[name]
            found[name] = min(low, float(value.min())), max(high, float(value.max()))
    return found


def batches(images: NDArray[Any]) -> list[NDArray[Any]]:
    return [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
