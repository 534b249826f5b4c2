"""Validation logits of an import → probabilities, thresholds, and a score of the image."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_app.model.calibration import calibrated
from edge_app.model.labels import Labels
from train.calibrate import RULES, fitted, operating_points
from train.overall import image_level

NO_IMAGES = "no images"


class Decided(NamedTuple):
    """What is fitted on validation images; see the manifest.

    Attributes:
        calibration: makes probabilities of logits.
        operating_points: thresholds on these.
        image_level: prevalence, and the score of an image as a whole.
    """

    calibration: dict[str, Any]
    operating_points: dict[str, Any]
    image_level: dict[str, Any]


def decided(
    targets: NDArray[np.uint8], logits: NDArray[np.float32], labels: Labels, head: Any, where: str
) -> Decided:
    """Fit all of it.

    Args:
        targets, logits: N×L, of images that trained nothing.
        labels, head: the model's.
        where: names those images.
    """
    calibration = fitted(targets, logits, where, head)
    points = operating_points(targets, logits, calibration, where, head)
    scores = calibrated(logits, calibration, head)
    return Decided(calibration, points, image_level(targets, scores, labels, head, where))


def undecided(count: int) -> Decided:
    """Scores as the network gives them, and no thresholds: nothing was there to fit them on."""
    calibration = {
        "method": "none",
        "slope": [1.0] * count,
        "intercept": [0.0] * count,
        "fitted_on": NO_IMAGES,
    }
    nothing: list[None] = [None] * count
    points = {
        name: {
            "rule": rule,
            "fitted_on": NO_IMAGES,
            "thresholds": nothing,
            "sensitivity": nothing,
            "specificity": nothing,
        }
        for name, rule in RULES.items()
    }
    return Decided(calibration, points, {})
