"""What happens to a radiograph between two machines, done to the training images at random.

Geometry and contrast make few images more; resampling, JPEG and noise are what an operator's file
has been through, and make a network steady against them. Every random number is drawn from
(seed, step), so a run can be repeated and resumed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
import tensorflow as tf

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
        """Refuse what is no strength.

        Raises:
            ValueError: a value is negative, not finite, or a probability above 1.
        """
        for name, value in vars(self).items():
            limit = 1.0 if name in ("flip", "resample", "jpeg") else np.finfo(np.float32).max
            if not 0 <= value <= limit:
                raise ValueError(f"augmentation.{name} is 0 to {limit:.3g}, not {value}")


NONE = Augmentation(*([0.0] * 8))


def augment(images: tf.Tensor, strength: Augmentation, seed: tf.Tensor) -> tf.Tensor:
    """(N, H, W, 1) uint8 → the same shape and dtype, changed at random.

    Args:
        images: gray levels 0..255.
        strength: how much of what.
        seed: two int64; the same seed gives the same images.
    """
    # One independent stream a draw; the order below fixes which.
    streams = (tf.random.fold_in(seed, i) for i in count())
    size = tf.shape(images)[0]
    x = tf.cast(images, tf.float32)
    x = _geometry(x, strength, size, streams)
    if strength.gamma:
        exponent = tf.exp(_normal((size, 1, 1, 1), strength.gamma, next(streams)))
        x = 255.0 * tf.pow(tf.clip_by_value(x / 255.0, 0.0, 1.0), exponent)
    if strength.resample:
        side = images.shape[1]
        small = tf.image.resize(x, (side // 2, side // 2), antialias=True)
        chosen = _uniform((size, 1, 1, 1), next(streams)) < strength.resample
        x = tf.where(chosen, tf.image.resize(small, (side, side)), x)
    if strength.jpeg:
        x = _jpeg(x, strength.jpeg, size, streams)
    if strength.noise:
        sigma = strength.noise * _uniform((size, 1, 1, 1), next(streams))
        x += sigma * tf.random.stateless_normal(tf.shape(x), next(streams))
    return tf.cast(tf.round(tf.clip_by_value(x, 0.0, 255.0)), tf.uint8)


def normalise(images: tf.Tensor) -> tf.Tensor:
    """`preprocess.normalised` as a graph: uint8 → float32 [-1, 127/128], to the bit."""
    return (tf.cast(images, tf.float32) - float(MEAN)) / float(STD)


Shape = tuple[int | tf.Tensor, ...]
Seeds = Iterator[tf.Tensor]


def _uniform(shape: Shape, seed: tf.Tensor) -> tf.Tensor:
    return tf.random.stateless_uniform(shape, seed)


def _normal(shape: Shape, stddev: float, seed: tf.Tensor) -> tf.Tensor:
    return tf.random.stateless_truncated_normal(shape, seed, stddev=stddev)


def _geometry(x: tf.Tensor, strength: Augmentation, size: tf.Tensor, streams: Seeds) -> tf.Tensor:
    """One projective transform, so that the image is interpolated only once."""
    side = float(x.shape[1])
    shape = (size,)
    mirror = tf.where(_uniform(shape, next(streams)) < strength.flip, -1.0, 1.0)
    angle = _normal(shape, strength.rotate * np.pi / 180, next(streams))
    zoom = _normal(shape, strength.zoom, next(streams))
    stretch = _normal(shape, strength.zoom / 4, next(streams))
    shift_x = _normal(shape, strength.shift * side, next(streams))
    shift_y = _normal(shape, strength.shift * side, next(streams))
    scale_x, scale_y = tf.exp(zoom + stretch), tf.exp(zoom - stretch)
    cos, sin = tf.cos(angle), tf.sin(angle)
    # output (u, v) is read at (a u + b v + c, d u + e v + f), about the centre
    a, b = mirror * cos / scale_x, -mirror * sin / scale_x
    d, e = sin / scale_y, cos / scale_y
    centre = (side - 1) / 2
    c = centre - (a + b) * centre + shift_x
    f = centre - (d + e) * centre + shift_y
    zero = tf.zeros_like(a)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=x,
        transforms=tf.stack([a, b, c, d, e, f, zero, zero], axis=1),
        output_shape=tf.constant([x.shape[1], x.shape[2]]),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def _jpeg(x: tf.Tensor, probability: float, size: tf.Tensor, streams: Seeds) -> tf.Tensor:
    chosen = _uniform((size,), next(streams)) < probability
    quality = tf.random.stateless_uniform((size,), next(streams), 50, 96, tf.int32)

    def save(item: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> tf.Tensor:
        image, yes, level = item
        return tf.cond(yes, lambda: tf.image.adjust_jpeg_quality(image, level), lambda: image)

    unit = tf.clip_by_value(x / 255.0, 0.0, 1.0)
    return 255.0 * tf.map_fn(save, (unit, chosen, quality), fn_output_signature=tf.float32)
