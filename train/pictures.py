"""Plots: ROC curves, confusion matrices, training and learning curves, a montage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import ConfusionMatrixDisplay, RocCurveDisplay

from edge_app.core.about import DISCLAIMER
from edge_app.evaluation.report import Report, interval_text
from train.cache import Cached

COLUMNS = 5

plt.switch_backend("Agg")  # needs no screen


def _grid(count: int) -> tuple[plt.Figure, np.ndarray]:
    """Axes for `count` labels, `COLUMNS` a row; those left over are hidden."""
    rows = -(-count // COLUMNS)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(3 * COLUMNS, 3 * rows + 0.6), squeeze=False)
    for axis in axes.ravel()[count:]:
        axis.set_axis_off()
    return figure, axes.ravel()[:count]


def _save(figure: plt.Figure, title: str, path: Path) -> None:
    figure.suptitle(title)
    figure.text(0.5, 0.005, DISCLAIMER, ha="center", fontsize=8)
    figure.tight_layout(rect=(0, 0.02, 1, 1))
    figure.savefig(path, dpi=80)
    plt.close(figure)


def roc_curves(report: Report, path: Path) -> None:
    """One ROC curve a label, with its AUROC and interval."""
    figure, axes = _grid(len(report.labels))
    scores = report.calibrated(report.evaluated.logits)
    for channel, (axis, row) in enumerate(zip(axes, report.content["labels"], strict=True)):
        truth, auroc = report.evaluated.targets[:, channel], row["auroc"]
        axis.plot([0, 1], [0, 1], color="0.8", linewidth=1)
        axis.set_title(f"{row['label']} ({row['support']})", fontsize=10)
        if auroc["value"] is None:
            axis.text(0.5, 0.5, "not computable", ha="center")
            continue
        RocCurveDisplay.from_predictions(truth, scores[:, channel], ax=axis)
        axis.get_legend().remove()
        axis.text(0.98, 0.04, f"{interval_text(auroc)}", ha="right", fontsize=8)
        axis.set(xlabel="1 - specificity", ylabel="sensitivity")
    _save(figure, f"ROC: {_title(report)}", path)


def confusion_matrices(report: Report, path: Path) -> None:
    """One 2×2 table a label at the report's operating point."""
    figure, axes = _grid(len(report.labels))
    for axis, row in zip(axes, report.content["labels"], strict=True):
        axis.set_title(f"{row['label']} ({row['support']})", fontsize=10)
        cells = row["confusion"]
        if cells is None:
            axis.text(0.5, 0.5, "no threshold", ha="center")
            axis.set_axis_off()
            continue
        table = np.array([[cells["tn"], cells["fp"]], [cells["fn"], cells["tp"]]])
        shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
        display = ConfusionMatrixDisplay(shares, display_labels=["no", "yes"])
        display.plot(ax=axis, colorbar=False, cmap="Blues", include_values=False)
        display.im_.set_clim(0, 1)
        for (y, x), count in np.ndenumerate(table):
            color = "white" if shares[y, x] > 0.5 else "black"
            axis.text(x, y, f"{count}\n{shares[y, x]:.0%}", ha="center", va="center", color=color)
        axis.set(xlabel="predicted", ylabel="label")
    point = report.content["operating_point"]
    _save(figure, f"Confusion at '{point}': {_title(report)}", path)


def _title(report: Report) -> str:
    model, dataset = report.content["model"], report.content["dataset"]
    return (
        f"{model['name']} {model['format']}, {dataset['split']}, "
        f"{dataset['images']} images of {dataset['patients']} patients"
    )


def training_curves(history: Path, path: Path) -> None:
    """Loss and validation AUROC by epoch; the validation loss where there is no AUROC."""
    table = pd.read_csv(history)
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6))
    names = {
        "loss": "training loss",
        "val_auroc": "validation macro AUROC",
        "val_loss": "validation loss",
    }
    for axis, name in zip(axes, [name for name in names if name in table], strict=False):
        axis.plot(table["epoch"] + 1, table[name], marker="o")
        axis.set(xlabel="epoch", title=names[name])
        axis.grid(alpha=0.3)
    _save(figure, path.parent.name, path)


def learning_curve(curve: dict[str, Any], path: Path) -> None:
    """Points with intervals, and the extrapolation; see `learning_curve.learning_curve`."""
    figure, axis = plt.subplots(figsize=(6, 4))
    for name, fmt in (("points", "o-"), ("extrapolated", "x:")):
        points = curve[name] if name == "points" else [curve["points"][-1], *curve[name]]
        value, low, high = (np.array([p[k] for p in points]) for k in ("auroc", "low", "high"))
        patients = [point["patients"] for point in points]
        axis.errorbar(patients, value, [value - low, high - value], fmt=fmt, capsize=3, label=name)
    axis.set(xscale="log", xlabel="training patients", ylabel="macro AUROC, validation")
    axis.grid(alpha=0.3)
    axis.legend()
    _save(figure, f"{len(curve['over'])} findings", path)


def montage(cached: Cached, path: Path) -> None:
    """Up to 30 training images from all over the set, as the network gets them, with labels."""
    no_ticks: dict[str, Any] = {"xticks": [], "yticks": []}  # they would take half of the time
    figure, axes = plt.subplots(5, 6, figsize=(13, 12.5), subplot_kw=no_ticks)
    for axis in axes.ravel():
        axis.set_axis_off()
    chosen = np.linspace(0, len(cached) - 1, min(axes.size, len(cached))).astype(int)
    for axis, index in zip(axes.ravel(), chosen, strict=False):
        axis.imshow(cached.images[cached.rows[index]], cmap="gray", vmin=0, vmax=255)
        names = [
            label
            for label, yes in zip(cached.labels.names, cached.targets[index], strict=True)
            if yes
        ]
        axis.set_title("\n".join(names), fontsize=7)
    _save(figure, f"{len(cached)} training images, {len(chosen)} of them", path)
