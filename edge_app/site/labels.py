"""Label by label: what a score has to become at a site, and a threshold where patients suffice."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_app.core.errors import DatasetError
from edge_app.evaluation.proportions import Estimate
from edge_app.model.labels import FINDING, Kind
from edge_app.model.model_file import ModelFile
from edge_app.site.labelled_set import LabelledSet
from edge_app.site.logistic import fit, fit_softmax
from edge_app.site.performance import performance, performance_in_routine, worth
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

    def weights(self, bearing: NDArray[np.bool_]) -> Floats:
        """What each of N images of the set stands for in routine, by whether it bears a finding.

        Among images with a finding, as among those without, every label is as frequent in routine
        as it is in the set.
        """
        with_it, without = self.local / self.counted, (1 - self.local) / (1 - self.counted)
        return np.where(bearing, with_it, without)


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
    label of fewer keeps the model's, moved to a prevalence that was stated. Exclusive labels, whose
    scores depend on each other, do so together. Images count by what they stand for in routine:
    those without a label are normal ones and ones with another finding, so that it is not by its
    own frequency alone that a label differs there.
    """
    weights = prevalence.weights(labelled.bearing)
    local = [min(float(each), 1.0) for each in weights @ labelled.targets / weights.sum()]
    lines = (
        _exclusive(labelled, model, weights)
        if model.head == "exclusive"
        else _independent(labelled, model, weights, local)
    )
    known = model.manifest["calibration"]
    return LabelCalibration(
        [line.slope * before for line, before in zip(lines, known["slope"], strict=True)],
        [
            line.slope * before + line.intercept
            for line, before in zip(lines, known["intercept"], strict=True)
        ],
        [round(share, 6) for share in local],
        [line.fitted for line in lines],
    )


class LabelLine(NamedTuple):
    """What a label's log-odds by the model become here, and what of that was fitted."""

    slope: float
    intercept: float
    fitted: str


def _odds(labelled: LabelledSet, model: ModelFile) -> Floats:
    """Log-odds (N×L) by the model's own calibration."""
    slope, intercept = (np.array(model.manifest["calibration"][k]) for k in ("slope", "intercept"))
    odds: Floats = slope * labelled.logits.astype(np.float64) + intercept
    return odds


def _independent(
    labelled: LabelledSet, model: ModelFile, weights: Floats, local: list[float]
) -> list[LabelLine]:
    found = []
    odds, counted = _odds(labelled, model), labelled.targets.mean(axis=0).tolist()
    for channel, (share, here) in enumerate(zip(counted, local, strict=True)):
        present = labelled.targets[:, channel]
        data = odds[:, channel], present, labelled.patients
        fewest, line, fitted = _fewest(present, labelled), None, NOTHING
        if 0 < here < 1:
            if fewest >= TO_CALIBRATE:
                line, fitted = fit(*data, weights=weights), BOTH
            if fewest >= PER_PARAMETER and (line is None or line.slope <= 0):
                line, fitted = fit(*data, slope=False, weights=weights), LEVEL_ALONE
        if line is None:
            known = 0 < share < 1 and 0 < here < 1
            kind = labelled.labels[channel].kind
            moved = shift(share, here) if known else _moved(kind, labelled, weights)
            found.append(LabelLine(1.0, moved, NOTHING))
        else:
            found.append(LabelLine(line.slope, line.intercept, fitted))
    return found


def _exclusive(labelled: LabelledSet, model: ModelFile, weights: Floats) -> list[LabelLine]:
    odds, targets, labels = _odds(labelled, model), labelled.targets, labelled.labels
    fewest = min(_fewest(present, labelled) for present in targets.T)
    line, fitted = None, NOTHING
    if (targets.sum(axis=1) == 1).all():
        if fewest >= TO_CALIBRATE:
            line, fitted = fit_softmax(odds, targets, weights), BOTH
        if fewest >= PER_PARAMETER and (line is None or line[0] <= 0):
            line, fitted = fit_softmax(odds, targets, weights, slope=False), LEVEL_ALONE
    if line is None:
        return [LabelLine(1.0, _moved(label.kind, labelled, weights), NOTHING) for label in labels]
    return [LabelLine(line[0], float(intercept), fitted) for intercept in line[1]]


def _moved(kind: Kind, labelled: LabelledSet, weights: Floats) -> float:
    """What the log-odds of a rare label, or of an exclusive one, gain by what images stand for."""
    of_its_kind = labelled.bearing == (kind == FINDING)
    return float(np.log(weights[of_its_kind].mean()))


def _fewest(present: NDArray[np.bool_], labelled: LabelledSet) -> int:
    """Patients who have images with a label, or without it, whichever are fewer."""
    return min(len(np.unique(labelled.patients[each])) for each in (present, ~present))


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
        present, score = labelled.targets[:, channel], scores[:, channel]
        at, found, why = None, None, None
        try:
            at = threshold(aim, score, present, labelled.patients)
        except TooFewError as error:
            it = "it" if error.bearing else "images without it"
            why = f"{error.there} patients have {it}; {error.needed} would do"
        except DatasetError:
            why = "too many images without it have a probability of 1"
        if at is not None:
            found = worth(at, _performance(score >= at, present, labelled, prevalence))
        point["thresholds"].append(at)
        for name in ("sensitivity", "specificity"):
            point[name].append(found[name]["value"] if found else None)
        facts.append(
            {
                "label": label.name,
                **labelled.counted(present),
                "recalibrated": calibration.fitted[channel],
                "performance": found,
                "why_not": why,
            }
        )
    return LabelDecisions(facts, {"rule": aim.said_of("images that bear it", "others"), **point})


def _performance(
    above: NDArray[np.bool_],
    present: NDArray[np.bool_],
    labelled: LabelledSet,
    prevalence: Prevalence,
) -> dict[str, Estimate]:
    if not prevalence.stated:
        return performance(above, present, labelled.patients)
    bearing = labelled.bearing
    weights = prevalence.weights(bearing)
    return performance_in_routine(above, present, labelled.patients, weights, bearing)
