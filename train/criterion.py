"""What a run's best epoch is chosen by: validation AUROC, or the loss where no finding ranks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from train.labels import OF_NIH, LabelSet
from train.ranking import macro_auroc, rankable

MIN_POSITIVES: Final = 5
"""Findings with fewer positive or negative validation images do not count: the AUROC of a single
positive is the rank of one image."""


@dataclass(frozen=True)
class Criterion:
    """One quantity of each epoch.

    Attributes:
        name: in the logs and in `history.csv`.
        words: for people.
        mode: whether the largest or the smallest is the best.
    """

    name: str
    words: str
    mode: Literal["max", "min"]

    def goodness(self, value: float) -> float:
        """The value, turned so that more is better."""
        return value if self.mode == "max" else -value


AUROC: Final = Criterion("val_auroc", "validation AUROC", "max")
LOSS: Final = Criterion("val_loss", "validation loss", "min")


def criterion(targets: NDArray[np.uint8], labels: LabelSet = OF_NIH) -> Criterion:
    """The criterion for validation images with these targets (M×K)."""
    return AUROC if rankable(targets, labels, MIN_POSITIVES) else LOSS


def measured(
    targets: NDArray[np.uint8], logits: NDArray[np.float32], labels: LabelSet = OF_NIH
) -> dict[str, float]:
    """Both quantities of an epoch; the AUROC only where a finding has enough positives.

    Args:
        targets, logits: M×L, of the validation images.
        labels: whose they are.
    """
    exact = logits.astype(np.float64)
    if labels.head == "exclusive":
        loss = -(targets * log_softmax(exact, axis=1)).sum(axis=1)
    else:
        loss = np.logaddexp(0, exact) - targets * exact
    found = {LOSS.name: float(loss.mean())}
    if rankable(targets, labels, MIN_POSITIVES):
        area = macro_auroc(targets, logits, labels, MIN_POSITIVES)
        found = {AUROC.name: area, **found}
    return found
