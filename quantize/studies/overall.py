"""Which score of the whole image ranks best, of several made from the labels' scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_app.evaluation.report import Report, interval_text
from edge_app.model.labels import Labels
from edge_app.model.overall import OverallScore, log_odds
from quantize.studies.inputs import ModelAndReportsInputs
from quantize.studies.result import Result
from train.overall import ranking

Floats = NDArray[np.float64]
Measure = Callable[[Floats, Labels, Floats], Floats]

ALARMS: Final = 0.10
"""Share of normal validation images that are flagged, for the sensitivities side by side."""


def _normal(scores: Floats, labels: Labels, thresholds: Floats) -> Floats:
    return log_odds(scores, labels, "normal")


def _noisy_or(scores: Floats, labels: Labels, thresholds: Floats) -> Floats:
    return log_odds(scores, labels, "noisy-or")


def _sum(scores: Floats, labels: Labels, thresholds: Floats) -> Floats:
    return np.asarray(scores[:, labels.findings].sum(axis=1))


def _largest(scores: Floats, labels: Labels, thresholds: Floats) -> Floats:
    return np.asarray(scores[:, labels.findings].max(axis=1))


def _distance(scores: Floats, labels: Labels, thresholds: Floats) -> Floats:
    known = [channel for channel in labels.findings if np.isfinite(thresholds[channel])]
    held, limits = np.clip(scores[:, known], 1e-9, 1 - 1e-9), thresholds[known]
    away = np.log(held / (1 - held)) - np.log(limits / (1 - limits))
    return np.asarray(away.mean(axis=1))


MEASURES: Final[dict[str, Measure]] = {
    "1 - the normal label": _normal,
    "noisy or of the findings": _noisy_or,
    "sum of the findings": _sum,
    "largest finding": _largest,
    "mean distance to the threshold": _distance,
}
ANSWERED: Final = "as answered: never below the largest finding"


def overall_study(inputs: ModelAndReportsInputs) -> Result:
    """The study: each score's AUROC on validation, where one may be chosen, and on test."""
    model = inputs.model
    point = model.manifest["operating_points"][model.manifest["default_operating_point"]]
    thresholds = np.array([np.nan if at is None else at for at in point["thresholds"]], np.float64)
    found: dict[str, Any] = {}
    topped = ""
    measures = dict(MEASURES)
    if model.labels.normal is None:
        measures.pop("1 - the normal label")
    if score := OverallScore.of(model.manifest, model.labels):
        measures[ANSWERED] = lambda scores, labels, thresholds: score.probability(scores)
        shares = [_topped(score, report) for report in (inputs.validation, inputs.test)]
        topped = (
            f" The largest finding is the answer in {100 * shares[0]:.1f} % of validation and "
            f"{100 * shares[1]:.1f} % of test images."
        )
    for name, measure in measures.items():
        cut: float | None = None
        found[name] = {}
        for split, report in (("validation", inputs.validation), ("test", inputs.test)):
            values = measure(_scores(report), model.labels, thresholds)
            truth = model.labels.not_normal(report.evaluated.targets)
            if cut is None:
                cut = float(np.quantile(values[~truth], 1 - ALARMS))
            auroc, low, high = ranking(truth, values, report.evaluated.patients).tolist()
            found[name][split] = {
                "auroc": {"value": auroc, "low": low, "high": high},
                "sensitivity": float((values[truth] > cut).mean()),
                "false_alarms": float((values[~truth] > cut).mean()),
            }
    return Result(
        name="overall",
        command="python -m quantize overall MODEL VALIDATION.json TEST.json",
        caption=(
            f"One score of the whole image, of {model.name}: normal images against others. "
            f"Sensitivity and false alarms where 1 in {1 / ALARMS:.0f} normal validation images "
            f"is flagged. 95 % intervals: patients resampled.{topped}"
        ),
        header=("", "AUROC, validation", "sensitivity", "AUROC, test", "sensitivity", "alarms"),
        rows=[
            (
                name,
                interval_text(each["validation"]["auroc"]),
                f"{each['validation']['sensitivity']:.3f}",
                interval_text(each["test"]["auroc"]),
                f"{each['test']['sensitivity']:.3f}",
                f"{each['test']['false_alarms']:.3f}",
            )
            for name, each in found.items()
        ],
        content={"model": model.sha256, "measures": found},
    )


def _topped(score: OverallScore, report: Report) -> float:
    """The share of images whose probability of not being normal is that of a finding."""
    scores = _scores(report)
    largest = scores[:, score.labels.findings].max(axis=1)
    return float((score.probability(scores) == largest).mean())


def _scores(report: Report) -> Floats:
    return report.calibrated(report.evaluated.logits)
