"""How many decisions survive what an operator's file goes through on its way to the device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_app.calibration import calibrated
from train.cache import Cached
from train.calibrate import DEFAULT_POINT
from train.predict import logits_only, predict
from train.run import FinishedRun

Picture = NDArray[np.uint8]


def noise(picture: Picture, generator: np.random.Generator) -> Picture:
    """Each pixel one gray level down, the same or up."""
    steps = generator.integers(-1, 2, picture.shape)
    return np.clip(picture.astype(np.int16) + steps, 0, 255).astype(np.uint8)


def jpeg90(picture: Picture, generator: np.random.Generator) -> Picture:
    """Saved as JPEG of quality 90 and read again."""
    file = BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=90)
    return np.asarray(Image.open(file))


def shift(picture: Picture, generator: np.random.Generator) -> Picture:
    """One pixel to the right; the first column is repeated."""
    return np.concatenate([picture[:, :1], picture[:, :-1]], axis=1)


def zoom(picture: Picture, generator: np.random.Generator) -> Picture:
    """The middle 97 % of each side, enlarged to the whole."""
    height, width = picture.shape
    margin = 0.015
    box = (margin * width, margin * height, (1 - margin) * width, (1 - margin) * height)
    return np.asarray(
        Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR, box=box)
    )


PERTURBATIONS: Final[dict[str, Callable[[Picture, np.random.Generator], Picture]]] = {
    "noise of one gray level": noise,
    "JPEG quality 90": jpeg90,
    "shift by one pixel": shift,
    "zoom by 3 %": zoom,
}


def perturbed(images: NDArray[np.uint8], name: str, seed: int = 0) -> NDArray[np.uint8]:
    """K×H×W uint8, each picture changed by the named perturbation."""
    generator = np.random.Generator(np.random.PCG64(seed))
    return np.stack([PERTURBATIONS[name](picture, generator) for picture in images])


def decisions_kept(
    reference: NDArray[np.float32],
    candidate: NDArray[np.float32],
    calibration: dict[str, Any],
    thresholds: list[float | None],
) -> dict[str, float]:
    """Agreement of two sets of logits (M×15) over the labels that have a threshold.

    Returns:
        `same`, the share of equal yes/no decisions, and `rms`, of the logits' difference.
    """
    known = np.array([threshold is not None for threshold in thresholds])
    limits = np.array([threshold for threshold in thresholds if threshold is not None])
    decisions = [calibrated(x, calibration)[:, known] >= limits for x in (reference, candidate)]
    difference = (reference - candidate)[:, known].astype(np.float64)
    return {
        "same": float((decisions[0] == decisions[1]).mean()),
        "rms": float(np.sqrt((difference**2).mean())),
    }


def robustness(run: FinishedRun, cached: Cached) -> dict[str, dict[str, float]]:
    """`decisions_kept` of the float network against itself, by perturbation.

    Measured at the default operating point, on pictures as the network gets them.
    """
    model = logits_only(run.model)
    thresholds = run.operating_points[DEFAULT_POINT]["thresholds"]
    reference = predict(model, cached)
    kept = {}
    for name in PERTURBATIONS:
        images = perturbed(cached.images[cached.rows], name)
        changed = replace(cached, images=images, rows=np.arange(len(images)))
        kept[name] = decisions_kept(reference, predict(model, changed), run.calibration, thresholds)
    return kept
