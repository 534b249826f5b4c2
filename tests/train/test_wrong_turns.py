"""What a user of `train` meets on wrong turns: each message says what is wrong and what to do.

A wrong turn is one line of `TURNS`: what there is, the command, and the words that help.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from edge_app.core.errors import EdgeCxrError
from train.cli import app
from train.start import run_reporting_errors

COUNT = 60


def csv_folder(*lines: str, header: str = "image,labels,patient") -> Callable[[Path], Path]:
    """A folder of noise and its `labels.csv`; ``{i}`` in a line makes it one for each image."""

    def write(root: Path) -> Path:
        folder = root / "data"
        folder.mkdir()
        rng = np.random.default_rng(0)
        for place in range(COUNT):
            pixels = rng.integers(0, 256, (30, 28)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{place}.png")
        rows = [line.format(i=i) for i in range(COUNT) for line in (lines[i % len(lines)],)]
        (folder / "labels.csv").write_text("\n".join([header, *rows]) + "\n")
        return folder

    return write


def npz(**arrays: object) -> Callable[[Path], Path]:
    def write(root: Path) -> Path:
        np.savez(root / "own.npz", **arrays)
        return root / "own.npz"

    return write


def pixel_csv(*labels: str) -> Callable[[Path], Path]:
    def write(root: Path) -> Path:
        header = ",".join(["label", *(f"pixel{i}" for i in range(784))])
        rows = [",".join([label, *["7"] * 784]) for label in labels]
        (root / "pixels.csv").write_text("\n".join([header, *rows]) + "\n")
        return root / "pixels.csv"

    return write


SICK = csv_folder("{i}.png,Tuberculosis,{i}", "{i}.png,Normal,{i}")
IMAGES = np.zeros((4, 28, 28), np.uint8)


class Turn(NamedTuple):
    """A wrong turn.

    Attributes:
        name: for people.
        data: writes the data set.
        words: parts of the message, in order.
        options: of `fit`.
        labels: the text of a file of labels, given as `--labels`; its ending after a space.
    """

    name: str
    data: Callable[[Path], Path]
    words: tuple[str, ...]
    options: tuple[str, ...] = ()
    labels: tuple[str, str] | None = None


TURNS = (
    Turn(
        "numbers without names",
        csv_folder("{i}.png,0,{i}", "{i}.png,1,{i}"),
        ("labels are numbers, such as 0, 1", "give --labels FILE with a name a line"),
    ),
    Turn(
        "numbers in a CSV of pixels",
        pixel_csv("0", "1"),
        ("labels are numbers", "give --labels FILE"),
    ),
    Turn(
        "a number beyond the list",
        csv_folder("{i}.png,0,{i}", "{i}.png,2,{i}"),
        ("'2' is not one of the labels TB, Normal", "a place in their list, 0 to 1"),
        labels=("TB\nNormal\n", ".txt"),
    ),
    Turn(
        "answers in place of names",
        csv_folder("{i}.png,yes,{i}", "{i}.png,no,{i}"),
        ("'yes' is an answer", "write the label's name where it applies and 'none' where not"),
    ),
    Turn(
        "an unknown label",
        SICK,
        (
            "labels.csv, line 2: 0.png: 'Tuberculosis' is not one of the labels TB, Normal",
            "correct the name, or write 'none'",
        ),
        labels=("TB\nNormal\n", ".txt"),
    ),
    Turn(
        "a missing column of labels",
        csv_folder("{i}.png,{i},1,0", "{i}.png,{i},0,1", header="image,patient,TB,Scar"),
        ("no column 'Cavity' of 0 and 1; it has TB, Scar", "add a column for each of"),
        labels=("TB\nScar\nCavity\n", ".txt"),
    ),
    Turn(
        "no labels at all",
        csv_folder("{i}.png,{i},a note", header="image,patient,remarks"),
        (
            "no column 'finding labels' or 'labels'",
            "nor one of 0 and 1 for each label",
            "there are: image, patient, remarks",
        ),
    ),
    Turn(
        "no column of images",
        csv_folder("{i}.png,TB", header="picture,labels"),
        ("no column 'image index' or 'image'", "there are: picture, labels"),
    ),
    Turn(
        "two labels that differ in spelling alone",
        SICK,
        ("the labels 'No Finding' and 'no_finding' are the same", "take one out"),
        labels=("No Finding\nno_finding\n", ".txt"),
    ),
    Turn(
        "two names for images without findings",
        csv_folder("{i}.png,TB,{i}", "{i}.png,Normal,{i}", "{i}.png,No Finding,{i}"),
        ("both sound like images without findings", "in a --labels FILE"),
    ),
    Turn(
        "normal images alone",
        csv_folder("{i}.png,Normal,{i}"),
        ("the only label is 'Normal'", "add a finding"),
    ),
    Turn(
        "a normal label that is none of the list",
        SICK,
        ("normal = 'Healthy' is none of its labels",),
        labels=('labels = ["Tuberculosis", "Scar"]\nnormal = "Healthy"\n', ".toml"),
    ),
    Turn(
        "too many labels",
        SICK,
        ("65 labels, not 1 to 64", "list those to train"),
        labels=("\n".join(f"Sign {i}" for i in range(65)), ".txt"),
    ),
    Turn(
        "an unknown setting in the list of labels",
        SICK,
        ("'exclusve' is unknown", "there are labels, normal, exclusive"),
        labels=('labels = ["Tuberculosis", "Normal"]\nexclusve = true\n', ".toml"),
    ),
    Turn(
        "exclusive labels, and images with two",
        csv_folder("{i}.png,TB|Scar,{i}", "{i}.png,Scar,{i}"),
        ("30 of 60 images do not bear just one label, first 0.png", "exclusive = false"),
        labels=('{"labels": ["TB", "Scar"], "exclusive": true}', ".json"),
    ),
    Turn(
        "a finding in a normal image",
        csv_folder("{i}.png,TB|Normal,{i}"),
        ("line 2: 0.png: bears 'Normal' and a finding at once", "take one of the two out"),
    ),
    Turn(
        "a patient in two splits",
        csv_folder(
            "{i}.png,TB,p,train", "{i}.png,Normal,p,test", header="image,labels,patient,split"
        ),
        ("patient p is in train and in test", "put all images of a patient into one split"),
    ),
    Turn(
        "an unknown split",
        csv_folder("{i}.png,TB,{i},fold 1", header="image,labels,patient,split"),
        ("'fold 1' is no split", "write train, validation or test"),
    ),
    Turn(
        "a patient without a name",
        csv_folder("{i}.png,TB,", "{i}.png,Normal,{i}"),
        ("line 2: 0.png has no patient", "write one for each"),
    ),
    Turn(
        "too few images for a batch",
        SICK,
        ("training images do not fill a batch of 64", "--set batch="),
        options=("--set", "batch=64"),
    ),
    Turn(
        "no positive to validate with",
        csv_folder(
            "{i}.png,TB,{i},train",
            "{i}.png,Normal,{i},train",
            "{i}.png,Normal,{i},val",
            header="image,labels,patient,split",
        ),
        (
            "no finding is both present and absent among the 20 validation images",
            "add images of further patients",
        ),
    ),
    Turn(
        "arrays without names",
        npz(images=IMAGES, labels=np.ones((4, 2), np.uint8)),
        ("no names of its 2 labels", "add them, or give --labels FILE"),
    ),
    Turn(
        "arrays of classes",
        npz(images=IMAGES, labels=np.arange(4), names=np.array(["TB"])),
        ("labels is (4,) for 4 images, not N×K", "a column for each label"),
    ),
    Turn(
        "arrays of colour",
        npz(images=np.zeros((4, 28, 28, 3), np.uint8), labels=np.ones((4, 1), np.uint8)),
        ("images is uint8 (4, 28, 28, 3)", "images (N×H×W uint8)"),
    ),
    Turn(
        "arrays that call a finding normal",
        npz(images=IMAGES, labels=np.tri(4, 2, dtype=np.uint8), names=np.array(["Normal", "TB"])),
        ("3 images bear 'Normal' and a finding at once, first image_000001", "one of the two out"),
    ),
    Turn(
        "arrays of patients who are not known",
        npz(
            images=IMAGES,
            labels=np.ones((4, 1), np.uint8),
            names=np.array(["TB"]),
            patient=np.array([1, np.nan, np.nan, 2]),
        ),
        ("2 images have no patient, first image_000001", "write one for each"),
    ),
    Turn(
        "other arrays",
        npz(x=IMAGES),
        ("not a ChestMNIST file", "other arrays are images, labels and names"),
    ),
    Turn(
        "a teacher without a share",
        SICK,
        ("--teacher and --set distil=... go together",),
        options=("--set", "distil=0.5"),
    ),
)


@pytest.mark.parametrize("turn", TURNS, ids=lambda turn: turn.name)
def test_the_message_says_what_to_do_and_nothing_is_written(turn: Turn, tmp_path: Path) -> None:
    data, run = turn.data(tmp_path), tmp_path / "run"
    options = ["--recipe", "cnn28", "--set", "batch=8", "--cache", str(tmp_path / "cache")]
    if turn.labels:
        text, ending = turn.labels
        (tmp_path / f"labels{ending}").write_text(text)
        options += ["--labels", str(tmp_path / f"labels{ending}")]
    done = CliRunner().invoke(app, ["fit", str(data), "--run", str(run), *options, *turn.options])
    fault = done.exception
    if isinstance(fault, EdgeCxrError):
        assert fault.exit_code in (2, 3, 4)
        said = str(fault)
    else:
        assert done.exit_code == 2, done.output
        said = " ".join(done.output.replace("│", "").split())
    place = 0
    for words in turn.words:
        assert words in said[place:], said
        place = said.index(words, place)
    if isinstance(fault, EdgeCxrError):
        assert "\n" not in said
    for word in ("Traceback", "None", "dtype", "KeyError", "array("):
        assert word not in said
    assert not run.exists()


def test_a_run_in_which_no_epoch_ended_is_begun_anew_with_the_corrected_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, run = SICK(tmp_path), tmp_path / "run"

    def fails(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    command = ["fit", str(data), "--run", str(run), "--cache", str(tmp_path / "cache")]
    command += ["--recipe", "cnn28", "--epochs", "1", "--set", "batch=8"]
    monkeypatch.setattr("train.run.fit", fails)
    for seed in (3, 4):
        done = CliRunner().invoke(app, [*command, "--seed", str(seed)])
        assert not isinstance(done.exception, EdgeCxrError), done.exception
        assert json.loads((run / "config.json").read_text())["recipe"]["seed"] == seed


def test_a_full_disk_is_one_line_that_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Weights are HDF5, whose library says it in lines of its own, once for each open file."""
    path = tmp_path / "kept.weights.h5"

    def writes() -> None:
        with h5py.File(path, "w") as file:
            file["kernel"] = np.zeros(100_000)

    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)  # put back in the end
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(SystemExit):
            run_reporting_errors(writes)
        gc.collect()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert capfd.readouterr().err == f"error: {path}: File too large\n"
