"""Whether the scores of an imported network stand for the labels that its list names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.special import log_softmax

from edge_app.evaluation.metrics import auroc
from edge_app.model.labels import Labels
from train.calibrate import MIN_IMAGES

if TYPE_CHECKING:
    from edge_app.model.manifest_types import Head

MIN_DIFFERENCE: Final = 0.1
"""Difference in AUROC by which another score must rank a label better than its own, and chance."""

SURE: Final = 4.0
"""The same difference in standard errors of an AUROC at chance."""

OWN: Final = (
    "AUROC {:.2f} by the network's own scores, before fitting, on validation and test images"
)
"""Names its images and scores, because tables of test images or of fitted scores may differ."""


def doubts(
    targets: NDArray[np.uint8], logits: NDArray[np.float32], labels: Labels, head: Head
) -> list[str]:
    """Signs that the labels are in another order, one line each; empty where there are none.

    The scores are assigned to the labels so that all together rank best. A label that then has
    another label's score, and ranks far better by it, is likely to be named wrongly; a label whose
    own score is lower where it is present is likely to be the opposite of its name.

    Args:
        targets, logits: N×L, of validation and test images, which trained nothing.
        labels, head: the model's.
    """
    scores = logits.astype(np.float64)
    if head == "exclusive":
        scores = log_softmax(scores, axis=1)
    positives = targets.sum(axis=0).astype(np.int64)
    known = np.flatnonzero(np.minimum(positives, len(targets) - positives) >= MIN_IMAGES)
    once = np.ones((1, len(targets)))
    areas = np.array(
        [[auroc(targets[:, a] > 0, scores[:, b], once)[0] for b in known] for a in known]
    ).reshape(len(known), len(known))
    said = []
    for own, other in zip(*linear_sum_assignment(-areas), strict=True):
        name, count = labels[known[own]].name, positives[known[own]]
        error = np.sqrt((len(targets) + 1) / (12 * count * (len(targets) - count)))
        here, there = areas[own, own], areas[own, other]
        if there - max(here, 0.5) > max(MIN_DIFFERENCE, SURE * error):
            said.append(
                f"{name}: {OWN.format(here)}, and {there:.2f} by the score that is named "
                f"{labels[known[other]].name}: are the labels in the order of the scores?"
            )
        elif 0.5 - here > max(MIN_DIFFERENCE, SURE * error):
            said.append(
                f"{name}: {OWN.format(here)}, so they are lower where it is borne: is its score "
                "that of its absence, or is the network too little trained?"
            )
    return said
