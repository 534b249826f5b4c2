"""Grayscale radiograph → input tensor: the one code path of training and of the device.

The picture is *stretched* to the network's square, as the NIH release did when it made its
1024×1024 images; Pillow's antialiased bilinear resampling works in integers and so gives the same
bytes on every machine. The normalisation (x - 128) / 128 makes the int8 tensor `uint8 XOR 0x80`
with scale 1/128 and zero point 0, so quantizing the input costs nothing.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_app.images.radiograph import Picture

MEAN: Final = 128
STD: Final = 128
INPUT_SCALE: Final = 1 / STD
INPUT_ZERO_POINT: Final = 0
SIZES: Final = (28, 64, 128, 224)


OVERSAMPLING: Final = 4
"""A decoder may shrink a picture to so many times the network's size. What it averages there
changes an input by less than another JPEG quality does; at twice the size it would be more."""


class InputSpec(NamedTuple):
    """What a network wants to see: one gray channel, `height`×`width` pixels, square."""

    height: int
    width: int
    channels: int = 1
    resize: str = "stretch-bilinear"
    mean: int = MEAN
    std: int = STD

    @classmethod
    def square(cls, size: int) -> InputSpec:
        return cls(size, size)

    @property
    def least(self) -> int:
        """Pixels that each side must have where a decoder shrinks; see `read_image`."""
        return OVERSAMPLING * max(self.height, self.width)

    def as_dict(self) -> dict[str, Any]:
        return self._asdict()


def resize(gray: Picture, spec: InputSpec) -> NDArray[np.uint8]:
    """Stretch a picture of any size and aspect to `spec`; one of that size is untouched."""
    from PIL import Image

    size = (spec.width, spec.height)
    if isinstance(gray, np.ndarray):
        if gray.shape == (spec.height, spec.width):
            return gray
        gray = Image.fromarray(gray)
    if gray.size != size:
        gray = gray.resize(size, Image.Resampling.BILINEAR)
    return np.asarray(gray)


def quantized(resized: NDArray[np.uint8]) -> NDArray[np.int8]:
    """uint8 [0, 255] → int8 [-128, 127] of the same shape: scale 1/128, zero point 0."""
    return (resized ^ np.uint8(0x80)).view(np.int8)


def normalised(resized: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 [0, 255] → float32 [-1, 127/128] of the same shape; exactly `quantized` / 128."""
    return quantized(resized).astype(np.float32) * np.float32(INPUT_SCALE)


def to_tensor(
    gray: Picture, spec: InputSpec, *, integer: bool
) -> NDArray[np.int8] | NDArray[np.float32]:
    """A picture → 1×height×width×1, int8 where `integer`, otherwise float32."""
    resized = resize(gray, spec)
    values = quantized(resized) if integer else normalised(resized)
    return values[np.newaxis, :, :, np.newaxis]
