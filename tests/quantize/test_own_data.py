"""Own data and own labels in every form: from the data to `edge-cxr classify` on the int8 file."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

import edge_app
from edge_app.evaluation import report
from edge_app.evaluation.splits import NO_PATIENTS
from edge_app.model.model_file import ModelFile, read
from quantize.cli import app as quantize
from train.cli import app as train
from train.networks.registry import NETWORKS, Network

from .own_data import SIDE, joined, pictures_of, targets_of, tiny, write_arrays, write_folder

QUIET = Console(file=io.StringIO())
COUNT = 300
PATIENTS = [f"p{i // 2}" for i in range(COUNT)]


class Own(NamedTuple):
    """A form of own data, and what is to come of it.

    Attributes:
        write: makes the data set in a folder; returns its path.
        labels: the model's, in order.
        bright: the one that makes pictures bright.
        normal: the name of its normal label.
        exclusive: its head.
        stated: the text of a labels file, and its ending; nothing without one.
        patients: whether they are known.
    """

    write: Callable[[Path], Path]
    labels: tuple[str, ...]
    bright: str
    normal: str | None = None
    exclusive: bool = False
    stated: tuple[str, str] | None = None
    patients: bool = True


def two_exclusive(root: Path) -> Path:
    """Two names, one an image, in the case and spelling of the moment."""
    targets = targets_of(COUNT, 2, exclusive=True)
    written = joined(targets, ["normal", "TUBERCULOSIS "])
    rows = [(f"{i}.png", written[i], PATIENTS[i]) for i in range(COUNT)]
    return write_folder(root / "two", ("image", "labels", "patient"), rows, pictures_of(targets))


def one_hot(root: Path) -> Path:
    """Five columns of 0 and 1, of which known names are spelled otherwise, and a split column."""
    targets = targets_of(COUNT, 5)
    names = ("effusion", "Pleural thickening", "Scar", "Cavity", "EDEMA")
    parts = ["test" if i % 10 < 3 else "val" if i % 10 < 5 else "train" for i in range(0, COUNT, 2)]
    rows = [
        (f"{i}.png", PATIENTS[i], parts[i // 2], 30 + i % 50, *targets[i].tolist())
        for i in range(COUNT)
    ]
    header = ("image", "patient", "split", "age", *names)
    return write_folder(root / "hot", header, rows, pictures_of(targets))


def forty(root: Path) -> Path:
    """An `.npz` of N×40 beside the images; patients are not known."""
    targets = targets_of(COUNT, 40)
    folder = write_folder(root / "forty", (), (), pictures_of(targets))
    names = [f"Sign {k:02d}" for k in range(40)]
    write_arrays(
        folder / "labels.npz",
        image=np.array([f"{i}.png" for i in range(COUNT)]),
        labels=targets,
        names=np.array(names),
    )
    return folder


def numbers(root: Path) -> Path:
    """A CSV of 784 pixels whose labels are places in a list of three exclusive ones."""
    targets = targets_of(COUNT, 3, exclusive=True)
    flat = pictures_of(targets).reshape(COUNT, -1)
    lines = [",".join(["label", *(f"pixel{i}" for i in range(SIDE * SIDE))])]
    for place, row in zip(targets.argmax(axis=1), flat, strict=True):
        lines.append(",".join(map(str, [place, *row])))
    (root / "pixels.csv").write_text("\n".join(lines) + "\n")
    return root / "pixels.csv"


def arrays(root: Path) -> Path:
    """One `.npz` of images and one label."""
    targets = targets_of(COUNT, 1)
    return write_arrays(
        root / "own.npz",
        images=pictures_of(targets),
        labels=targets,
        names=np.array(["Nodule"]),
        patient=np.array(PATIENTS),
    )


FORMS = {
    "two exclusive names": Own(
        two_exclusive,
        ("Tuberculosis", "Normal"),
        "Normal",
        "Normal",
        exclusive=True,
        stated=('labels = ["Tuberculosis", "Normal"]\nexclusive = true\n', ".toml"),
    ),
    "five columns": Own(
        one_hot, ("Effusion", "Pleural_Thickening", "Scar", "Cavity", "Edema"), "Effusion"
    ),
    "an .npz of 40": Own(
        forty, tuple(f"Sign {k:02d}" for k in range(40)), "Sign 00", patients=False
    ),
    "numbers": Own(
        numbers,
        ("No Finding", "Viral", "Bacterial"),
        "No Finding",
        "No Finding",
        exclusive=True,
        stated=(
            json.dumps({"labels": ["No Finding", "Viral", "Bacterial"], "exclusive": True}),
            ".json",
        ),
        patients=False,
    ),
    "arrays of one label": Own(arrays, ("Nodule",), "Nodule"),
}

ABOUT = 'licence = "CC-BY-4.0"\nlimits = ["One ward alone."]\n'


class Made(NamedTuple):
    own: Own
    data: Path
    run: Path
    model: ModelFile
    fitted: str
    quantized: str


ALL = "EDGE_CXR_ALL_FORMS"
"""With this in the environment all forms are gone through, else `USUAL`: each takes seconds."""

USUAL = ("two exclusive names", "arrays of one label")


@pytest.fixture(
    scope="module",
    params=FORMS if ALL in os.environ else USUAL,
    ids=lambda name: name.replace(" ", "-"),
)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The documented commands on one form of own data."""
    own, root = FORMS[request.param], tmp_path_factory.mktemp("own")
    data, run = own.write(root), root / "run"
    more = []
    if own.stated:
        (root / f"labels{own.stated[1]}").write_text(own.stated[0])
        more = ["--labels", root / f"labels{own.stated[1]}"]
    (root / "about.toml").write_text(ABOUT)
    cache = ["--cache", root / "cache"]
    fast = ["--recipe", "cnn28", "--network", "tiny", "--epochs", 4]
    fast += ["--set", "batch=16", "--set", "ema=0.5", "--set", "learning_rate=0.02"]

    def command(app: object, *arguments: object) -> str:
        done = CliRunner().invoke(app, [str(each) for each in (*arguments, *cache)])  # type: ignore[arg-type]
        assert done.exit_code in (0, 5), done.output  # a gate is no matter here
        return done.output

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(NETWORKS, "tiny", Network(tiny, SIDE))
        if len(own.labels) > 1:  # drawing takes longer than all else; one label is the odd case
            for picture in ("roc_curves", "confusion_matrices", "montage", "training_curves"):
                patch.setattr(f"train.pictures.{picture}", lambda *arguments: None)
        fitted = command(train, "fit", data, "--run", run, *fast, *more)
        command(train, "evaluate", run, data, "--split", "validation")
        quantized = command(
            *(quantize, "int8", run, data, "--name", "own", "--images", 20),
            *("--about", root / "about.toml"),
        )
        command(quantize, "card", run / "own.tflite", run / "reports", data)
    return Made(own, data, run, read(run / "own.tflite"), fitted, quantized)


def test_the_model_answers_the_labels_of_the_data(made: Made, tmp_path: Path) -> None:
    """From the files on the device: the label that makes a picture bright scores higher in it."""
    manifest = made.model.manifest
    assert made.model.labels.names == made.own.labels
    assert manifest["head"] == ("exclusive" if made.own.exclusive else "independent")
    normal = [label.name for label in made.model.labels if label.kind == "normal"]
    assert normal == ([made.own.normal] if made.own.normal else [])
    assert ("overall" in manifest) is (made.own.normal is not None or not made.own.exclusive)
    scores = []
    for bright in (0, 1):
        Image.fromarray(pictures_of(np.full((1, 1), bright))[0]).save(tmp_path / f"{bright}.png")
        findings = edge_app.open_model(made.run / "own.tflite").classify(tmp_path / f"{bright}.png")
        assert tuple(findings) == made.own.labels
        scores.append([finding.score for finding in findings.values()])
        assert (findings.overall is not None) is (
            made.own.normal is not None or not made.own.exclusive
        )
    place = made.own.labels.index(made.own.bright)
    assert scores[1][place] > scores[0][place]
    if made.own.exclusive:
        assert np.sum(scores, axis=1) == pytest.approx(1)


def test_the_report_of_int8_ranks_the_label_that_can_be_seen(made: Made) -> None:
    int8 = report.read(made.run / "reports" / "int8.json")
    assert int8.labels.names == made.own.labels
    row = int8.content["labels"][made.own.labels.index(made.own.bright)]
    assert row["auroc"]["value"] > 0.8


def test_scores_are_as_frequent_as_their_labels_where_they_were_calibrated(made: Made) -> None:
    validation = report.read(made.run / "reports" / "float-validation.json")
    mean = validation.calibrated(validation.evaluated.logits).mean(axis=0)
    np.testing.assert_allclose(mean, validation.evaluated.targets.mean(axis=0), atol=0.02)


def test_unknown_patients_are_said_wherever_intervals_are(made: Made) -> None:
    card = (made.run / "reports" / "MODEL_CARD.md").read_text()
    int8 = report.read(made.run / "reports" / "int8.json")
    unknown = not made.own.patients
    assert (NO_PATIENTS in " ".join(made.fitted.split())) is unknown
    assert (NO_PATIENTS in int8.content["dataset"].get("notes", [])) is unknown
    assert ("each image counts as one, and intervals are too narrow" in card) is unknown
    on = made.model.manifest["metrics"]["macro_auroc"]
    assert isinstance(on, dict)
    assert ("patients not known" in on["on"]) is unknown


def test_what_a_recipe_lacks_is_said_in_one_line(made: Made) -> None:
    line = "tells no view, sex" + ("" if "hot" in made.data.name else ", age")
    assert f"{line}: training leaves out" in " ".join(made.fitted.split())


def test_labels_with_too_few_images_for_a_threshold_are_named(made: Made) -> None:
    thresholds = made.model.manifest["operating_points"]["balanced"]["thresholds"]
    undecided = [n for n, at in zip(made.own.labels, thresholds, strict=True) if at is None]
    assert ("no threshold for " in made.fitted) is bool(undecided)
    assert ", ".join(undecided[:12]) in made.fitted


def test_the_maker_says_what_the_model_is(made: Made) -> None:
    manifest = made.model.manifest
    card = (made.run / "reports" / "MODEL_CARD.md").read_text()
    assert manifest["licence"] == "CC-BY-4.0"
    assert manifest["intended_use"] == "not stated"
    assert "not stated in the model file: intended_use, data" in " ".join(made.quantized.split())
    assert "- One ward alone." in card
    assert "Where the data are from is not stated." in card
    for claim in ("NIH", "64×64", "Apache"):
        assert claim not in card.replace("python -m", "")
        assert claim not in json.dumps(manifest)
