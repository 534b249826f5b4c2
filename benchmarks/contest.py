"""Rounds in which all contestants are measured, so that changes of the machine affect all alike.

Scenarios are named as MLPerf Inference names them (Reddi et al., ISCA 2020): SingleStream is one
image after the other and its 90th percentile, Offline is as many images a second as possible.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.artifacts import Artifacts
from benchmarks.environments import LOADGEN, ONNX, OURS, TUTORIAL
from edge_app.backends.options import CPU
from edge_app.performance.combinations import Cell
from edge_app.performance.processes import ask, launch
from edge_app.performance.quantity import Quantity

PEERS: Final = Path(__file__).parent / "peers"
SECONDS: Final = 1.5
"""Duration of each process's measurements, after its warm-up."""

MIN_ROUNDS: Final = 5
MAX_ROUNDS: Final = 20
TOOL_RUNS: Final = 300
OURS_LABEL: Final = "edge-cxr"
ONE_THREAD: Final = "edge-cxr, 1 thread"


@dataclass(frozen=True)
class Contestant:
    """Something that scores radiographs.

    Attributes:
        label: in tables.
        python: the interpreter of its environment.
        script: its file; None for this package.
        model: the network in its format.
        integer: whether the network is the int8 one.
        threads: for this package; None: as many as it chooses.
    """

    label: str
    python: str
    script: Path | None
    model: Path
    integer: bool
    threads: int | None = None

    def whole(self, image: str) -> list[str]:
        """The command that scores one image."""
        if self.script is None:
            folder = Path(self.python).parent
            # --force, because the others have no input check.
            line = [str(folder / "edge-cxr"), "classify", "--force"]
            if self.threads is not None:
                line += ["--threads", str(self.threads)]
            return [*line, "--model", str(self.model), image]
        return [self.python, str(self.script), str(self.model), image]


def contestants(made: Artifacts) -> list[Contestant]:
    """This package and its alternatives."""
    return [
        Contestant(OURS_LABEL, OURS.python, None, made.int8, True),
        Contestant(ONE_THREAD, OURS.python, None, made.int8, True, threads=1),
        Contestant("smallest script, int8", OURS.python, PEERS / "floor.py", made.int8, True),
        Contestant(
            "tutorial: tflite-runtime, float32", TUTORIAL.python, PEERS / "tutorial.py",
            made.float32, False,
        ),
        Contestant("ONNX Runtime, int8", ONNX.python, PEERS / "onnx_int8.py", made.onnx, True),
        Contestant(
            "Keras predict, float32", sys.executable, PEERS / "keras_predict.py", made.keras, False
        ),
    ]  # fmt: skip


@dataclass
class Contest:
    """What was measured.

    Attributes:
        quantities: by scenario and contestant.
        logits: by contestant and size of image, images × L.
    """

    quantities: dict[str, dict[str, Quantity]] = field(default_factory=dict)
    logits: dict[str, list[list[float]]] = field(default_factory=dict)

    def add(self, scenario: str, label: str, unit: str, *samples: float) -> None:
        by_label = self.quantities.setdefault(scenario, {})
        by_label.setdefault(label, Quantity(unit)).add(samples)


def environment() -> dict[str, str]:
    """The environment variables of peers: quiet, and without this checkout on the search path."""
    return {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "KERAS_BACKEND": "tensorflow",
    }


def cold(contest: Contest, one: Contestant, images: Sequence[str]) -> None:
    """A whole process that scores one image; its files are in the page cache."""
    done = launch(one.whole(images[0]), environment())
    contest.add("cold start", one.label, "s", done["wall"])
    contest.add("cold start, CPU", one.label, "s", done["cpu"])
    contest.add("cold start, peak memory", one.label, "B", done["peak"])


def single_stream(
    contest: Contest, one: Contestant, images: Sequence[str], size: str, seconds: float
) -> None:
    """One image after the other, in a process that has warmed up."""
    question = {"model": str(one.model), "images": list(images), "seconds": seconds}
    scenario = f"SingleStream, {size}"
    if one.script is None:
        pipeline = [one.python, "-m", "edge_app.performance.stages"]
        cell = {**Cell(str(one.model), backend=CPU).question(), "threads": one.threads}
        samples = ask(pipeline, {**question, **cell, "workers": None}, environment())["samples"]
        contest.add(scenario, one.label, "s", *(sample / 1e9 for sample in samples["total"]))
        for stage in ("decode", "invoke"):
            name = f"{stage}, {size}"
            contest.add(name, one.label, "s", *(sample / 1e9 for sample in samples[stage]))
        rest = zip(samples["total"], samples["decode"], samples["invoke"], strict=True)
        overheads = [(total - a - b) / 1e9 for total, a, b in rest]
        contest.add(f"beside decode and invoke, {size}", one.label, "s", *overheads)
        return
    timed = [one.python, str(PEERS / "timed.py"), str(one.script)]
    answer = ask(timed, question, environment())
    contest.add(scenario, one.label, "s", *(sample / 1e9 for sample in answer["samples"]))
    contest.logits[f"{one.label}, {size}"] = answer["logits"]


def offline(
    contest: Contest, model: Path, images: Sequence[str], size: str, workers: int, seconds: float
) -> None:
    """A folder with this number of workers, and decoding alone with as many."""
    question = {"images": list(images), "workers": workers, "seconds": seconds}
    pipeline = [OURS.python, "-m", "edge_app.performance.stages"]
    cell = Cell(str(model), backend=CPU).question()
    ours = ask(pipeline, {**question, **cell}, environment())
    done = ours["throughput"]
    scenario = f"Offline, {size}, workers: {workers}"
    contest.add(scenario, OURS_LABEL, "images/s", done["images"] / done["seconds"])
    alone = ask([OURS.python, str(PEERS / "decode.py")], question, environment())
    contest.add(scenario, "decoding alone", "images/s", alone["images"] / alone["seconds"])


def tool(contest: Contest, models: Mapping[str, Path]) -> None:
    """litert's own benchmark tool, one thread: `invoke` and nothing else."""
    for label, model in models.items():
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "result.json"
            command = [OURS.command("litert-benchmark"), "--model", str(model)]
            command += ["--num_threads", "1", "--num_runs", str(TOOL_RUNS), "--warmup_runs", "30"]
            launch([*command, "--result_json", str(place)], environment())
            latency = json.loads(place.read_text())["latency"]
        contest.add("invoke by litert-benchmark", label, "s", latency["median_ms"] / 1e3)


def loadgen(contest: Contest, model: Path, images: Sequence[str], seconds: float) -> None:
    """This package's pipeline, driven by MLPerf's LoadGen."""
    for scenario, name, unit in (
        ("SingleStream", "latency_90", "s"),
        ("Offline", "rate", "images/s"),
    ):
        with tempfile.TemporaryDirectory() as folder:
            # LoadGen sends one query with as many samples as it expects to be answered.
            done = contest.quantities.get("LoadGen SingleStream", {}).get(OURS_LABEL)
            rate = 1.2 / done.runs[-1] if done and done.runs else 1.0
            question = {
                "model": str(model), "images": list(images), "scenario": scenario,
                "seconds": seconds, "folder": folder, "rate": rate,
            }  # fmt: skip
            command = [LOADGEN.python, str(PEERS / "mlperf.py")]
            answer = ask(command, question, environment())
        contest.add(f"LoadGen {scenario}", OURS_LABEL, unit, answer[name])


def run(
    made: Artifacts,
    sets: Mapping[str, Sequence[str]],
    *,
    seconds: float,
    say: Callable[[str], None],
) -> tuple[Contest, str]:
    """Rounds until the time is spent; at least `MIN_ROUNDS`.

    Args:
        made: the networks.
        sets: images by the name of their size; the first set is also for cold starts.
        seconds: no round begins after so long, once there are enough.
        say: is called with a line for each step.

    Returns:
        What was measured, and ``budget`` or ``interrupted``.
    """
    contest = Contest()
    try:
        for one in contestants(made):  # so that each has done its first-run work
            launch(one.whole(next(iter(sets.values()))[0]), environment())
        start = time.monotonic()
        for turn in range(1, MAX_ROUNDS + 1):
            for label, part in _parts(contest, made, sets):
                say(f"round {turn}: {label}")
                part()
            if turn >= MIN_ROUNDS and time.monotonic() - start > seconds:
                break
    except KeyboardInterrupt:
        return contest, "interrupted"
    return contest, "budget"


def _parts(
    contest: Contest, made: Artifacts, sets: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, Callable[[], None]]]:
    everyone = contestants(made)
    first = next(iter(sets.values()))
    for one in everyone:
        yield f"{one.label}: cold start", partial(cold, contest, one, first)
    for size, images in sets.items():
        for one in everyone:
            part = partial(single_stream, contest, one, images, size, SECONDS)
            yield f"{one.label}: SingleStream, {size}", part
        for workers in sorted({1, 2, os.cpu_count() or 1}):
            part = partial(offline, contest, made.int8, images, size, workers, SECONDS)
            yield f"Offline, {size}, workers: {workers}", part
    yield "litert-benchmark", partial(tool, contest, {"int8": made.int8, "float32": made.float32})
    yield "LoadGen", partial(loadgen, contest, made.int8, first, SECONDS)
