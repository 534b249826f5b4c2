"""The evaluation report of a model file, in the float report's format."""

from __future__ import annotations

import platform

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from edge_app.classifier import Classifier
from edge_app.model_file import ModelFile
from edge_app.report import Report
from train.cache import Cached
from train.run import FinishedRun, build_report


def predict(classifier: Classifier, cached: Cached, console: Console) -> NDArray[np.float32]:
    """Logits M×15 of a model file over cached images."""
    rows = track(
        cached.rows,
        f"Scoring {len(cached)} images",
        console=console,
        disable=not console.is_terminal,
    )
    return np.stack([classifier.logits(cached.images[row])[0] for row in rows])


def evaluate(
    run: FinishedRun, model: ModelFile, cached: Cached, split: str, console: Console
) -> Report:
    """Score `cached` with the model file as the device would."""
    classifier = Classifier(model)
    logits = predict(classifier, cached, console)
    provenance = classifier.provenance()
    return build_report(
        run,
        cached,
        logits,
        {},
        split=split,
        model={
            "name": model.name,
            "format": model.manifest["input"]["dtype"],
            "sha256": model.sha256,
            "architecture": model.manifest["architecture"],
        },
        runtime={**provenance["runtime"], "machine": platform.machine()},
    )
