"""How validation AUROC grows with the number of training patients, extrapolated to more.

Shares of the patients must be trained for as many steps as all of them, or the curve would show
the shorter training. The extrapolation is a power law of the distance to 1, which learning curves
of deep networks follow over orders of magnitude (Hestness et al., arXiv:1712.00409, 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_app.evaluation.metrics import whole_and_resampled
from edge_app.evaluation.report import Report, read
from train.errors import RunError
from train.finished_run import TRAINED_ON
from train.labels import LabelSet
from train.ranking import macro_aurocs, rankable, reported_scores, with_interval
from train.run_config import RunConfig

MIN_POSITIVES: Final = 10
"""Findings with fewer positive or negative validation images are left out: a single image more
would look like learning."""

RELEASE_PATIENTS: Final = 28_008
"""Patients of train_val in the whole NIH release (train_val_list.txt: Wang et al., CVPR 2017);
curves on images of this release are extrapolated to them."""

RELEASE: Final = "NIH ChestX-ray14"
SMALLEST: Final = 1e-6
"""The smallest distance from a perfect ranking: a power law has no zero."""


def learning_curve(runs: Sequence[Path], resamples: int = 1000) -> dict[str, Any]:
    """Points and extrapolation of the finished `runs`, JSON-able.

    Args:
        runs: run folders with `reports/float-validation.json`, of one recipe but for its share
            of patients, epochs and patience.
        resamples: of the bootstrap over validation patients.

    Raises:
        RunError: there are fewer than three runs, their recipes or validation images differ, these
            images also trained, or no finding can be ranked.
        ReportError: a run was not evaluated on validation yet.
    """
    if len(runs) < 3:
        raise RunError("a learning curve takes three runs or more, of different shares of patients")
    reports = [read(run / "reports" / "float-validation.json") for run in runs]
    configs = [RunConfig.read(run) for run in runs]
    _require_comparable(configs, reports)
    answers, labels = reports[0].evaluated, reports[0].labels
    findings = rankable(answers.targets, LabelSet(labels), MIN_POSITIVES)
    if not findings:
        raise RunError(
            f"no finding is borne by {MIN_POSITIVES} validation images, and not by as many: no "
            "learning curve"
        )
    resampled = whole_and_resampled(answers.patients, resamples, seed=0)
    areas = np.stack(
        [
            macro_aurocs(each.evaluated.targets, reported_scores(each), findings, *resampled)
            for each in reports
        ]
    )
    patients = np.array([config.dataset["train"]["patients"] for config in configs])
    order = np.argsort(patients)
    of_release = reports[0].content["dataset"]["name"].startswith(RELEASE)
    targets = [2 * int(patients.max()), *([RELEASE_PATIENTS] if of_release else [])]
    return {
        "over": [labels[i].name for i in findings],
        "validation": reports[0].content["dataset"],
        "points": [
            {
                "run": runs[i].name,
                "patients": int(patients[i]),
                "images": configs[i].dataset["train"]["images"],
                **_value(areas[i]),
            }
            for i in order
        ],
        "extrapolated": [
            {"patients": count, **_value(power_law(patients, areas, count))} for count in targets
        ],
    }


def power_law(
    patients: NDArray[np.int64], areas: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    """AUROC at `count` patients: least squares of log(1 − AUROC) over log(patients).

    Args:
        patients: R counts.
        areas: R×B AUROCs, one column a resample.
        count: to extrapolate to.

    Returns:
        B values.
    """
    x = np.log(patients) - np.log(patients).mean()
    y = np.log(np.maximum(1 - areas, SMALLEST))
    slope = x @ y / (x @ x)
    distance: NDArray[np.float64] = np.exp(
        y.mean(axis=0) + slope * (np.log(count) - np.log(patients).mean())
    )
    return 1 - distance


def _require_comparable(configs: Sequence[RunConfig], reports: Sequence[Report]) -> None:
    free = ("patients", "epochs", "patience")
    recipes = [{k: v for k, v in asdict(c.recipe).items() if k not in free} for c in configs]
    if any(recipe != recipes[0] for recipe in recipes):
        raise RunError("these runs differ in more than their share of patients: no learning curve")
    if len({report.content["dataset"]["digest"] for report in reports}) > 1:
        raise RunError("these runs were validated on different images: no learning curve")
    notes = [note for report in reports for note in report.content["dataset"].get("notes", ())]
    if TRAINED_ON in notes:
        raise RunError("a run was trained on its validation patients: no learning curve")
    if len({config.dataset["train"]["patients"] for config in configs}) < len(configs):
        raise RunError("two of these runs have the same number of patients: no learning curve")


def _value(areas: NDArray[np.float64]) -> dict[str, float]:
    names = ("auroc", "low", "high")
    return {n: round(end, 4) for n, end in zip(names, with_interval(areas), strict=True)}
