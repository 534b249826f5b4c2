"""Label by label: what a score has to become at a site, and a threshold where patients suffice."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_app.model.labels import FINDING
from edge_app.model.model_file import ModelFile
from edge_app.site.labelled_set import LabelledSet
from edge_app.site.logistic import fit
from edge_app.site.performance import performance, worth
from edge_app.site.target import (
    PER_PARAMETER,
    TO_CALIBRATE,
    Target,
    TooFewError,
    threshold,
)

Floats = NDArray[np.float64]

BOTH: Final = "slope and intercept"
LEVEL_ALONE: Final = "intercept"
NOTHING: Final = "nothing"


class Prevalence(NamedTuple):
    """Shares of images that bear a finding.

    Attributes:
        counted: in the labelled set.
        local: in the site's routine.
        stated: whether the latter was told; it is the former otherwise.
    """

    counted: float
    local: float
    stated: bool

    @property
    def weights(self) -> tuple[float, float]:
        """What an image with a finding, and one without, of the set stands for in routine."""
        return self.local / self.counted, (1 - self.local) / (1 - self.counted)

    def of_label(self, share: float, kind: str) -> float:
        """The share in routine of a label that has this one in the set.

        Among images with a finding, as among those without, it is as frequent as in the set.
        """
        return min(share * self.weights[kind != FINDING], 1.0)


def shift(counted: float, local: float) -> float:
    """What log-odds fitted at one prevalence need to be right at another.

    Prior correction: King & Zeng, Political Analysis 9, 2001, section 4.1.
    """
    before, after = (np.log(share / (1 - share)) for share in (counted, local))
    return float(after - before)


class LabelCalibration(NamedTuple):
    """Lists of L: what makes log-odds of logits, each label's share in routine, what was fitted."""

    slope: list[float]
    intercept: list[float]
    prevalence: list[float]
    fitted: list[str]

    @property
    def known(self) -> list[int]:
        """Channels of the labels that were calibrated at the site."""
        return [channel for channel, fitted in enumerate(self.fitted) if fitted != NOTHING]

    @property
    def affine(self) -> dict[str, list[float]]:
        return {"slope": self.slope, "intercept": self.intercept}


def recalibrated(
    labelled: LabelledSet, model: ModelFile, prevalence: Prevalence
) -> LabelCalibration:
    """Each label's calibration at the site.

    Ten patients who bear it, and ten who have images without it, for each number that is fitted: a
    label of fewer keeps the model's, and so do exclusive ones, whose scores depend on each other.
    """
    known = model.manifest["calibration"]
    made = LabelCalibration(list(known["slope"]), list(known["intercept"]), [], [])
    for channel, label in enumerate(labelled.labels):
        bears = labelled.targets[:, channel]
        share = float(bears.mean())
        local = prevalence.of_label(share, label.kind)
        made.prevalence.append(round(local, 6))
        slope, intercept = known["slope"][channel], known["intercept"][channel]
        odds = slope * labelled.logits[:, channel].astype(np.float64) + intercept
        fewest = min(len(np.unique(labelled.patients[each])) for each in (bears, ~bears))
        line, fitted = None, NOTHING
        if model.head == "independent" and 0 < local < 1:
            if fewest >= TO_CALIBRATE:
                line, fitted = fit(odds, bears, labelled.patients), BOTH
            if fewest >= PER_PARAMETER and (line is None or line.slope <= 0):
                line, fitted = fit(odds, bears, labelled.patients, slope=False), LEVEL_ALONE
        if line is None:
            made.fitted.append(NOTHING)
            continue
        made.fitted.append(fitted)
        made.slope[channel] = line.slope * slope
        moved = shift(share, local) if prevalence.stated else 0.0
        made.intercept[channel] = line.slope * intercept + line.intercept + moved
    return made


class LabelDecisions(NamedTuple):
    """What is told of each label, and the operating point that the labels have together."""

    facts: list[dict[str, Any]]
    point: dict[str, Any]


def decided(
    labelled: LabelledSet,
    scores: Floats,
    aim: Target,
    calibration: LabelCalibration,
    prevalence: Prevalence,
) -> LabelDecisions:
    """Each label's threshold for the same target; none where too few patients could show it.

    Args:
        labelled: N images.
        scores: N×L, with that calibration.
        aim: what is asked of every threshold.
        calibration: what was fitted.
        prevalence: of findings.
    """
    facts: list[dict[str, Any]] = []
    point: dict[str, list[float | None]] = {"thresholds": [], "sensitivity": [], "specificity": []}
    for channel, label in enumerate(labelled.labels):
        bears, score = labelled.targets[:, channel], scores[:, channel]
        at, found, why = None, None, None
        try:
            at = threshold(aim, score, bears, labelled.patients)
        except TooFewError as error:
            it = "it" if error.bearing else "images without it"
            why = f"{error.there} patients have {it}; {error.needed} would do"
        if at is not None:
            share = calibration.prevalence[channel] if prevalence.stated else None
            found = worth(at, performance(score >= at, bears, labelled.patients, share))
        point["thresholds"].append(at)
        for name in ("sensitivity", "specificity"):
            point[name].append(found[name]["value"] if found else None)
        facts.append(
            {
                "label": label.name,
                **labelled.counted(bears),
                "recalibrated": calibration.fitted[channel],
                "performance": found,
                "why_not": why,
            }
        )
    return LabelDecisions(facts, {"rule": aim.said_of("images that bear it", "others"), **point})
