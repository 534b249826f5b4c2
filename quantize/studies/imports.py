"""Networks of `keras.applications` and of own make: from a file to an answer, in two commands.

Each is taught here, within minutes, to see what is drawn into pictures: an opacity at the apex and
fluid at the base of a lung, both from hardly visible to plain. A network with random weights
amplifies what any rounding changes, so that its import says more of that than of the import.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import keras
import numpy as np
import typer
from keras import layers
from numpy.typing import NDArray
from PIL import Image

from edge_app.core.errors import EXIT_DONE, EXIT_GATE
from edge_app.core.files import write_whole
from edge_app.images.phantom import synthetic_radiograph
from quantize.studies.result import Result
from train.input_check import clouds

TEST: Final = 500
OTHERS: Final = 610
"""Images that are not test; 110 of them become validation."""

PATIENTS_OF: Final = 2

LESSONS: Final = 1600
"""Pictures that the networks learn from; none is imported."""
LAST_LESSONS: Final = 480
"""Of these, how many a large network sees at its own size, having learned at half of it."""
EPOCHS: Final = {True: 3, False: 8}
"""Epochs of the lessons, at half the size and at a network's own."""
BATCH: Final = 16
RATE: Final = 3e-3
"""The first learning rate; it falls to zero along a cosine."""
SETTLED_ON: Final = 256
"""Pictures whose mean and variance the normalisation layers keep in the end."""
DRAWN: Final = 192
FAINTEST, PLAINEST = 10.0, 90.0
"""Gray levels by which a sign stands out."""
SOFT: Final = 0.02
"""Width of a sign's edge, in shares of the picture's."""


class Case(NamedTuple):
    """A network to import.

    Attributes:
        name: of its row.
        build: the network for pictures of a side.
        side: of its pictures.
        channels: of its input.
        large: whether it learns at half its size first, which takes a quarter of the time.
        labels: of its scores.
        options: of the import.
        export: as a SavedModel, as a network with a class of its own is.
        suffix: of its file.
    """

    name: str
    build: Callable[[int], keras.Model]
    side: int
    channels: int
    large: bool
    labels: tuple[str, ...] = ("Tuberculosis", "Effusion")
    options: tuple[str, ...] = ()
    export: bool = False
    suffix: str = ".keras"


THREE: Final = ("Bacterial", "Viral", "Healthy, normal")


def _headed(backbone: keras.Model, side: int, front: list[layers.Layer], end: str) -> keras.Model:
    """A backbone within a model of one's own, as it is fine-tuned mostly."""
    image = x = keras.Input((side, side, 3))
    for layer in front:
        x = layer(x)
    x = layers.GlobalAveragePooling2D()(backbone(x))
    count = 2 if end == "sigmoid" else 3
    return keras.Model(image, layers.Dense(count, end)(layers.Dropout(0.2)(x)))


def mobilenet(side: int) -> keras.Model:
    backbone = keras.applications.MobileNetV2((side, side, 3), include_top=False, weights=None)
    return _headed(backbone, side, [layers.Rescaling(1 / 127.5, -1)], "sigmoid")


def efficientnet(side: int) -> keras.Model:
    return keras.applications.EfficientNetB0(
        input_shape=(side, side, 3), weights=None, classes=2, classifier_activation="sigmoid"
    )


def resnet(side: int) -> keras.Model:
    return keras.applications.ResNet50(
        input_shape=(side, side, 3), weights=None, classes=2, classifier_activation="sigmoid"
    )


def own(side: int, count: int = 2, end: str = "sigmoid") -> keras.Model:
    """A functional model with a branch."""
    image = keras.Input((side, side, 1))
    x = layers.Conv2D(16, 5, 2, padding="same", activation="relu")(layers.Rescaling(1 / 255)(image))
    one = layers.SeparableConv2D(24, 3, padding="same", activation="swish")(x)
    other = layers.Conv2D(24, 1, use_bias=False)(x)
    x = layers.BatchNormalization()(layers.Add()([one, other]))
    x = layers.Conv2D(48, 3, 2, padding="valid", activation="relu6")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(count, end)(x))


class Subclassed(keras.Model):
    """A network with a class and a call of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = layers.Conv2D(16, 5, 2, padding="same")
        self.norm = layers.BatchNormalization()
        self.deep = layers.Conv2D(32, 3, 2, padding="same", activation="relu")
        self.scores = layers.Dense(2, "sigmoid")

    def call(self, image: Any, training: bool = False) -> Any:
        x = keras.ops.relu(self.norm(self.stem(image / 255.0), training=training))
        return self.scores(keras.ops.mean(self.deep(x), axis=(1, 2)))


def subclassed(side: int) -> keras.Model:
    model = Subclassed()
    model(np.zeros((1, side, side, 1), np.float32))
    return model


CASES: Final = (
    Case("MobileNetV2, 160×160×3, nested", mobilenet, 160, 3, True),
    Case("EfficientNetB0, 128×128×3", efficientnet, 128, 3, True),
    Case(
        "ResNet50, 128×128×3",
        resnet,
        128,
        3,
        True,
        options=("--mean", "103.939,116.779,123.68", "--std", "1"),
    ),
    Case("own, functional", own, 96, 1, False),
    Case(
        "own, 3 exclusive, .h5",
        lambda side: own(side, 3, "softmax"),
        96,
        1,
        False,
        THREE,
        suffix=".h5",
    ),
    Case(
        "own, subclassed, SavedModel",
        subclassed,
        96,
        1,
        False,
        options=("--mean", "0", "--std", "1"),
        export=True,
    ),
)


@dataclass(frozen=True)
class ImportInputs:
    """Where the networks, pictures and model files go, and which are imported.

    Attributes:
        only: parts of names; all cases where there is none.
    """

    folder: Path
    only: Sequence[str]


def open_imports(
    out: Annotated[Path, typer.Option(help="Folder for all that is written.")] = Path("imports"),
    only: Annotated[
        list[str] | None, typer.Option(help="A part of a network's name; can be repeated.")
    ] = None,
) -> ImportInputs:
    """Nothing but a folder."""
    return ImportInputs(out, only or ())


def imports_study(inputs: ImportInputs) -> Result:
    """Import each network by its command, and classify a picture by another.

    What the folder holds of an earlier run is not done again.
    """
    inputs.folder.mkdir(parents=True, exist_ok=True)
    rows: list[tuple[str, ...]] = []
    measured: list[dict[str, Any]] = []
    for case in CASES:
        if inputs.only and not any(part in case.name for part in inputs.only):
            continue
        found = found_of(case, inputs.folder)
        measured.append(found)
        rows.append(
            (
                case.name,
                found["off"],
                f"{found['auroc_float']:.3f}",
                f"{found['auroc_int8']:.3f}",
                found["in_float32"],
                "passed" if found["passed"] else ", ".join(found["not_met"]),
                "yes" if found["classified"] else "NO",
                f"{found['seconds']:.0f}",
                f"{found['cpu_seconds']:.0f}",
            )
        )
    broken = [found["name"] for found in measured if not found["classified"]]
    return Result(
        "imports",
        "python -m quantize imports",
        f"Import of networks that learned from {LESSONS} drawn pictures, with {OTHERS} others to "
        f"calibrate and fit on and {TEST} for the gates; float off: largest difference of a score "
        "from the original's; in float32: operators that are not int8, and how many times as long "
        "as in int8 an image takes with them. Seconds are of the import, by the clock and of all "
        "cores together.",
        (
            *("network", "float off", "AUROC, float", "AUROC, model file"),
            *("in float32", "gates", "classified", "seconds", "CPU seconds"),
        ),
        rows,
        {"networks": measured, "cores": os.cpu_count()},
        f"not classified: {', '.join(broken)}" if broken else None,
    )


def found_of(case: Case, out: Path) -> dict[str, Any]:
    """What `imported` found of a case, now or earlier."""
    folder = out / re.sub(r"\W+", "-", case.name.lower())
    kept = folder / "found.json"
    if kept.exists():
        found: dict[str, Any] = json.loads(kept.read_text())
        return found
    found = imported(case, folder)
    write_whole(kept, json.dumps(found, indent=1).encode())
    return found


class Drawn(NamedTuple):
    """Pictures that stand for radiographs.

    Attributes:
        pictures: N×`DRAWN`×`DRAWN`.
        targets: N×L, 1 where a picture bears a label.
    """

    pictures: NDArray[np.uint8]
    targets: NDArray[np.uint8]


def drawn(count: int, labels: int, seed: int) -> Drawn:
    """Phantoms behind clouds, with an opacity, fluid, both or neither drawn into them.

    Args:
        count: how many.
        labels: 2: opacity and fluid; 3, of which just one applies: opacity, fluid, neither.
        seed: of all that differs.
    """
    rng = np.random.default_rng(seed)
    phantoms = [synthetic_radiograph(DRAWN, each) for each in range(12)]
    pictures = np.empty((count, DRAWN, DRAWN), np.uint8)
    if labels == len(THREE):
        targets = np.eye(labels, dtype=np.uint8)[rng.integers(labels, size=count)]
    else:
        targets = (rng.random((count, labels)) < 0.4).astype(np.uint8)
    for index, present in enumerate(targets):
        share = rng.uniform(0.8, 0.95)
        mixed = share * phantoms[rng.integers(12)] + (1 - share) * clouds(DRAWN, rng)
        for sign, is_there in zip((opacity, fluid), present[:2], strict=True):
            plain = np.exp(rng.uniform(np.log(FAINTEST), np.log(PLAINEST)))
            mixed = mixed + is_there * plain * sign(rng)
        pictures[index] = np.rint(np.clip(mixed, 0, 255))
    return Drawn(pictures, targets)


def opacity(rng: np.random.Generator) -> NDArray[np.float64]:
    """At the apex of one side, with a soft lower edge, from 0 to 1."""
    return _beyond(rng, -1, rng.uniform(0.25, 0.4))


def fluid(rng: np.random.Generator) -> NDArray[np.float64]:
    """At the base of one side, with a soft level, from 0 to 1."""
    return _beyond(rng, 1, rng.uniform(0.6, 0.8))


def _beyond(rng: np.random.Generator, way: int, level: float) -> NDArray[np.float64]:
    y, x = np.mgrid[0 : 1 : DRAWN * 1j, 0 : 1 : DRAWN * 1j]
    side = 1 / (1 + np.exp(rng.choice((-1, 1)) * (x - 0.5) / SOFT))
    return np.asarray(side / (1 + np.exp(way * (level - y) / SOFT)))


def fed(case: Case, pictures: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
    """Pictures as a case's network takes them at a side: N×side×side×channels."""
    size, smooth = (side, side), Image.Resampling.BILINEAR
    grays = np.stack([np.asarray(Image.fromarray(p).resize(size, smooth)) for p in pictures])
    x = np.repeat(grays[..., np.newaxis].astype(np.float32), case.channels, axis=-1)
    if case.options:
        mean, std = (np.array(case.options[at].split(","), np.float32) for at in (1, 3))
        x = (x - mean) / std
    return x


def taught(case: Case) -> keras.Model:
    """A case's network after its lessons, which take some minutes."""
    keras.utils.set_random_seed(7)
    lessons = drawn(LESSONS, len(case.labels), seed=1)
    side = case.side // 2 if case.large else case.side
    model, x = case.build(side), fed(case, lessons.pictures, side)
    _learn(model, x, lessons.targets, RATE, EPOCHS[case.large])
    if case.large:
        small, model = model, case.build(case.side)
        model.set_weights(small.get_weights())
        x = fed(case, lessons.pictures[:LAST_LESSONS], case.side)
        _learn(model, x, lessons.targets[:LAST_LESSONS], RATE / 3, 1)
    settle(model, x[:SETTLED_ON])
    return model


def _learn(
    model: keras.Model, x: NDArray[np.float32], y: NDArray[np.uint8], rate: float, epochs: int
) -> None:
    falling = keras.optimizers.schedules.CosineDecay(rate, epochs * len(x) // BATCH)
    loss = "binary_crossentropy" if y.shape[1] == 2 else "categorical_crossentropy"
    model.compile(keras.optimizers.Adam(falling, clipnorm=1.0), loss)
    model.fit(x, y.astype(np.float32), BATCH, epochs, verbose=0)


def settle(model: keras.Model, x: NDArray[np.float32]) -> None:
    """Let normalisation keep the mean of what whole batches give.

    Its moving averages need thousands of steps, and lag behind weights that still change.
    """
    norms = [x for x in model._flatten_layers() if isinstance(x, layers.BatchNormalization)]
    for nth, start in enumerate(range(0, len(x), 64)):
        for norm in norms:
            norm.momentum = nth / (nth + 1)
        model(x[start : start + 64], training=True)


def _save(case: Case, model: keras.Model, place: Path) -> None:
    if not case.export:
        model.save(place)
        return
    seen = keras.InputSpec("float32", (None, case.side, case.side, case.channels))
    model.export(str(place), verbose=False, input_signature=[seen])


def imported(case: Case, folder: Path) -> dict[str, Any]:
    """Teach a network, save it and its data, import it, classify; what was found."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / ("saved" if case.export else f"network{case.suffix}")
    if not place.exists():
        _save(case, taught(case), place)
        shown = drawn(TEST + OTHERS, len(case.labels), seed=2)
        write_data(folder / "data", shown, [x.split(",")[0] for x in case.labels])
    (folder / "labels.txt").write_text("\n".join(case.labels) + "\n")
    out = folder / "model.tflite"
    line = [sys.executable, "-m", "quantize", "import", str(place), str(folder / "data")]
    line += ["--labels", str(folder / "labels.txt"), "--out", str(out), *case.options]
    line += ["--cache", str(folder / "cache")]
    began, before = time.monotonic(), _cpu()
    done = subprocess.run(line, capture_output=True, text=True)
    seconds, spent = time.monotonic() - began, _cpu() - before
    if done.returncode not in (EXIT_DONE, EXIT_GATE):
        raise SystemExit(f"{case.name}: {done.stderr[-2000:]}")
    said = [row for row in done.stderr.splitlines() if "off the original" in row]
    line = [sys.executable, "-m", "edge_app", "classify", "--json", "--model", str(out)]
    picture = next((folder / "data" / "images").glob("*.png"))
    answered = subprocess.run([*line, str(picture)], capture_output=True, text=True)
    reports = [
        json.loads((out.with_name("model-reports") / f"{kind}.json").read_text())
        for kind in ("float", "int8")
    ]
    quantization = json.loads(_member(out))["quantization"]
    gates, kept = quantization["gates"], quantization.get("in_float32")
    return {
        "name": case.name,
        "off": said[0].split("scores are ")[1].split(" ")[0] if said else "?",
        "auroc_float": reports[0]["macro"]["auroc"]["value"],
        "auroc_int8": reports[1]["macro"]["auroc"]["value"],
        "in_float32": "none" if kept is None else _kept(kept),
        "passed": gates["passed"],
        "not_met": [name for name, gate in gates["gates"].items() if not gate["passed"]],
        "classified": answered.returncode == EXIT_DONE,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(spent, 1),
    }


def _kept(kept: dict[str, Any]) -> str:
    """What of a network is not int8, and how many times as long it takes."""
    return f"{len(kept['operators'])} of {kept['of']} operators, {kept['times_as_long_as_int8']}×"


def _member(out: Path) -> bytes:
    import zipfile

    with zipfile.ZipFile(out) as archive:
        return archive.read("manifest.json")


def _cpu() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def write_data(folder: Path, shown: Drawn, names: Sequence[str]) -> None:
    """A labelled folder; its first `TEST` pictures are test."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rows = ["image,patient,labels"]
    for index, (picture, row) in enumerate(zip(*shown, strict=True)):
        Image.fromarray(picture).save(folder / "images" / f"{index:04d}.png", compress_level=1)
        words = "|".join(np.array(names)[row > 0]) or "none"
        rows.append(f"{index:04d}.png,p{index // PATIENTS_OF},{words}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    listed = [f"{index:04d}.png" for index in range(len(shown.pictures))]
    (folder / "test_list.txt").write_text("\n".join(listed[:TEST]) + "\n")
    (folder / "train_val_list.txt").write_text("\n".join(listed[TEST:]) + "\n")
