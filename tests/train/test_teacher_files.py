"""Who may teach: runs, model files, files of scores, published networks."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy.special import softmax

from edge_app.classifier import Classifier
from edge_app.core.errors import MissingExtraError
from edge_app.model.calibration import calibrated
from edge_app.model.labels import Label, Labels
from edge_app.model.model_file import ModelFile, locate, read
from edge_app.model.preprocess import InputSpec
from quantize.card import _teachers as of_card
from train import published
from train.augment import NONE
from train.cache import Cached, open_cache
from train.datasets.registry import load
from train.errors import DatasetError, RunError
from train.finished_run import open_run
from train.fit import build, continue_from
from train.labels import LABELS, LabelSet
from train.recipes import Recipe
from train.run import train as train_run
from train.targets import training_targets
from train.teacher_files import read_teacher, read_teachers

PLAIN = Recipe(network="cnn28", batch=16, epochs=1, augmentation=NONE)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def student(cache: Path, small_nih: Path) -> Cached:
    return open_cache(load(small_nih), InputSpec.square(28), cache, Console(quiet=True))[0]


def trained(model: ModelFile, student: Cached, path: Path, **changes: object) -> Path:
    """A model file that says it was trained on the student's data set."""
    validation = student.split("validation")
    facts = {
        "train": {
            "name": student.name,
            "split": "train",
            "images": 7,
            "digest": student.split("train").digest,
        },
        "validation": {"name": student.name, "digest": validation.digest},
        **changes,
    }
    training = model.manifest["training"] | {"dataset": facts}
    model.replace(manifest=model.manifest | {"training": training}).save(path)
    return path


def test_a_model_file_of_the_same_splits_teaches(
    small_nih: Path, cache: Path, student: Cached, tmp_path: Path
) -> None:
    path = trained(read(locate("cxr-cnn28")), student, tmp_path / "a.tflite")
    teachers = read_teachers([path], small_nih, cache, None, student)
    assert teachers is not None
    assert teachers.knows_no_more == [True]
    assert teachers.trained_on == [f"{student.name}, train: 7 images"]
    part, model = student.split("train"), read(path)
    classifier = Classifier(model)
    logits = np.stack([classifier.logits(part.images[row])[0] for row in part.rows])
    expected = calibrated(logits, model.manifest["calibration"])
    np.testing.assert_allclose(teachers.scores_of(part), expected, rtol=1e-5)
    with pytest.raises(RunError, match="only a run"):
        continue_from(build(PLAIN), teachers.last)


@pytest.mark.parametrize(("said", "known"), [("not seen", True), ("not known", False)])
def test_a_teacher_may_know_whom_its_own_start_may_know(
    small_nih: Path, cache: Path, student: Cached, tmp_path: Path, said: str, known: bool
) -> None:
    start = {"name": "elsewhere", "test_patients": said}
    path = trained(read(locate("cxr-cnn28")), student, tmp_path / "a.tflite", started_from=start)
    teachers = read_teachers([path], small_nih, cache, None, student)
    assert teachers is not None
    assert teachers.knows_no_more == [known]


def test_what_knows_the_validation_patients_cannot_teach(
    small_nih: Path, cache: Path, student: Cached, tmp_path: Path
) -> None:
    model = read(locate("cxr-cnn28"))
    other = {"name": student.name, "digest": "0" * 64}
    path = trained(model, student, tmp_path / "a.tflite", refit_of="1" * 64)
    with pytest.raises(RunError, match="before its refit"):
        read_teachers([path], small_nih, cache, None, student)
    path = trained(model, student, tmp_path / "b.tflite", validation=other)
    with pytest.raises(DatasetError, match="would leak"):
        read_teachers([path], small_nih, cache, None, student)


def test_what_was_trained_on_other_data_teaches_and_the_card_says_so(
    small_nih: Path, cache: Path, student: Cached
) -> None:
    """The shipped model is a refit, on patients of another data set."""
    teachers = read_teachers(["cxr-cnn28"], small_nih, cache, None, student)
    assert teachers is not None
    assert teachers.knows_no_more == [False]
    assert "nih-chestxray14-subset" in teachers.trained_on[0]


@pytest.mark.parametrize("name", ["three-exclusive.tflite", "one-label.tflite"])
def test_a_model_of_other_labels_is_no_teacher(
    name: str, small_nih: Path, cache: Path, student: Cached, repository: Path
) -> None:
    with pytest.raises(RunError, match="knows none of this run's labels"):
        read_teacher(repository / "tests" / "models" / name, small_nih, cache, None, student)


def test_a_model_of_another_shape_sees_the_pictures_themselves(
    small_nih: Path, cache: Path, student: Cached, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = student.split("train", "validation")
    cached = read_teacher("cxr-cnn28", small_nih, cache, None, whole)
    monkeypatch.setattr("train.teacher_files.STRETCH", "crop-bilinear")  # so no square will do
    apart = read_teacher("cxr-cnn28", small_nih, cache, None, whole)
    backwards = replace(whole, table=whole.table[::-1].reset_index(drop=True))
    expected = cached.scores(cached.cached)
    assert np.ptp(expected[:, 0]) > 0.01
    np.testing.assert_allclose(apart.scores(backwards)[::-1], expected, rtol=1e-5)


# --- files of scores ---------------------------------------------------------------------------


def scores_file(path: Path, student: Cached, labels: list[str], logits: np.ndarray) -> Path:
    images = np.array([f"server/{name}" for name in student.table["image"]])
    order = np.random.default_rng(1).permutation(len(images))
    np.savez(path, images=images[order], labels=np.array(labels), logits=logits[order])
    return path


def test_a_network_of_another_framework_teaches_by_its_scores_alone(
    small_nih: Path, cache: Path, student: Cached, tmp_path: Path
) -> None:
    labels = ["effusion", "Not ours", "pleural thickening"]
    logits = np.random.default_rng(0).normal(size=(len(student), 3))
    path = scores_file(tmp_path / "a.npz", student, labels, logits)
    teachers = read_teachers([path], small_nih, cache, None, student, ["PadChest"])
    assert teachers is not None
    assert teachers.trained_on == ["PadChest"]
    assert teachers.knows_no_more == [False]

    part = student.split("train")
    found = teachers.scores_of(part)
    rows = student.table["image"].isin(part.table["image"]).to_numpy()
    for name, column in (("Effusion", 0), ("Pleural_Thickening", 2)):
        expected = 1 / (1 + np.exp(-logits[rows, column]))
        np.testing.assert_allclose(found[:, LABELS.index(name)], expected, rtol=1e-5)
    known = np.isin(LABELS, ("Effusion", "Pleural_Thickening"))
    assert np.isnan(found[:, ~known]).all()

    goals = training_targets(replace(PLAIN, distil=1.0), part, found)
    assert np.array_equal(goals[:, ~known], part.targets[:, ~known])
    np.testing.assert_allclose(goals[:, known], found[:, known], rtol=1e-6)


def exclusive_of(student: Cached) -> Cached:
    """The same pictures, each of which bears just one of three labels."""
    labels = LabelSet(Labels([Label("A"), Label("B"), Label("C")]), "exclusive")
    bears = np.random.default_rng(2).integers(0, 3, len(student))
    return replace(student, labels=labels, targets=np.eye(3, dtype=np.uint8)[bears])


def test_scores_of_exclusive_labels_teach_as_shares_of_one(
    small_nih: Path, cache: Path, student: Cached, tmp_path: Path
) -> None:
    exclusive = exclusive_of(student)
    logits = np.random.default_rng(0).normal(size=(len(exclusive), 3))
    path = scores_file(tmp_path / "a.npz", exclusive, ["B", "A", "C"], logits)
    teachers = read_teachers([path], small_nih, cache, None, exclusive)
    assert teachers is not None
    part = exclusive.split("train")
    rows = exclusive.table["image"].isin(part.table["image"]).to_numpy()
    expected = softmax(logits[rows], axis=1)[:, [1, 0, 2]]
    np.testing.assert_allclose(teachers.scores_of(part), expected, rtol=1e-5)


@pytest.mark.parametrize("names", [["A", "B"], ["A", "B", "C", "D"]])
def test_of_exclusive_labels_a_teacher_knows_just_these(
    names: list[str], small_nih: Path, cache: Path, student: Cached, tmp_path: Path
) -> None:
    exclusive = exclusive_of(student)
    logits = np.random.default_rng(0).normal(size=(len(exclusive), len(names)))
    path = scores_file(tmp_path / "a.npz", exclusive, names, logits)
    with pytest.raises(RunError, match="the same exclusive labels"):
        read_teachers([path], small_nih, cache, None, exclusive)


def test_scores_of_exclusive_labels_that_are_no_shares_do_not_teach(
    small_nih: Path, cache: Path, student: Cached, tmp_path: Path
) -> None:
    exclusive = exclusive_of(student)
    names = exclusive.table["image"].to_numpy(str)
    values = np.full((len(exclusive), 3), 0.6)
    np.savez(tmp_path / "a.npz", images=names, labels=np.array(list("ABC")), probabilities=values)
    with pytest.raises(DatasetError, match=r"add up to 1\.8: of exclusive labels"):
        read_teachers([tmp_path / "a.npz"], small_nih, cache, None, exclusive)


def test_a_run_and_its_card_name_every_teacher_and_what_it_was_trained_on(
    small_nih: Path, cache: Path, student: Cached, tmp_path: Path
) -> None:
    logits = np.random.default_rng(0).normal(size=(len(student), 1))
    path = scores_file(tmp_path / "server.npz", student, ["Mass"], logits)
    alike = trained(read(locate("cxr-cnn28")), student, tmp_path / "a.tflite")
    teachers = read_teachers([alike, path], small_nih, cache, None, student)
    recipe = replace(PLAIN, distil=0.5)
    train_run(recipe, student, tmp_path / "run", Console(file=io.StringIO()), teachers)
    facts = open_run(tmp_path / "run").config.dataset
    words = of_card(facts)
    assert teachers is not None
    for name, on in zip(teachers.names, teachers.trained_on, strict=True):
        assert f"- {name}, trained on: {on}" in words
    assert "trained on: not stated" in words
    assert words.endswith(f"unknown to {teachers.names[1]}: what the test says may be too good.")

    taught = trained(read(locate("cxr-cnn28")), student, tmp_path / "b.tflite", **facts)
    again = read_teachers([taught], small_nih, cache, None, student)
    assert again is not None
    assert again.knows_no_more == [False]
    assert "teachers trained on" in again.trained_on[0]


def test_a_network_that_was_kept_without_its_run_teaches_under_the_same_name(
    student: Cached, small_nih: Path, cache: Path, tmp_path: Path
) -> None:
    """As those in `networks/`, of which nothing else is kept."""
    run, kept = tmp_path / "run", tmp_path / "kept"
    train_run(PLAIN, student, run, Console(file=io.StringIO()))
    kept.mkdir()
    for name in ("config.json", "calibration.json"):
        shutil.copy(run / name, kept)
    open_run(run).model.save(kept / "model.keras")
    of_run, of_kept = (read_teacher(each, small_nih, cache, None, student) for each in (run, kept))
    assert of_kept.name == of_run.name
    np.testing.assert_array_equal(of_kept.scores(student), of_run.scores(student))


def test_scores_that_are_missing_or_of_other_labels_do_not_teach(
    small_nih: Path, cache: Path, student: Cached, tmp_path: Path
) -> None:
    logits = np.random.default_rng(0).normal(size=(len(student), 1))
    path = scores_file(tmp_path / "a.npz", student, ["Fracture"], logits)
    with pytest.raises(RunError, match=r"knows none of this run's labels .*, but Fracture"):
        read_teachers([path], small_nih, cache, None, student)
    few = student.split("validation")
    scores_file(path, few, ["Mass"], logits[: len(few)])
    with pytest.raises(DatasetError, match=r"has no scores of \d+ of the \d+ images"):
        read_teachers([path], small_nih, cache, None, student)


def test_scores_of_an_image_of_another_split_do_not_teach(
    small_nih: Path, cache: Path, student: Cached, tmp_path: Path
) -> None:
    """Nor do those of one that was left out."""
    tests = int(np.flatnonzero(student.table["split"] == "test")[0])
    trains = int(np.flatnonzero(student.table["split"] == "train")[0])
    images = student.table["image"].to_numpy().copy()
    images[tests], images[trains] = "siteA/1.png", "1.png"
    known = replace(
        student, table=student.table.assign(image=images), named=(*images, "siteB/1.png")
    )
    scored = [*(f"server/{name}" for name in images), "server/siteB/1.png"]
    logits = np.random.default_rng(0).normal(size=(len(scored), 1))
    path = tmp_path / "a.npz"
    np.savez(path, images=np.array(scored), labels=np.array(["Mass"]), logits=logits)
    teacher = read_teacher(path, small_nih, cache, None, known.split("train"))
    part = known.split("train")
    rows = (known.table["split"] == "train").to_numpy().nonzero()[0]
    expected = 1 / (1 + np.exp(-logits[rows, 0]))
    np.testing.assert_allclose(teacher.scores(part)[:, LABELS.index("Mass")], expected, rtol=1e-5)

    without = np.array(scored) != "server/1.png"
    np.savez(
        path, images=np.array(scored)[without], labels=np.array(["Mass"]), logits=logits[without]
    )
    teacher = read_teacher(path, small_nih, cache, None, part)
    with pytest.raises(DatasetError, match=r"has no scores of 1 of the .*, such as 1\.png"):
        teacher.scores(part)


def test_a_cache_knows_the_names_of_images_that_were_left_out(small_nih: Path, cache: Path) -> None:
    dataset = load(small_nih)
    dataset = replace(dataset, problems=[("lost.png", "missing")])
    cached, _ = open_cache(dataset, InputSpec.square(28), cache, Console(quiet=True))
    assert {*dataset.table["image"], "lost.png"} == {*cached.split("train").named}


def test_words_that_no_teacher_needs_are_refused(
    small_nih: Path, cache: Path, student: Cached, tmp_path: Path
) -> None:
    path = trained(read(locate("cxr-cnn28")), student, tmp_path / "a.tflite")
    with pytest.raises(RunError, match="every teacher says itself"):
        read_teachers([path], small_nih, cache, None, student, ["the moon"])


# --- published networks ------------------------------------------------------------------------


def test_a_published_network_is_named_and_needs_its_package() -> None:
    with pytest.raises(RunError, match="there are densenet121-res224-all"):
        published.load("densenet")
    try:
        import torchxrayvision  # noqa: F401
    except ImportError:
        with pytest.raises(MissingExtraError, match=r"edge-cxr\[xrv\]"):
            published.load("densenet121-res224-nih")
