"""Further data sets train, and do nothing else; images without labels teach teachers' scores."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from shutil import copyfile
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from edge_app.model.preprocess import InputSpec
from train.augment import NONE
from train.batches import batches
from train.cache import Cached, open_cache
from train.datasets.joined import describe
from train.datasets.registry import load
from train.errors import DatasetError, RunError
from train.finished_run import open_run
from train.parcel.make import PICTURES, make
from train.parcel.recipes import SHIPPED
from train.recipes import Recipe
from train.run import train as train_run
from train.run import training_images
from train.source import Source, fine_tuning
from train.source import describe as describe_start
from train.targets import crossentropy, training_targets
from train.teacher_files import read_teachers

QUIET = Console(quiet=True)
STUDENT = Recipe(
    network="cnn28", batch=16, epochs=1, augmentation=NONE, distil=0.5, unlabelled=0.25, ema=0.0
)


@pytest.fixture(scope="module")
def listed(
    tmp_path_factory: pytest.TempPathFactory, small_nih: Path, make_nih: Callable[..., Path]
) -> Path:
    """`small_nih`, a release with a test list, a plain folder without one, and bare pictures."""
    root = tmp_path_factory.mktemp("joined")
    rows = [(f"9{i}_0.png", "Mass", 900 + i) for i in range(6)]
    make_nih(root / "named", rows, test=["90_0.png"], listed=[f"9{i}_0.png" for i in range(1, 6)])
    rng = np.random.default_rng(6)
    for folder, count in (("plain", 20), ("bare", 30)):
        (root / folder / "images").mkdir(parents=True)
        for i in range(count):
            pixels = rng.integers(0, 256, (40, 40), np.uint8)
            Image.fromarray(pixels).save(root / folder / "images" / f"{i:02d}.png")
    lines = [f"images/{i:02d}.png,Effusion,p{i}" for i in range(20)]
    (root / "plain" / "labels.csv").write_text("\n".join(["image,labels,patient", *lines]))
    return write_list(root / "more.toml", small_nih)


def write_list(path: Path, data: Path, first: str = "named") -> Path:
    path.write_text(f"""
data = "{data}"
[[also]]
path = "{first}"
origin = "A release"
apart = true
[[also]]
path = "plain"
origin = "Names lost"
[[also]]
path = "bare"
origin = "MedNIST, CC BY-SA 4.0"
apart = true
unlabelled = true
""")
    return path


@pytest.fixture(scope="module")
def cached(listed: Path) -> Cached:
    return open_cache(load(listed), InputSpec.square(28), listed.parent / "cache", QUIET)[0]


def test_what_is_added_trains_and_never_judges(listed: Path, small_nih: Path) -> None:
    alone, joined = load(small_nih), load(listed)
    assert joined.name == alone.name
    for split in ("validation", "test"):
        one, other = (
            each.table[each.table["split"] == split]["image"].tolist() for each in (alone, joined)
        )
        assert one == other
    by_source = joined.table.groupby(["source", "split"]).size().to_dict()
    # Of the release all but the test image; of the folder, which names no test image, all.
    assert {key: count for key, count in by_source.items() if key[0] > 0} == {
        (1, "train"): 5,
        (2, "train"): 20,
        (3, "unlabelled"): 30,
    }
    assert "named/90_0.png" not in set(joined.table["image"])
    assert ("named/90_0.png", "tests its own data set") in joined.problems


def test_what_tests_its_own_data_set_lends_its_scores_to_no_other(cached: Cached) -> None:
    assert "named/90_0.png" in cached.split("train").named


def test_the_digest_of_what_judges_stays(cached: Cached, small_nih: Path, listed: Path) -> None:
    folder = listed.parent / "cache"
    alone = open_cache(load(small_nih), InputSpec.square(28), folder, QUIET)[0]
    for split in ("validation", "test"):
        assert alone.split(split).digest == cached.split(split).digest
    plain = np.asarray(Image.open(listed.parent / "plain" / "images" / "07.png").resize((28, 28)))
    row = cached.table["image"].tolist().index("plain/images/07.png")
    assert np.array_equal(cached.images[cached.rows[row]].shape, plain.shape)
    assert [cached.labels.names[i] for i in np.flatnonzero(cached.targets[row])] == ["Effusion"]


def test_a_patient_who_judges_does_not_train_elsewhere(
    tmp_path: Path, small_nih: Path, make_nih: Callable[..., Path]
) -> None:
    table = load(small_nih).table
    patient = int(table[table["split"] == "validation"]["patient"].iloc[0])
    make_nih(tmp_path / "leak", [("a_0.png", "Mass", patient), ("b_0.png", "Mass", 999)])
    stated = {"data": str(small_nih), "also": [{"path": "leak", "origin": "x"}]}
    (tmp_path / "list.json").write_text(json.dumps(stated))
    with pytest.raises(DatasetError, match=rf"leak: 1 of its patients.*such as {patient}"):
        load(tmp_path / "list.json")


def test_a_patient_who_judges_does_not_train_under_a_padded_number(
    tmp_path: Path, small_nih: Path
) -> None:
    table = load(small_nih).table
    patient = f"{int(table[table['split'] == 'test']['patient'].iloc[0]):08d}"
    own(tmp_path / "leak", ["x.png"])
    (tmp_path / "leak" / "labels.csv").write_text(f"image,labels,patient\nx.png,Mass,{patient}\n")
    stated = {"data": str(small_nih), "also": [{"path": "leak", "origin": "x"}]}
    (tmp_path / "list.json").write_text(json.dumps(stated))
    with pytest.raises(DatasetError, match=rf"leak: 1 of its patients.*such as {patient}"):
        load(tmp_path / "list.json")


def own(folder: Path, names: list[str]) -> Path:
    """A folder of pictures of nobody in particular, every other one with a mass."""
    rng = np.random.default_rng(len(names))
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (28, 28), np.uint8)).save(folder / name)
    rows = [f"{name},{'Mass' if i % 2 else 'none'}" for i, name in enumerate(names)]
    (folder / "labels.csv").write_text("\n".join(["image,labels", *rows]))
    return folder


def test_no_image_is_called_as_one_of_another_data_set(tmp_path: Path) -> None:
    """What teachers say of an image goes by its name."""
    own(tmp_path / "data", [f"images/{i}.png" for i in range(20)])
    own(tmp_path / "clinic" / "images", [f"{i}.png" for i in range(5)])
    entry = {"path": "clinic/images", "origin": "x", "unlabelled": True}
    (tmp_path / "list.json").write_text(json.dumps({"data": "data", "also": [entry]}))
    with pytest.raises(DatasetError, match=r"5 of .*such as images/0\.png: rename the folder ima"):
        load(tmp_path / "list.json")


def test_equal_names_without_patients_are_refused(tmp_path: Path) -> None:
    names = [f"{i}.png" for i in range(20)]
    own(tmp_path / "data", names)
    own(tmp_path / "more", names)
    entry = {"path": "more", "origin": "x"}
    (tmp_path / "list.json").write_text(json.dumps({"data": "data", "also": [entry]}))
    with pytest.raises(DatasetError, match=r"images are called as .* write a patient for each"):
        load(tmp_path / "list.json")


def test_a_file_that_judges_does_not_train_under_another_name(
    tmp_path: Path, small_nih: Path
) -> None:
    table = load(small_nih).table
    image = table[table["split"] == "test"]["image"].iloc[0]
    (tmp_path / "copied").mkdir()
    copyfile(next(small_nih.rglob(image)), tmp_path / "copied" / "other.png")
    entry = {"path": "copied", "origin": "x", "unlabelled": True}
    (tmp_path / "list.json").write_text(json.dumps({"data": str(small_nih), "also": [entry]}))
    dataset = load(tmp_path / "list.json")
    with pytest.raises(DatasetError, match=r"1 further images .* such as copied/other\.png"):
        open_cache(dataset, InputSpec.square(28), tmp_path / "cache", QUIET)


def test_other_test_images_of_a_further_data_set_leave_each_label_its_picture(
    tmp_path: Path, small_nih: Path, make_nih: Callable[..., Path]
) -> None:
    names = [f"9{i}_0.png" for i in range(6)]
    rows = [(name, "Mass", 900 + i) for i, name in enumerate(names)]
    make_nih(tmp_path / "more", rows, test=names[:1], listed=names[1:])
    entry = {"path": "more", "origin": "x", "apart": True}
    (tmp_path / "list.json").write_text(json.dumps({"data": str(small_nih), "also": [entry]}))

    def pictures() -> dict[str, bytes]:
        dataset = load(tmp_path / "list.json")
        found = open_cache(dataset, InputSpec.square(28), tmp_path / "cache", QUIET)[0]
        at = zip(found.table["image"], found.rows, strict=True)
        return {name: found.images[row].tobytes() for name, row in at}

    before = pictures()
    (tmp_path / "more" / "test_list.txt").write_text(names[3])
    (tmp_path / "more" / "train_val_list.txt").write_text("\n".join(names[:3] + names[4:]))
    after = pictures()
    assert f"more/{names[0]}" in after.keys() - before.keys()
    both = before.keys() & after.keys()
    assert {name: before[name] for name in both} == {name: after[name] for name in both}


@pytest.mark.parametrize(
    ("further", "refit", "known"),
    [
        (True, False, ("not seen", "not seen")),
        (True, True, ("seen", "not seen")),
        (False, False, ("not known", "not known")),
        (False, True, ("seen", "not known")),
    ],
)
def test_what_a_start_knows_follows_from_its_training_data(
    cached: Cached, further: bool, refit: bool, known: tuple[str, str]
) -> None:
    """The digest of all says nothing once more images are among those that trained it."""
    own = cached.of_data_set(0)
    facts: dict[str, Any] = {
        "train": {"images": 9, "patients": 9, "name": "d", "split": "train", "digest": "other"},
        "validation": {"digest": cached.split("validation").digest},
        "own": own.split("train", *(["validation"] if refit else [])).digest,
        "further": [{"name": "more", "origin": "CC BY", "apart": further}],
        **({"refit_of": "a run"} if refit else {}),
    }
    source = Source(keras.Model(), STUDENT, cached.labels, {"dataset": facts})
    found = source.knows(cached)
    assert (found["validation"], found["test"]) == known
    assert source.knows(own) == found
    first = int((own.table["split"] == "train").to_numpy().argmax())
    moved = own.table.assign(split=own.table["split"].where(own.table.index != first, "test"))
    assert source.knows(replace(own, table=moved))["test"] == "not known"  # it trained on that one
    started = {"name": "s", "network": "n", "dataset": facts, "test_patients": "not known"}
    assert "and on more (origin: CC BY)" in describe_start(started)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("also = []", "is no list of data sets"),
        ('data = "x"\nalso = 3', "data and also"),
        ('data = "x"\n[[also]]\npath = "y"', "needs path and origin"),
        ('data = "x"\n[[also]]\npath = "y"\norigin = ""', "origin is a line"),
        ('data = "x"\n[[also]]\npath = "y"\norigin = "z"\napart = "yes"', "apart is true or false"),
        ('data = "self.toml"', "not another list"),
    ],
)
def test_an_invalid_list_is_refused_in_one_line(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "self.toml").write_text(text)
    with pytest.raises(DatasetError, match=fault):
        load(tmp_path / "self.toml")


def test_an_unlabelled_image_learns_its_teachers_scores_alone(cached: Cached) -> None:
    training = cached.split("train", "unlabelled")
    scores = np.full(training.targets.shape, 0.2, np.float32)
    scores[:, 3] = np.nan
    goals = training_targets(STUDENT, training, scores)
    bare = (training.table["split"] == "unlabelled").to_numpy()
    assert bare.sum() == 30
    assert np.array_equal(goals[bare], scores[bare], equal_nan=True)
    labelled = training.targets[~bare].astype(np.float32)
    known = np.arange(15) != 3
    expected = np.where(known, 0.5 * labelled + 0.1, labelled)
    np.testing.assert_allclose(goals[~bare], expected, atol=1e-6)
    _, some_goals, weights = next(iter(batches(training, goals, STUDENT, range(1))))
    missing = np.isnan(some_goals).any(axis=1)
    assert missing.any()
    assert np.array_equal(weights, np.where(missing, 0.25, 1.0).astype(np.float32))


def test_what_is_not_known_counts_for_nothing() -> None:
    rng = np.random.default_rng(7)
    goals, logits = rng.random((4, 17)), rng.normal(size=(4, 17))
    each = np.logaddexp(0, logits) - goals * logits  # binary cross-entropy, written out
    goals[1, [0, 5, 16]] = np.nan
    goals[2] = np.nan
    expected = [
        each[0, :15].mean() + 0.3 * each[0, 15:].mean(),
        np.delete(each[1, :15], [0, 5]).mean() + 0.3 * each[1, 15],
        0.0,
        each[3, :15].mean() + 0.3 * each[3, 15:].mean(),
    ]
    tensors = (keras.ops.convert_to_tensor(each, "float32") for each in (goals, logits))
    found = keras.ops.convert_to_numpy(crossentropy(0.3)(*tensors))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_run_names_all_that_it_learned_from(
    cached: Cached, listed: Path, finished_run: Path, tmp_path: Path
) -> None:
    teachers = read_teachers(
        [finished_run], listed, listed.parent / "cache", None, cached, unlabelled=True
    )
    said = StringIO()
    console = Console(file=said, width=2000)
    train_run(STUDENT, cached, tmp_path / "run", console, teachers)
    facts = open_run(tmp_path / "run").config.dataset
    assert [each["images"] for each in facts["further"]] == [5, 20, 30]
    assert facts["own"] == cached.of_data_set(0).split("train").digest
    lines = describe(facts["further"])
    assert all(line in said.getvalue() for line in lines)
    assert "CC BY-SA 4.0" in lines[2]
    assert "only its teachers' scores" in lines[2]
    assert "not known" in lines[1]  # of the plain folder nobody says that it is apart
    assert "not known" not in lines[0] + lines[2]
    assert all(np.isfinite(w).all() for w in open_run(tmp_path / "run").model.get_weights())

    # What it knows of the test patients is not shown, as one of its data sets is not apart.
    again = read_teachers([tmp_path / "run"], listed, listed.parent / "cache", None, cached)
    assert again is not None
    assert again.knows_no_more == [False]
    assert "MedNIST" in again.trained_on[0]


def test_without_distillation_images_without_labels_stay_out(
    cached: Cached, small_nih: Path, finished_run: Path, tmp_path: Path
) -> None:
    plain = replace(STUDENT, distil=0.0, unlabelled=0.0)
    training = training_images(plain, cached, "train")
    assert training.table["source"].value_counts().loc[[1, 2]].tolist() == [5, 20]
    assert not (training.table["split"] == "unlabelled").any()
    with pytest.raises(ValueError, match="set distil"):
        replace(plain, unlabelled=1.0)
    assert fine_tuning(STUDENT).unlabelled == 0
    cache = finished_run.parent / "cache"
    alone = open_cache(load(small_nih), InputSpec.square(28), cache, QUIET)[0]
    with pytest.raises(DatasetError, match="no unlabelled images"):
        training_images(STUDENT, alone, "train")


def test_a_parcel_is_not_made_for_runs_that_would_lack_pictures(
    small_nih: Path, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match=r"lite0-enlarged-student asks for unlabelled images"):
        make(
            small_nih, tmp_path / "parcel", SHIPPED, quality=100, volume=10**8, limit=None,
            packages=(), python="3.12", console=QUIET,
        )  # fmt: skip
    assert not (tmp_path / "parcel").exists()


def test_a_parcel_carries_all_of_them(cached: Cached, listed: Path, tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text(json.dumps([{"name": "a", "recipe": "cnn28"}]))
    make(
        listed, tmp_path / "parcel", tmp_path / "list.json", quality=100, volume=10**8,
        limit=None, packages=(), python="3.12", console=QUIET,
    )  # fmt: skip
    packed = load(tmp_path / "parcel" / PICTURES)
    there = open_cache(packed, InputSpec.square(28), tmp_path / "cache", QUIET)[0]
    assert there.further == cached.further
    assert not len(there.split("test"))
    for splits in (("train", "unlabelled"), ("validation",)):
        assert there.split(*splits).digest == cached.split(*splits).digest
