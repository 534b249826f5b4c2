"""Finished runs and model files, opened as the teachers that another run learns from."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

from edge_app.classifier import Classifier
from edge_app.evaluation.label_names import listed
from edge_app.model.model_file import read
from train.cache import Cached
from train.errors import RunError
from train.labels import OF_NIH, LabelSet
from train.options import read_data
from train.predict import logits_only, predict
from train.run import open_run
from train.teachers import Teacher, Teachers, ensemble, model_file_logits


def read_teachers(
    sources: list[Path], data: Path, cache: Path, limit: int | None, cached: Cached
) -> Teachers | None:
    """The ensemble of several teachers, none of which may know the validation patients.

    Args:
        sources: finished runs or model files; with none there is no ensemble.
        data, cache, limit: see `options.read_data`; each teacher sees the images at its own size.
        cached: the student's images.

    Raises:
        RunError: one cannot be a teacher.
        DatasetError: one was validated on other images than the student.
    """
    members = [read_teacher(source, data, cache, limit, cached.labels) for source in sources]
    for member in members:
        member.require_unseen(cached.split("validation"))
    return ensemble(members) if members else None


def read_teacher(
    source: Path, data: Path, cache: Path, limit: int | None, labels: LabelSet = OF_NIH
) -> Teacher:
    """A finished run or a model file, and all images that a student may train on, at its size.

    Raises:
        RunError: it was trained on the validation patients, does not say who they were, or
            answers other labels than the student's.
    """
    network = None
    if source.is_dir():
        run = open_run(source)
        digest = hashlib.sha256((source / "kept.weights.h5").read_bytes()).hexdigest()
        architecture, side, network = run.recipe.network, run.recipe.side, run.model
        facts, calibration, known = run.config["dataset"], run.calibration, run.labels
        logits = partial(predict, logits_only(run.model))
    else:
        model = read(source)
        digest, architecture = model.sha256, model.manifest["architecture"]
        known = LabelSet.of_manifest(model.manifest)
        side, calibration = model.input_spec.height, {**model.manifest["calibration"]}
        facts = model.manifest["training"].get("dataset", {})
        logits = partial(model_file_logits, Classifier(model))
    if (known.names, known.head) != (labels.names, labels.head):
        raise RunError(
            f"{source}: it answers {listed(known.names)}, and the student is to answer "
            f"{listed(labels.names)}: a teacher has the student's labels, see --labels FILE"
        )
    if "refit_of" in facts:
        raise RunError(f"{source} was trained on the validation patients: it cannot be a teacher")
    if "validation" not in facts:
        raise RunError(f"{source} does not say which patients validated it: it cannot be a teacher")
    cached = read_data(data, side, cache, limit, labels).split("train", "validation")
    name = f"{architecture} {digest[:16]}"
    return Teacher(
        name, logits, calibration, network, facts["validation"]["digest"], cached, labels.head
    )
