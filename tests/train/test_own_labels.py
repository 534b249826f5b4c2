"""Which labels own data have, as a file lists them or as the images bear them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from scipy.special import log_softmax
from scipy.special import softmax as shares_of
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from edge_app.model.calibration import calibrated
from edge_app.model.labels import FINDING, NORMAL, Code, Label, Labels
from train.calibrate import fitted, operating_points
from train.datasets.packed import LOSSLESS, pack
from train.datasets.registry import load
from train.errors import DatasetError
from train.fit import build, start_at_prevalence
from train.labels import OF_NIH, LabelSet
from train.own_labels import labels_from_names, read_labels
from train.predict import logits_only
from train.recipes import Recipe
from train.targets import crossentropy

THREE = LabelSet(Labels([Label("A"), Label("B"), Label("Normal", NORMAL)]), "exclusive")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("l.txt", "# in order\nCavity\n\nNo finding  # the healthy\n"),
        ("l.txt", "\ufeffCavity\nNo finding, normal\n"),
        ("l.toml", 'labels = ["Cavity", "No finding"]'),
        ("l.json", '["Cavity", "No finding"]'),
        ("l.json", '{"labels": [{"name": "Cavity"}, {"name": "No finding", "kind": "normal"}]}'),
    ],
)
def test_every_form_of_a_list_says_the_same(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    found = read_labels(tmp_path / name)
    assert found.labels == (Label("Cavity"), Label("No finding", NORMAL))
    assert found.head == "independent"
    assert LabelSet.from_dict(found.as_dict()) == found


def test_a_list_states_the_normal_label_or_that_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / "l.toml"
    path.write_text('labels = ["Sick", "Well"]\nnormal = "well"')
    assert [label.kind for label in read_labels(path).labels] == [FINDING, NORMAL]
    path.write_text('labels = ["Sick", "Normal"]\nnormal = ""')
    assert [label.kind for label in read_labels(path).labels] == [FINDING, FINDING]
    path.write_text(
        '[[labels]]\nname = "Sick"\ncode = {scheme = "SCT", value = "39104002", meaning = "Ill"}'
    )
    assert read_labels(path).labels[0].code == Code("SCT", "39104002", "Ill")


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\xff", b"[", b'{"labels": 3}', b'{"labels": [3]}', b""]
)
def test_a_damaged_list_is_one_line(tmp_path: Path, content: bytes) -> None:
    for name in ("l.toml", "l.json", "l.txt"):
        (tmp_path / name).write_bytes(content)
        if name == "l.txt" and content[:1] in (b"[", b"{"):
            continue  # a name as good as any
        with pytest.raises(DatasetError, match=name) as caught:
            read_labels(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(DatasetError, match="no such file"):
        read_labels(tmp_path / "absent.toml")


def test_names_that_images_bear_are_one_label_in_any_spelling() -> None:
    named = [
        ("Scar", "pleural thickening"),
        ("scar",),
        ("scar",),
        ("none",),
        ("None",),
        ("NO FINDING",),
    ]
    found, notes = labels_from_names(named, "x")
    assert found.names == ("Pleural_Thickening", "No Finding", "scar")
    assert found.labels.normal == 1
    assert not found.numbered
    assert "3 labels: Pleural_Thickening, No Finding, scar; normal is 'No Finding'" in notes[0]


def folder_with(tmp_path: Path, text: str, count: int = 3) -> Path:
    for place in range(count):
        Image.new("L", (8, 8)).save(tmp_path / f"{place}.png")
    (tmp_path / "labels.csv").write_text(text)
    return tmp_path


def test_none_of_exclusive_labels_is_the_normal_one_and_else_refused(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "image,labels\n0.png,none\n1.png,A\n2.png,normal\n")
    assert load(folder, labels=THREE).targets.tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 1]]
    unmarked = THREE._replace(labels=Labels(map(Label, ("A", "B", "Normal"))))
    with pytest.raises(DatasetError) as caught:
        load(folder, labels=unmarked)
    assert "1 of 3 images do not bear just one label, first 0.png, which bears none" in f"{caught}"
    assert "mark the label of images without findings as normal" in str(caught.value)


def test_an_unknown_cell_leaves_the_image_out(tmp_path: Path) -> None:
    text = "image,Scar,Cavity\n0.png,1,0\n1.png,1.0,-1\n2.png,0,\n"
    dataset = load(folder_with(tmp_path, text))
    assert dataset.labels.names == ("Scar", "Cavity")
    assert dataset.targets.tolist() == [[1, 0]]
    assert dataset.problems == [("1.png", "unlabelled"), ("2.png", "unlabelled")]
    assert not dataset.tells_patients


def test_a_limit_changes_no_label(tmp_path: Path) -> None:
    text = "image,labels,split\n0.png,Scar,train\n1.png,Cavity,train\n2.png,Scar,test\n"
    dataset = load(folder_with(tmp_path, text), limit=1)
    assert dataset.labels.names == ("Cavity", "Scar")
    assert dataset.targets.tolist() == [[0, 1], [0, 1]]


def test_a_list_chooses_among_a_chestmnist_files_labels(
    tmp_path: Path, make_chestmnist: Callable[..., Path]
) -> None:
    path = make_chestmnist(tmp_path / "c.npz")
    expected = LabelSet(Labels([Label("no finding", NORMAL), Label("EFFUSION")]))
    every, some = load(path), load(path, labels=expected)
    places = [OF_NIH.names.index("No Finding"), OF_NIH.names.index("Effusion")]
    np.testing.assert_array_equal(some.targets, every.targets[:, places])
    with pytest.raises(DatasetError, match="has no label 'Scar'"):
        load(path, labels=LabelSet(Labels([Label("Scar")])))


def synthetic(count: int = 3000) -> tuple[np.ndarray, np.ndarray]:
    """Logits of three exclusive labels that are twice too sure, with B too frequent."""
    rng = np.random.default_rng(0)
    true = rng.normal(0, 1.5, (count, 3)) + [0, -1, 0.5]
    drawn = [rng.choice(3, p=row) for row in shares_of(true, axis=1)]
    return np.eye(3, dtype=np.uint8)[drawn], (2 * true + [0, 2, 0]).astype(np.float32)


def test_exclusive_labels_are_calibrated_by_one_slope() -> None:
    targets, logits = synthetic()
    found = fitted(targets, logits, "here", "exclusive")
    assert found["slope"] == pytest.approx([0.5] * 3, abs=0.03)
    scores = calibrated(logits, found, "exclusive")
    np.testing.assert_allclose(scores.mean(axis=0), targets.mean(axis=0), atol=1e-3)
    # scikit-learn's multinomial regression is free to give each logit a slope of its own.
    oracle = LogisticRegression(C=1e6, max_iter=1000).fit(logits, targets.argmax(axis=1))
    assert np.abs(scores - oracle.predict_proba(logits)).mean() < 0.01
    for shift in (-0.02, 0.02):
        other = calibrated(logits, found | {"slope": [found["slope"][0] + shift] * 3}, "exclusive")
        assert log_loss(targets, other) > log_loss(targets, scores)


def test_exclusive_labels_without_images_or_ranking_keep_the_slope() -> None:
    targets, logits = synthetic(300)
    alone = np.zeros_like(targets)
    alone[:, 0] = 1
    for truth, arguments in ((alone, logits), (targets, -logits)):
        found = fitted(truth, arguments, "here", "exclusive")
        assert found["slope"] == [1.0] * 3
        scores = calibrated(arguments, found, "exclusive")
        share = (truth.sum(axis=0) + 0.5) / (300 + 1.5)
        np.testing.assert_allclose(scores.mean(axis=0), share, atol=1e-3)


def test_exclusive_labels_have_thresholds_on_their_softmax() -> None:
    targets, logits = synthetic()
    found = fitted(targets, logits, "here", "exclusive")
    point = operating_points(targets, logits, found, "here", "exclusive")["screening"]
    above = calibrated(logits, found, "exclusive") >= np.array(point["thresholds"])
    reached = [above[targets[:, i] > 0, i].mean() for i in range(3)]
    assert min(reached) >= 0.9
    assert reached == pytest.approx(point["sensitivity"])


@pytest.mark.parametrize("head", ["exclusive", "independent"])
def test_the_loss_is_the_heads_and_further_columns_are_apart(head: str) -> None:
    rng = np.random.default_rng(1)
    goals = np.concatenate([np.eye(3)[rng.integers(0, 3, 8)], rng.random((8, 2))], axis=1)
    logits = rng.normal(size=(8, 5)).astype(np.float32)

    def binary(g: np.ndarray, z: np.ndarray) -> np.ndarray:
        return (np.logaddexp(0, z) - g * z).mean(axis=1)

    own = binary(goals[:, :3], logits[:, :3])
    if head == "exclusive":
        own = -(goals[:, :3] * log_softmax(logits[:, :3], axis=1)).sum(axis=1)
    labels = THREE._replace(head=head)
    for weight in (0.0, 0.3):
        expected = own + weight * binary(goals[:, 3:], logits[:, 3:])
        arguments = (goals.astype(np.float32), logits)
        found = keras.ops.convert_to_numpy(crossentropy(weight, labels)(*arguments))
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    alone = crossentropy(0.3, labels)(goals[:, :3].astype(np.float32), logits[:, :3])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(alone), own, rtol=1e-5)


@pytest.mark.parametrize("head", ["exclusive", "independent"])
def test_a_network_starts_at_the_labels_shares(head: str) -> None:
    labels = THREE._replace(head=head)
    model = build(Recipe(network="cnn28"), labels)
    goals = np.eye(3, dtype=np.float32)[[0] * 6 + [1] * 3 + [2]]
    start_at_prevalence(model, goals, labels)
    logits = logits_only(model).predict_on_batch(np.zeros((1, 28, 28, 1), np.float32))
    # A black picture is nothing to convolutions without bias: the head's bias is what answers.
    raw = {"slope": [1] * 3, "intercept": [0] * 3}
    np.testing.assert_allclose(calibrated(logits, raw, head)[0], [0.6, 0.3, 0.1], atol=1e-5)


def test_own_labels_travel_with_packed_pictures(tmp_path: Path) -> None:
    text = "image,labels\n0.png,Scar|Cavity\n1.png,none\n2.png,Normal\n"
    dataset = load(folder_with(tmp_path, text))
    (tmp_path / "p.zip").write_bytes(pack(dataset, 8, LOSSLESS)[0])
    packed = load(tmp_path / "p.zip")
    assert packed.labels == dataset.labels
    assert not packed.tells_patients
    np.testing.assert_array_equal(packed.targets, dataset.targets)
    with pytest.raises(DatasetError, match="was packed with the labels Cavity, Normal, Scar"):
        load(tmp_path / "p.zip", labels=OF_NIH)


def test_a_split_column_is_kept_and_validation_is_drawn_by_patient(tmp_path: Path) -> None:
    rows = [f"{i}.png,Scar,p{i // 2},{'test' if i < 10 else 'Train'}" for i in range(60)]
    text = "\n".join(["image,labels,patient,split", *rows, "60.png,Scar,p99,"])
    table = load(folder_with(tmp_path, text, 61)).table
    assert set(table.loc[table["split"] == "test", "image"]) == {f"{i}.png" for i in range(10)}
    assert set(table["split"]) == {"train", "validation", "test"}
    assert "60.png" not in set(table["image"])
    assert (table.groupby("patient")["split"].nunique() == 1).all()


def test_two_columns_for_one_label_are_refused(tmp_path: Path) -> None:
    """The last one would count, and the other be dropped without a word."""
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "x.npz",
        images=rng.integers(0, 256, (9, 28, 28), np.uint8),
        labels=rng.integers(0, 2, (9, 3)),
        names=np.array(["No Finding", "Normal", "TB"]),
    )
    (tmp_path / "labels.txt").write_text("TB\nNo Finding, normal\n")
    with pytest.raises(DatasetError, match=r"'No Finding' and 'Normal' both stand for 'No Fin"):
        load(tmp_path / "x.npz", labels=read_labels(tmp_path / "labels.txt"))
