"""What a reference proves: a candidate that is held to a network that knows nothing proves nothing.

A label is proven where enough patients bear it and enough do not, where the reference's logits
differ between images, and where it ranks better than chance: the whole 95 % interval of its AUROC
lies above 0.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from edge_app.core.plain_text import decimal

if TYPE_CHECKING:
    from edge_app.comparison.pairing import Answers, Bools
    from edge_app.evaluation.document import Metric

Counts = NDArray[np.int64]

MIN_PATIENTS: Final = 10
"""With fewer on either side, a resample of patients draws a few of them again and again: it tells
how these differ, and hardly anything of others."""

CHANCE: Final = 0.5
CONSTANT: Final = 0.01
"""Standard deviation of logits below which an output counts as constant: a hundredth moves a score
by a quarter of a percentage point at most."""


def patients_of(targets: Bools, patients: NDArray[np.str_]) -> tuple[Counts, Counts]:
    """How many patients have an image with each label, and how many have one without it.

    Args:
        targets: N×L.
        patients: N names.

    Returns:
        Two arrays of L counts. A patient may count in both.
    """
    counts = [
        np.array([len(np.unique(patients[column])) for column in side.T])
        for side in (targets, ~targets)
    ]
    return counts[0], counts[1]


def spread(answers: Answers, channel: int, *, exclusive: bool) -> float:
    """Standard deviation of one label's logits; of its score's log-odds where labels are exclusive.

    NaN where one is no finite number.
    """
    values = answers.logits[:, channel]
    if exclusive:
        share = np.clip(answers.scores[:, channel], 1e-12, 1 - 1e-12)
        values = np.log(share / (1 - share))
    return float(values.std()) if np.isfinite(values).all() else float("nan")


def is_constant(spread: float | None) -> bool:
    """Whether a label's output hardly depends on the image."""
    return spread is not None and spread < CONSTANT


def above_chance(auroc: Metric) -> bool:
    """Whether a whole interval lies above chance; without an interval nothing says so."""
    return auroc["low"] is not None and auroc["low"] > CHANCE


def why_not_proven(positives: int, others: int, spread: float | None, auroc: Metric) -> str | None:
    """Why the reference proves nothing for a label; None where it does.

    Args:
        positives, others: how many patients have an image with it, and one without.
        spread: see `spread`; None where not computable.
        auroc: the reference's.
    """
    if min(positives, others) < MIN_PATIENTS:
        count, which = min((positives, "with it"), (others, "without it"))
        return f"too few patients {which} ({count})"
    if is_constant(spread):
        return "the reference's logits are constant"
    if auroc["low"] is None or auroc["high"] is None:
        return "the reference's AUROC has no interval"
    if not above_chance(auroc):
        low, high = decimal(auroc["low"]), decimal(auroc["high"])
        return f"the reference's AUROC may be chance ({low} to {high})"
    return None
