"""Random changes of training images: geometry, contrast, resampling, JPEG and noise.

Geometry and contrast make more of few images; resampling, JPEG and noise happen to files on their
way to a clinic's device, and the network learns to ignore them. Random numbers come from numpy by
(seed, step), so a run can be repeated and resumed; pixels are computed by `keras.ops`, so on a GPU
they take a fraction of a training step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from edge_app.model.preprocess import MEAN, STD


@dataclass(frozen=True)
class Augmentation:
    """Strengths; 0 switches a step off.

    Attributes:
        flip: probability of a left-right mirror image.
        rotate: standard deviation in degrees.
        zoom: standard deviation of the log of the scale, drawn for x and y apart by a quarter.
        shift: standard deviation as a share of the side.
        gamma: standard deviation of the log of the exponent.
        resample: probability of a reduction to half the side and back.
        jpeg: probability of being saved as JPEG, quality 50 to 95.
        noise: largest standard deviation of Gaussian noise, in gray levels.
    """

    flip: float = 0.5
    rotate: float = 4.0
    zoom: float = 0.08
    shift: float = 0.03
    gamma: float = 0.15
    resample: float = 0.25
    jpeg: float = 0.4
    noise: float = 4.0

    def __post_init__(self) -> None:
        """Refuse impossible strengths.

        Raises:
            ValueError: a value is negative, not finite, or a probability above 1.
        """
        for name, value in vars(self).items():
            limit = 1.0 if name in ("flip", "resample", "jpeg") else np.finfo(np.float32).max
            if not 0 <= value <= limit:
                raise ValueError(f"augmentation.{name} is 0 to {limit:.3g}, not {value}")


NONE = Augmentation(*([0.0] * 8))

Draws = dict[str, NDArray[Any]]
"""The random numbers for N images; a step that is off has no entry.

`transform` N×8, see `keras.ops.image.affine_transform`; `exponent`, `sigma` N×1×1×1 float32;
`resampled`, `saved` N×1×1×1 bool; `steps` N×1×1×8×8 float32, JPEG's quantization table of each
image; `noise` 2 uint32, the seed of what is drawn for each pixel.
"""


OF_THE_BATCH: Final = ("noise",)
"""The draws that all images of a batch share."""


def draw(strength: Augmentation, count: int, side: int, rng: np.random.Generator) -> Draws:
    """Draw what will be done to `count` square images of this `side`."""
    each = (count, 1, 1, 1)
    drawn: Draws = {"transform": _transforms(strength, count, side, rng)}
    if strength.gamma:
        drawn["exponent"] = np.exp(_normal(rng, each, strength.gamma)).astype(np.float32)
    if strength.resample:
        drawn["resampled"] = rng.random(each) < strength.resample
    if strength.jpeg:
        drawn["saved"] = rng.random(each) < strength.jpeg
        tables = np.stack([jpeg_table(quality) for quality in rng.integers(50, 96, count)])
        drawn["steps"] = tables[:, np.newaxis, np.newaxis]
    if strength.noise:
        drawn["sigma"] = (strength.noise * rng.random(each)).astype(np.float32)
        drawn["noise"] = rng.integers(0, 2**31, 2).astype(np.uint32)
    return drawn


def augment(images: keras.KerasTensor, drawn: Draws) -> keras.KerasTensor:
    """(N, side, side, 1) gray levels 0..255 → whole ones in float32, changed as `drawn`."""
    side = int(images.shape[1])
    x = ops.cast(images, "float32")
    x = ops.image.affine_transform(
        x, drawn["transform"], "bilinear", fill_mode="constant", data_format=LAST
    )
    if "exponent" in drawn:
        x = 255.0 * ops.power(ops.clip(x / 255.0, 0.0, 1.0), drawn["exponent"])
    if "resampled" in drawn:
        small = ops.image.resize(x, (side // 2, side // 2), antialias=True, data_format=LAST)
        restored = ops.image.resize(small, (side, side), data_format=LAST)
        x = ops.where(drawn["resampled"], restored, x)
    if "saved" in drawn:
        x = ops.where(drawn["saved"], saved_as_jpeg(x, drawn["steps"]), x)
    if "noise" in drawn:
        normal = keras.random.normal(ops.shape(x), seed=_Seed(drawn["noise"]))
        x = x + drawn["sigma"] * normal
    return gray_levels(x)


LAST: Final = "channels_last"


def gray_levels(x: keras.KerasTensor) -> keras.KerasTensor:
    """The nearest whole numbers in 0..255."""
    return ops.round(ops.clip(x, 0.0, 255.0))


def normalise(images: keras.KerasTensor) -> keras.KerasTensor:
    """`preprocess.normalised` as operations: gray levels → float32 [-1, 127/128], to the bit."""
    return (ops.cast(images, "float32") - float(MEAN)) / float(STD)


class _Seed(keras.random.SeedGenerator):
    """A seed that is an argument of a traced function, where Keras' own is a variable or fixed."""

    def __init__(self, value: keras.KerasTensor) -> None:
        self.value = value

    def next(self, ordered: bool = True) -> keras.KerasTensor:
        return ops.convert_to_tensor(self.value)


def _normal(
    rng: np.random.Generator, shape: int | tuple[int, ...], stddev: float
) -> NDArray[np.float64]:
    """Normal numbers cut off at two standard deviations."""
    return stddev * ndtri(rng.uniform(ndtr(-2.0), ndtr(2.0), shape))


def _transforms(
    strength: Augmentation, count: int, side: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """All geometry of an image as one transform, so that it is interpolated only once."""
    mirror = np.where(rng.random(count) < strength.flip, -1.0, 1.0)
    angle = _normal(rng, count, strength.rotate * np.pi / 180)
    zoom = _normal(rng, count, strength.zoom)
    stretch = _normal(rng, count, strength.zoom / 4)
    shift_x = _normal(rng, count, strength.shift * side)
    shift_y = _normal(rng, count, strength.shift * side)
    scale_x, scale_y = np.exp(zoom + stretch), np.exp(zoom - stretch)
    cos, sin = np.cos(angle), np.sin(angle)
    # output (u, v) is read at (a u + b v + c, d u + e v + f), about the centre
    a, b = mirror * cos / scale_x, -mirror * sin / scale_x
    d, e = sin / scale_y, cos / scale_y
    centre = (side - 1) / 2
    c = centre - (a + b) * centre + shift_x
    f = centre - (d + e) * centre + shift_y
    zero = np.zeros(count)
    return np.stack([a, b, c, d, e, f, zero, zero], axis=1).astype(np.float32)


# --- JPEG -----------------------------------------------------------------------------------

# ITU-T T.81 (1992), table K.1: luminance quantization; its scaling by quality is libjpeg's.
LUMINANCE: Final = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
BLOCK: Final = 8


def jpeg_table(quality: int) -> NDArray[np.float32]:
    """libjpeg's 8×8 quantization table of gray images at a quality of 1 to 100."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((LUMINANCE * scale + 50) // 100, 1, 255).astype(np.float32)


def _dct() -> NDArray[np.float32]:
    """The orthonormal 8×8 matrix of the discrete cosine transform (T.81, A.3.3)."""
    frequency, place = np.arange(BLOCK)[:, np.newaxis], np.arange(BLOCK)
    matrix = np.cos((2 * place + 1) * frequency * np.pi / (2 * BLOCK)) / 2
    matrix[0] /= np.sqrt(2)
    return matrix.astype(np.float32)


DCT: Final = _dct()


def saved_as_jpeg(x: keras.KerasTensor, steps: keras.KerasTensor) -> keras.KerasTensor:
    """Images as JPEG returns them: its only loss is the rounding of 8×8 blocks' cosines.

    Args:
        x: (N, side, side, 1), gray levels.
        steps: (N, 1, 1, 8, 8), the quantization tables.
    """
    side = int(x.shape[1])
    blocks = -(-side // BLOCK)
    x = gray_levels(x) - 128.0
    if side % BLOCK:  # the last row and column again and again, as libjpeg does
        places = np.minimum(np.arange(blocks * BLOCK), side - 1)
        x = ops.take(ops.take(x, places, axis=1), places, axis=2)
    x = ops.reshape(x, (-1, blocks, BLOCK, blocks, BLOCK))
    x = ops.transpose(x, (0, 1, 3, 2, 4))
    cosines = ops.matmul(ops.matmul(DCT, x), DCT.T)
    cosines = ops.round(cosines / steps) * steps
    x = ops.matmul(ops.matmul(DCT.T, cosines), DCT)
    x = ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4)), (-1, blocks * BLOCK, blocks * BLOCK, 1))
    return gray_levels(x[:, :side, :side] + 128.0)
