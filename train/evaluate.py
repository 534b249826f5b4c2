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
from edge_app.perturb import WORDS
from edge_app.report import Report, interval_text
from train import pictures
from train.cache import Cached
from train.predict import logits_only, predict, retest
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
    network = logits_only(run.model)
    logits, retested = predict(network, cached), retest(network, cached)
    return build_report(run, cached, logits, retested, split=split, model=model, runtime=runtime)


def write_all(evaluation: Report, folder: Path, stem: str) -> None:
    """`stem`.json, .npz, .txt, -roc.png and -confusion.png in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    report.write(evaluation, folder / f"{stem}.json")
    (folder / f"{stem}.txt").write_text(as_text(evaluation))
    pictures.roc_curves(evaluation, folder / f"{stem}-roc.png")
    pictures.confusion_matrices(evaluation, folder / f"{stem}-confusion.png")


def as_text(evaluation: Report) -> str:
    """scikit-learn's classification report, AUROC and the like with intervals, steadiness."""
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
    return "\n".join([*lines, "", *_steadiness(content), DISCLAIMER]) + "\n"


def _steadiness(content: dict[str, Any]) -> list[str]:
    """How often the model agrees with itself after a small change of the images."""
    if not content["retest"]:
        return []
    points = content["operating_points"]
    lines = [
        "the same model on the same images, slightly changed: decisions kept, logit difference",
        f"{'':>24}" + "".join(f"  {point:>10}" for point in points) + f"  {'rms':>6}",
    ]
    for key, measured in content["retest"].items():
        kept = (measured["decisions_kept"][point] for point in points)
        cells = ("none" if share is None else f"{share:.1%}" for share in kept)
        row = "".join(f"  {cell:>10}" for cell in cells)
        lines.append(f"{WORDS[key]:>24}{row}  {measured['logit_rms']:>6.3f}")
    return [*lines, ""]


def _without_threshold(content: dict[str, Any]) -> list[str]:
    """scikit-learn's table shows zeros for these; they are no measurement."""
    names = [row["label"] for row in content["labels"] if row["threshold"] is None]
    if not names:
        return []
    return [f"no threshold, so no decisions above: {', '.join(names)} (too few to fit one)", ""]
