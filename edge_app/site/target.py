"""What a site asks of its threshold, the threshold that keeps it, and how many patients that takes.

A promised sensitivity or specificity is kept with a stated certainty: the threshold is the best of
those at which the lower confidence limit over patients is no less than what is promised. Where not
even an extreme threshold could show that, there are too few patients, and none is chosen.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_app.core.errors import DatasetError, UsageError
from edge_app.evaluation.proportions import patients_needed, surely

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Kind = Literal["sensitivity", "specificity", "false-alarms", "cost-ratio"]

CERTAINTY: Final = 0.95
CANDIDATES: Final = 200
"""Thresholds that are tried."""

PER_PARAMETER: Final = 10
"""Patients of either kind for each number that is fitted (Peduzzi et al., J. Clin. Epidemiol. 49,
1996)."""

TO_CALIBRATE: Final = 2 * PER_PARAMETER
"""Patients of either kind that slope and intercept take."""


class TooFewError(DatasetError):
    """There are too few patients for a target.

    Attributes:
        there, needed: how many there are, and how many would do.
        bearing: whether those with the finding, or those without it.
    """

    def __init__(self, there: int, needed: int, bearing: bool, words: str) -> None:
        super().__init__(
            f"{there} patients have images {'with' if bearing else 'without'} a finding, and "
            f"{needed} would do for: {words}"
        )
        self.there, self.needed, self.bearing = there, needed, bearing


class Target(NamedTuple):
    """What is asked of a threshold.

    Attributes:
        kind: which of the four.
        value: the share promised; N of one false alarm in N; how many false alarms a miss is worth.
        certainty: that the promise is kept, 0 to 1; means nothing for a cost ratio.
    """

    kind: Kind
    value: float
    certainty: float = CERTAINTY

    @property
    def promised(self) -> float | None:
        """The sensitivity or specificity promised; None for a cost ratio."""
        if self.kind == "cost-ratio":
            return None
        return 1 - 1 / self.value if self.kind == "false-alarms" else self.value

    @property
    def of_bearers(self) -> bool:
        """Whether it promises something of images that bear a finding, or of those that do not."""
        return self.kind == "sensitivity"

    @property
    def words(self) -> str:
        """What it promises, as people understand it."""
        return self.said_of("images with a finding", "normal images")

    def said_of(self, bearing: str, others: str) -> str:
        """The same of images of other names."""
        if self.kind == "cost-ratio":
            return f"a miss weighs as much as {self.value:g} false alarms"
        ending = f"({100 * self.certainty:g} % certain)"
        if self.kind == "false-alarms":
            return f"at most 1 in {self.value:g} {others} is flagged {ending}"
        share = f"at least {100 * self.value:g} %"
        if self.kind == "sensitivity":
            return f"{share} of {bearing} are flagged {ending}"
        return f"{share} of {others} are not flagged {ending}"

    def min_patients(self, bearing: bool) -> int:
        """Fewer patients with the finding (or without it) cannot show what is promised."""
        if self.promised is None:
            return TO_CALIBRATE
        return patients_needed(self.promised, self.certainty) if bearing == self.of_bearers else 0

    def require(self, truth: Bools, patients: NDArray[np.str_], minimum: int = 0) -> None:
        """Raise a TooFewError where there are too few patients for it, or fewer than `minimum`."""
        for bearing in (True, False):
            there, needed = len(np.unique(patients[truth == bearing])), self.min_patients(bearing)
            if there < max(needed, minimum):
                raise TooFewError(there, max(needed, minimum), bearing, self.words)


def target(
    sensitivity: float | None,
    specificity: float | None,
    false_alarms: float | None,
    cost_ratio: float | None,
    certainty: float = CERTAINTY,
) -> Target:
    """The one target that was asked for; one false alarm in ten if none was.

    Raises:
        UsageError: it is more than one, or cannot be.
    """
    kinds: tuple[Kind, ...] = ("sensitivity", "specificity", "false-alarms", "cost-ratio")
    values = (sensitivity, specificity, false_alarms, cost_ratio)
    stated = [(kind, value) for kind, value in zip(kinds, values, strict=True) if value is not None]
    if len(stated) > 1:
        raise UsageError(" and ".join(f"--{kind}" for kind, _ in stated) + " exclude each other")
    kind, value = stated[0] if stated else ("false-alarms", 10.0)
    if kind in ("sensitivity", "specificity") and not 0.5 <= value <= 0.999:
        raise UsageError(f"--{kind} {value:g}: a share from 0.5 to 0.999")
    if kind == "false-alarms" and not 2 <= value <= 1000:
        raise UsageError(f"--false-alarms {value:g}: one in 2 to 1000 normal images")
    if kind == "cost-ratio" and not 0.01 <= value <= 10_000:
        raise UsageError(f"--cost-ratio {value:g}: a miss is worth 0.01 to 10000 false alarms")
    if not 0.5 <= certainty <= 0.999:
        raise UsageError(f"--certainty {certainty:g}: a probability from 0.5 to 0.999")
    return Target(kind, value, certainty)


def threshold(
    aim: Target,
    probability: Floats,
    truth: Bools,
    patients: NDArray[np.str_],
) -> float:
    """The threshold on a probability that keeps what a target promises.

    It lies between two of the probabilities, so that no rounding decides; for a cost ratio it is
    where the expected costs of flagging and of not flagging are equal (Pauker & Kassirer, NEJM 302,
    1980).

    Args:
        aim: the target.
        probability: N, calibrated for the site.
        truth: N, which images bear the finding.
        patients: N, whose images these are.

    Raises:
        TooFewError: says how many patients there are and how many would do.
        DatasetError: too many images have a probability of exactly 1.
    """
    promised = aim.promised
    aim.require(truth, patients)
    if promised is None:
        return 1 / (1 + aim.value)
    own = truth == aim.of_bearers
    scores = probability[own]
    places = _between(probability, scores, np.linspace(0, 1 - promised, CANDIDATES), aim.of_bearers)
    hits = (scores[:, np.newaxis] >= places) == aim.of_bearers
    kept = places[surely(hits, patients[own], promised, aim.certainty)]
    # Where all images are hits each patient counts once, and there are enough of them.
    if not len(kept):  # but a score of 1 is flagged at every threshold
        raise DatasetError(
            f"{int((scores >= 1).sum())} of {len(scores)} images without a finding have a "
            f"probability of 1, which no threshold leaves out: {aim.words} cannot be kept"
        )
    return float(kept.max() if aim.of_bearers else kept.min())


def _between(everything: Floats, scores: Floats, shares: Floats, below: bool) -> Floats:
    """Thresholds that all but these shares of some scores are at or above, or else below.

    Each is half-way to the next one of all scores.
    """
    limits = np.unique(np.quantile(scores, shares if below else 1 - shares, method="lower"))
    known = np.unique(everything)
    edges = np.concatenate([[0.0], known, [1.0]])
    at = np.searchsorted(known, limits) + (0 if below else 1)
    return np.asarray((edges[at] + edges[at + 1]) / 2)
