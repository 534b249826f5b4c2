"""A float network and its images, to measure conversions against."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from edge_app.backends.interpreters import find_interpreter
from edge_app.comparison.compare import Comparison, compare
from edge_app.evaluation.report import Report
from edge_app.model.model_file import ModelFile
from quantize.convert import CALIBRATION_IMAGES, calibration_rows
from quantize.int8 import span_pictures
from quantize.int8_report import evaluate
from quantize.package import package
from train.cache import Cached
from train.finished_run import FinishedRun
from train.float_report import evaluate as evaluate_float


@dataclass(frozen=True)
class Bench:
    """A float network, images to measure on, and images to calibrate conversions with.

    Attributes:
        run: with the network.
        training: images to calibrate with.
        cached: images to measure on.
        split: name of their split.
        seed: of the choice of calibration images.
        folder: where model files and results go.
        console: for progress.
        calibration_images: how many a conversion is calibrated with, at most.
    """

    run: FinishedRun
    training: Cached
    cached: Cached
    split: str
    seed: int
    folder: Path
    console: Console
    calibration_images: int = CALIBRATION_IMAGES

    @property
    def notes(self) -> Sequence[str]:
        """What the images to measure on cannot show of the run."""
        return self.cached.notes

    @cached_property
    def reference(self) -> Report:
        """The float network's report on all images to measure on."""
        return evaluate_float(self.run, self.cached, self.split, "float", ["noise"])

    @cached_property
    def pictures(self) -> NDArray[np.uint8]:
        """K×size×size training images to calibrate with."""
        rows = calibration_rows(self.training, self.calibration_images, self.seed)
        return self.training.images[self.training.rows[rows]]

    @cached_property
    def span_pictures(self) -> NDArray[np.uint8]:
        """L×size×size training images that show how far each label's logits reach."""
        return span_pictures(self.training, self.seed)

    def package(
        self,
        name: str,
        flatbuffer: bytes,
        facts: dict[str, Any],
        spans: dict[str, list[float]] | None = None,
    ) -> ModelFile:
        """Write a model file into `folder`; its name becomes `name` with hyphens."""
        stem = "".join(letter if letter.isalnum() else "-" for letter in name.lower())
        self.folder.mkdir(parents=True, exist_ok=True)
        return package(self.folder / f"{stem}.tflite", stem, flatbuffer, self.run, facts, spans)

    def report(self, model: ModelFile) -> Report:
        """A model file's report on the same images."""
        return evaluate(model, self.cached, self.split, self.console)

    def compare(self, candidate: Report) -> Comparison:
        """A report compared with the float network's."""
        return compare(self.reference, candidate)


def latencies(models: Sequence[ModelFile], cached: Cached, rounds: int) -> list[float]:
    """Median seconds of a pass, one thread; the models take turns, so load affects all alike."""
    sessions = [find_interpreter().open(model) for model in models]
    picture = cached.images[cached.rows[0]]
    tensors = [m.to_tensor(picture) for m in models]
    seen = np.zeros((rounds + 1, len(models)))
    for turn in seen:
        for place, (session, tensor) in enumerate(zip(sessions, tensors, strict=True)):
            start = time.perf_counter()
            session.run(tensor)
            turn[place] = time.perf_counter() - start
    return np.median(seen[1:], axis=0).tolist()
