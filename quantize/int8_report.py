"""The evaluation report of a model file on cached images, scored as on the device."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from edge_app.classifier import Classifier
from edge_app.evaluation.evaluate import build_report, logits_of
from edge_app.evaluation.report import Evaluated, Report
from edge_app.images.array import from_array
from edge_app.images.radiograph import Limits, Radiograph
from edge_app.model.model_file import ModelFile
from edge_app.pipeline.route import score_all, unbroken
from train.cache import Cached
from train.data_facts import dataset_facts

Logits = tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]
"""The logits of a picture, and of its perturbations by key."""


def evaluate(
    model: ModelFile, cached: Cached, split: str, console: Console, *, retest: bool = False
) -> Report:
    """Score `cached` with the model file; if `retest`, under every perturbation too."""
    classifier = Classifier(model)
    names = cached.table["image"].to_numpy(str)
    rows = track(
        zip(cached.rows.tolist(), names.tolist(), strict=True),
        f"Scoring {len(cached)} images",
        total=len(cached),
        console=console,
        disable=not console.is_terminal,
    )

    def read(row: tuple[int, str], limits: Limits) -> Radiograph:
        return from_array(cached.images[row[0]], limits)

    def score(one: Classifier, row: tuple[int, str], image: Radiograph) -> Logits:
        return logits_of(one, image.picture, row[1], retest)

    scored = [logits for _, logits in unbroken(score_all(rows, classifier, read, score))]
    evaluated = Evaluated(
        names,
        cached.table["patient"].to_numpy(str),
        cached.targets,
        np.stack([logits for logits, _ in scored]),
        {key: np.stack([changed[key] for _, changed in scored]) for key in scored[0][1]},
    )
    return build_report(classifier, evaluated, dataset_facts(cached, split))
