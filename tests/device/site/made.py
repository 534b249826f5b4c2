"""Labelled sets of made-up sites."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np

from edge_app.evaluation.report import Evaluated, Report, build
from edge_app.model.model_file import SHIPPED, ModelFile, read
from edge_app.site.calibrate import calibrate
from edge_app.site.labelled_set import pooled
from edge_app.site.target import Target


@cache
def model() -> ModelFile:
    return read(SHIPPED / "cxr-cnn28.tflite")


def evaluated(
    patients: int = 400, prevalence: float = 0.3, per_patient: int = 3, seed: int = 0
) -> Evaluated:
    """Logits that know something of an Effusion, which makes an image abnormal."""
    generator = np.random.default_rng(seed)
    labels = model().labels
    count = patients * per_patient
    of = np.repeat(np.arange(patients), per_patient)
    own = generator.normal(size=patients)[of]
    bears = generator.random(count) < prevalence
    targets = np.zeros((count, len(labels)), np.uint8)
    effusion, normal = labels.names.index("Effusion"), labels.names.index("No Finding")
    targets[bears, effusion] = 1
    targets[~bears, normal] = 1
    logits = generator.normal(-3, 1, (count, len(labels)))
    evidence = 2 * bears + 0.5 * own + generator.normal(size=count) - 1
    logits[:, effusion], logits[:, normal] = evidence, -evidence
    names = np.array([f"{image:05d}.png" for image in range(count)])
    return Evaluated(
        names, np.array([f"p{each}" for each in of]), targets, logits.astype(np.float32)
    )


def report(evaluation: Evaluated, sha256: str | None = None, of: ModelFile | None = None) -> Report:
    of = of or model()
    manifest = of.manifest
    return build(
        evaluation,
        labels=of.labels,
        head=of.head,
        model={
            "name": of.name,
            "format": "int8",
            "sha256": sha256 or of.sha256,
            "scoring": of.scoring,
            "architecture": "a",
        },
        dataset={"name": "made up", "split": "all", "digest": "1" * 64},
        runtime={"name": "litert", "version": "0", "delegate": "cpu"},
        calibration=manifest["calibration"],
        operating_points=manifest["operating_points"],
        operating_point=manifest["default_operating_point"],
        resamples=0,
    )


def written(folder: Path, evaluation: Evaluated | None = None, name: str = "report.json") -> Path:
    """A report's file."""
    from edge_app.evaluation.report import write

    path = folder / name
    write(report(evaluation if evaluation is not None else evaluated()), path)
    return path


@cache
def _site_text() -> str:
    return json.dumps(
        calibrate(pooled([report(evaluated())], model()), model(), Target("sensitivity", 0.9))
    )


def site_file(folder: Path) -> Path:
    """A site file of the model, in a folder."""
    path = folder / "site.json"
    path.write_text(_site_text())
    return path
