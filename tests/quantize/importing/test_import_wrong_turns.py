"""Every wrong turn of an import: what is said, and that it says what to do next."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers
from PIL import Image
from typer.testing import CliRunner

from edge_app.core.errors import EdgeCxrError
from edge_app.model.labels import Label, Labels
from quantize.cli import app
from quantize.importing.data import shortages
from train.cache import Cached

MODELS = Path(__file__).resolve().parents[2] / "models"


def run(*arguments: object) -> tuple[int, str]:
    """Exit code and what is said; an error of the project's counts as its own exit code."""
    done = CliRunner().invoke(app, ["import", *map(str, arguments)])
    if isinstance(done.exception, EdgeCxrError):
        return done.exception.exit_code, f"{done.output}\n{done.exception}"
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def network(folder: Path, image: keras.KerasTensor, *scores: keras.KerasTensor) -> Path:
    path = folder / "net.keras"
    keras.Model(image, scores[0] if len(scores) == 1 else list(scores)).save(path)
    return path


def pooled(shape: tuple[int | None, ...], end: str | None = "sigmoid", count: int = 2) -> tuple:
    image = keras.Input(shape)
    x = layers.GlobalAveragePooling2D()(layers.Rescaling(1 / 255)(image))
    return image, layers.Dense(count, end, name="scores")(x)


def written(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def small_data(folder: Path, csv: str, images: int = 4) -> Path:
    (folder / "data").mkdir()
    for index in range(images):
        Image.new("L", (32, 32), 9 * index).save(folder / "data" / f"{index}.png")
    (folder / "data" / "labels.csv").write_text(csv)
    return folder / "data"


def two_inputs(f: Path) -> Path:
    one, other = keras.Input((32, 32, 1), name="picture"), keras.Input((3,), name="age")
    joined = layers.Concatenate()([layers.GlobalAveragePooling2D()(one), other])
    path = f / "net.keras"
    keras.Model([one, other], layers.Dense(2, "sigmoid")(joined)).save(path)
    return path


def two_outputs(f: Path) -> Path:
    image, scores = pooled((32, 32, 1))
    return network(f, image, scores, layers.Dense(1, name="age")(scores))


def with_lambda(f: Path) -> Path:
    image, scores = pooled((32, 32, 1))
    return network(f, image, layers.Lambda(lambda x: x * 2, name="twice")(scores))


def with_own_class(f: Path) -> Path:
    class Attention(layers.Layer):
        def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
            return x

    image, scores = pooled((32, 32, 1))
    return network(f, image, Attention(name="look")(scores))


def without_scaling(f: Path) -> Path:
    image = keras.Input((32, 32, 1))
    return network(f, image, layers.Dense(2, "sigmoid")(layers.Flatten()(image)))


def weights_alone(f: Path) -> Path:
    model = keras.Model(*pooled((32, 32, 1)))
    model.save_weights(f / "net.weights.h5")
    return f / "net.weights.h5"


def segmentation(f: Path) -> Path:
    image = keras.Input((32, 32, 1))
    return network(f, image, layers.Conv2D(2, 1, activation="sigmoid")(layers.Rescaling(1)(image)))


def probabilities_out_of_sight(f: Path) -> Path:
    image, scores = pooled((32, 32, 1), count=1)
    return network(f, image, keras.ops.concatenate([scores, 1 - scores], -1))


def of(*arguments: object, **options: object) -> Callable[[Path], Path]:
    return lambda f: network(f, *pooled(*arguments, **options))  # type: ignore[arg-type]


PLAIN = of((32, 32, 1))
Turn = tuple[Callable[[Path], Path], list[str], str, str]

NETWORKS: dict[str, Turn] = {
    "no file": (lambda f: f / "absent.keras", [], "no such file", "absent.keras"),
    "another kind": (lambda f: written(f, "net.pt", "x"), [], ".keras, .h5", "docs/import.md"),
    "ONNX without its packages": (
        lambda f: written(f, "net.onnx", "x"), [], "needs onnx2tf", "pip install",
    ),
    "damaged": (lambda f: written(f, "net.keras", "x"), [], "damaged", "save it again"),
    "damaged h5": (lambda f: written(f, "net.h5", "x"), [], "damaged", "no Keras file"),
    "weights alone": (weights_alone, [], "weights and no network", "save that by"),
    "damaged tflite": (lambda f: written(f, "n.tflite", "x" * 64), [], "no TensorFlow", "again"),
    "a model file": (lambda f: MODELS / "one-label.tflite", [], "model file already", "classify"),
    "an empty folder": (lambda f: f, [], "saved_model.pb", "model.export"),
    "Python code": (with_lambda, [], "'twice' (Lambda)", "write it as"),
    "own class": (with_own_class, [], "'Attention'", "model.export('FOLDER')"),
    "two inputs": (two_inputs, [], "picture, age", "image alone"),
    "two outputs": (two_outputs, [], "scores, age", "--output NAME"),
    "no such output": (PLAIN, ["--output", "logits"], "no such output", "--output NAME"),
    "four channels": (of((32, 32, 4)), [], "4 channels", "retrain it on 1 or 3"),
    "channels first": (of((3, 32, 32)), [], "32 channels", "channels last"),
    "any size": (of((None, None, 1)), [], "any size", "--size N"),
    "another size": (PLAIN, ["--size", "64"], "takes 32x32", "leave --size out"),
    "too small": (of((8, 8, 1)), [], "28 to 512", "retrain"),
    "no scaling": (without_scaling, [], "Rescaling or Normalization", "--mean 127.5 --std 127.5"),
    "half a scaling": (PLAIN, ["--mean", "0"], "belong together", "give both"),
    "two means": (PLAIN, ["--mean", "1,2", "--std", "1"], "for 1 channels", "one a channel"),
    "dividing by 0": (PLAIN, ["--mean", "0", "--std", "0"], "--std 0", "more than 0"),
    "no numbers": (PLAIN, ["--mean", "a", "--std", "1"], "--mean a", "such as"),
    "no size": (PLAIN, ["--size", "big"], "--size big", "160x192"),
    "no such rule": (PLAIN, ["--resize", "squeeze"], "squeeze", "stretch, pad, crop"),
    "no such head": (PLAIN, ["--head", "both"], "both", "independent and exclusive"),
    "logits": (of((32, 32, 1), None), [], "no sigmoid or softmax", "--head independent"),
    "probabilities out of sight": (
        probabilities_out_of_sight, ["--head", "independent"], "as probabilities do", "last layer",
    ),
    "another head": (PLAIN, ["--head", "exclusive"], "ends in a sigmoid", "independent"),
    "an end in a ReLU": (of((32, 32, 1), "relu"), [], "ReLU", "save it without"),
    "an end in a tanh": (of((32, 32, 1), "tanh"), [], "'tanh'", "save it with"),
    "a softmax of one": (of((32, 32, 1), "softmax", 1), [], "always 1", "softmax over one"),
    "a segmentation": (segmentation, [], "one score a label", "segmentation"),
    "three scores": (of((32, 32, 1), "sigmoid", 3), [], "gives 3 scores", "name each score"),
    "a reference": (PLAIN, ["--reference", "x.keras"], "for a .tflite", "with itself in float"),
    "a long licence": (PLAIN, ["--licence", "x" * 300], "--licence", "at most 200"),
    "a bad name": (PLAIN, ["--name", "A B"], "'A B'", "lower-case letters"),
}  # fmt: skip


@pytest.mark.parametrize("turn", NETWORKS)
def test_a_network_that_cannot_be_imported(turn: str, tmp_path: Path) -> None:
    make, options, what, then = NETWORKS[turn]
    labels = written(tmp_path, "labels.txt", "Tuberculosis\nEffusion\n")
    out = tmp_path / "out.tflite"
    code, said = run(make(tmp_path), "--labels", labels, "--out", out, *options)
    assert code in (2, 4), said
    assert what in " ".join(said.split()), said
    assert then in " ".join(said.split()), said
    assert "Traceback" not in said
    assert not out.exists()


LABELS = {
    "no file": (None, 3, "no such file", "labels.txt"),
    "empty": ("# nothing\n\n", 3, "0 labels, not 1 to 64", "list those"),
    "twice": ("A\nA\n", 3, "'A' and 'A' are the same", "take one out"),
    "two normal ones": ("A, normal\nB, normal\n", 3, "a label's kind is", "of one label, normal"),
    "only a normal one": ("A, normal\n", 3, "only label is 'A'", "add a finding"),
    "joined names": ("A|B\nC\n", 3, "'A|B'", "without '|'"),
    "no text": (b"\xff\xfe\x00", 3, "is not UTF-8 text", "save it as UTF-8"),
    "too many": ("".join(f"L{n}\n" for n in range(65)), 3, "65 labels", "list those"),
    "too few": ("A\n", 2, "gives 2 scores", "name each score"),
}


@pytest.mark.parametrize("turn", LABELS)
def test_labels_that_cannot_be_used(turn: str, own: Path, tmp_path: Path) -> None:
    text, expected, what, then = LABELS[turn]
    labels = tmp_path / "labels.txt" if text is None else written(tmp_path, "labels.txt", text)
    code, said = run(own / "own.keras", "--labels", labels, "--out", tmp_path / "out.tflite")
    assert code == expected, said
    assert what in said
    assert then in said


def test_labels_that_exclude_each_other_are_those_of_a_softmax(own: Path, tmp_path: Path) -> None:
    text = 'labels = ["Tuberculosis", "Normal"]\nexclusive = true\n'
    labels, out = written(tmp_path, "labels.toml", text), tmp_path / "out.tflite"
    code, said = run(own / "own.keras", "--labels", labels, "--out", out)
    assert code == 2, said
    assert "asks of each whether it does" in " ".join(said.split())
    assert not out.exists()


HEADING = "image,patient,labels\n"
DATA = {
    "no folder": (None, "is no folder", "labels.csv of image, patient"),
    "no table": ("", "labels.csv", "image"),
    "other labels": (HEADING + "0.png,a,Flu\n", "'Flu'", "Tuberculosis, Effusion"),
    "few patients": (HEADING + "0.png,a,Effusion\n1.png,b,none\n", "images in it", "more patients"),
    "no labels": (HEADING + "0.png,a,\n", "images in it", "more patients"),
    "no such images": (HEADING + "x.png,a,Effusion\n", "images in it", "more patients"),
}


@pytest.mark.parametrize("turn", DATA)
def test_data_that_cannot_be_used(turn: str, own: Path, tmp_path: Path) -> None:
    csv, what, then = DATA[turn]
    data = tmp_path / "absent" if csv is None else small_data(tmp_path, csv)
    out = tmp_path / "out.tflite"
    code, said = run(
        *(own / "own.keras", data, "--labels", own / "labels.txt", "--out", out),
        *("--cache", tmp_path / "cache"),
    )
    assert code == 3, said
    assert what in " ".join(said.split()), said
    assert then in " ".join(said.split()), said
    assert not out.exists()


def test_two_labels_of_which_just_one_can_apply(tmp_path: Path) -> None:
    rows = "".join(f"{n}.png,p{n},A|B\n" for n in range(40))
    data = small_data(tmp_path, HEADING + rows, 40)
    labels = written(tmp_path, "labels.txt", "A\nB\n")
    path = of((32, 32, 1), "softmax")(tmp_path)
    code, said = run(
        *(path, data, "--labels", labels, "--out", tmp_path / "out.tflite"),
        *("--cache", tmp_path / "cache"),
    )
    assert code == 3
    said = " ".join(said.split())
    assert "40 of 40 images do not bear just one label, first 0.png, which bears 2: " in said
    assert "leave them out" in said


def few(known: bool) -> Cached:
    """60 images in each split; every other one bears A, two of each split bear B."""
    names = [f"{n:03d}" for n in range(180)]
    table = pd.DataFrame(
        {
            "image": names,
            "patient": [n[:2] for n in names] if known else names,
            "split": ["train", "validation", "test"] * 60,
            "sha256": ["1" if n in ("001", "002") else n for n in names],
        }
    )
    targets = np.zeros((180, 2), np.uint8)
    targets[(np.arange(180) // 3) % 2 == 0, 0] = 1
    targets[:6, 1] = 1
    images = np.zeros((180, 2, 2), np.uint8)
    return Cached(images, targets, table, np.arange(180), "few")


@pytest.mark.parametrize("known", [False, True])
def test_what_too_few_images_cannot_show_is_told(known: bool) -> None:
    said = shortages(few(known), Labels([Label("A"), Label("B")]))
    patients = [line for line in said if "no patients" in line and "column 'patient'" in line]
    assert len(patients) == (not known)
    assert "test: 1 of these images are files that also validate, such as 002" in said[not known]
    assert any("B: 2 positives" in line and "no threshold" in line for line in said)
    assert not any(line.startswith("A: ") for line in said)
    assert any("50 positives" in line and "add images" in line for line in said)
