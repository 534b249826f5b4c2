"""Small changes that a picture goes through on its way to a device: how steady is a model?

A model whose answer changes after one of these answers by chance, so they are the yardstick for
what quantization may change. They act on a picture as the network gets it, and depend on the
picture's name alone: order, batches and interruptions do not matter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def noise(picture: Picture, generator: np.random.Generator) -> Picture:
    """Each pixel one gray level down, the same or up."""
    steps = generator.integers(-1, 2, picture.shape)
    return np.clip(picture.astype(np.int16) + steps, 0, 255).astype(np.uint8)


def jpeg90(picture: Picture, generator: np.random.Generator) -> Picture:
    """Saved as JPEG of quality 90 and read again."""
    from PIL import Image

    file = BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=90)
    return np.asarray(Image.open(file))


def shift(picture: Picture, generator: np.random.Generator) -> Picture:
    """One pixel to the right; the first column is repeated."""
    return np.concatenate([picture[:, :1], picture[:, :-1]], axis=1)


def zoom(picture: Picture, generator: np.random.Generator) -> Picture:
    """The middle 97 % of each side, enlarged to the whole."""
    from PIL import Image

    height, width = picture.shape
    margin = 0.015
    box = (margin * width, margin * height, (1 - margin) * width, (1 - margin) * height)
    return np.asarray(
        Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR, box=box)
    )


PERTURBATIONS: Final[dict[str, Callable[[Picture, np.random.Generator], Picture]]] = {
    "noise": noise,
    "jpeg90": jpeg90,
    "shift": shift,
    "zoom": zoom,
}

WORDS: Final = {
    "noise": "noise of one gray level",
    "jpeg90": "JPEG quality 90",
    "shift": "shift by one pixel",
    "zoom": "zoom by 3 %",
}
"""The perturbations as people read them."""


def perturbed(picture: Picture, key: str, image: str) -> Picture:
    """A changed copy of `picture`.

    Args:
        picture: H×W, uint8, as `preprocess.resize` gives it.
        key: one of `PERTURBATIONS`.
        image: the picture's name, which together with `key` seeds what is random.
    """
    seed = hashlib.sha256(f"{key} {image}".encode()).digest()
    generator = np.random.Generator(np.random.PCG64(int.from_bytes(seed, "big")))
    return PERTURBATIONS[key](picture, generator)
