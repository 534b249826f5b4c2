"""The scenarios of `versions`: the command lines of both versions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.environments import OURS
from edge_app.performance.images import draw

NOW: Final = "now"
EMPTY: Final = "an empty package"
FEW: Final = 4
MANY: Final = 64
EVALUATED: Final = 400

FINDINGS: Final = ("Effusion", "Mass", "No Finding", "Edema|Nodule")


class Process(NamedTuple):
    """A process of a round.

    Attributes:
        scenario: what it does.
        label: which version or option it is.
        line: the command.
        images: how many it scores.
        few: whether it scores few images, only to find the time that a process takes without them.
    """

    scenario: str
    label: str
    line: list[str]
    images: int = 1
    few: bool = False


class Scenarios:
    """Files for the processes of every round, drawn once.

    Args:
        folder: for the files.
        revision: label of the earlier version.
        before: environment of the earlier version.
        only: text that the names of scenarios must contain.
    """

    def __init__(self, folder: Path, revision: str, before: Path, only: str = "") -> None:
        self.folder, self.only = folder, only
        self.programs = {
            revision: str(before / "bin" / "edge-cxr"),
            NOW: OURS.command("edge-cxr"),
        }
        self.pythons = {revision: str(before / "bin" / "python"), NOW: OURS.python}
        pictures = folder / "pictures"
        pictures.mkdir()
        self.pictures = draw(pictures).paths
        self.folders = {count: self._labelled(count) for count in (FEW, MANY, EVALUATED)}
        (folder / "empty_package").mkdir()
        (folder / "empty_package" / "__init__.py").touch()

    def round(self, turn: int) -> Iterator[Process]:
        """Every process of a round, the versions in turn."""
        folders = chain.from_iterable(self._folder(workers) for workers in (1, 2))
        every = chain(self._one(turn), folders, self._evaluation(), self._imports())
        return (process for process in every if self.only in process.scenario)

    def _one(self, turn: int) -> Iterator[Process]:
        scenario, image = "one 1024×1024 PNG", self.pictures[0]
        for label, program in self.programs.items():
            yield Process(scenario, label, [program, "classify", image])
        maps = str(self.folder / f"maps-{turn}")
        line = [self.programs[NOW], "classify", "--heatmap", maps, image]
        yield Process(scenario, f"{NOW}, --heatmap", line)

    def _folder(self, workers: int) -> Iterator[Process]:
        scenario = f"a folder of {MANY}, {workers} worker{'s' if workers > 1 else ''}"
        for count in (FEW, MANY):
            images = [str(self.folders[count] / f"{index}.png") for index in range(count)]
            for label, program in self.programs.items():
                line = [program, "classify", "--csv", "--workers", str(workers), *images]
                yield Process(scenario, label, line, count, count == FEW)

    def _evaluation(self) -> Iterator[Process]:
        scenario, now = f"evaluate {EVALUATED}", self.programs[NOW]
        out = ["--split", "all", "--out", str(self.folder / "report.json")]
        for count in (FEW, EVALUATED):
            for label, program in self.programs.items():
                one = ["--workers", "1"] if label == NOW else []
                line = [program, "evaluate", str(self.folders[count]), *out, *one]
                yield Process(scenario, label, line, count, count == FEW)
            # One worker computes with as many threads as are fastest here, two with one each.
            for label, more in (
                (f"{NOW}, 1 thread", [*("--workers", "1"), *("--threads", "1")]),
                (f"{NOW}, 2 workers", ["--workers", "2"]),
            ):
                line = [now, "evaluate", str(self.folders[count]), *out, *more]
                yield Process(scenario, label, line, count, count == FEW)

    def _imports(self) -> Iterator[Process]:
        """Importing the package, and for comparison an empty package on the search path."""
        scenario = "import edge_app"
        at = f"import sys; sys.path.append({str(self.folder)!r}); import "
        yield Process(scenario, EMPTY, [self.pythons[NOW], "-I", "-c", f"{at}empty_package"])
        for label, python in self.pythons.items():
            yield Process(scenario, label, [python, "-I", "-c", f"{at}edge_app"])

    def _labelled(self, count: int) -> Path:
        """A labelled folder of `count` pictures, each of another patient."""
        folder = self.folder / f"{count}-images"
        folder.mkdir()
        rows = ["image,labels,patient"]
        for index in range(count):
            os.link(self.pictures[index % len(self.pictures)], folder / f"{index}.png")
            rows.append(f"{index}.png,{FINDINGS[index % len(FINDINGS)]},{index}")
        (folder / "labels.csv").write_text("\n".join(rows) + "\n")
        return folder
