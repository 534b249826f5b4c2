"""Which combinations of model, runtime, delegate and threads are measured."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from edge_app.errors import UsageError
from edge_app.inference.model_file import locate, read
from edge_app.runtimes.asked import Asked

if TYPE_CHECKING:
    from edge_app.inference.classifier import Classifier


@dataclass(frozen=True)
class Cell:
    """One combination: how `classify` would be called."""

    model: str
    threads: int

    @property
    def label(self) -> str:
        return f"{self.model}, {self.threads} thread{'s' if self.threads > 1 else ''}"

    def options(self) -> list[str]:
        """Of `edge-cxr classify`."""
        return ["--model", self.model, "--threads", str(self.threads)]

    def question(self) -> dict[str, Any]:
        """Of `pipeline.run`."""
        return {"model": self.model, "threads": self.threads}


def cells(models: Sequence[str], threads: Iterable[int]) -> list[Cell]:
    """Every combination, each once, in the order given.

    Raises:
        UsageError: there is none.
        ModelError: a model cannot be read.
    """
    for model in models:
        read(locate(model))
    made = [Cell(*combination) for combination in product(models, threads)]
    if not made:
        raise UsageError("nothing to measure: no model or no number of threads was named")
    return list(dict.fromkeys(made))


def opened(question: Mapping[str, Any]) -> Classifier:
    """The classifier of a cell's `question`; it scores whatever the images show."""
    from edge_app.inference.classifier import Classifier

    model, asked = read(locate(question["model"])), Asked(threads=question["threads"])
    return Classifier(model, None, asked, force=True)


def worker_counts(most: int | None) -> list[int]:
    """1, 2, 4 … and the last: as many as this process may use cores, or `most`."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    last = most or allowed or 1
    counts = [1 << power for power in range(last.bit_length()) if 1 << power < last]
    return [*counts, last]
