"""Simulated sites: do intervals hold the truth, are targets met, does drift raise false alarms?

A report's patients are the population. A site draws patients from it, with replacement, and keeps
images with and without a finding in the proportion of its prevalence; its exposures stretch and
shift all logits. The truth about its threshold is then known: what the same threshold does to the
whole population.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, cast

import numpy as np
import typer
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from edge_app.core.errors import DatasetError
from edge_app.evaluation.proportions import Estimate, share
from edge_app.evaluation.report import Report, interval_text
from edge_app.model.calibration import calibrated
from edge_app.model.model_file import ModelFile
from edge_app.model.overall import OverallScore, method_of
from edge_app.model.site import Site
from edge_app.site import drift, drift_reference
from edge_app.site.calibrate import Scored, before, calibrate, recalibration, score
from edge_app.site.labelled_set import LabelledSet, pooled
from edge_app.site.labels import Prevalence
from edge_app.site.performance import performance
from edge_app.site.results import Period
from edge_app.site.target import Target, threshold
from quantize.errors import ConversionError
from quantize.studies.inputs import ModelAndReportInputs
from quantize.studies.result import Result

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

PREVALENCES: Final = (0.02, 0.05, 0.10, 0.20, 0.40)
IMAGES: Final = 2000
"""Images in a site's labelled set, and in each later period."""

TARGETS: Final = (Target("false-alarms", 10), Target("sensitivity", 0.9))
SHARES: Final = ("sensitivity", "specificity", "ppv", "npv", "flagged")
SHIFT, SCALE = 2.0, 1.5
"""The range of a site's logits: shifted by −2 to 2, and scaled by 1/1.5 to 1.5."""

DETECTOR: Final = 1.0
"""How far a new detector shifts logits."""

DIGEST: Final = "0" * 64

DrawsOption = Annotated[int, typer.Option(min=1, help="Sites at each prevalence.")]


class Exposure(NamedTuple):
    """What a site's equipment does to logits."""

    scale: float
    shift: float

    def of(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        return (self.scale * logits + self.shift).astype(np.float32)


class Population:
    """A report's images, from which sites draw."""

    def __init__(self, report: Report, model: ModelFile) -> None:
        self.model, self.all = model, pooled([report], model)
        self.truth = self.all.bearing
        _, codes = np.unique(self.all.patients, return_inverse=True)
        self._images = [np.flatnonzero(codes == patient) for patient in range(codes.max() + 1)]

    def site(
        self, prevalence: float, exposure: Exposure, generator: np.random.Generator
    ) -> LabelledSet:
        """About `IMAGES` images of a site; a patient who is drawn twice counts as two."""
        positives, normal = int(self.truth.sum()), int((~self.truth).sum())
        ratio = prevalence / (1 - prevalence) * normal / positives
        kept = (ratio, 1.0) if ratio <= 1 else (1.0, 1 / ratio)
        a_patient = (positives * kept[0] + normal * kept[1]) / len(self._images)
        drawn = generator.integers(0, len(self._images), round(IMAGES / a_patient))
        images = np.concatenate([self._images[patient] for patient in drawn])
        of = np.repeat(np.arange(len(drawn)), [len(self._images[patient]) for patient in drawn])
        inside = generator.random(len(images)) < np.where(self.truth[images], *kept)
        images, of = images[inside], of[inside]
        return self.all._replace(
            images=np.arange(len(images)).astype(np.str_),
            patients=cast("Any", of),
            targets=self.all.targets[images],
            logits=exposure.of(self.all.logits[images]),
        )

    def true(self, scores_at: Any, threshold: float, prevalence: float) -> dict[str, float]:
        """What a threshold does to the whole population, at a prevalence."""
        flagged = scores_at >= threshold
        found, false = flagged[self.truth].mean(), flagged[~self.truth].mean()
        hit, alarm = prevalence * found, (1 - prevalence) * false
        missed, quiet = prevalence * (1 - found), (1 - prevalence) * (1 - false)
        return {
            "sensitivity": found,
            "specificity": 1 - false,
            "ppv": hit / max(hit + alarm, 1e-12),
            "npv": quiet / max(quiet + missed, 1e-12),
            "flagged": hit + alarm,
        }

    def line(self, prevalence: float, exposure: Exposure) -> tuple[float, float]:
        """Slope and intercept that make the model's own log-odds true at a prevalence."""
        counted = self.truth.mean()
        weights = np.where(self.truth, prevalence / counted, (1 - prevalence) / (1 - counted))
        fitted = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(
            self.odds(exposure)[:, np.newaxis], self.truth, weights
        )
        return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])

    def odds(self, exposure: Exposure) -> Floats:
        """The model's own log-odds that an image is not normal (N)."""
        labels, manifest = self.model.labels, self.model.manifest
        method = method_of(labels, self.model.head)
        if method is None:
            raise ConversionError(f"{self.model.name}: its labels make no overall score")
        own = OverallScore(labels, method, manifest.get("overall"))
        logits = exposure.of(self.all.logits)
        scores = calibrated(logits, manifest["calibration"], self.model.head)
        return own.log_odds(scores)


Tally = dict[str, list[bool]]
"""Quantity → whether its interval held the truth, in each draw."""


def sites_study(inputs: ModelAndReportInputs, draws: DrawsOption = 500) -> Result:
    """The study: coverage of intervals, targets kept, and right and wrong reports of a change."""
    population = Population(inputs.report, inputs.model)
    generator = np.random.default_rng(0)
    found = {
        f"{prevalence:g}": _at(population, prevalence, draws, generator)
        for prevalence in PREVALENCES
    }
    seconds = _seconds(inputs)
    halves = _halves(inputs)
    rows = []
    for prevalence, kinds in found.items():
        for name, each in kinds["targets"].items():
            cells = [
                "" if each[key] is None else f"{each[key]:.3f}"
                for key in ("met", *SHARES, "slope", "intercept")
            ]
            rows.append((f"{float(prevalence):.0%}, {name}", f"{each['refused']:.3f}", *cells))
    drifts = "; ".join(
        f"{float(prevalence):.0%}: "
        + ", ".join(f"{each['drift'][name]:.3f}" for name in ("same", "doubled", "exposed"))
        for prevalence, each in found.items()
    )
    return Result(
        name="sites",
        command="python -m quantize sites MODEL REPORT.json",
        caption="\n\n".join(
            [
                f"{draws} sites at each prevalence, drawn from the {len(population.all.images)} "
                f"images of {inputs.report.content['dataset']['patients']} patients that "
                f"{inputs.model.name} is reported on: {IMAGES} images a site, logits stretched by "
                f"up to {SCALE:g} and shifted by up to {SHIFT:g}. Refused: share of sites with too "
                "few patients for the target, or whose images the scores rank the wrong way round. "
                "Of the others: the share that the target is kept at (promised: 0.950 at least), "
                "and that each 95 % interval holds the truth in.",
                f"Drift, over one look at {IMAGES} images: share of sites that are told of a "
                "change where there is none (0.05 at most), where the prevalence doubles, and "
                f"where a new detector shifts all logits by {DETECTOR:g}: "
                f"{drifts}.",
                _halves_words(halves),
                f"calibrate on {seconds['images']} images: {seconds['seconds']:.1f} s.",
            ]
        )
        .replace("%", " %")
        .replace("  %", " %"),
        header=(
            *("", "refused", "kept", "sensitivity", "specificity", "PPV", "NPV", "flagged"),
            *("slope", "intercept"),
        ),
        rows=rows,
        content={
            "model": inputs.report.content["model"],
            "draws": draws,
            "sites": found,
            "halves": halves,
            "time": seconds,
        },
    )


def _at(
    population: Population, prevalence: float, draws: int, generator: np.random.Generator
) -> dict[str, Any]:
    """All draws at one prevalence."""
    lines: Tally = defaultdict(list)
    held: dict[str, Tally] = {aim.words: defaultdict(list) for aim in TARGETS}
    refused: dict[str, int] = defaultdict(int)
    reported: Tally = defaultdict(list)
    for _ in range(draws):
        exposure = Exposure(
            float(SCALE ** generator.uniform(-1, 1)), float(generator.uniform(-SHIFT, SHIFT))
        )
        labelled = population.site(prevalence, exposure, generator)
        for name, inside in _line_held(population, labelled, exposure, prevalence):
            lines[name].append(inside)
        counted = float(labelled.bearing.mean())
        try:
            scored = score(labelled, population.model, Prevalence(counted, counted, False))
        except DatasetError:
            scored = None
        for aim in TARGETS:
            outcome = scored and _target_held(
                population, labelled, scored, exposure, prevalence, aim
            )
            refused[aim.words] += outcome is None
            for name, inside in (outcome or {}).items():
                held[aim.words][name].append(inside)
        if scored:
            drifts = _drifts(population, labelled, scored, exposure, prevalence, generator)
            for name, changed in drifts:
                reported[name].append(changed)
    return {
        "targets": {
            words: {
                "refused": refused[words] / draws,
                **{name: _mean(tally.get(name, [])) for name in ("met", *SHARES)},
                **{name: _mean(values) for name, values in lines.items()},
            }
            for words, tally in held.items()
        },
        "drift": {name: _mean(values) for name, values in reported.items()},
    }


def _mean(values: list[bool]) -> float | None:
    return round(float(np.mean(values)), 4) if values else None


def _line_held(
    population: Population,
    labelled: LabelledSet,
    exposure: Exposure,
    prevalence: float,
) -> Iterator[tuple[str, bool]]:
    """Whether the intervals of slope and intercept hold those of the population."""
    true = dict(zip(("slope", "intercept"), population.line(prevalence, exposure), strict=True))
    method = method_of(labelled.labels, population.model.head)
    assert method
    for name, ends in recalibration(labelled, population.model, method).items():
        yield name, bool(ends["low"] <= true[name] <= ends["high"])


def _target_held(
    population: Population,
    labelled: LabelledSet,
    scored: Scored,
    exposure: Exposure,
    prevalence: float,
    aim: Target,
) -> dict[str, bool] | None:
    """Whether the target is kept, and each interval at its threshold holds the truth.

    None if there are too few patients for the target.
    """
    truth, patients = labelled.bearing, labelled.patients
    try:
        at = threshold(aim, scored.probability, truth, patients)
    except DatasetError:
        return None
    found = performance(scored.probability >= at, truth, patients)
    scores = calibrated(
        exposure.of(population.all.logits), scored.labels.affine, population.model.head
    )
    true = population.true(scored.of(scores, labelled.labels), at, prevalence)
    met = true["sensitivity" if aim.of_bearers else "specificity"] >= (aim.promised or 0)
    return {"met": bool(met), **{name: _holds(found[name], true[name]) for name in SHARES}}


def _holds(estimate: Estimate, true: float) -> bool:
    return bool(estimate.low <= true <= estimate.high)


def _drifts(
    population: Population,
    labelled: LabelledSet,
    scored: Scored,
    exposure: Exposure,
    prevalence: float,
    generator: np.random.Generator,
) -> Iterator[tuple[str, bool]]:
    """Whether a change is reported in a period like the labelled set, and in changed ones."""
    model = population.model
    try:
        at = threshold(TARGETS[0], scored.probability, labelled.bearing, labelled.patients)
    except DatasetError:
        return
    flagged = scored.probability >= at
    reference = drift_reference.made(scored, flagged, labelled, np.ones(len(flagged)))
    site = Site(Path(), cast("Any", _as_site(reference, labelled)))
    changes = {
        "same": (1, 0.0),
        "doubled": (2, 0.0),
        "exposed": (1, DETECTOR),
    }
    for name, (times, shift) in changes.items():
        other = exposure._replace(shift=exposure.shift + shift)
        later = population.site(times * prevalence, other, generator)
        scores = calibrated(later.logits, scored.labels.affine, model.head)
        probability = scored.of(scores, later.labels)
        period = Period(
            *(model.sha256, DIGEST, probability, probability >= at),
            *(scores[:, later.labels.findings], 0, 0),
        )
        yield name, drift.drift(period, model, site, 1)["verdict"] == drift.CHANGED


def _as_site(reference: dict[str, Any], labelled: LabelledSet) -> dict[str, Any]:
    """The part of a site file that drift needs."""
    data = labelled.counted(np.ones(len(labelled.images), bool))
    return {"reference": reference, "data": data, "digest": DIGEST}


def _seconds(inputs: ModelAndReportInputs) -> dict[str, float]:
    """The time of a whole calibration."""
    labelled = pooled([inputs.report], inputs.model)
    start = time.perf_counter()
    calibrate(labelled, inputs.model, TARGETS[0])
    return {"images": len(labelled.images), "seconds": time.perf_counter() - start}


def _halves(inputs: ModelAndReportInputs) -> dict[str, Any]:
    """Calibrates on one half of the patients, and measures on the other half."""
    whole = pooled([inputs.report], inputs.model)
    patients = np.unique(whole.patients)
    chosen = np.random.default_rng(0).permutation(patients)[: len(patients) // 2]
    first = np.isin(whole.patients, chosen)
    mine, others = (_part(whole, each) for each in (first, ~first))
    counted = float(mine.bearing.mean())
    scored = score(mine, inputs.model, Prevalence(counted, counted, False))
    at = threshold(TARGETS[0], scored.probability, mine.bearing, mine.patients)
    scores = calibrated(others.logits, scored.labels.affine, inputs.model.head)
    flagged = scored.of(scores, others.labels) >= at
    own = before(others, inputs.model, None)
    truth = others.bearing
    return {
        "calibrated_on": mine.counted(np.ones(len(mine.images), bool)),
        "judged_on": others.counted(np.ones(len(truth), bool)),
        "before": None if own is None else _alarms_and_found(own),
        "after": {
            "false_alarms": share(flagged[~truth], others.patients[~truth]).as_dict(),
            "found": share(flagged[truth], others.patients[truth]).as_dict(),
        },
    }


def _part(whole: LabelledSet, inside: Bools) -> LabelledSet:
    columns = ("images", "patients", "targets", "logits")
    return whole._replace(**{name: getattr(whole, name)[inside] for name in columns})


def _alarms_and_found(worth: dict[str, Any]) -> dict[str, Any]:
    specificity = worth["specificity"]
    turned = {"value": "value", "low": "high", "high": "low"}
    alarms = {end: round(1 - specificity[other], 6) for end, other in turned.items()}
    return {"false_alarms": alarms, "found": worth["sensitivity"]}


def _halves_words(halves: dict[str, Any]) -> str:
    def words(found: dict[str, Any] | None) -> str:
        if found is None:
            return "nothing"
        return (
            f"{interval_text(found['false_alarms'])} of normal images and "
            f"{interval_text(found['found'])} of those with a finding"
        )

    return (
        f"The report's own patients: calibrated on one half of them "
        f"({halves['calibrated_on']['images']} images of {halves['calibrated_on']['patients']}) "
        f"for one false alarm in ten, what is flagged among the other half "
        f"({halves['judged_on']['images']} of {halves['judged_on']['patients']}): by the model as "
        f"it came {words(halves['before'])}; by the site's threshold {words(halves['after'])}."
    )
