"""The combinations of model, backend and threads that are measured."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from edge_app.backends.options import AUTO, BackendOptions
from edge_app.core.errors import ModelError, RuntimeUnavailableError, UsageError
from edge_app.core.resources import cores
from edge_app.core.site_place import NONE
from edge_app.model.model_file import locate, read

if TYPE_CHECKING:
    from edge_app.backends.protocol import Backend
    from edge_app.classifier import Classifier
    from edge_app.model.site import Site


class Axes(NamedTuple):
    """What is combined; the values are those of `classify`'s options."""

    models: Sequence[str]
    backends: Sequence[str] = (AUTO,)
    threads: Sequence[int] = (1,)
    site: str = NONE


@dataclass(frozen=True)
class Cell:
    """One combination, as options of `classify`.

    Attributes:
        model: a shipped model's name, or a file.
        backend: a value of ``--backend``.
        threads: on the processor.
        called: the backend's name in messages; empty for `backend`.
        site: a site file, or ``none``.
    """

    model: str
    backend: str = AUTO
    threads: int = 1
    called: str = ""
    site: str = NONE

    @property
    def label(self) -> str:
        many = "s" if self.threads > 1 else ""
        return f"{self.model}, {self.called or self.backend}, {self.threads} thread{many}"

    def options(self) -> list[str]:
        """Options of `edge-cxr classify`."""
        return [
            *("--model", self.model, "--backend", self.backend),
            *("--threads", str(self.threads), "--site", self.site),
        ]

    def question(self) -> dict[str, Any]:
        """The question for `stages.run`."""
        of_model = {"model": self.model, "site": self.site}
        return {**of_model, "backend": self.backend, "threads": self.threads}


class Matrix(NamedTuple):
    """The combinations.

    Attributes:
        cells: those that can be measured, each once, in the order of the axes; ``auto`` is
            replaced by the backend that it chose.
        absent: those that cannot, and why.
        notes: one line each: which preferred backend is not used, and why.
    """

    cells: list[Cell]
    absent: dict[str, str]
    notes: list[str]


def combine(axes: Axes) -> Matrix:
    """Try every combination of model and backend.

    Raises:
        UsageError: there is no combination, or an unknown name.
        ModelError: a model or the site file cannot be read, they do not belong together, or no
            combination works.
        RuntimeUnavailableError: no combination works.
    """
    from edge_app.backends.choice import choose

    files = {model: read(locate(model)) for model in axes.models}
    site = site_of(axes.site)
    if site:
        for file in files.values():
            site.require(file)
    cells: list[Cell] = []
    absent: dict[str, str] = {}
    notes: list[str] = []
    fault: ModelError | RuntimeUnavailableError | None = None
    for model, option in product(axes.models, axes.backends):
        try:
            choice = choose(files[model], BackendOptions(option))
        except (ModelError, RuntimeUnavailableError) as error:
            absent[f"{model}, {option}"] = str(error)
            fault = error
            continue
        notes += choice.notes
        used, called = choice.backend.option, _called(choice.backend)
        cells += [Cell(model, used, threads, called, axes.site) for threads in axes.threads]
    if not cells:
        raise fault or UsageError("nothing to measure: no model or no number of threads was named")
    return Matrix(list(dict.fromkeys(cells)), absent, list(dict.fromkeys(notes)))


def _called(backend: Backend) -> str:
    """Software and device; the device's library if it is named by a path."""
    known = backend.identity()
    by_path = backend.option.startswith(os.sep)
    return f"{known['name']}, {known['library' if by_path else 'delegate']}"


def opened(question: Mapping[str, Any]) -> Classifier:
    """The classifier for a cell's `question`; it scores any picture, radiograph or not."""
    from edge_app.classifier import Classifier

    options = BackendOptions(question["backend"], question["threads"])
    model, site = read(locate(question["model"])), site_of(question.get("site", NONE))
    return Classifier(model, None, options, force=True, site=site)


def site_of(name: str) -> Site | None:
    """The site file of this name, or None for ``none``."""
    if name == NONE:
        return None
    from edge_app.model.site import read as read_site

    return read_site(Path(name))


def worker_counts(maximum: int | None) -> list[int]:
    """1, 2, 4 … up to `maximum`; default: the number of cores that this process may use."""
    last = maximum or cores()
    counts = [1 << power for power in range(last.bit_length()) if 1 << power < last]
    return [*counts, last]
