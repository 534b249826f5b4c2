"""One score for the whole radiograph: the probability that it is not normal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, cast

import numpy as np

from edge_app.core.plain_text import percent
from edge_app.model.cautions import NOTHING_KNOWN, Cautions
from edge_app.model.labels import Labels
from edge_app.model.usual import NORMAL_IMAGES, of_normal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_app.model.manifest_types import (
        Head,
        Manifest,
        OverallFacts,
        Reference,
    )

Method = Literal["normal", "noisy-or"]
NORMAL: Final = "normal"
NOISY_OR: Final = "noisy-or"

SMALLEST: Final = 1e-12
"""The distance that probabilities keep from 0 and 1, so that their log-odds are finite."""

BORDERLINE: Final = "borderline"
"""The word for a score that looks like its threshold in the digits shown."""

READS_ALIKE: Final = f"{BORDERLINE}: reads like its threshold"
NONE_RAISED: Final = "nothing is raised"
NONE_ABOVE: Final = "nothing is above its threshold"
NONE_DECIDES: Final = "no finding has a threshold: nothing is decided"


class Overall(NamedTuple):
    """The answer for a radiograph as a whole.

    Attributes:
        probability: that it is not normal, 0 to 1.
        usually: the share of images that are not normal where this was fitted; None if unknown.
        percentile: share of the reference's normal images with a lower probability; None if the
            model has no reference.
        threshold: of the operating point, on the probability; None if the model has none, or
            decides label by label.
        flagged: probability ≥ threshold; None without a threshold.
        cautions: what the verdict is worth, in words.
        normal_images: those of the reference, in words.
    """

    probability: float
    usually: float | None
    percentile: float | None
    threshold: float | None
    flagged: bool | None
    cautions: Cautions = NOTHING_KNOWN
    normal_images: str = NORMAL_IMAGES

    def caution(self, raised: bool) -> str | None:
        """The line under an image's verdict; None if there is no verdict.

        Args:
            raised: whether a finding is raised.
        """
        return None if self.flagged is None else self.cautions.under(self.flagged, raised)

    @property
    def borderline(self) -> bool:
        """Whether probability and threshold look alike in the digits shown."""
        return self.threshold is not None and percent(self.probability) == percent(self.threshold)

    def in_words(self) -> str:
        """The numbers in one line."""
        words = ""
        if self.usually is not None:
            images = f"all {self.normal_images.removeprefix('normal ')}"
            words = f" where {percent(self.usually)} of {images} are not, lower where fewer are"
        words += "" if self.threshold is None else f" (threshold {percent(self.threshold)})"
        lower = f"; higher than {self._lower()}" if self.percentile is not None else ""
        return f"{percent(self.probability)} probable that it is not normal{words}{lower}"

    def _lower(self) -> str:
        assert self.percentile is not None
        at_least = "at least " if self.percentile < 1 else ""
        return f"{at_least}{of_normal(self.percentile)} {self.normal_images}"


def verdict(whole: Overall | None, marked: Sequence[str] | None) -> list[str]:
    """An answer in a few words: the decision, how close it was, and the marked findings.

    Args:
        whole: the answer for the image as a whole.
        marked: names of the findings that are raised, or above their own thresholds; None if the
            model cannot mark any.
    """
    names = ", ".join(marked or ())
    if whole is None or whole.flagged is None:
        if marked is None:
            return [NONE_DECIDES]
        return [f"above the threshold: {names}" if names else NONE_ABOVE]
    but = "" if whole.flagged else "but "
    raised = [] if marked is None else [f"{but}raised: {names}" if names else NONE_RAISED]
    return [
        "flagged" if whole.flagged else "not flagged",
        *([READS_ALIKE] if whole.borderline else []),
        *raised,
    ]


def method_of(labels: Labels, head: Head) -> Method | None:
    """How a model's labels become one score; None if they cannot.

    By its normal label if it has one; otherwise by the findings as if they were independent (noisy
    or: Pearl, Probabilistic Reasoning in Intelligent Systems, 1988, section 4.3.2). Exclusive
    labels without a normal one cannot: they always add up to 1.
    """
    if labels.normal is not None:
        return NORMAL
    return NOISY_OR if head == "independent" else None


def log_odds(scores: NDArray[np.float64], labels: Labels, method: Method) -> NDArray[np.float64]:
    """Calibrated scores (…, L) → uncalibrated log-odds (…) that an image is not normal."""
    if method == NORMAL and labels.normal is not None:
        normal = np.clip(scores[..., labels.normal], SMALLEST, 1 - SMALLEST)
        odds: NDArray[np.float64] = np.log1p(-normal) - np.log(normal)
        return odds
    absent = np.clip(scores[..., labels.findings], 0, 1 - SMALLEST)
    none = np.minimum(np.log1p(-absent).sum(axis=-1), -SMALLEST)
    any_of_them: NDArray[np.float64] = np.log(-np.expm1(none)) - none
    return any_of_them


def probability_of(
    odds: NDArray[np.float64], scores: NDArray[np.float64], bounded_by: Sequence[int]
) -> NDArray[np.float64]:
    """Calibrated log-odds (…) and scores (…, L) → the probability (…) that an image is not normal.

    It is never below the most probable finding's: an image with a finding is not normal.

    Args:
        odds: of the image as a whole.
        scores: of its labels.
        bounded_by: channels of the findings whose scores are calibrated.
    """
    alone = 1 / (1 + np.exp(-np.clip(odds, -700, 700)))
    largest = scores[..., [int(each) for each in bounded_by]].max(axis=-1, initial=0)
    probability: NDArray[np.float64] = np.maximum(alone, largest)
    return probability


class OverallScore:
    """How a model scores an image as a whole.

    Attributes:
        method: from the labels to one score; see `method_of`.
        facts: of the manifest; None if it states none: then the probability comes from the labels'
            calibrated scores alone, and no image is flagged.
        bounded_by: channels of the findings whose probabilities are its lower bound.
    """

    def __init__(self, labels: Labels, method: Method, facts: OverallFacts | None = None) -> None:
        self.labels, self.method, self.facts = labels, method, facts
        self.slope, self.intercept = (facts["slope"], facts["intercept"]) if facts else (1.0, 0.0)
        # Files of earlier versions were fitted without bounds, and state none.
        self.bounded_by = facts.get("bounded_by", ()) if facts else labels.findings

    @classmethod
    def of(cls, manifest: Manifest, labels: Labels) -> OverallScore | None:
        """The score as a manifest states it, or by its labels; None if these give none."""
        facts = manifest.get("overall")
        method = facts["method"] if facts else method_of(labels, manifest["head"])
        return cls(labels, method, facts) if method else None

    def probability(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated scores (…, L) → the probability (…) of `probability_of`."""
        odds = self.slope * log_odds(scores, self.labels, self.method) + self.intercept
        return probability_of(odds, scores, self.bounded_by)

    def log_odds(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """`probability` as log-odds (…)."""
        held = np.clip(self.probability(scores), SMALLEST, 1 - SMALLEST)
        odds: NDArray[np.float64] = np.log(held) - np.log1p(-held)
        return odds


DECIMALS: Final = 5
"""Decimals of a reference's scores; a score that is equal in these decimals is not lower."""


class Percentiles:
    """Percentiles of scores among those of the reference's normal images."""

    def __init__(self, reference: Reference) -> None:
        self._shares = np.array([0.0, *reference["shares"]])
        self._labels = np.array(reference["labels"], np.float64)
        self._overall = np.array(reference["overall"], np.float64)

    def of_labels(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores (L,) → for each label, the least share of normal images that score lower (L,)."""
        below = (self._labels < scores[:, np.newaxis].round(DECIMALS)).sum(axis=1)
        return cast("NDArray[np.float64]", self._shares[below])

    def of_overall(self, probability: float) -> float:
        """The least share of normal images with a lower probability of not being normal."""
        return float(self._shares[int((self._overall < round(probability, DECIMALS)).sum())])
