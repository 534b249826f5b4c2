"""What is read out of each layout, what is left out and named, and who is in which split."""

from __future__ import annotations

import csv
import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edge_app.core.errors import ImageError
from edge_app.model.labels import NORMAL, Label, Labels
from train.datasets import registry
from train.datasets.dataset import Dataset
from train.datasets.demographics import age_in_years, with_plain_demographics
from train.datasets.registry import Form, load
from train.errors import DatasetError
from train.labels import LABELS, OF_NIH, LabelSet

# Column of a ChestMNIST file → output channel, written out by hand from the two published lists.
CHANNEL_OF_CHESTMNIST_COLUMN = (
    (0, 0),  # atelectasis
    (1, 10),  # cardiomegaly
    (2, 7),  # effusion
    (3, 2),  # infiltration
    (4, 13),  # mass
    (5, 11),  # nodule
    (6, 8),  # pneumonia
    (7, 3),  # pneumothorax
    (8, 1),  # consolidation
    (9, 4),  # edema
    (10, 5),  # emphysema
    (11, 6),  # fibrosis
    (12, 9),  # pleural thickening
    (13, 12),  # hernia
)


NUMBERED = OF_NIH._replace(numbered=True)
"""As a file that lists the 15 labels says."""


def labels_of(dataset: Dataset) -> dict[str, set[str]]:
    """Image → the names of the labels it bears."""
    return {
        image: {dataset.labels.names[i] for i in np.flatnonzero(row)}
        for image, row in zip(dataset.table["image"], dataset.targets, strict=True)
    }


def splits_of(dataset: Dataset) -> dict[str, set[str]]:
    """Patient → the splits they appear in."""
    groups = dataset.table.groupby("patient")["split"].agg(set)
    return dict(groups.items())


# --- the NIH layout -------------------------------------------------------------------------


def test_an_nih_image_bears_each_of_its_findings(
    tmp_path: Path, make_nih: Callable[..., Path]
) -> None:
    rows = [
        ("1_0.png", "Cardiomegaly|Emphysema", 1),
        ("1_1.png", "No Finding", 1),
        ("2_0.png", "Hernia", 2),
        ("3_0.png", "Pleural_Thickening|Mass|Edema", 3),
    ]
    assert labels_of(load(make_nih(tmp_path / "nih", rows))) == {
        "1_0.png": {"Cardiomegaly", "Emphysema"},
        "1_1.png": {"No Finding"},
        "2_0.png": {"Hernia"},
        "3_0.png": {"Pleural_Thickening", "Mass", "Edema"},
    }


def test_an_unknown_nih_label_is_named(tmp_path: Path, make_nih: Callable[..., Path]) -> None:
    rows = [("1_0.png", "Mass", 1), ("2_0.png", "Mass|Fracture", 2)]
    with pytest.raises(DatasetError, match=r"2_0\.png.*'Fracture'"):
        load(make_nih(tmp_path / "nih", rows))


def test_images_left_out_are_named_once_each(tmp_path: Path, make_nih: Callable[..., Path]) -> None:
    rows = [
        ("kept.png", "Mass", 1),
        ("missing.png", "Mass", 2),
        ("blank.png", " ", 3),
        ("empty.png", "", 4),
        ("missing_and_blank.png", "", 5),
        ("no_list.png", "Mass", 6),
        ("tested.png", "Mass", 7),
    ]
    root = make_nih(
        tmp_path / "nih",
        rows,
        missing=("missing.png", "missing_and_blank.png"),
        test=["tested.png"],
        listed=["kept.png", "missing.png", "blank.png", "empty.png"],
    )
    Image.new("L", (28, 28)).save(root / "images" / "stray.png")
    dataset = load(root)
    assert list(dataset.table["image"]) == ["kept.png", "tested.png"]
    assert Counter(dataset.problems) == Counter(
        {
            ("missing.png", "missing"): 1,
            ("missing_and_blank.png", "missing"): 1,
            ("blank.png", "unlabelled"): 1,
            ("empty.png", "unlabelled"): 1,
            ("no_list.png", "in no official list"): 1,
            ("stray.png", "not in the CSV"): 1,
        }
    )


def test_an_image_whose_link_leads_nowhere_is_missing(
    tmp_path: Path, make_nih: Callable[..., Path]
) -> None:
    rows = [("1_0.png", "Mass", 1), ("2_0.png", "Mass", 2)]
    root = make_nih(tmp_path / "nih", rows, missing=["2_0.png"])
    (root / "images" / "2_0.png").symlink_to(tmp_path / "nowhere.png")
    assert load(root).problems == [("2_0.png", "missing")]


def test_the_official_test_list_is_the_test_split(
    tmp_path: Path, make_nih: Callable[..., Path]
) -> None:
    rows = [(f"{p}_{i}.png", "Mass", p) for p in range(1, 21) for i in range(3)]
    test = [image for image, _, patient in rows if patient in (4, 11)]
    listed = [image for image, _, patient in rows if patient not in (4, 11)]
    dataset = load(make_nih(tmp_path / "nih", rows, test=test, listed=listed))
    table = dataset.table
    assert set(table.loc[table["split"] == "test", "image"]) == set(test)
    assert set(table["split"]) == {"train", "validation", "test"}
    assert all(len(splits) == 1 for splits in splits_of(dataset).values())


def test_a_patient_in_both_official_lists_is_an_error(
    tmp_path: Path, make_nih: Callable[..., Path]
) -> None:
    rows = [("1_0.png", "Mass", 1), ("1_1.png", "Mass", 1), ("2_0.png", "Mass", 2)]
    root = make_nih(tmp_path / "nih", rows, test=["1_0.png"], listed=["1_1.png", "2_0.png"])
    with pytest.raises(DatasetError, match="1 patients are in both official lists"):
        load(root)


def test_contradicting_lines_about_one_image_are_an_error(
    tmp_path: Path, make_nih: Callable[..., Path]
) -> None:
    rows = [("1_0.png", "Mass", 1), ("1_0.png", "Edema", 1), ("2_0.png", "Mass", 2)]
    with pytest.raises(DatasetError, match=r"two lines disagree about 1_0\.png"):
        load(make_nih(tmp_path / "nih", rows))


def test_the_full_releases_twelve_folders_are_read(
    tmp_path: Path, make_nih: Callable[..., Path]
) -> None:
    rows = [(f"{p:08d}_000.png", "Mass", p) for p in range(1, 13)]
    root = make_nih(
        tmp_path / "nih", rows, folder=lambda index: f"images_{index + 1:03d}/images", size=(9, 7)
    )
    dataset = load(root)
    assert list(dataset.table["image"]) == [image for image, _, _ in rows]
    assert dataset.problems == []
    assert [pixels.shape for _, pixels, _ in dataset.pixels()] == [(7, 9)] * 12


def test_pixels_come_in_the_order_of_the_table(
    tmp_path: Path, make_nih: Callable[..., Path]
) -> None:
    rows = [(f"{i}.png", "Mass", i) for i in (5, 3, 9, 1, 7, 2, 8, 4, 6)]
    root = make_nih(tmp_path / "nih", rows)
    dataset = load(root)
    for (index, pixels, _), image in zip(dataset.pixels(), dataset.table["image"], strict=True):
        assert dataset.table["image"][index] == image
        assert np.array_equal(pixels, np.asarray(Image.open(root / "images" / image)))


def test_a_limit_keeps_that_many_of_each_split(tiny_nih: Path) -> None:
    whole, limited = load(tiny_nih), load(tiny_nih, limit=5)
    assert Counter(limited.table["split"]) == {"train": 5, "validation": 5, "test": 5}
    for split in ("train", "validation", "test"):
        first = whole.table.loc[whole.table["split"] == split, "image"].tolist()[:5]
        assert limited.table.loc[limited.table["split"] == split, "image"].tolist() == first
    assert labels_of(limited).items() <= labels_of(whole).items()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00" * 50, b"a,b\n1,2\n"])
def test_a_csv_that_is_no_data_entry_list_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "Data_Entry_2017.csv").write_bytes(content)
    with pytest.raises(DatasetError, match="Data_Entry_2017"):
        load(tmp_path)


def test_an_unusable_path_is_an_error(tmp_path: Path, make_nih: Callable[..., Path]) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "nothing", "nothing.csv", "nothing.npz"):
        with pytest.raises(DatasetError, match=name):
            load(tmp_path / name)
    no_images = make_nih(tmp_path / "nih", [("1_0.png", "Mass", 1)], missing=["1_0.png"])
    with pytest.raises(DatasetError, match=r"no labelled image is left.*1_0\.png.*missing"):
        load(no_images)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=30, max_size=80), st.sets(st.integers(1, 40)))
def test_no_patient_is_in_two_splits(
    tmp_path_factory: pytest.TempPathFactory,
    make_nih: Callable[..., Path],
    patients: list[int],
    tested: set[int],
) -> None:
    rows = [(f"{i}.png", "Mass", patient) for i, patient in enumerate(patients)]
    root = make_nih(
        tmp_path_factory.mktemp("nih"),
        rows,
        size=(1, 1),
        test=[image for image, _, patient in rows if patient in tested] if tested else None,
    )
    dataset = load(root)
    splits = splits_of(dataset)
    assert set(splits) == {str(patient) for patient in patients}
    assert all(len(found) == 1 for found in splits.values())
    if tested:
        in_test = {patient for patient, found in splits.items() if found == {"test"}}
        assert in_test == {str(patient) for patient in patients if patient in tested}


# --- the real subset ------------------------------------------------------------------------


def test_the_real_subset_is_read_whole(nih: Path) -> None:
    dataset = load(nih)
    table = dataset.table
    assert len(table) == 13_677
    assert dataset.problems == []
    in_test = table["split"] == "test"
    assert (in_test.sum(), table.loc[in_test, "patient"].nunique()) == (2012, 123)
    assert set(table.loc[in_test, "image"]) == set((nih / "test_list.txt").read_text().split())
    assert table.loc[table["split"] == "validation", "patient"].nunique() >= 600
    assert all(len(splits) == 1 for splits in splits_of(dataset).values())
    assert set(table.columns) >= {"age", "sex", "view"}

    with (nih / "Data_Entry_2017_v2020.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 13_677
    expected = Counter(name for line in lines for name in line["Finding Labels"].split("|"))
    counts = dict(zip(LABELS, dataset.targets.sum(axis=0).tolist(), strict=True))
    assert counts == dict(expected)
    patient_of = {line["Image Index"]: line["Patient ID"] for line in lines}
    assert dict(zip(table["image"], table["patient"], strict=True)) == patient_of
    tested = set((nih / "test_list.txt").read_text().split())
    expected = Counter(
        name
        for line in lines
        if line["Image Index"] in tested
        for name in line["Finding Labels"].split("|")
    )
    counts = dict(zip(LABELS, dataset.targets[in_test].sum(axis=0).tolist(), strict=True))
    assert {name: count for name, count in counts.items() if count} == dict(expected)


# --- ChestMNIST -----------------------------------------------------------------------------


def test_each_chestmnist_column_goes_to_the_channel_of_its_name(
    tmp_path: Path, make_chestmnist: Callable[..., Path]
) -> None:
    path = make_chestmnist(
        tmp_path / "chestmnist.npz", (15, 1, 1), train_labels=np.eye(15, 14, dtype=np.uint8)
    )
    dataset = load(path)
    expected = np.zeros((15, 15), np.uint8)
    for column, channel in CHANNEL_OF_CHESTMNIST_COLUMN:
        expected[column, channel] = 1
    expected[14, 14] = 1  # the row without any finding
    assert np.array_equal(dataset.targets[:15], expected)


def test_chestmnist_keeps_its_own_splits_and_pixels(
    tmp_path: Path, make_chestmnist: Callable[..., Path]
) -> None:
    path = make_chestmnist(tmp_path / "chestmnist.npz", side=64)
    dataset = load(path)
    assert Counter(dataset.table["split"]) == {"train": 9, "validation": 4, "test": 5}
    found = {dataset.table["split"][i]: [] for i in range(len(dataset.table))}
    for index, pixels, _ in dataset.pixels():
        found[dataset.table["split"][index]].append(pixels)
    with np.load(path) as arrays:
        for split, key in (("train", "train"), ("validation", "val"), ("test", "test")):
            assert np.array_equal(np.stack(found[split]), arrays[f"{key}_images"])


def test_a_limit_of_chestmnist_keeps_labels_and_pixels_together(
    tmp_path: Path, make_chestmnist: Callable[..., Path]
) -> None:
    path = make_chestmnist(tmp_path / "chestmnist.npz")
    whole, limited = load(path), load(path, limit=2)
    assert Counter(limited.table["split"]) == {"train": 2, "validation": 2, "test": 2}
    pixels = dict(zip(whole.table["image"], (p for _, p, _ in whole.pixels()), strict=True))
    for index, image, _ in limited.pixels():
        assert np.array_equal(image, pixels[limited.table["image"][index]])
    assert labels_of(limited).items() <= labels_of(whole).items()


class Bomb:
    """Unpickling this makes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.target,))


@pytest.mark.parametrize("member", ["train_labels", "val_images"])
def test_a_pickled_chestmnist_member_is_refused_and_not_run(
    tmp_path: Path, make_chestmnist: Callable[..., Path], member: str
) -> None:
    traces = tmp_path / "was_unpickled"
    pickle.loads(pickle.dumps(Bomb(traces)))
    assert traces.exists(), "the bomb works"
    traces.unlink()
    bombs = np.array([Bomb(traces)] * 4, dtype=object)
    path = make_chestmnist(tmp_path / "chestmnist.npz", **{member: bombs})
    with pytest.raises(DatasetError, match=r"(?i)object"):
        load(path)
    assert not traces.exists()


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"val_images": None}, "no val_images in it"),
        ({"test_labels": None}, "no test_labels in it"),
        ({"val_labels": np.zeros((4, 15), np.uint8)}, r"val_labels is \(4, 15\)"),
        ({"val_labels": np.full((4, 14), 2, np.uint8)}, "other values than 0 and 1"),
        ({"val_images": np.zeros((4, 28, 28), np.float32)}, "val_images is float32"),
        ({"val_images": np.zeros((4, 28, 28, 3), np.uint8)}, r"val_images is uint8 \(4, 28, 28, 3"),
        # One image short would give every later image the label of its neighbour.
        ({"val_images": np.zeros((3, 28, 28), np.uint8)}, "4 val_labels for 3 val_images"),
    ],
)
def test_a_chestmnist_file_of_the_wrong_shape_is_an_error(
    tmp_path: Path,
    make_chestmnist: Callable[..., Path],
    replaced: dict[str, object],
    message: str,
) -> None:
    path = make_chestmnist(tmp_path / "chestmnist.npz", **replaced)
    with pytest.raises(DatasetError, match=message):
        load(path)


def test_a_damaged_chestmnist_file_is_an_error(
    tmp_path: Path, make_chestmnist: Callable[..., Path]
) -> None:
    content = make_chestmnist(tmp_path / "whole.npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(content[: len(content) // 2])
    flipped = bytearray(content)
    flipped[3000] ^= 1  # within the pixels of the first member
    (tmp_path / "flipped.npz").write_bytes(flipped)
    for name in ("half.npz", "flipped.npz"):
        with pytest.raises(DatasetError, match=name):
            list(load(tmp_path / name).pixels())


# --- a label and 784 pixels -----------------------------------------------------------------


def test_csv_labels_are_names_or_output_channels(
    tmp_path: Path, make_pixel_csv: Callable[..., Path]
) -> None:
    path = make_pixel_csv(
        tmp_path / "x.csv", ["Mass", "13", "0", "14", "No Finding", "Edema|Mass", ""]
    )
    dataset = load(path, labels=NUMBERED)
    assert list(labels_of(dataset).values()) == [
        {"Mass"},
        {"Mass"},
        {"Atelectasis"},
        {"No Finding"},
        {"No Finding"},
        {"Edema", "Mass"},
    ]
    assert dataset.problems == [("row_000006", "unlabelled")]


@pytest.mark.parametrize("label", ["15", "-1", "3.0", "Fracture"])
def test_an_unknown_csv_label_is_named(
    tmp_path: Path, make_pixel_csv: Callable[..., Path], label: str
) -> None:
    with pytest.raises(DatasetError, match=f"row_000001: '{label}'"):
        load(make_pixel_csv(tmp_path / "x.csv", ["Mass", label]), labels=NUMBERED)


def test_csv_pixels_are_read_row_by_row(
    tmp_path: Path, make_pixel_csv: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "train.datasets.pixel_csv.CSV_CHUNK", 4
    )  # several chunks, the last one short
    pixels = np.random.default_rng(0).integers(0, 256, (30, 784))
    labels = ["" if i % 7 == 3 else "Mass" for i in range(30)]
    path = make_pixel_csv(tmp_path / "x.csv", labels, pixels)
    for limit in (None, 2):
        dataset = load(path, limit=limit)
        found = {dataset.table["image"][i]: image for i, image, _ in dataset.pixels()}
        assert list(found) == dataset.table["image"].tolist()
        assert len(found) == (26 if limit is None else 6)
        for name, image in found.items():
            row = pixels[int(name.removeprefix("row_"))]
            assert image.dtype == np.uint8
            assert np.array_equal(image, row.reshape(28, 28))


@pytest.mark.parametrize("value", ["256", "-1", "0.5", "x", "", "inf"])
def test_a_bad_csv_pixel_makes_that_image_unreadable(
    tmp_path: Path, make_pixel_csv: Callable[..., Path], value: str
) -> None:
    pixels = np.full((3, 784), "7", dtype="U4")
    pixels[1, 400] = value
    dataset = load(make_pixel_csv(tmp_path / "x.csv", ["Mass"] * 3, pixels))
    results = [result for _, result, _ in dataset.pixels()]
    assert isinstance(results[1], ImageError)
    for good in (results[0], results[2]):
        assert np.array_equal(good, np.full((28, 28), 7, np.uint8))


@pytest.mark.parametrize("columns", [1, 784, 786])
def test_a_csv_with_another_number_of_columns_is_an_error(tmp_path: Path, columns: int) -> None:
    header = ["label", *(f"pixel_{i}" for i in range(columns - 1))]
    (tmp_path / "x.csv").write_text(",".join(header) + "\n" + ",".join(["0"] * columns) + "\n")
    with pytest.raises(DatasetError, match=f"{columns} columns"):
        load(tmp_path / "x.csv")


@pytest.mark.parametrize("long_rows", [(0, 1, 2), (2,)])
def test_csv_rows_longer_than_the_header_are_an_error(
    tmp_path: Path, make_pixel_csv: Callable[..., Path], long_rows: tuple[int, ...]
) -> None:
    path = make_pixel_csv(tmp_path / "x.csv", ["Mass"] * 3)
    header, *rows = path.read_text().splitlines()
    rows = [row + ",9" if i in long_rows else row for i, row in enumerate(rows)]
    path.write_text("\n".join([header, *rows]))
    with pytest.raises(DatasetError, match="saw 786"):
        list(load(path).pixels())


def test_a_csv_without_column_names_loses_no_picture_silently(
    tmp_path: Path, make_pixel_csv: Callable[..., Path]
) -> None:
    path = make_pixel_csv(tmp_path / "x.csv", ["3", "4"])
    path.write_text(path.read_text().split("\n", 1)[1])
    with pytest.raises(DatasetError, match="first line is a picture"):
        load(path)


# --- the registry ---------------------------------------------------------------------------


def test_another_form_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_two(path: Path, limit: int | None, labels: LabelSet | None) -> Dataset:
        table = pd.DataFrame({"image": ["a", "b"], "patient": ["a", "b"], "split": "train"})
        targets = np.zeros((2, len(LABELS)), np.uint8)
        return Dataset(
            path.name, table[:limit], targets[:limit], lambda min_side=None: iter(()), "two"
        )

    two = Form("two images", lambda path: path.suffix == ".two", read_two)
    monkeypatch.setattr(registry, "FORMS", (*registry.FORMS, two))
    assert load(tmp_path / "x.two").name == "x.two"
    assert len(load(tmp_path / "x.two", limit=1).table) == 1


def test_an_unknown_form_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    forms = (
        r"labelled folder, \.npz of images and labels, ChestMNIST \.npz, "
        r"packed pictures \(\.zip\), list of data sets \(\.toml\), or CSV"
    )
    with pytest.raises(DatasetError, match=forms):
        load(tmp_path / "x.parquet")


# --- a pixel CSV of other people ------------------------------------------------------------


def pixel_csv(path: Path, header: list[str], label: int, labels: list[object]) -> np.ndarray:
    """Random pictures whose first pixel is black, under these headings; the pictures."""
    pixels = np.random.default_rng(4).integers(1, 256, (len(labels), 784))
    pixels[:, 0] = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for name, row in zip(labels, pixels.tolist(), strict=True):
            writer.writerow([*row[:label], name, *row[label:]])
    return pixels


PIXELS = [f"pixel{i}" for i in range(784)]


@pytest.mark.parametrize(
    "heading",
    [
        *("label", "Label", "LABEL", " label", "label ", "labels", "class", "Class", "target"),
        *("Target", "\ufefflabel", "Finding Labels", "y", "diagnosis", "condition"),
    ],
)
@pytest.mark.parametrize("place", [0, 400, 784])
def test_the_label_column_is_found_by_its_name(tmp_path: Path, heading: str, place: int) -> None:
    header = [*PIXELS[:place], heading, *PIXELS[place:]]
    labels: list[object] = [k % 14 for k in range(28)]
    pixels = pixel_csv(tmp_path / "x.csv", header, place, labels)
    dataset = load(tmp_path / "x.csv", labels=NUMBERED)
    rows = [int(name.removeprefix("row_")) for name in dataset.table["image"]]
    assert [set(np.flatnonzero(row)) for row in dataset.targets] == [{k % 14} for k in rows]
    for (_, image, _), row in zip(dataset.pixels(), rows, strict=True):
        np.testing.assert_array_equal(image, pixels[row].reshape(28, 28))
    assert (len(dataset.notes) == 1) == (heading.strip(" \ufeff").lower() != "label")


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ([*PIXELS[:-1], "label", "Class"], r"'label' or 'Class'.*'pixel0', 'pixel1' … 'Class'"),
        ([f"pixel{i}" for i in range(785)], "which column holds the labels"),
        ([*PIXELS[:-2], "age", "sex", "view"], "'age' or 'sex' or 'view'"),
    ],
)
def test_an_unclear_label_column_is_refused_with_the_columns(
    tmp_path: Path, header: list[str], words: str
) -> None:
    pixel_csv(tmp_path / "x.csv", header, 784, [3, 4])
    with pytest.raises(DatasetError, match=words):
        load(tmp_path / "x.csv")


def test_pixels_in_another_order_are_put_in_that_of_their_numbers(tmp_path: Path) -> None:
    order = sorted(range(784), key=str)  # as a spreadsheet sorts them
    pixels = pixel_csv(tmp_path / "x.csv", [*(PIXELS[i] for i in order), "label"], 784, [3, 4])
    dataset = load(tmp_path / "x.csv", labels=NUMBERED)
    _, image, _ = next(dataset.pixels())
    expected = np.empty(784, np.uint8)
    expected[order] = pixels[int(dataset.table["image"][0].removeprefix("row_"))]
    np.testing.assert_array_equal(image, expected.reshape(28, 28))
    assert any("order of their columns' numbers" in note for note in dataset.notes)


def test_numbers_are_no_labels_unless_a_list_says_which(tmp_path: Path) -> None:
    pixel_csv(tmp_path / "x.csv", [*PIXELS, "label"], 784, [0, 1, 1, 0])
    with pytest.raises(DatasetError, match=r"numbers, such as 0, 1, .* give --labels FILE"):
        load(tmp_path / "x.csv")
    with pytest.raises(DatasetError, match="a number could be a place in anybody's list"):
        load(tmp_path / "x.csv", labels=OF_NIH)
    found = set().union(*labels_of(load(tmp_path / "x.csv", labels=NUMBERED)).values())
    assert found == {"Atelectasis", "Consolidation"}


def test_a_finding_together_with_no_finding_is_refused(
    tmp_path: Path, make_nih: Callable[..., Path], make_pixel_csv: Callable[..., Path]
) -> None:
    rows = [("1_0.png", "Mass|No Finding", 1), ("2_0.png", "Mass", 2)]
    with pytest.raises(DatasetError, match=r"line 2: 1_0\.png: bears 'No Finding' and a finding"):
        load(make_nih(tmp_path / "nih", rows))
    with pytest.raises(DatasetError, match="row_000001: bears 'No Finding'"):
        load(make_pixel_csv(tmp_path / "x.csv", ["Mass", "No Finding|Edema"]))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\xff", b"a\n", b'"'])
def test_errors_of_a_csv_are_not_reported_in_pandas_words(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(DatasetError) as caught:
        load(tmp_path / "x.csv")
    for word in ("codec", "parse", "C error", "tokeniz", "EOF", "None"):
        assert word not in str(caught.value)


def test_a_picture_of_none_is_kept_and_one_of_nothing_is_left_out(
    tmp_path: Path, make_pixel_csv: Callable[..., Path]
) -> None:
    """As a folder's CSV has it: `None`, in any case of letters, says that it bears no label."""
    written = ["TB", "None", "none", "", "nan", "N/A", "TB", "NONE"]
    dataset = load(make_pixel_csv(tmp_path / "x.csv", written))
    assert dataset.problems == [(f"row_{i:06d}", "unlabelled") for i in (3, 4, 5)]
    found = dict(zip(dataset.table["image"], dataset.targets[:, 0].tolist(), strict=True))
    assert dataset.labels.names == ("TB",)
    assert found == {f"row_{i:06d}": int(i in (0, 6)) for i in (0, 1, 2, 6, 7)}


def test_none_of_exclusive_labels_is_the_normal_one_as_in_a_folder(
    tmp_path: Path, make_pixel_csv: Callable[..., Path]
) -> None:
    named = Labels([Label("TB"), Label("Normal", NORMAL)])
    path = make_pixel_csv(tmp_path / "x.csv", ["TB", "none", "Normal"])
    found = load(path, labels=LabelSet(named, "exclusive"))
    assert found.targets.tolist() == [[1, 0], [0, 1], [0, 1]]
    found = load(path, labels=LabelSet(named))
    assert found.targets.tolist() == [[1, 0], [0, 0], [0, 1]]


# --- ages, sexes, views ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "years"),
    [
        *(("58", 58), ("058Y", 58), (" 58 ", 58), ("58y", 58), ("58 years", 58), ("58.0", 58)),
        *(("018M", 1.5), ("052W", 52 * 7 / 365.25), ("010D", 10 / 365.25)),
    ],
)
def test_an_age_is_in_years_however_it_is_written(written: str, years: float) -> None:
    assert age_in_years(written) == pytest.approx(years)


@pytest.mark.parametrize("written", ["", "unknown", "-3", "Y", "58X", "1900Y"])
def test_what_is_no_age_is_none(written: str) -> None:
    assert np.isnan(age_in_years(written))


def test_unknown_ages_are_counted_and_known_ones_kept() -> None:
    table, notes = with_plain_demographics(
        pd.DataFrame(
            {
                "age": ["058Y", "", "old"],
                "sex": ["Male", "f", "O"],
                "view": ["pa ", "AP", ""],
            }
        )
    )
    assert table["age"].tolist()[0] == 58
    assert table["sex"].tolist() == ["M", "F", "O"]
    assert table["view"].tolist() == ["PA", "AP", ""]
    assert notes == ["1 of 3 ages are not known, first 'old': these images are in no age band"]
