"""The float evaluation report of a run: JSON, scores, text, pictures."""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import classification_report

from edge_app import DISCLAIMER, report
from edge_app.calibration import calibrated
from edge_app.labels import LABELS
from edge_app.report import Report, interval_text
from train import pictures
from train.cache import Cached
from train.predict import logits_only, predict
from train.run import FinishedRun, build_report, versions


def evaluate(run: FinishedRun, cached: Cached, split: str, name: str) -> Report:
    """Score `cached` with the float network."""
    weights = (run.folder / "kept.weights.h5").read_bytes()
    model = {
        "name": name,
        "format": "float32",
        "sha256": hashlib.sha256(weights).hexdigest(),
        "architecture": run.recipe.network,
    }
    packages = versions()
    runtime = {
        "name": "keras",
        "version": packages["keras"],
        "delegate": "cpu",
        "machine": platform.machine(),
        "packages": packages,
    }
    logits = predict(logits_only(run.model), cached)
    return build_report(run, cached, logits, split=split, model=model, runtime=runtime)


def write_all(evaluation: Report, folder: Path, stem: str) -> None:
    """`stem`.json, .npz, .txt, -roc.png and -confusion.png in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    report.write(evaluation, folder / f"{stem}.json")
    (folder / f"{stem}.txt").write_text(as_text(evaluation))
    pictures.roc_curves(evaluation, folder / f"{stem}-roc.png")
    pictures.confusion_matrices(evaluation, folder / f"{stem}-confusion.png")


def as_text(evaluation: Report) -> str:
    """scikit-learn's classification report, then AUROC and average precision with intervals."""
    content, answers = evaluation.content, evaluation.evaluated
    scores = calibrated(answers.logits, content["calibration"])
    thresholds = [
        np.inf if row["threshold"] is None else row["threshold"] for row in content["labels"]
    ]
    table = classification_report(
        answers.targets,
        scores >= np.array(thresholds),
        target_names=LABELS,
        digits=3,
        zero_division=0,
    )
    model, dataset = content["model"], content["dataset"]
    lines = [
        f"{model['name']}, {model['format']}, {content['runtime']['name']} "
        f"{content['runtime']['version']}",
        f"{dataset['name']}, {dataset['split']}: {dataset['images']} images of "
        f"{dataset['patients']} patients; digest {dataset['digest'][:16]}",
        f"operating point '{content['operating_point']}'",
        "",
        table,
        *_without_threshold(content),
        "95 % intervals: bootstrap over patients",
        f"{'':>18}  {'AUROC':>24}  {'average precision':>24}  {'calibration error':>24}",
    ]
    for row in [*content["labels"], {"label": "macro (findings)", **content["macro"]}]:
        metrics = (row[key] for key in ("auroc", "average_precision", "calibration_error"))
        lines.append(
            f"{row['label']:>18}  " + "  ".join(f"{interval_text(m):>24}" for m in metrics)
        )
    return "\n".join([*lines, "", DISCLAIMER]) + "\n"


def _without_threshold(content: dict[str, Any]) -> list[str]:
    """scikit-learn's table shows zeros for these; they are no measurement."""
    names = [row["label"] for row in content["labels"] if row["threshold"] is None]
    if not names:
        return []
    return [f"no threshold, so no decisions above: {', '.join(names)} (too few to fit one)", ""]
