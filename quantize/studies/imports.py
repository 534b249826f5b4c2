"""Networks of `keras.applications` and of own make: from a file to an answer, in two commands.

Nobody trained them: their normalisation is set to what drawn pictures give, and these pictures'
labels are the networks' own answers with some noise, so whatever an import harms shows.
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
NOISE: Final = 0.5
"""Of the labels, in standard deviations of the logits."""


class Case(NamedTuple):
    """A network to import.

    Attributes:
        name: of its row.
        build: the network.
        labels: of its scores.
        options: of the import.
        export: as a SavedModel, as a network with a class of its own is.
        suffix: of its file.
    """

    name: str
    build: Callable[[], keras.Model]
    labels: tuple[str, ...] = ("Tuberculosis", "Effusion")
    options: tuple[str, ...] = ()
    export: bool = False
    suffix: str = ".keras"


THREE: Final = ("Bacterial", "Viral", "Healthy, normal")
PLUS_MINUS_ONE: Final = ("--mean", "127.5", "--std", "127.5")


def _headed(backbone: keras.Model, side: int, front: list[layers.Layer], end: str) -> keras.Model:
    """A backbone within a model of one's own, as it is fine-tuned mostly."""
    image = x = keras.Input((side, side, 3))
    for layer in front:
        x = layer(x)
    x = layers.GlobalAveragePooling2D()(backbone(x))
    count = 2 if end == "sigmoid" else 3
    return keras.Model(image, layers.Dense(count, end)(layers.Dropout(0.2)(x)))


def mobilenet() -> keras.Model:
    backbone = keras.applications.MobileNetV2((160, 160, 3), include_top=False, weights=None)
    return _headed(backbone, 160, [layers.Rescaling(1 / 127.5, -1)], "sigmoid")


def efficientnet() -> keras.Model:
    shape = (128, 128, 3)
    return keras.applications.EfficientNetB0(
        input_shape=shape, weights=None, classes=2, classifier_activation="sigmoid"
    )


def resnet() -> keras.Model:
    shape = (128, 128, 3)
    return keras.applications.ResNet50(
        input_shape=shape, weights=None, classes=2, classifier_activation="sigmoid"
    )


def own(count: int = 2, end: str = "sigmoid") -> keras.Model:
    """A functional model with a branch."""
    image = keras.Input((96, 96, 1))
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


def subclassed() -> keras.Model:
    model = Subclassed()
    model(np.zeros((1, 96, 96, 1), np.float32))
    return model


CASES: Final = (
    Case("MobileNetV2, 160×160×3, nested", mobilenet),
    Case("EfficientNetB0, 128×128×3", efficientnet),
    Case("ResNet50, 128×128×3", resnet, options=("--mean", "103.939,116.779,123.68", "--std", "1")),
    Case("own, functional", own),
    Case("own, 3 exclusive, .h5", lambda: own(3, "softmax"), THREE, suffix=".h5"),
    Case(
        "own, subclassed, SavedModel",
        subclassed,
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
    pictures = drawn(TEST + OTHERS)
    rows: list[tuple[str, ...]] = []
    measured: list[dict[str, Any]] = []
    for case in CASES:
        if inputs.only and not any(part in case.name for part in inputs.only):
            continue
        found = found_of(case, pictures, inputs.folder)
        measured.append(found)
        rows.append(
            (
                case.name,
                found["off"],
                f"{found['auroc_float']:.3f}",
                f"{found['auroc_int8']:.3f}",
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
        f"Import of networks that nobody trained, with {OTHERS} drawn pictures to calibrate and "
        f"fit on and {TEST} for the gates; float off: largest difference of a score from the "
        "original's. Seconds are of the whole command, by the clock and of all cores together.",
        (
            *("network", "float off", "AUROC, float", "AUROC, int8", "gates", "classified"),
            *("seconds", "CPU seconds"),
        ),
        rows,
        {"networks": measured, "cores": os.cpu_count()},
        f"not classified: {', '.join(broken)}" if broken else None,
    )


def found_of(case: Case, pictures: list[NDArray[np.uint8]], out: Path) -> dict[str, Any]:
    """What `imported` found of a case, now or earlier."""
    folder = out / re.sub(r"\W+", "-", case.name.lower())
    kept = folder / "found.json"
    if kept.exists():
        found: dict[str, Any] = json.loads(kept.read_text())
        return found
    found = imported(case, pictures, folder)
    write_whole(kept, json.dumps(found, indent=1).encode())
    return found


def drawn(count: int) -> list[NDArray[np.uint8]]:
    """Phantoms behind clouds of all kinds: pictures of 192 pixels that differ from each other."""
    rng = np.random.default_rng(0)
    phantoms = [synthetic_radiograph(192, seed) for seed in range(12)]
    found = []
    for index in range(count):
        share = rng.uniform(0.3, 0.7)
        mixed = share * phantoms[index % 12] + (1 - share) * clouds(192, rng)
        found.append(np.rint(mixed).astype(np.uint8))
    return found


def resized(pictures: Sequence[NDArray[np.uint8]], side: int) -> NDArray[np.uint8]:
    return np.stack(
        [
            np.asarray(Image.fromarray(p).resize((side, side), Image.Resampling.BILINEAR))
            for p in pictures
        ]
    )


def imported(case: Case, pictures: list[NDArray[np.uint8]], folder: Path) -> dict[str, Any]:
    """Save a network and its data, import it, classify; what was found."""
    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(7)
    model = case.build()
    shape = (96, 96, 1) if case.export else model.input_shape[1:]
    grays = resized(pictures, shape[0])[..., np.newaxis].astype(np.float32)
    scores = alive(model, grays, shape[2], case.options)
    if case.export:
        place = folder / "saved"
        model.export(
            str(place), verbose=False, input_signature=[keras.InputSpec("float32", (None, *shape))]
        )
    else:
        place = folder / f"network{case.suffix}"
        model.save(place)
    write_data(folder / "data", pictures, scores, [x.split(",")[0] for x in case.labels])
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
    gates = json.loads(_member(out))["quantization"]["gates"]
    return {
        "name": case.name,
        "off": said[0].split("scores are ")[1].split(" ")[0] if said else "?",
        "auroc_float": reports[0]["macro"]["auroc"]["value"],
        "auroc_int8": reports[1]["macro"]["auroc"]["value"],
        "passed": gates["passed"],
        "not_met": [name for name, gate in gates["gates"].items() if not gate["passed"]],
        "classified": answered.returncode == EXIT_DONE,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(spent, 1),
    }


def _member(out: Path) -> bytes:
    import zipfile

    with zipfile.ZipFile(out) as archive:
        return archive.read("manifest.json")


def _cpu() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def alive(
    model: keras.Model, grays: NDArray[np.float32], channels: int, options: Sequence[str]
) -> NDArray[np.float64]:
    """Set normalisation and last layer by drawn pictures; the logits that these then give: N×L."""
    fed = np.repeat(grays, channels, axis=-1)
    if options:
        mean, std = (np.array(options[place].split(","), np.float32) for place in (1, 3))
        fed = (fed - mean) / std
    norms = [x for x in model._flatten_layers() if isinstance(x, layers.BatchNormalization)]
    for norm in norms:
        norm.momentum = 0.0
    model(fed[:64], training=True)
    last = [x for x in model._flatten_layers() if isinstance(x, layers.Dense)][-1]
    end, last.activation = last.activation, keras.activations.linear

    def logits() -> NDArray[np.float64]:
        return np.concatenate([np.asarray(model(fed[i : i + 64])) for i in range(0, len(fed), 64)])

    found, (kernel, bias) = logits(), last.get_weights()
    spread = found.std(axis=0) / 1.5
    last.set_weights([kernel / spread, (bias - found.mean(axis=0)) / spread])
    found = logits()
    last.activation = end
    return found


def write_data(
    folder: Path, pictures: list[NDArray[np.uint8]], logits: NDArray[np.float64], names: list[str]
) -> None:
    """A labelled folder; its first `TEST` pictures are test."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    noisy = logits + np.random.default_rng(1).normal(0, NOISE, logits.shape) * logits.std(axis=0)
    borne = noisy > np.quantile(noisy, 0.6, axis=0)
    if len(names) == len(THREE):
        borne = np.eye(len(names), dtype=bool)[noisy.argmax(axis=1)]
    rows = ["image,patient,labels"]
    for index, (picture, row) in enumerate(zip(pictures, borne, strict=True)):
        Image.fromarray(picture).save(folder / "images" / f"{index:04d}.png", compress_level=1)
        words = "|".join(np.array(names)[row]) or "none"
        rows.append(f"{index:04d}.png,p{index // PATIENTS_OF},{words}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    listed = [f"{index:04d}.png" for index in range(len(pictures))]
    (folder / "test_list.txt").write_text("\n".join(listed[:TEST]) + "\n")
    (folder / "train_val_list.txt").write_text("\n".join(listed[TEST:]) + "\n")
