"""Grayscale radiograph → input tensor: the same code for training and for the device.

Pillow's antialiased bilinear resampling works in integers and so gives the same bytes on every
machine. The networks trained here see the picture *stretched* to their square, as the NIH release
did when it made its 1024×1024 images; with their normalisation (x − 128) / 128 the int8 tensor is
`uint8 XOR 0x80` with scale 1/128 and zero point 0, so quantizing the input costs nothing. Any other
normalisation is a look-up of 256 entries a channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from edge_app.images.radiograph import Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from edge_app.model.manifest_types import Dtype, Input, Quantization

MEAN: Final = 128
STD: Final = 128
INPUT_SCALE: Final = 1 / STD
INPUT_ZERO_POINT: Final = 0
INT8: Final[Quantization] = {"scale": INPUT_SCALE, "zero_point": INPUT_ZERO_POINT}
"""The int8 input's quantization of the networks trained here."""

SIZES: Final = (28, 64, 128, 224)

STRETCH: Final = "stretch-bilinear"
PAD: Final = "pad-bilinear"
CROP: Final = "crop-bilinear"

OVERSAMPLING: Final = 4
"""A decoder may shrink a picture to this many times the network's size. That changes an input less
than another JPEG quality does; at twice the size it would change it more."""

Box = tuple[float, float, float, float]
"""Left, top, right and bottom."""

WHOLE: Final[Box] = (0.0, 0.0, 1.0, 1.0)


class InputSpec(NamedTuple):
    """A network's input.

    Attributes:
        height, width: in pixels.
        channels: 1, or 3 that all get the gray picture.
        resize: `STRETCH` changes the aspect ratio; `PAD` keeps it, with black borders on two sides;
            `CROP` keeps it and cuts off two sides.
        mean, std: in gray levels, one number or one a channel; the network gets (x − mean) / std.
    """

    height: int
    width: int
    channels: int = 1
    resize: str = STRETCH
    mean: float | tuple[float, ...] = MEAN
    std: float | tuple[float, ...] = STD

    @classmethod
    def square(cls, size: int) -> InputSpec:
        return cls(size, size)

    @classmethod
    def of(cls, stated: Input | Mapping[str, Any]) -> InputSpec:
        """The `input` of a manifest."""
        mean, std = (
            tuple(value) if isinstance(value, list) else value
            for value in (stated["mean"], stated["std"])
        )
        return cls(
            stated["height"], stated["width"], stated["channels"], stated["resize"], mean, std
        )

    @property
    def min_side(self) -> int:
        """The fewest pixels a side to which a decoder may shrink; see `read_image`."""
        return OVERSAMPLING * max(self.height, self.width)

    def as_dict(self) -> dict[str, Any]:
        return self._asdict()

    def seen(self, width: int, height: int) -> Box:
        """The part of a width×height picture that the network sees, as shares of its sides.

        `WHOLE` if the picture is stretched; larger if borders are added; smaller if it is cropped.
        """
        if self.resize == STRETCH:
            return WHOLE
        across, down = self.width / width, self.height / height
        scale = min(across, down) if self.resize == PAD else max(across, down)
        wide, high = across / scale, down / scale
        return (1 - wide) / 2, (1 - high) / 2, (1 + wide) / 2, (1 + high) / 2


def resize(gray: Picture, spec: InputSpec) -> NDArray[np.uint8]:
    """A picture of any size → height×width uint8; one of that size is returned as it is."""
    from PIL import Image

    if isinstance(gray, np.ndarray):
        if gray.shape == (spec.height, spec.width):
            return gray
        gray = Image.fromarray(gray)
    if gray.size == (spec.width, spec.height):
        return np.asarray(gray)
    if spec.resize == PAD:
        return np.asarray(_padded(gray, spec))
    box = _middle(gray, spec) if spec.resize == CROP else None
    return np.asarray(gray.resize((spec.width, spec.height), Image.Resampling.BILINEAR, box))


def _padded(gray: Image.Image, spec: InputSpec) -> Image.Image:
    """The whole picture in the middle of a black one of the network's size."""
    from PIL import Image

    wide, high = gray.width * spec.height, gray.height * spec.width
    width, height = spec.width, spec.height
    if wide > high:
        height = max(1, round(spec.width * gray.height / gray.width))
    elif wide < high:
        width = max(1, round(spec.height * gray.width / gray.height))
    if gray.size != (width, height):
        gray = gray.resize((width, height), Image.Resampling.BILINEAR)
    canvas = Image.new("L", (spec.width, spec.height))
    canvas.paste(gray, (round((spec.width - width) / 2), round((spec.height - height) / 2)))
    return canvas


def _middle(gray: Image.Image, spec: InputSpec) -> Box:
    """The largest part of a picture with the network's aspect ratio, in pixels."""
    left, top, right, bottom = spec.seen(*gray.size)
    right, bottom = min(right * gray.width, gray.width), min(bottom * gray.height, gray.height)
    return max(left * gray.width, 0), max(top * gray.height, 0), right, bottom


def quantized(resized: NDArray[np.uint8]) -> NDArray[np.int8]:
    """uint8 [0, 255] → int8 [-128, 127] of the same shape: scale 1/128, zero point 0."""
    return (resized ^ np.uint8(0x80)).view(np.int8)


def normalised(resized: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 [0, 255] → float32 [-1, 127/128] of the same shape; exactly `quantized` / 128."""
    return quantized(resized).astype(np.float32) * np.float32(INPUT_SCALE)


class ToTensor:
    """A gray picture → a network's input tensor.

    Args:
        spec: the network's input.
        quantization: scale and zero point of an integer input; None for real values.
        dtype: of the input; None for int8 with a quantization and float32 without.
    """

    def __init__(
        self, spec: InputSpec, quantization: Quantization | None, dtype: Dtype | None = None
    ) -> None:
        dtype = dtype or ("float32" if quantization is None else "int8")
        self.spec, self.integer = spec, dtype != "float32"
        plain = (spec.channels, spec.mean, spec.std) == (1, MEAN, STD)
        plain = plain and (dtype, quantization) in (("float32", None), ("int8", INT8))
        self._table = None if plain else lookup_table(spec, quantization, dtype)

    def __call__(self, gray: Picture) -> NDArray[Any]:
        """A picture → 1×height×width×channels, in the dtype of the input."""
        resized = resize(gray, self.spec)
        if self._table is not None:
            tensor: NDArray[Any] = self._table[resized][np.newaxis]
            return tensor
        values = quantized(resized) if self.integer else normalised(resized)
        return values[np.newaxis, :, :, np.newaxis]


def lookup_table(
    spec: InputSpec, quantization: Quantization | None, dtype: Dtype | None = None
) -> NDArray[Any]:
    """256×channels: the input value of each gray level.

    (x − mean) / std as float32; for integers divided by the scale, rounded to the nearest (ties to
    even), moved by the zero point and clipped to the dtype's range. Integers without a quantization
    are the rounded values.

    Args: see `ToTensor`.
    """
    dtype = dtype or ("float32" if quantization is None else "int8")
    shape = (256, spec.channels)
    grays = np.arange(256, dtype=np.float64)[:, np.newaxis]
    real = np.broadcast_to((grays - np.array(spec.mean)) / np.array(spec.std), shape)
    if dtype == "float32":
        return real.astype(np.float32)
    scale, zero_point = 1.0, 0
    if quantization is not None:
        scale, zero_point = quantization["scale"], quantization["zero_point"]
    held = np.iinfo(dtype)
    return np.clip(np.rint(real / scale) + zero_point, held.min, held.max).astype(dtype)
