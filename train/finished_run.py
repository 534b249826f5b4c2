"""A finished run folder, opened: its network, and the reports made with it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from edge_app.evaluation import report
from edge_app.evaluation.report import Evaluated, Report
from edge_app.evaluation.splits import Split
from train.cache import Cached
from train.calibrate import DEFAULT_POINT
from train.data_facts import dataset_facts, shared_files
from train.errors import DatasetError, RunError
from train.labels import LabelSet
from train.recipes import Recipe
from train.run_config import RunConfig
from train.source import known_patients, learned_alone

# Notes on images whose patients the judged network knows, or may know.
TRAINED_ON: Final = "the network was trained on these patients: this says nothing of others"
NOT_SHOWN: Final = (
    "nothing shows that the network was not trained on some: its training images are not those of "
    "this data set as it is now"
)
TAUGHT_ON: Final = (
    "nothing shows that what it was started from, or taught by, was not trained on some of these "
    "patients"
)


@dataclass(frozen=True)
class FinishedRun:
    """A trained network with what was fitted on validation.

    Attributes:
        folder: of the run.
        config: what decided its training.
        model: image → (logits, map).
        calibration, operating_points: as in a manifest.
        image_level: see `overall.image_level`; empty in runs of an earlier version.
    """

    folder: Path
    config: RunConfig
    model: keras.Model
    calibration: dict[str, Any]
    operating_points: dict[str, Any]
    image_level: dict[str, Any] = field(default_factory=dict)

    @property
    def recipe(self) -> Recipe:
        """What it was trained by."""
        return self.config.recipe

    @property
    def labels(self) -> LabelSet:
        """The labels of its output channels."""
        return self.config.labels


def open_run(folder: Path) -> FinishedRun:
    """Load a run folder.

    Raises:
        RunError: the run is not finished, or damaged.
    """
    config = RunConfig.read(folder)
    require_finished(folder)
    try:
        decided = json.loads((folder / "calibration.json").read_text())
        model = keras.models.load_model(folder / "model.keras", compile=False)
        return FinishedRun(folder, config, model, **decided)
    except (OSError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise RunError(f"{folder}: is damaged: {reason}") from None


def require_finished(folder: Path) -> None:
    """Raise a RunError for a run that is not calibrated yet."""
    if not (folder / "calibration.json").exists():
        raise RunError(f"{folder}: no calibration.json: train it to its end first")


def images_to_judge(run: FinishedRun, cached: Cached, split: Split) -> Cached:
    """The images of one split, with notes where the run knows, or may know, their patients.

    So may its teachers, and the network that it was started from.

    Args:
        run: the network to be judged.
        cached: the whole data set. Splits move when patients are added, so a training patient can
            become a test patient.
        split: validation or test.

    Raises:
        DatasetError: no image is in it.
    """
    images = cached.split(split)
    if not len(images):
        raise DatasetError(f"{cached.name}: no {split} images in it")
    dataset = run.config.dataset
    known = known_patients(dataset, cached, run.recipe.patients)[split]
    taught = () if learned_alone(dataset) else (TAUGHT_ON,)
    notes = {"not seen": taught, "seen": (TRAINED_ON,), "not known": (NOT_SHOWN,)}[known]
    parts = [(cached.split("train"), "train")]
    if split == "test":
        parts.append((cached.split("validation"), "validate"))
    twice = [line for part, does in parts for line in shared_files(images, part, does)]
    return replace(images, notes=(*notes, *twice))


def build_report(
    run: FinishedRun,
    cached: Cached,
    logits: NDArray[np.float32],
    retest: dict[str, NDArray[np.float32]],
    *,
    split: str,
    model: dict[str, Any],
    runtime: dict[str, Any],
) -> Report:
    """The evaluation report of any runtime's logits over `cached`, at the run's thresholds."""
    return report.build(
        Evaluated(
            cached.table["image"].to_numpy(str),
            cached.table["patient"].to_numpy(str),
            cached.targets,
            logits,
            retest,
        ),
        labels=run.labels.labels,
        head=run.labels.head,
        model=model,
        dataset=dataset_facts(cached, split),
        runtime=runtime,
        calibration=run.calibration,
        operating_points=run.operating_points,
        operating_point=DEFAULT_POINT,
        overall=run.image_level.get("overall"),
    )
