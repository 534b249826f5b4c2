"""Which combinations of model, runtime, delegate and threads are measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from edge_app.backends.options import AUTO, CPU, EDGETPU, Asked
from edge_app.core.errors import ModelError, RuntimeUnavailableError, UsageError
from edge_app.core.resources import cores
from edge_app.model.model_file import locate, read

if TYPE_CHECKING:
    from edge_app.backends.choice import Choice
    from edge_app.classifier import Classifier


class Axes(NamedTuple):
    """What is combined with what, as `classify` would be asked for it."""

    models: Sequence[str]
    runtimes: Sequence[str] = (AUTO,)
    delegates: Sequence[str] = (AUTO,)
    threads: Sequence[int] = (1,)


@dataclass(frozen=True)
class Cell:
    """One combination: how `classify` would be called."""

    model: str
    runtime: str = AUTO
    delegate: str = AUTO
    threads: int = 1

    @property
    def label(self) -> str:
        many = "s" if self.threads > 1 else ""
        return f"{_label(self.model, self.runtime, self.delegate)}, {self.threads} thread{many}"

    def options(self) -> list[str]:
        """Of `edge-cxr classify`."""
        return [
            *("--model", self.model, "--runtime", self.runtime),
            *("--delegate", self.delegate, "--threads", str(self.threads)),
        ]

    def question(self) -> dict[str, Any]:
        """Of `pipeline.run`."""
        return asdict(self)


class Matrix(NamedTuple):
    """The combinations.

    Attributes:
        cells: that can be measured, each once, in the order given, ``auto`` having become what it
            led to.
        absent: that cannot, and why.
        notes: what was hoped for and is not what is used.
    """

    cells: list[Cell]
    absent: dict[str, str]
    notes: list[str]


def combine(axes: Axes) -> Matrix:
    """Try every combination of model, runtime and delegate.

    Raises:
        UsageError: there is none, or a name is none.
        ModelError: a model cannot be read, or no combination works.
        RuntimeUnavailableError: no combination works.
    """
    from edge_app.backends.choice import choose

    files = {model: read(locate(model)) for model in axes.models}
    cells: list[Cell] = []
    absent: dict[str, str] = {}
    notes: list[str] = []
    fault: ModelError | RuntimeUnavailableError | None = None
    for model, runtime, delegate in product(axes.models, axes.runtimes, axes.delegates):
        try:
            choice = choose(files[model], Asked(runtime, delegate))
        except (ModelError, RuntimeUnavailableError) as error:
            absent[_label(model, runtime, delegate)] = str(error)
            fault = error
            continue
        notes += choice.notes
        used = (choice.runtime.name, _delegate(choice, delegate))
        cells += [Cell(model, *used, threads) for threads in axes.threads]
    if not cells:
        raise fault or UsageError("nothing to measure: no model or no number of threads was named")
    return Matrix(list(dict.fromkeys(cells)), absent, list(dict.fromkeys(notes)))


def _label(model: str, runtime: str, delegate: str) -> str:
    return f"{model}, {runtime}, {delegate}"


def _delegate(choice: Choice, asked: str) -> str:
    """What `--delegate` would have to say to lead to the same."""
    if choice.delegate is None:
        return CPU
    return EDGETPU if asked in (AUTO, EDGETPU) else str(choice.delegate.library)


def opened(question: Mapping[str, Any]) -> Classifier:
    """The classifier of a cell's `question`; it scores whatever the images show."""
    from edge_app.classifier import Classifier

    asked = Asked(question["runtime"], question["delegate"], question["threads"])
    return Classifier(read(locate(question["model"])), None, asked, force=True)


def worker_counts(most: int | None) -> list[int]:
    """1, 2, 4 … and the last: as many as this process may use cores, or `most`."""
    last = most or cores()
    counts = [1 << power for power in range(last.bit_length()) if 1 << power < last]
    return [*counts, last]
