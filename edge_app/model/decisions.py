"""A model's scores of one radiograph → its answer: as a whole, and label by label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from edge_app.core.plain_text import percent, readable, rounded
from edge_app.model.cautions import NOTHING_KNOWN, Cautions
from edge_app.model.labels import FINDING, Kind, Labels
from edge_app.model.overall import BORDERLINE, Overall, OverallScore, Percentiles
from edge_app.model.usual import normal_images

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_app.model.manifest_types import Estimate, Manifest, RaisedFacts
    from edge_app.model.operating_points import OperatingPoints


class Share(NamedTuple):
    """A share of images, 0 to 1, with its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, estimate: Estimate) -> Share | None:
        """The share of a manifest or a site file; None if it or its interval is not known."""
        value, low, high = estimate["value"], estimate["low"], estimate["high"]
        if value is None or low is None or high is None:
            return None
        return cls(value, low, high)

    def __str__(self) -> str:
        return f"{percent(self.value)} ({percent(self.low)} to {percent(self.high)})"


class Finding(NamedTuple):
    """One label's answer.

    Attributes:
        label: the name of one of the model's labels.
        logit: the network's output.
        score: calibrated probability, 0 to 1.
        threshold: of the label's operating point, on the score; None if it was not computable.
        above: score ≥ threshold; None without a threshold. No finding is above in an image that is
            not flagged, and the normal label is not where a finding is, or the image is flagged;
            `reported` leaves it undecided where the image as a whole is decided on.
        kind: ``finding``, or ``normal`` for the label that stands for the absence of all findings.
        usually: the share of images that bear the label where the model was calibrated; None if
            the model does not tell.
        percentile: share of the model's normal reference images that score lower; None without.
        ppv: positive predictive value of the threshold: of the site's images whose score reaches
            it, the share that bears the label; None unless a site file knows it.
    """

    label: str
    logit: float
    score: float
    threshold: float | None
    above: bool | None
    kind: Kind = FINDING
    usually: float | None = None
    percentile: float | None = None
    ppv: Share | None = None

    @property
    def name(self) -> str:
        """The label as people read it."""
        return readable(self.label)


ABOVE: Final = "above"
NOT_ABOVE: Final = "not above"
RAISED: Final = "raised"
RAISED_FROM: Final = 10.0
"""The least probability, in per cent, of a raised finding, however rare the finding is."""

TIMES: Final = 2
"""How many times the usual probability a raised finding has at least."""

RAISED_MEANS: Final = (
    f"raised: {RAISED_FROM:.0f} % or more and at least twice the usual, flagged or not; "
    "their order is not urgency; not raised does not mean absent"
)


def worth_of_marks(manifest: Manifest) -> RaisedFacts | None:
    """A model's statement on raised findings; None if it is about another rule than `mark`'s."""
    facts = manifest.get("overall", {}).get("raised")
    return facts if facts and (facts["least"], facts["times"]) == (RAISED_FROM, TIMES) else None


def mark(score: float, usually: float | None, above: bool | None, by_label: bool) -> str:
    """The one word next to a finding, wherever an answer is shown; empty for none.

    Args:
        score, usually, above: see `Finding`.
        by_label: whether labels are decided one by one. If so, `ABOVE` marks a reached threshold;
            otherwise `RAISED`, which is no decision, marks a probability of `RAISED_FROM` or more
            that is at least `TIMES` the usual one, in the digits shown. A label with a usual
            probability of 0 is not marked, because any probability would be more.
    """
    if by_label:
        return ABOVE if above else ""
    probable, usual = shown(score), shown(usually or 0.0)
    return RAISED if usually and probable >= RAISED_FROM and probable >= TIMES * usual else ""


def marked(
    score: float,
    usually: float | None,
    above: bool | None,
    by_label: bool,
    threshold: float | None = None,
) -> str:
    """`mark`, with a word if the decision was close: ``above, borderline``; empty for none.

    Args:
        score, usually, above, by_label: see `mark`.
        threshold: that decides; a score that looks like it in the digits shown is borderline.
    """
    word = mark(score, usually, above, by_label)
    if by_label and threshold is not None and percent(score) == percent(threshold):
        return f"{word or NOT_ABOVE}, {BORDERLINE}"
    return word


def shown(share: float) -> float:
    """A share in per cent, with the digits that are shown."""
    return float(f"{100 * rounded(share):.1f}")


def reported(findings: Sequence[Finding], whole: Overall | None) -> tuple[Finding, ...]:
    """Findings as every answer tells them.

    Where the image as a whole is decided on, the normal label is not: its own threshold is another
    promise, and *above* would read as *normal* beside a verdict that only says *not flagged*.
    """
    if whole is None or whole.flagged is None:
        return tuple(findings)
    return tuple(each if each.kind == FINDING else each._replace(above=None) for each in findings)


class Decisions:
    """Scores → answers, at a model's operating points.

    Args:
        manifest: the model's.
        labels: the model's.
        points: which thresholds decide.
        ppv: see `Finding`, one a label; empty if none is known.
        cautions: of the verdicts of `points`.
    """

    def __init__(
        self,
        manifest: Manifest,
        labels: Labels,
        points: OperatingPoints,
        ppv: Sequence[Share | None] = (),
        cautions: Cautions = NOTHING_KNOWN,
    ) -> None:
        thresholds = manifest["operating_points"][points.label]["thresholds"]
        usually: list[Any] = manifest.get("prevalence") or [None] * len(labels)
        known = ppv or [None] * len(labels)
        self._labels = list(zip(labels, thresholds, usually, known, strict=True))
        self._percentiles = Percentiles(manifest["reference"]) if "reference" in manifest else None
        self._overall = OverallScore.of(manifest, labels)
        facts = manifest.get("overall")
        self._usually = facts["usually"] if facts else None
        point = facts["operating_points"][points.image] if facts and points.image else None
        self._threshold = point["threshold"] if point else None
        self._words = cautions, normal_images(manifest)

    def of(
        self, logits: NDArray[np.float32], scores: NDArray[np.float64]
    ) -> tuple[tuple[Finding, ...], Overall | None]:
        """Logits and calibrated scores (L,) of an image → a finding a label, and the image's own.

        An image is never called normal and a finding in it present. Where the image as a whole is
        decided on, no finding is above its threshold unless it is flagged, and the normal label
        never is if it is; otherwise the normal label is not where a finding is.
        """
        overall = self.overall(scores)
        flagged = overall.flagged if overall else None
        percentiles: list[Any] = [None] * len(scores)
        if self._percentiles:
            percentiles = self._percentiles.of_labels(scores).tolist()
        found, normal = False, None
        findings = []
        rows = zip(self._labels, logits.tolist(), scores.tolist(), percentiles, strict=True)
        for channel, (of_label, logit, score, percentile) in enumerate(rows):
            label, threshold, usually, ppv = of_label
            above = None if threshold is None else score >= threshold
            if label.kind != FINDING:
                normal = channel
            elif above:
                above = flagged is not False
                found = found or above
            findings.append(
                Finding(
                    *(label.name, logit, score, threshold, above),
                    *(label.kind, usually, percentile, ppv),
                )
            )
        if normal is not None and (flagged or found):
            findings[normal] = findings[normal]._replace(above=False)
        return tuple(findings), overall

    def overall(self, scores: NDArray[np.float64]) -> Overall | None:
        """What is said of the image as a whole; None where the labels say nothing of that."""
        if self._overall is None:
            return None
        probability = float(self._overall.probability(scores))
        return Overall(
            probability,
            self._usually,
            self._percentiles.of_overall(probability) if self._percentiles else None,
            self._threshold,
            None if self._threshold is None else probability >= self._threshold,
            *self._words,
        )
