"""A flatbuffer of any scheme → its report beside the float network's, and how fast it is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from edge_app.backends.interpreters import find_interpreter
from edge_app.comparison.compare import Comparison, compare
from edge_app.evaluation.report import Report
from edge_app.model.model_file import ModelFile
from edge_app.model.preprocess import to_tensor
from quantize.int8_report import evaluate
from quantize.package import package
from train.cache import Cached
from train.float_report import evaluate as evaluate_float
from train.run import FinishedRun


@dataclass(frozen=True)
class Bench:
    """A float network's answers on some images, and the means to hold others against them.

    Attributes:
        run: whose network.
        cached: the images.
        split: their name.
        reference: the float network's report on them.
        folder: where model files go.
        console: for progress.
    """

    run: FinishedRun
    cached: Cached
    split: str
    reference: Report
    folder: Path
    console: Console

    @classmethod
    def of(
        cls, run: FinishedRun, cached: Cached, split: str, folder: Path, console: Console
    ) -> Bench:
        """Score `cached`, all of it, with the float network."""
        folder.mkdir(parents=True, exist_ok=True)
        reference = evaluate_float(run, cached, split, "float", ["noise"])
        return cls(run, cached, split, reference, folder, console)

    def package(
        self,
        name: str,
        flatbuffer: bytes,
        facts: dict[str, Any],
        spans: dict[str, list[float]] | None = None,
    ) -> ModelFile:
        """A model file in `folder`; its name becomes `name` with hyphens."""
        stem = "".join(letter if letter.isalnum() else "-" for letter in name.lower())
        return package(self.folder / f"{stem}.tflite", stem, flatbuffer, self.run, facts, spans)

    def report(self, model: ModelFile) -> Report:
        return evaluate(model, self.cached, self.split, self.console)

    def compare(self, candidate: Report) -> Comparison:
        return compare(self.reference, candidate)


def latencies(models: Sequence[ModelFile], cached: Cached, rounds: int) -> list[float]:
    """Median seconds of a pass, one thread; the models take turns, so all meet the same load."""
    sessions = [find_interpreter().open(model) for model in models]
    picture = cached.images[cached.rows[0]]
    tensors = [to_tensor(picture, m.input_spec, integer=m.integer) for m in models]
    seen = np.zeros((rounds + 1, len(models)))
    for turn in seen:
        for place, (session, tensor) in enumerate(zip(sessions, tensors, strict=True)):
            start = time.perf_counter()
            session.run(tensor)
            turn[place] = time.perf_counter() - start
    return np.median(seen[1:], axis=0).tolist()
