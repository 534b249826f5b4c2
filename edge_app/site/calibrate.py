"""A labelled set of a site → its site file: probabilities, thresholds and what they are worth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Final, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from edge_app.core.about import DISCLAIMER, __version__
from edge_app.core.errors import DatasetError, ModelError
from edge_app.evaluation.metrics import roc_curve
from edge_app.evaluation.proportions import Estimate, share
from edge_app.evaluation.reference import reference
from edge_app.model.calibration import calibrated
from edge_app.model.labels import Labels
from edge_app.model.model_file import ModelFile
from edge_app.model.overall import Method, OverallScore, log_odds, method_of, probability_of
from edge_app.model.site import KIND, SCHEMA_VERSION, sealed
from edge_app.model.site_types import SiteDocument
from edge_app.site import drift_reference
from edge_app.site.labelled_set import LabelledSet
from edge_app.site.labels import LabelCalibration, Prevalence, decided, recalibrated, shift
from edge_app.site.logistic import Line, fit
from edge_app.site.performance import performance, worth
from edge_app.site.target import TO_CALIBRATE, Target, threshold

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

POINT: Final = "site"
"""The operating point's name: the only one that a model has at a site."""

MIN_GROUP: Final = 10
"""Patients; of a smaller group nothing is told."""

CURVE_POINTS: Final = 200
CHOICES: Final = (
    *(Target("false-alarms", value) for value in (50, 20, 10, 5, 4)),
    *(Target("sensitivity", value) for value in (0.8, 0.9, 0.95)),
)
"""Targets whose thresholds the page shows beside the chosen one."""


class Scored(NamedTuple):
    """The images' scores at the site.

    Attributes:
        labels: what was fitted label by label.
        scores: N×L, calibrated.
        method: how the labels' scores become one.
        line: from its log-odds to those of the site.
        intercept: of that line in routine.
        probability: N, that an image is not normal.
    """

    labels: LabelCalibration
    scores: Floats
    method: Method
    line: Line
    intercept: float
    probability: Floats

    def of(self, scores: Floats, labels: Labels) -> Floats:
        """The probability (N) of other images by their recalibrated scores (N×L)."""
        odds = self.line.slope * log_odds(scores, labels, self.method) + self.intercept
        return probability_of(odds, scores, self.bounded_by(labels))

    def bounded_by(self, labels: Labels) -> list[int]:
        """Channels of the findings that were calibrated at the site: the others' scores may be
        anything there, and do not raise the image's."""
        return [channel for channel in self.labels.known if channel in labels.findings]


def calibrate(
    labelled: LabelledSet,
    model: ModelFile,
    aim: Target,
    prevalence: float | None = None,
    members: Mapping[str, Mapping[str, Bools]] | None = None,
) -> SiteDocument:
    """What a model's answers mean at a site.

    Args:
        labelled: the site's images.
        model: whose answers they are.
        aim: what is asked of the threshold.
        prevalence: of findings in routine, 0 to 1, where the set was not drawn from routine; the
            set's own if None.
        members: groups of images; see `labelled_set.groups`.

    Raises:
        DatasetError: too few patients; says how many there are and how many would do.
        ModelError: the model's labels make no overall score.
    """
    truth, patients = labelled.bearing, labelled.patients
    aim.require(truth, patients, TO_CALIBRATE)
    counted = share(truth, patients)
    assumed = Prevalence(counted.value, prevalence or counted.value, prevalence is not None)
    scored = score(labelled, model, assumed)
    chosen = threshold(aim, scored.probability, truth, patients)
    flagged = scored.probability >= chosen
    found = worth(chosen, performance(flagged, truth, patients, prevalence))
    labels = decided(labelled, scored.scores, aim, scored.labels, assumed)
    content = {
        "kind": KIND,
        "schema_version": SCHEMA_VERSION,
        "edge_cxr": __version__,
        "disclaimer": DISCLAIMER,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "model": {"name": model.name, "sha256": model.sha256, "scoring": model.scoring},
        "data": {
            **labelled.counted(np.ones(len(truth), bool)),
            "bearing": labelled.counted(truth),
            "normal": labelled.counted(~truth),
            "reports": labelled.reports,
            "notes": labelled.notes,
        },
        "prevalence": _prevalence(counted, assumed),
        "target": {**aim._asdict(), "words": aim.words},
        "decisions": _decisions(labelled, scored, aim, found, labels.point, assumed),
        "recalibration": recalibration(labelled, model, scored.method),
        "overall": found,
        "before": before(labelled, model, prevalence),
        "labels": labels.facts,
        "groups": _groups(flagged, labelled, members or {}),
        "curve": _curve(truth, scored.probability),
        "choices": list(_choices(scored.probability, truth, patients, prevalence)),
        "reference": drift_reference.made(scored, flagged, labelled, assumed.weights(truth)),
    }
    return sealed(cast("Any", content))


def score(labelled: LabelledSet, model: ModelFile, prevalence: Prevalence) -> Scored:
    """Recalibrate the labels, then the score of the image as a whole that is made of them.

    Raises:
        DatasetError: the scores rank images with and without a finding the wrong way round.
        ModelError: the model's labels make no overall score.
    """
    truth = labelled.bearing
    method = method_of(labelled.labels, model.head)
    if method is None:
        raise ModelError(
            f"{model.name}: its labels make no score of the image as a whole, which a site's "
            "threshold needs: exclusive labels do with one for images without a finding among them"
        )
    labels = recalibrated(labelled, model, prevalence)
    scores = calibrated(labelled.logits, labels.affine, model.head)
    odds = log_odds(scores, labelled.labels, method)
    line = fit(odds, truth, labelled.patients)
    if line is None and 0 < truth.sum() < len(truth) and odds[truth].min() >= odds[~truth].max():
        raise DatasetError(
            f"{model.name} scores every image with a finding higher than every normal one: so few "
            "do not show how probable a finding is in between; add images"
        )
    if line is None or line.slope <= 0:
        raise DatasetError(
            f"{model.name} does not tell the images with a finding from the others: are these the "
            "right labels?"
        )
    moved = shift(prevalence.counted, prevalence.local) if prevalence.stated else 0.0
    intercept = line.intercept + moved
    scored = Scored(labels, scores, method, line, intercept, np.empty(0))
    return scored._replace(probability=scored.of(scores, labelled.labels))


def before(
    labelled: LabelledSet, model: ModelFile, prevalence: float | None
) -> dict[str, Any] | None:
    """What the model's own default threshold is worth here; None where it has none."""
    facts = model.manifest.get("overall")
    if facts is None:
        return None
    scores = calibrated(labelled.logits, model.manifest["calibration"], model.head)
    probability = OverallScore(labelled.labels, facts["method"], facts).probability(scores)
    at = facts["operating_points"][facts["default_operating_point"]]["threshold"]
    return worth(
        at, performance(probability >= at, labelled.bearing, labelled.patients, prevalence)
    )


def _prevalence(counted: Estimate, assumed: Prevalence) -> dict[str, Any]:
    if assumed.stated:
        return {"value": assumed.local, "low": None, "high": None, "stated": True}
    return {**counted.as_dict(), "stated": False}


def _decisions(
    labelled: LabelledSet,
    scored: Scored,
    aim: Target,
    found: dict[str, Any],
    point: dict[str, Any],
    prevalence: Prevalence,
) -> dict[str, Any]:
    """What takes the place of the manifest's parts, in their form."""
    normal = ~labelled.bearing
    counts = labelled.counted(normal | True)
    where = f"{counts['images']} images of {counts['patients']} patients of this site"
    reached = {name: found[name]["value"] for name in ("sensitivity", "specificity")}
    overall = {
        "method": scored.method,
        "slope": scored.line.slope,
        "intercept": scored.intercept,
        "usually": round(prevalence.local, 6),
        "bounded_by": scored.bounded_by(labelled.labels),
        "fitted_on": where,
        "operating_points": {
            POINT: {"rule": aim.words, "threshold": found["threshold"], **reached}
        },
        "default_operating_point": POINT,
    }
    return {
        "calibration": {**scored.labels.affine, "method": "platt", "fitted_on": where},
        "prevalence": scored.labels.prevalence,
        "operating_points": {POINT: {**point, "fitted_on": where}},
        "default_operating_point": POINT,
        "overall": overall,
        "reference": reference(
            scored.scores[normal],
            scored.probability[normal],
            f"{int(normal.sum())} normal images of this site",
        ),
    }


def recalibration(labelled: LabelledSet, model: ModelFile, method: Method) -> dict[str, Any]:
    """How far off the model's own overall score is on the set: 1 and 0 are not at all."""
    scores = calibrated(labelled.logits, model.manifest["calibration"], model.head)
    own = OverallScore(labelled.labels, method, model.manifest.get("overall"))
    line = fit(own.log_odds(scores), labelled.bearing, labelled.patients)
    if line is None:
        nothing = Estimate(math.nan, math.nan, math.nan, 0).as_dict()
        return {"slope": nothing, "intercept": nothing}
    return {
        name: Estimate(value, *ends, 0).as_dict()
        for name, value, ends in (
            ("slope", line.slope, line.slope_ends),
            ("intercept", line.intercept, line.intercept_ends),
        )
    }


def _groups(
    flagged: Bools, labelled: LabelledSet, members: Mapping[str, Mapping[str, Bools]]
) -> list[dict[str, Any]]:
    rows = []
    truth, patients = labelled.bearing, labelled.patients
    for by, named in members.items():
        for name, inside in named.items():
            counts = labelled.counted(inside)
            if counts["patients"] < MIN_GROUP:
                continue
            found = {
                "sensitivity": share(flagged[truth & inside], patients[truth & inside]),
                "specificity": share(~flagged[~truth & inside], patients[~truth & inside]),
            }
            plain = {key: value.as_dict() for key, value in found.items()}
            rows.append({"by": by, "name": name, **counts, **plain})
    return rows


def _curve(truth: Bools, probability: Floats) -> dict[str, list[float]]:
    """The ROC curve, at no more than `CURVE_POINTS` places."""
    false, true = roc_curve(truth, probability)
    places = np.unique(np.linspace(0, len(false) - 1, CURVE_POINTS).astype(int))
    return {
        "false_alarms": np.round(false[places], 5).tolist(),
        "found": np.round(true[places], 5).tolist(),
    }


def _choices(
    probability: Floats, truth: Bools, patients: NDArray[np.str_], prevalence: float | None
) -> Any:
    """Other targets, as far as the patients suffice for them."""
    for aim in CHOICES:
        try:
            at = threshold(aim, probability, truth, patients)
        except DatasetError:
            continue
        found = worth(at, performance(probability >= at, truth, patients, prevalence))
        yield {"option": f"--{aim.kind} {aim.value:g}", **found}
