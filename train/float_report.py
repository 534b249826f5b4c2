"""The float evaluation report of a run: JSON, scores, text, pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import classification_report

from edge_app.core import machine
from edge_app.core.about import DISCLAIMER
from edge_app.evaluation import report, report_text
from edge_app.evaluation.report import Report
from edge_app.images.perturb import PERTURBATIONS
from train import pictures
from train.backend import versions
from train.cache import Cached
from train.finished_run import FinishedRun, build_report
from train.predict import logits_only, predict

if TYPE_CHECKING:
    from edge_app.evaluation.document import ReportDocument


def evaluate(
    run: FinishedRun,
    cached: Cached,
    split: str,
    name: str,
    perturbations: Iterable[str] = PERTURBATIONS,
) -> Report:
    """Score `cached` with the float network, and again under each of these perturbations."""
    network_file = (run.folder / "model.keras").read_bytes()
    model = {
        "name": name,
        "format": "float32",
        "sha256": hashlib.sha256(network_file).hexdigest(),
        "architecture": run.recipe.network,
    }
    packages = versions()
    runtime = {
        "name": "keras",
        "version": packages["keras"],
        "delegate": "cpu",
        **machine.identity(),
        "packages": packages,
    }
    network = logits_only(run.model)
    logits = predict(network, cached)
    retested = {key: predict(network, cached, key) for key in perturbations}
    return build_report(run, cached, logits, retested, split=split, model=model, runtime=runtime)


def write_all(evaluation: Report, folder: Path, stem: str) -> None:
    """`stem`.json, .npz, .txt, -roc.png and -confusion.png in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    report.write(evaluation, folder / f"{stem}.json")
    (folder / f"{stem}.txt").write_text(as_text(evaluation))
    pictures.roc_curves(evaluation, folder / f"{stem}-roc.png")
    pictures.confusion_matrices(evaluation, folder / f"{stem}-confusion.png")


def as_text(evaluation: Report) -> str:
    """scikit-learn's classification report, ranking metrics with intervals, and the retest."""
    content, answers = evaluation.content, evaluation.evaluated
    scores = evaluation.calibrated(answers.logits)
    thresholds = [
        np.inf if row["threshold"] is None else row["threshold"] for row in content["labels"]
    ]
    table = classification_report(
        *_as_classes(answers.targets, scores >= np.array(thresholds)),
        labels=range(len(evaluation.labels)),
        target_names=evaluation.labels.names,
        digits=3,
        zero_division=0,
    )
    lines = [
        *report_text.heading(content),
        "",
        table,
        *_without_threshold(content),
        *report_text.metrics(content, report_text.RANKING),
        "",
        *report_text.retest(content),
    ]
    return "\n".join([*lines, DISCLAIMER]) + "\n"


def _as_classes(targets: NDArray[np.uint8], decided: NDArray[np.bool_]) -> tuple[Any, Any]:
    """Truth and decisions for scikit-learn, which would take a single label for two classes."""
    if targets.shape[1] > 1:
        return targets, decided
    return np.pad(targets, ((0, 0), (0, 1))), np.pad(decided, ((0, 0), (0, 1)))


def _without_threshold(content: ReportDocument) -> list[str]:
    """A line about the labels for which scikit-learn's table shows zeros that nobody measured."""
    names = [row["label"] for row in content["labels"] if row["threshold"] is None]
    if not names:
        return []
    return [f"no threshold, so no decisions above: {', '.join(names)} (too few to fit one)", ""]
