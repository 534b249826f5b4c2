"""The evaluation report of a model file over cached images, as the device would make it."""

from __future__ import annotations

import numpy as np
from rich.console import Console
from rich.progress import track

from edge_app.classifier import Classifier
from edge_app.evaluation.evaluate import answer, build_report
from edge_app.evaluation.report import Evaluated, Report
from edge_app.model.model_file import ModelFile
from train.cache import Cached
from train.run import dataset_facts


def evaluate(
    model: ModelFile, cached: Cached, split: str, console: Console, *, retest: bool = False
) -> Report:
    """Score `cached` with the model file; if `retest`, under every perturbation too."""
    classifier = Classifier(model)
    names = cached.table["image"].to_numpy(str)
    answers = [
        answer(classifier, cached.images[row], name, retest)
        for row, name in track(
            zip(cached.rows, names.tolist(), strict=True),
            f"Scoring {len(cached)} images",
            total=len(cached),
            console=console,
            disable=not console.is_terminal,
        )
    ]
    evaluated = Evaluated(
        names,
        cached.table["patient"].to_numpy(str),
        cached.targets,
        np.stack([logits for logits, _ in answers]),
        {key: np.stack([changed[key] for _, changed in answers]) for key in answers[0][1]},
    )
    return build_report(classifier, evaluated, dataset_facts(cached, split))
