"""The matrix of boards, Pythons and runtimes: does it install, run and compute the same numbers?

Emulation shows neither speed nor an accelerator nor a camera: those need the board.
"""

from __future__ import annotations

import csv
import json
import platform
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from boards import board as known
from boards import downloads, install, kit, processes, sysroot, wheels
from boards.board import Board
from boards.errors import BoardsError
from boards.install import Installed
from boards.processes import Done
from boards.wheels import REPOSITORY, Target
from edge_app.core.plain_text import percent
from edge_app.evaluation.evaluate import part
from edge_app.evaluation.labelled import load
from edge_app.evaluation.report import read
from edge_app.images.phantom import synthetic_radiograph
from edge_app.model.model_file import SHIPPED
from edge_app.model.model_file import read as read_model
from edge_app.model.shipped import DEFAULT_MODEL

COUNTS: Final = {"cxr-cnn28": 200, "cxr-lite0-128": 20, "cxr-lite0-fine": 10}
"""How many images each model scores: under emulation the larger take a second or more an image."""

EXAMPLE: Final = REPOSITORY / "examples" / "synthetic-radiograph.png"
BENCHMARK: Final = ("--model", "cxr-cnn28", "--workers", "1", "--seconds", "0", "--json")
NOT_SHOWN: Final = (
    "Emulation shows neither speed nor an accelerator, and its peak memory holds the emulator's "
    "own; the processor is a Cortex-A72 as qemu knows it, so kernels for newer cores were not run."
)
REFERENCE: Final = "x86-64"


@dataclass(frozen=True)
class Place:
    """A board, Python and runtime to examine: one row of the matrix.

    Attributes:
        kit: installed from this kit; None: from wheels, for a runtime that no kit has.
        board: None: this machine.
    """

    name: str
    python: str
    runtime: str
    kit: str | None
    board: Board | None = None


@dataclass(frozen=True)
class Scores:
    """Logits of one model compared with those of x86-64 with the newer runtime.

    Attributes:
        images: how many.
        equal: share of the logits that are the same to the bit.
        steps: the largest difference, in steps of the int8 output.
    """

    images: int
    equal: float
    steps: float


@dataclass(frozen=True)
class Row:
    """The results of one board with one runtime.

    Attributes:
        packages: versions, as `edge-cxr doctor` states them.
        golden: by model, how many steps the golden vectors are off.
        footprint: bytes of the installed application.
        peak: bytes, of classifying one radiograph of 1024×1024.
    """

    name: str
    title: str
    machine: str
    cpu: str
    python: str
    runtime: str
    how: str
    packages: dict[str, str | None]
    golden: dict[str, float]
    scores: dict[str, Scores]
    footprint: int
    peak: int


def places() -> list[Place]:
    """This machine, and each board with each runtime that has wheels for it."""
    here = "{}.{}".format(*sys.version_info[:2])
    arm64, newer, armhf = (
        known.find(name) for name in ("debian12-arm64", "debian13-arm64", "debian12-armhf")
    )
    return [
        Place(REFERENCE, here, "litert", "x86-64"),
        Place(arm64.name, arm64.python, "litert", "pi64", arm64),
        Place(arm64.name, arm64.python, "tflite", None, arm64),
        Place(newer.name, newer.python, "litert", "pi64", newer),
        Place(armhf.name, armhf.python, "tflite", "pi32", armhf),
    ]


def images(data: Path | None, work: Path, count: int = max(COUNTS.values())) -> tuple[Path, str]:
    """A labelled folder of `count` images, and its name for people.

    It holds the NIH subset's first test images, or synthetic pictures. The subset's own list has
    thousands of lines, which take an emulated board seconds to read for each model.
    """
    folder = work / "images"
    folder.mkdir()
    if data is not None and (data / "images").is_dir():
        _write_table(folder, _first_of(data, folder, count))
        return folder, f"the first test images of {data.name}"
    from PIL import Image

    for seed in range(count):
        Image.fromarray(synthetic_radiograph(128, seed)).save(folder / f"{seed:03d}.png")
    _write_table(
        folder,
        ((f"{seed:03d}.png", ("Mass", "No Finding")[seed % 2], seed) for seed in range(count)),
    )
    return folder, "synthetic radiographs (the NIH subset is not here)"


def _first_of(data: Path, folder: Path, count: int) -> Iterator[tuple[str, str, str]]:
    """Link the first test images into a folder; a line of its table for each."""
    labels = read_model(SHIPPED / f"{DEFAULT_MODEL}.tflite").labels
    for image in part(load(data, labels), None, count).images:
        (folder / image.path.name).symlink_to(image.path.resolve())
        names = (name for name, has in zip(labels.names, image.targets, strict=True) if has)
        yield image.path.name, "|".join(names) or "none", image.patient


def _write_table(folder: Path, lines: Iterable[tuple[object, ...]]) -> None:
    with (folder / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "labels", "patient"])
        rows.writerows(lines)


def examine(
    places: Sequence[Place],
    data: Path,
    cache: Path,
    work: Path,
    say: Callable[[str], None],
    counts: Mapping[str, int] = COUNTS,
) -> list[Row]:
    """Install and run everything at each place; two at a time.

    Args:
        places: the reference first.
        data: a labelled folder.
        cache: where downloads and systems are kept.
        work: an empty folder.
        say: is called with a line for each step.
        counts: how many of its images each model scores.

    Raises:
        BoardsError: something does not install or does not run.
    """
    own = wheels.build(work / "wheel")
    kits: dict[str, Path] = {}
    ready = []
    for place in places:  # one after the other: they share the cache
        say(f"{_label(place)}: fetching")
        ready.append(_fetch(place, own, kits, cache, work))
    with ThreadPoolExecutor(2) as pool:
        results = pool.map(lambda each: _run_all(each, data, counts, say), ready)
        seen = list(results)
    reference = seen[0].logits
    return [_row(each, reference) for each in seen]


@dataclass(frozen=True)
class Ready:
    """A place with its downloads; `install` installs the application there."""

    place: Place
    work: Path
    install: Callable[[], Installed]


def _fetch(place: Place, own: Path, kits: dict[str, Path], cache: Path, work: Path) -> Ready:
    folder = work / _label(place).replace(" ", "-")
    folder.mkdir()
    board = sysroot.get(place.board, cache) if place.board else None
    environment = board.environment() if board else sysroot.clean_environment()
    python = board.python if board else install.own_python()
    if place.kit:
        if place.kit not in kits:
            target = kit.find(place.kit)
            pythons = (place.python,) if place.board is None else ()
            kits[place.kit] = kit.build(target, work / "kits", cache, pythons, wheel=own)
        archive, options = kits[place.kit], ("--python", str(python))
        return Ready(place, folder, lambda: install.from_kit(archive, environment, folder, options))
    machine = place.board.processor.machine if place.board else platform.machine()
    target_ = Target(machine, place.python, tflite=place.runtime == "tflite")
    chosen = [own, *downloads.wheels_for(own, target_, cache)]
    return Ready(
        place,
        folder,
        lambda: install.from_wheels(chosen, target_, python, environment, folder),
    )


@dataclass(frozen=True)
class Seen:
    """The results at one place, before they are compared with the reference."""

    place: Place
    installed: Installed
    doctor: dict[str, Any]
    golden: dict[str, float]
    logits: dict[str, NDArray[np.float32]]
    peak: int


def _run_all(
    ready: Ready, data: Path, counts: Mapping[str, int], say: Callable[[str], None]
) -> Seen:
    place = ready.place
    say(f"{_label(place)}: installing")
    installed = ready.install()
    say(f"{_label(place)}: running")

    def run(*arguments: object) -> Done:
        done = installed(*arguments, folder=ready.work)
        if done.code:
            said = " ".join((done.err or done.out).split())[-300:]
            raise BoardsError(f"{_label(place)}: edge-cxr {arguments[0]}: {done.code}: {said}")
        return done

    examined = json.loads(run("doctor", "--json").out)
    classified = run("classify", "--json", EXAMPLE)
    labels = read_model(SHIPPED / f"{DEFAULT_MODEL}.tflite").labels
    if len(json.loads(classified.out)["findings"]) != len(labels):
        raise BoardsError(f"{_label(place)}: edge-cxr classify did not score all labels")
    _benchmark(place, json.loads(run("benchmark", *BENCHMARK, EXAMPLE).out))
    logits = {}
    for model, count in counts.items():
        out = ready.work / f"{model}.json"
        run("evaluate", data, "--model", model, "--limit", count, "--out", out)
        logits[model] = read(out).evaluated.logits
    golden = {each["name"]: float(each["off"]) for each in examined["models"]}
    return Seen(place, installed, examined, golden, logits, classified.peak)


def _benchmark(place: Place, result: dict[str, Any]) -> None:
    """Check a benchmark's result; its times mean nothing here."""
    (cell,) = result["cells"]
    emulated = any("emulated" in warning for warning in result["warnings"])
    if "total" not in cell["quantities"] or emulated != bool(place.board):
        raise BoardsError(
            f"{_label(place)}: edge-cxr benchmark measured nothing, or took the board for another"
        )


def _row(seen: Seen, reference: dict[str, NDArray[np.float32]]) -> Row:
    place, machine = seen.place, seen.doctor["machine"]
    return Row(
        name=place.name,
        title=place.board.title if place.board else "x86-64 Linux",
        machine=machine["architecture"],
        cpu=machine["cpu"],
        python=seen.doctor["packages"]["python"],
        runtime="{package} {version}".format(**seen.doctor["runtime"]),
        how=seen.installed.how,
        packages=seen.doctor["packages"],
        golden=seen.golden,
        scores={
            model: _scores(model, seen.logits[model], expected)
            for model, expected in reference.items()
        },
        footprint=processes.size(seen.installed.place),
        peak=seen.peak,
    )


def _scores(model: str, logits: NDArray[np.float32], expected: NDArray[np.float32]) -> Scores:
    step = read_model(SHIPPED / f"{model}.tflite").logit_steps
    assert step is not None, "what ships is int8"
    off = np.abs(logits.astype(np.float64) - expected) / step
    return Scores(len(logits), float((logits == expected).mean()), round(float(off.max()), 3))


def _label(place: Place) -> str:
    return f"{place.name} {place.python} {place.runtime}"


def as_json(rows: Sequence[Row], source: str) -> str:
    """The whole matrix."""
    whole = {
        "images": source,
        "reference": REFERENCE,
        "not_shown": NOT_SHOWN,
        "rows": [asdict(row) for row in rows],
    }
    return json.dumps(whole, indent=2) + "\n"


def as_markdown(rows: Sequence[Row], source: str) -> str:
    """The matrix as docs/boards.md has it."""
    head = ("board", "Python", "runtime", "installed from", "golden vectors off",
            *(f"{model}, {seen.images} images" for model, seen in rows[0].scores.items()),
            "on disk", "peak memory")  # fmt: skip
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        worst = max(row.golden.values())
        cells = (
            f"{row.title}, {row.machine}",
            row.python,
            row.runtime,
            row.how,
            f"{worst:g} steps",
            *(_scores_text(row, seen) for seen in row.scores.values()),
            f"{row.footprint / 1e6:.0f} MB",
            f"{row.peak / 1e6:.0f} MB",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(
        [*lines, "", f"Scores: {source}, beside those of the first line. {NOT_SHOWN}", ""]
    )


def _scores_text(row: Row, scores: Scores) -> str:
    if row.name == REFERENCE and scores.equal == 1:
        return "the reference" if "litert" in row.runtime else "identical"
    if scores.equal == 1:
        return "identical"
    return f"≤ {scores.steps:g} steps, {percent(scores.equal, 1, '%')} equal"
