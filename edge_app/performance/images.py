"""The pictures of a benchmark, and the facts that comparable results must share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edge_app.core.errors import ImageError, OutputError, UsageError
from edge_app.core.plain_text import printable
from edge_app.images.radiograph import Limits
from edge_app.images.read import read_image
from edge_app.pipeline.sources import STANDARD_INPUT, Sources

COUNT: Final = 4
SIDE: Final = 1024
NOISE: Final = 3
"""Noise in gray levels, so that a phantom takes as long to decode as a radiograph."""


@dataclass(frozen=True)
class ImageSet:
    """Files that all decode.

    Attributes:
        paths: of the files.
        facts: for JSON; `pixels_sha256` is over all decoded pictures in their order.
    """

    paths: tuple[str, ...]
    facts: dict[str, Any]


def gather(named: Sequence[str]) -> ImageSet:
    """The named files and those of the named folders, each decoded once.

    Raises:
        UsageError: there is no image.
        ImageError: an image cannot be read; an average without it would be of other images.
    """
    if STANDARD_INPUT in named:
        raise UsageError("a benchmark reads its images again and again: name files or folders")
    return _checked(list(Sources(named)), "named")


def draw(folder: Path) -> ImageSet:
    """Synthetic radiographs, 1024×1024, PNG, written into `folder`."""
    import numpy as np
    from PIL import Image

    from edge_app.images.phantom import synthetic_radiograph

    paths = []
    for seed in range(COUNT):
        picture = synthetic_radiograph(SIDE, seed=seed).astype(np.int16)
        generator = np.random.Generator(np.random.PCG64(seed))
        picture += generator.integers(-NOISE, NOISE, picture.shape, np.int16, endpoint=True)
        path = folder / f"{seed}.png"
        try:
            Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(path)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None
        paths.append(str(path))
    return _checked(paths, "synthetic")


def _checked(paths: list[str], source: str) -> ImageSet:
    if not paths:
        raise UsageError("no image was found in what was named: there is nothing to measure")
    pixels = hashlib.sha256()
    kinds: dict[str, int] = {}
    size = 0
    for path in paths:
        try:
            image = read_image(path, Limits())
        except ImageError as error:
            raise ImageError(
                f"{printable(path)}: {error}; a benchmark needs images that can all be read: "
                "take it out"
            ) from None
        height, width = image.pixels.shape
        kind = f"{width}x{height} {image.facts['format']}"
        kinds[kind] = kinds.get(kind, 0) + 1
        pixels.update(json.dumps([kind]).encode() + image.pixels.tobytes())
        size += Path(path).stat().st_size
    facts = {
        "source": source,
        "count": len(paths),
        "bytes": size,
        "kinds": kinds,
        "pixels_sha256": pixels.hexdigest(),
    }
    return ImageSet(tuple(paths), facts)
