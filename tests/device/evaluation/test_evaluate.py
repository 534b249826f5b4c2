"""`edge-cxr evaluate`: the report it writes, what it leaves out, and how it survives."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edge_app import DISCLAIMER
from edge_app.classifier import Classifier
from edge_app.core.errors import DatasetError, OutputError, UsageError
from edge_app.evaluation import report
from edge_app.evaluation.evaluate import Answer, evaluate, part
from edge_app.evaluation.labelled import load
from edge_app.evaluation.report import Report
from edge_app.images.perturb import PERTURBATIONS
from edge_app.images.read import DECODING
from edge_app.model.model_file import SHIPPED, read
from edge_app.model.shipped import DEFAULT_MODEL
from train.labels import LABELS, NIH

Run = Callable[..., "subprocess.CompletedProcess[str]"]

FINDINGS = ("Mass", "Edema|Effusion", "No Finding", "Nodule", "Infiltration")


def rows(count: int, patients: int = 12) -> list[tuple[str, str, int]]:
    return [
        (f"{i:03d}.png", FINDINGS[i % len(FINDINGS)], i * patients // count) for i in range(count)
    ]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, make_nih: Callable[..., Path]) -> Path:
    """60 pictures of 12 patients in the NIH layout, 24 of them in the official test list."""
    listed = rows(60)
    test = [image for image, _, patient in listed if patient < 5]
    others = [image for image, _, patient in listed if patient >= 5]
    root = tmp_path_factory.mktemp("data") / "nih"
    return make_nih(root, listed, size=(40, 36), test=test, listed=others)


@pytest.fixture
def start(run: Run, cnn28: Path) -> Run:
    """`edge-cxr evaluate` with the small model, in an empty folder of its own."""

    def begin(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        return run("evaluate", "--model", cnn28, *arguments, **options)

    return begin


def content_of(path: Path) -> dict[str, Any]:
    return report.read(path).content


# --- the report ------------------------------------------------------------------------------


def test_the_official_test_images_become_a_report(start: Run, folder: Path, tmp_path: Path) -> None:
    done = start(folder, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "25 images of 5 patients" in done.stdout
    assert DISCLAIMER in done.stdout
    assert done.stderr == "edge-cxr: written: cxr-cnn28-test.json and cxr-cnn28-test.npz\n"
    assert {path.name for path in tmp_path.iterdir()} == {
        "cxr-cnn28-test.json",
        "cxr-cnn28-test.npz",
    }
    made = report.read(tmp_path / "cxr-cnn28-test.json")
    assert list(made.evaluated.images) == [image for image, _, patient in rows(60) if patient < 5]
    assert made.content["dataset"]["split"] == "test"
    assert made.content["dataset"]["left_out"] == {"images": 0, "first": []}
    assert made.content["dataset"]["notes"] == []
    assert made.content["retest"] == {}


def test_it_says_who_answered(start: Run, folder: Path, cnn28: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.json"
    done = start(folder, "--out", out, "--threads", 2, "--operating-point", "rule-in")
    assert done.returncode == 0, done.stderr
    content = content_of(out)
    runtime = content["runtime"]
    assert runtime["threads"] == 2
    assert runtime["delegate"] == "cpu"
    assert runtime["machine"] == os.uname().machine
    assert runtime["cpu"]
    assert runtime["packages"]["numpy"] == np.__version__
    assert runtime["packages"]["python"].startswith(f"{sys.version_info.major}.")
    assert runtime["version"] in runtime["packages"].values()
    assert content["model"]["sha256"] == read(cnn28).sha256
    assert content["operating_point"] == "rule-in"
    first = done.stdout.splitlines()[0]
    assert all(word in first for word in ("cxr-cnn28", runtime["version"], runtime["machine"]))


def test_json_is_the_reports_content(start: Run, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.json"
    printed = json.loads(start(folder, "--out", out, "--json").stdout)
    written = json.loads(out.read_text())
    del written["scores"]
    assert printed == written


def test_logits_are_the_classifiers(start: Run, folder: Path, cnn28: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.json"
    start(folder, "--out", out, "--split", "all", "--limit", 7)
    evaluated = report.read(out).evaluated
    assert len(evaluated.images) == 7
    classifier = Classifier(read(cnn28))
    for name, logits in zip(evaluated.images, evaluated.logits, strict=True):
        pixels = np.asarray(Image.open(folder / "images" / name))
        np.testing.assert_array_equal(logits, classifier.logits(pixels)[0])


def test_splits_share_no_image_and_make_up_the_whole(
    start: Run, folder: Path, tmp_path: Path
) -> None:
    names = {}
    for split in ("test", "validation", "train", "all"):
        start(folder, "--split", split, "--out", tmp_path / f"{split}.json")
        names[split] = report.read(tmp_path / f"{split}.json").evaluated.images.tolist()
    apart = names["test"] + names["validation"] + names["train"]
    assert sorted(apart) == sorted(names["all"])
    assert len(names["all"]) == 60


def test_images_that_the_network_was_made_with_are_counted(
    run: Run, start: Run, folder: Path, cnn28: Path, tmp_path: Path
) -> None:
    stated, counts = {}, {}
    for split in ("train", "validation"):
        start(folder, "--split", split, "--out", tmp_path / f"{split}.json")
        dataset = content_of(tmp_path / f"{split}.json")["dataset"]
        stated[split], counts[split] = {"digest": dataset["digest"]}, dataset["images"]
        assert dataset["notes"] == []
    model = read(cnn28)
    training = {**model.manifest["training"], "dataset": stated}
    own = model.replace(manifest={**model.manifest, "training": training}).save(tmp_path / "own")
    done = run(
        "evaluate", folder, "--split", "all", "--model", own.path, "--out", tmp_path / "a.json"
    )
    assert done.returncode == 0, done.stderr
    train, validation = counts.values()
    assert f"note: {train} of these images trained the network: what is measured" in done.stdout
    assert f"note: {validation} of these images chose the network's epoch" in done.stdout
    again = ("--split", "train", "--model", own.path, "--out", tmp_path / "again.json")
    assert run("evaluate", folder, *again).stdout.count("of these images trained") == 1
    on_test = run("evaluate", folder, "--model", own.path, "--out", tmp_path / "t.json")
    assert "of these images" not in on_test.stdout


def test_a_retest_is_measured_when_asked_for(start: Run, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.json"
    done = start(folder, "--out", out, "--retest")
    content = content_of(out)
    assert list(content["retest"]) == list(PERTURBATIONS)
    assert all(0 < each["logit_rms"] < 5 for each in content["retest"].values())
    assert "noise of one gray level" in done.stdout


def test_any_number_of_workers_writes_the_same_report(
    start: Run, slow_folder: Path, tmp_path: Path
) -> None:
    made = []
    for workers in (1, 2, 5):
        place = tmp_path / str(workers)
        place.mkdir()
        arguments = ("--retest", "--threads", 1, "--workers", workers, "--out", "r.json")
        done = start(slow_folder, *arguments, cwd=place)
        assert done.returncode == 0, done.stderr
        made.append((done.stdout, done.stderr, files_of(place)))
    assert made[0] == made[1] == made[2]


def test_each_worker_has_one_thread_and_the_report_says_so(
    start: Run, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "r.json"
    start(folder, "--out", out, "--workers", 2)
    runtime = content_of(out)["runtime"]
    assert runtime["threads"] == 1
    assert runtime["why"]["threads"] == "one for each worker"


def test_left_out_images_are_named_in_their_order_by_several_workers(
    start: Run, tmp_path: Path
) -> None:
    lines = ["image,labels,patient", *(f"{i}.png,Mass,{i}" for i in range(30))]
    data = plain(tmp_path / "data", lines, count=30)
    for index in range(0, 30, 4):
        (data / f"{index}.png").write_bytes(b"not a picture")
    said = []
    for workers in (1, 3):
        done = start(data, "--out", tmp_path / f"{workers}.json", "--workers", workers)
        assert done.returncode == 3
        said.append(done.stderr.replace(f"{workers}.json", "").replace(f"{workers}.npz", ""))
    assert said[0] == said[1]
    assert content_of(tmp_path / "1.json")["dataset"] == content_of(tmp_path / "3.json")["dataset"]


# --- labels that allow less ------------------------------------------------------------------


def plain(root: Path, lines: list[str], count: int = 6) -> Path:
    root.mkdir()
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    generator = np.random.default_rng(0)
    for i in range(count):
        Image.fromarray(generator.integers(0, 256, (30, 30), np.uint8)).save(root / f"{i}.png")
    return root


def test_without_patients_it_says_that_intervals_are_too_narrow(start: Run, tmp_path: Path) -> None:
    lines = ["image,labels", *(f"{i}.png,{'Mass' if i % 2 else 'Edema'}" for i in range(6))]
    out = tmp_path / "r.json"
    done = start(plain(tmp_path / "data", lines), "--out", out)
    assert done.returncode == 0, done.stderr
    content = content_of(out)
    assert content["dataset"]["split"] == "all"
    assert content["dataset"]["patients"] == content["dataset"]["images"] == 6
    (note,) = content["dataset"]["notes"]
    assert "intervals are too narrow" in note
    assert note in done.stdout


def test_one_patient_has_no_intervals_and_a_label_nobody_bears_no_metrics(
    start: Run, tmp_path: Path
) -> None:
    lines = ["image,labels,patient"]
    lines += [f"{i}.png,{'Mass' if i % 2 else 'Edema'},p" for i in range(6)]
    out = tmp_path / "r.json"
    done = start(plain(tmp_path / "data", lines), "--out", out)
    assert done.returncode == 0, done.stderr
    by_label = {row["label"]: row for row in content_of(out)["labels"]}
    assert by_label["Mass"]["auroc"]["value"] is not None
    assert by_label["Mass"]["auroc"]["low"] is None
    assert by_label["Hernia"]["auroc"] == {"value": None, "low": None, "high": None}
    assert by_label["Effusion"]["recall"]["value"] is None
    assert "not computable" in done.stdout
    assert "(no interval)" in done.stdout


def test_what_cannot_be_read_is_named_and_left_out_of_a_report_that_says_so(
    start: Run, tmp_path: Path
) -> None:
    lines = ["image,labels,patient", *(f"{i}.png,Mass,{i}" for i in range(8))]
    lines[6] = "5.png,,5"
    data = plain(tmp_path / "data", lines)
    (data / "2.png").write_bytes(b"not a picture")
    whole = (data / "4.png").read_bytes()
    (data / "4.png").write_bytes(whole[: len(whole) // 2])
    out = tmp_path / "r.json"
    done = start(data, "--out", out)
    assert done.returncode == 3
    for name, reason in (
        *(("2.png", "is not a PNG"), ("4.png", "is damaged or truncated")),
        *(("5.png", "unlabelled"), ("6.png", "missing"), ("7.png", "missing")),
    ):
        assert f"edge-cxr: left out: {name}: {reason}" in done.stderr
    made = report.read(out)
    assert list(made.evaluated.images) == ["0.png", "1.png", "3.png"]
    left_out = made.content["dataset"]["left_out"]
    assert left_out["images"] == 5
    assert {each["image"] for each in left_out["first"]} == {f"{i}.png" for i in (2, 4, 5, 6, 7)}
    assert "5 images of this split were left out" in done.stdout
    assert not (tmp_path / "r.json.journal").exists()


def test_many_left_out_images_are_counted_not_all_named(start: Run, tmp_path: Path) -> None:
    lines = ["image,labels", *(f"{i}.png,Mass" for i in range(500))]
    out = tmp_path / "r.json"
    done = start(plain(tmp_path / "data", lines), "--out", out)
    assert done.returncode == 3
    assert "494 images have no file, first 6.png: names are relative to the folder" in done.stderr
    assert len(done.stderr.splitlines()) == 13
    assert "left out: 484 more" in done.stderr
    left_out = content_of(out)["dataset"]["left_out"]
    assert (left_out["images"], len(left_out["first"])) == (494, 10)


def test_where_nothing_can_be_read_there_is_no_report(start: Run, tmp_path: Path) -> None:
    data = plain(tmp_path / "data", ["image,labels", "0.png,Mass"], count=1)
    (data / "0.png").write_bytes(b"")
    out = tmp_path / "r.json"
    done = start(data, "--out", out)
    assert done.returncode == 3
    assert "not one of 1 images could be read" in done.stderr
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--split", "holdout"], 2, "there are train, validation, test, all"),
        (["--out", "r.txt"], 2, "ends in .json"),
        (["--operating-point", "none"], 2, "has no operating point"),
        (["--labels", "none.csv"], 3, "none.csv: no such file"),
        (["--out", "nowhere/r.json"], 4, "cannot be written: No such file or directory"),
        (["--out", "/dev/null/r.json"], 4, "cannot be written: Not a directory"),
        (["--model", "none"], 4, "no such file"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(
    start: Run, folder: Path, tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    done = start(folder, *arguments, cwd=tmp_path)
    assert done.returncode == code
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_a_split_without_images_is_said(folder: Path, tmp_path: Path) -> None:
    data = plain(tmp_path / "data", ["image,labels,patient", "0.png,Mass,p"], count=1)
    with pytest.raises(DatasetError, match="no labelled test image in it"):
        part(load(data, NIH), "test")
    with pytest.raises(UsageError, match="there are"):
        part(load(folder, NIH), "everything")


# --- interruptions ---------------------------------------------------------------------------


@pytest.fixture(scope="session")
def slow_folder(tmp_path_factory: pytest.TempPathFactory, make_nih: Callable[..., Path]) -> Path:
    """80 pictures large enough that there is time to interrupt."""
    return make_nih(tmp_path_factory.mktemp("data") / "nih", rows(80), size=(700, 700))


@pytest.fixture(scope="session")
def uninterrupted(
    slow_folder: Path, cnn28: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """The files of an evaluation that nothing disturbed."""
    place = tmp_path_factory.mktemp("whole")
    done = subprocess.run(command(slow_folder, cnn28), cwd=place, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return files_of(place)


def command(data: Path, model: Path) -> list[str]:
    options = ["--model", str(model), "--split", "all", "--out", "r.json", "--retest"]
    return [sys.executable, "-m", "edge_app", "evaluate", str(data), *options]


def files_of(place: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in place.iterdir()}


def stopped(data: Path, model: Path, place: Path, number: signal.Signals, lines: int) -> Any:
    """Send a signal once the journal has so many lines."""
    journal = place / "r.json.journal"
    child = subprocess.Popen(
        command(data, model), cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not journal.exists() or journal.read_bytes().count(b"\n") < lines:
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    child.send_signal(number)
    out, said = child.communicate(timeout=60)
    return child.returncode, out, said


def test_after_power_cuts_the_report_is_the_same_to_the_byte(
    slow_folder: Path, cnn28: Path, tmp_path: Path, uninterrupted: dict[str, bytes]
) -> None:
    journal = tmp_path / "r.json.journal"
    for lines in (1, 8, 30):
        code, out, _ = stopped(slow_folder, cnn28, tmp_path, signal.SIGKILL, lines)
        assert code == -signal.SIGKILL
        assert out == ""
        assert not (tmp_path / "r.json").exists()
        content = journal.read_bytes()
        journal.write_bytes(content[:-17])  # the last line is torn
    done = subprocess.run(
        command(slow_folder, cnn28), cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "of 80 images are answered already" in done.stderr
    assert files_of(tmp_path) == uninterrupted


def test_ctrl_c_says_how_to_go_on(
    slow_folder: Path, cnn28: Path, tmp_path: Path, uninterrupted: dict[str, bytes]
) -> None:
    code, out, said = stopped(slow_folder, cnn28, tmp_path, signal.SIGINT, 5)
    assert code == 130
    assert out == ""
    assert said.splitlines() == [
        "edge-cxr: interrupted: what was answered is in r.json.journal; the same command goes on "
        "where it stopped"
    ]
    subprocess.run(command(slow_folder, cnn28), cwd=tmp_path, check=True, timeout=120)
    assert files_of(tmp_path) == uninterrupted


def test_a_full_disk_loses_nothing(
    slow_folder: Path, cnn28: Path, tmp_path: Path, uninterrupted: dict[str, bytes]
) -> None:
    """A limit on the size of files stands for the end of the disk."""

    def limit(size: int) -> Callable[[], None]:
        return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    enough_for_the_journal = 200_000
    for size, what in ((20_000, "r.json.journal"), (enough_for_the_journal, "")):
        done = subprocess.run(
            command(slow_folder, cnn28),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            preexec_fn=limit(size),
        )
        if what:
            assert done.returncode == 4
            (line,) = done.stderr.splitlines()
            assert line.startswith(f"edge-cxr: {what}: cannot be written: ")
            assert "make room, then the same command goes on" in line
            assert files_of(tmp_path).keys() == {"r.json.journal"}
        else:
            assert done.returncode == 0, done.stderr
            assert "are answered already" in done.stderr
    assert files_of(tmp_path) == uninterrupted


def test_a_report_that_cannot_be_written_leaves_the_answers(
    folder: Path, cnn28: Path, tmp_path: Path, start: Run
) -> None:
    out = tmp_path / "r.json"
    out.mkdir()
    done = start(folder, "--out", out)
    assert done.returncode == 4
    assert "the answers are kept in" in done.stderr
    assert "Is a directory" in done.stderr
    out.rmdir()
    done = start(folder, "--out", out)
    assert done.returncode == 0
    assert "25 of 25 images are answered already" in done.stderr


# --- what a journal is gone on with ----------------------------------------------------------


def begun(folder: Path, cnn28: Path, out: Path, **options: Any) -> None:
    """A journal of an evaluation that was interrupted before its 11th image."""

    def interrupt(images: Any) -> Any:
        for count, image in enumerate(images):
            if count == 10:
                raise KeyboardInterrupt
            yield image

    with pytest.raises(KeyboardInterrupt):
        run_in_process(folder, cnn28, out, progress=interrupt, **options)
    assert out.with_name(f"{out.name}.journal").exists()


def run_in_process(folder: Path, model: Path, out: Path, **options: Any) -> Report:
    return evaluate(part(load(folder, NIH), None), Classifier(read(model)), out, **options)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--split", "train"], "data set"),
        (["--limit", "12"], "data set"),
        (["--retest"], "retest"),
        (["--threads", "2"], "runtime"),
        (["--operating-point", "screening"], "operating point"),
        (["--model", DEFAULT_MODEL], "model"),
    ],
)
def test_another_evaluation_is_not_mixed_in(
    start: Run, folder: Path, cnn28: Path, tmp_path: Path, arguments: list[str], what: str
) -> None:
    out = tmp_path / "r.json"
    begun(folder, cnn28, out)
    before = files_of(tmp_path)
    done = start(folder, "--out", out, *arguments)
    assert done.returncode == 4
    assert f"was begun with another {what}: finish it with the command" in done.stderr
    assert files_of(tmp_path) == before


@pytest.mark.parametrize("package", ["Pillow", "pydicom", "python-gdcm"])
def test_other_decoders_are_another_runtime(
    package: str, folder: Path, cnn28: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upgrade between two calls: what was read before may differ from what is read after."""
    out = tmp_path / "r.json"
    begun(folder, cnn28, out)
    monkeypatch.setattr(
        "edge_app.core.machine.version", lambda name: "99" if name == package else version(name)
    )
    with pytest.raises(OutputError, match="was begun with another runtime"):
        run_in_process(folder, cnn28, out)


def test_pictures_that_were_decoded_otherwise_are_not_mixed_in(
    folder: Path, cnn28: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal of the version before, which read some pictures otherwise."""
    out = tmp_path / "r.json"
    with monkeypatch.context() as before:
        before.setattr("edge_app.evaluation.evaluate.DECODING", DECODING - 1)
        begun(folder, cnn28, out)
    with pytest.raises(OutputError, match="was begun with another decoding of images"):
        run_in_process(folder, cnn28, out)


def test_changed_labels_are_another_data_set(
    start: Run, cnn28: Path, tmp_path: Path, make_nih: Callable[..., Path]
) -> None:
    data = make_nih(tmp_path / "data", rows(20))
    out = tmp_path / "r.json"
    begun(data, cnn28, out)
    labels = data / "Data_Entry_2017_v2020.csv"
    labels.write_text(labels.read_text().replace("Nodule", "Hernia"))
    done = start(data, "--out", out)
    assert done.returncode == 4
    assert "was begun with another data set" in done.stderr


def test_another_number_of_workers_goes_on(
    folder: Path, cnn28: Path, tmp_path: Path, start: Run
) -> None:
    out = tmp_path / "r.json"
    begun(folder, cnn28, out, workers=1)
    done = start(folder, "--out", out, "--workers", 2)
    assert done.returncode == 0, done.stderr
    assert "going on: 10 of 25 images are answered already" in done.stderr


def test_a_picture_that_changed_meanwhile_is_answered_anew(
    cnn28: Path, tmp_path: Path, make_nih: Callable[..., Path]
) -> None:
    data = make_nih(tmp_path / "data", rows(20))
    begun(data, cnn28, tmp_path / "r.json")
    changed = data / "images" / "003.png"
    Image.new("L", (28, 28), 90).save(changed)
    made = run_in_process(data, cnn28, tmp_path / "r.json")
    fresh = run_in_process(data, cnn28, tmp_path / "fresh.json")
    np.testing.assert_array_equal(made.evaluated.logits, fresh.evaluated.logits)
    assert made.content == fresh.content


@pytest.mark.parametrize("in_place", [True, False])
def test_a_picture_of_the_same_size_and_date_is_another_all_the_same(
    in_place: bool, cnn28: Path, tmp_path: Path, make_nih: Callable[..., Path]
) -> None:
    data = make_nih(tmp_path / "data", rows(20))
    picture = data / "images" / "003.png"
    Image.new("L", (28, 28), 10).save(picture, "BMP")
    begun(data, cnn28, tmp_path / "r.json")
    before = picture.stat()
    other = picture if in_place else tmp_path / "other.png"
    Image.linear_gradient("L").resize((28, 28)).save(other, "BMP")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(picture)
    after = picture.stat()
    assert (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    made = run_in_process(data, cnn28, tmp_path / "r.json")
    fresh = run_in_process(data, cnn28, tmp_path / "fresh.json")
    np.testing.assert_array_equal(made.evaluated.logits, fresh.evaluated.logits)


def test_a_picture_that_was_missing_is_answered_when_it_is_there(
    cnn28: Path, tmp_path: Path, make_nih: Callable[..., Path]
) -> None:
    data = make_nih(tmp_path / "data", rows(20))
    broken = data / "images" / "003.png"
    whole = broken.read_bytes()
    broken.write_bytes(b"")
    begun(data, cnn28, tmp_path / "r.json")
    broken.write_bytes(whole)
    made = run_in_process(data, cnn28, tmp_path / "r.json")
    assert made.content["dataset"]["left_out"]["images"] == 0
    assert len(made.evaluated.images) == 20


@pytest.mark.parametrize(
    "change",
    [
        {"logits": "00"},
        {"logits": "0000c07f" * 15},  # not a number
        {"logits": 3},
        {"stamp": [1]},
        {"stamp": "x"},
        {"retest": []},
        {"retest": {"noise": "zz"}},
        {"sha256": None, "stamp": None},
    ],
)
def test_a_record_that_holds_no_answer_is_none(change: dict[str, Any]) -> None:
    logits = np.arange(15, dtype=np.float32)
    record = Answer("a.png", (1, 2, 3, 4), "0" * 64, logits, {"noise": logits}).as_record()
    again = Answer.from_record(json.loads(json.dumps(record)), len(LABELS))
    np.testing.assert_array_equal(again.logits, logits)
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        Answer.from_record(record | change, len(LABELS))


# --- the real subset -------------------------------------------------------------------------


def test_the_real_test_split_has_the_digest_of_the_shipped_reports(
    nih: Path, repository: Path
) -> None:
    selection = part(load(nih, NIH), None)
    names = [image.name for image in selection.images]
    digests = [hashlib.sha256(image.path.read_bytes()).hexdigest() for image in selection.images]
    targets = np.stack([image.targets for image in selection.images])
    shipped = report.read(repository / "reports" / DEFAULT_MODEL / "int8.json")
    assert report.dataset_digest(names, digests, targets) == shipped.content["dataset"]["digest"]
    assert shipped.evaluated.patients.tolist() == [image.patient for image in selection.images]


def test_real_images_get_the_logits_of_the_shipped_report(
    nih: Path, repository: Path, tmp_path: Path
) -> None:
    shipped = report.read(repository / "reports" / DEFAULT_MODEL / "int8.json")
    classifier = Classifier(read(SHIPPED / f"{DEFAULT_MODEL}.tflite"))
    selection = part(load(nih, NIH), "test", limit=200)
    made = evaluate(selection, classifier, tmp_path / "r.json")
    assert made.content["dataset"]["left_out"]["images"] == 0
    assert made.content["model"].items() >= shipped.content["model"].items()
    assert made.content["calibration"] == shipped.content["calibration"]
    np.testing.assert_array_equal(made.evaluated.images, shipped.evaluated.images[:200])
    if classifier.provenance()["runtime"]["name"] == shipped.content["runtime"]["name"]:
        np.testing.assert_array_equal(made.evaluated.logits, shipped.evaluated.logits[:200])
    else:  # another interpreter rounds otherwise, by a step or two
        scale = classifier.model.manifest["outputs"]["logits"]["quantization"]["scale"]
        difference = np.abs(made.evaluated.logits - shipped.evaluated.logits[:200])
        assert difference.max() <= 4 * scale + 1e-6


def test_what_the_lists_leave_open_is_said_and_stands_in_the_report(
    start: Run, make_nih: Callable[..., Path], tmp_path: Path
) -> None:
    rows = [(f"{patient:08d}_000.png", "Mass", patient) for patient in range(1, 4)]
    folder = make_nih(tmp_path / "nih", rows)
    out = tmp_path / "report.json"
    done = start(folder, "--out", out)
    said = "3 images are named as in NIH's release, but neither test_list.txt nor"
    assert said in done.stderr
    assert any(said in note for note in content_of(out)["dataset"]["notes"])
