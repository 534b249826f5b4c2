"""Labelled folders: the plain CSV, and what is wrong with one. (The NIH layout: tests/train.)"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edge_app.core.errors import DatasetError, MissingExtraError
from edge_app.evaluation import label_table
from edge_app.evaluation.labelled import Labelled, find_labels, load
from edge_app.model.labels import FINDING, NORMAL, Kind, Label, Labels
from train.labels import NIH


def folder_of(root: Path, text: str | bytes, images: tuple[str, ...] = ("a.png", "b.png")) -> Path:
    root.mkdir(exist_ok=True)
    (root / "labels.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    for name in images:
        (root / name).parent.mkdir(exist_ok=True, parents=True)
        Image.new("L", (8, 8)).save(root / name)
    return root


def findings(found: Labelled) -> dict[str, set[str]]:
    return {i.name: {NIH[c].name for c in np.flatnonzero(i.targets)} for i in found.images}


def test_a_plain_csv_names_images_labels_and_patients(tmp_path: Path) -> None:
    text = "patient,image,labels\nx,a.png,Mass|Edema\nx,sub/b.png, No Finding \n"
    found = load(folder_of(tmp_path / "clinic", text, ("a.png", "sub/b.png")), NIH)
    assert findings(found) == {"a.png": {"Mass", "Edema"}, "sub/b.png": {"No Finding"}}
    assert [image.patient for image in found.images] == ["x", "x"]
    assert [image.path.name for image in found.images] == ["a.png", "b.png"]
    assert found.tells_patients
    assert not found.has_test_list
    assert found.name == "labelled folder, clinic"


def test_without_patients_each_image_is_its_own(tmp_path: Path) -> None:
    found = load(folder_of(tmp_path, "image,labels\na.png,Mass\nb.png,Mass\n"), NIH)
    assert [image.patient for image in found.images] == ["a.png", "b.png"]
    assert not found.tells_patients


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffimage,labels\na.png,Mass\nb.png,Edema\n",
        "Image,LABELS\r\na.png,Mass\r\nb.png,Edema\r\n",
        'image,labels,note\na.png,Mass,"a, b\nc"\n\nb.png,Edema,',
        "image,labels\n./a.png,Mass\na.png,Mass\nb.png,Edema\n",
    ],
    ids=["byte order mark", "Windows", "quoted and blank lines", "twice the same"],
)
def test_what_spreadsheets_write_is_understood(tmp_path: Path, text: str) -> None:
    assert findings(load(folder_of(tmp_path, text), NIH)) == {
        "a.png": {"Mass"},
        "b.png": {"Edema"},
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1: no column 'image index' or 'image'"),
        ("image;labels\na.png;Mass\n", "line 1: no column"),
        ("image,age\n", "line 1: no column 'finding labels' or 'labels'"),
        ("image,labels,image\n", "line 1: has two columns for the image"),
        ("image,labels\na.png,Mass\nb.png\n", "line 3: 1 cells, not 2"),
        ("image,labels\na.png,Mass,Edema\n", "line 2: 3 cells, not 2"),
        ("image,labels\na.png,Fracture\n", r"line 2: a\.png: 'Fracture' is not one of the labels"),
        ("image,labels\na.png,Mass|\n", "line 2: a.png: '' is not one"),
        ("image,labels\n,Mass\n", "line 2: '' names no image"),
        ("image,labels\n../a.png,Mass\n", "line 2: '../a.png' names no image of the folder"),
        ("image,labels\n/etc/passwd,Mass\n", "line 2: '/etc/passwd' names no image"),
        ('image,labels\n"a\nb.png",Mass\n', r"line 3: 'a\\nb.png' names no image"),
        ("image,labels\na\0.png,Mass\n", "line 2"),
        ("image,labels,patient\na.png,Mass,\n", "line 2: a.png has no patient"),
        ("image,labels,patient\na.png,Mass,nan\n", "line 2: a.png has no patient, but 'nan'"),
        ("image,labels,patient\na.png,Mass,NA\n", "line 2: a.png has no patient, but 'NA'"),
        ("image,labels,patient\na.png,Mass,None\n", "line 2: a.png has no patient, but 'None'"),
        ("image,labels\na.png,Mass\na.png,Edema\n", "lines 2 and 3: two lines disagree"),
        ('image,labels\na.png,"Mass\n', "is no CSV: unexpected end of data"),
        ("image,labels\na.png," + "x" * 200_000, "line 2: is no CSV: field larger"),
        (b"image,labels\na.png,Mass\n\xff.png,Mass\n", "line 3: is not UTF-8 text"),
    ],
)
def test_a_fault_of_the_csv_is_one_line_with_its_place(
    tmp_path: Path, text: str | bytes, words: str
) -> None:
    with pytest.raises(DatasetError, match=words) as caught:
        load(folder_of(tmp_path, text), NIH)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other"), [("P17", "p17"), ("007", "7"), ("7.0", "7"), ("Mu\u0308ller", "M\u00fcller")]
)
def test_two_ways_to_write_a_patient_are_told(tmp_path: Path, one: str, other: str) -> None:
    text = f"image,labels,patient\na.png,Mass,{one}\nb.png,Mass,{other}\n"
    (note,) = load(folder_of(tmp_path, text), NIH).notes
    assert f"{one} and {other}" in note or f"{other} and {one}" in note
    assert "count as two: where they are one, write one name" in note


def test_a_long_name_of_a_patient_takes_no_long_time(tmp_path: Path) -> None:
    text = f"image,labels,patient\na.png,Mass,{'0' * 20_000}x\nb.png,Mass,0\n"
    began = time.process_time()
    assert load(folder_of(tmp_path, text), NIH).notes == []
    assert time.process_time() - began < 5


def test_patients_of_other_names_are_not_doubted(tmp_path: Path) -> None:
    text = "image,labels,patient\na.png,Mass,1-12\nb.png,Mass,11-2\nc.png,Mass,112\n"
    assert load(folder_of(tmp_path, text, ("a.png", "b.png", "c.png")), NIH).notes == []


def test_it_is_told_that_an_image_counts_as_normal_despite_another_finding(tmp_path: Path) -> None:
    text = (
        "image,Mass,Cavity,Normal\na.png,1,1,0\nb.png,0,1,0\nc.png,0,0,1\nd.png,0,0,0\n"
        "unlabelled.png,,1,0\nmissing.png,0,1,0\n"
    )
    folder = folder_of(tmp_path, text, ("a.png", "b.png", "c.png", "d.png", "unlabelled.png"))
    _, note = load(folder, Labels([Label("Mass")])).notes
    assert "set aside: Cavity, Normal; 1 images bear nothing but these, and count as normal" in note
    known = Labels([Label("Mass"), Label("Normal", NORMAL)])
    assert not any("count as normal" in note for note in load(folder, known).notes)


def test_what_is_missing_or_unlabelled_is_left_out_with_its_split(tmp_path: Path) -> None:
    text = "image,labels\na.png,Mass\nb.png, \nc.png,Mass\n"
    found = load(folder_of(tmp_path, text), NIH)
    assert [image.name for image in found.images] == ["a.png"]
    assert {(each.name, each.reason) for each in found.left_out} == {
        ("b.png", "unlabelled"),
        ("c.png", "missing"),
    }
    assert all(each.split is not None for each in found.left_out)


def test_a_missing_image_moves_no_patient_to_another_split(
    tmp_path: Path, make_nih: Callable[..., Path]
) -> None:
    rows = [(f"{p}.png", "Mass", p) for p in range(60)]
    whole = load(make_nih(tmp_path / "whole", rows, size=(2, 2)), NIH)
    some = load(make_nih(tmp_path / "some", rows, size=(2, 2), missing=["3.png", "40.png"]), NIH)
    expected = {image.name: image.split for image in whole.images}
    assert {each.name: each.split for each in [*some.images, *some.left_out]} == expected


def test_images_of_no_official_list_are_in_no_split(
    tmp_path: Path, make_nih: Callable[..., Path]
) -> None:
    rows = [("1.png", "Mass", 1), ("2.png", "Mass", 2), ("3.png", "Mass", 3)]
    found = load(make_nih(tmp_path / "nih", rows, test=["1.png"], listed=["2.png"]), NIH)
    assert found.has_test_list
    assert [each.split for each in found.left_out] == [None]


def test_the_csv_may_be_elsewhere(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "images", "image,labels\na.png,Mass\n")
    other = tmp_path / "other.csv"
    other.write_text("image,labels\nb.png,Edema\n")
    assert findings(load(folder, NIH, other)) == {"b.png": {"Edema"}}
    with pytest.raises(DatasetError, match=r"none\.csv: no such file"):
        load(folder, NIH, tmp_path / "none.csv")


def test_which_csv_holds_the_labels(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no \.csv file in it"):
        find_labels(tmp_path)
    for expected in ("other.csv", "labels.csv", "Data_Entry_2017.csv", "Data_Entry_2017_v2020.csv"):
        (tmp_path / expected).touch()
        assert find_labels(tmp_path).name == expected
    for name in ("labels.csv", "Data_Entry_2017.csv", "Data_Entry_2017_v2020.csv"):
        (tmp_path / name).unlink()
    (tmp_path / "second.csv").touch()
    with pytest.raises(DatasetError, match=r"several \.csv files in it"):
        find_labels(tmp_path)


def test_a_list_too_long_to_be_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(tmp_path, "image,labels\na.png,Mass\nb.png,Mass\n")
    monkeypatch.setattr(label_table, "MAX_IMAGES", 1)
    with pytest.raises(DatasetError, match="line 3: more than 1 images"):
        load(folder, NIH)
    monkeypatch.setattr(label_table, "MAX_BYTES", 10)
    with pytest.raises(DatasetError, match="is larger than 10 bytes"):
        load(folder, NIH)


def test_a_labels_column_with_a_cell_that_says_neither_is_told_with_its_line(
    tmp_path: Path,
) -> None:
    cavity = Labels([Label("Cavity"), Label("Scar")])
    text = "image,Cavity,Scar,follow-up\na.png,1,no,0\nb.png,yes,0,7\n"
    found = load(folder_of(tmp_path, text), cavity)
    assert [image.targets.tolist() for image in found.images] == [[1, 0], [1, 0]]
    text = "image,Cavity,Scar\na.png,1,0\nb.png,maybe,0\n"
    with pytest.raises(DatasetError, match=r"line 3: Cavity of b\.png is 'maybe': write 0 or 1"):
        load(folder_of(tmp_path, text), cavity)


def test_what_a_labels_file_calls_its_columns_and_images_stays_in_the_line(tmp_path: Path) -> None:
    text = 'image,"Sc\x1bar"\na.png,1\n"b\n.png",maybe\n'
    with pytest.raises(DatasetError, match=r"Sc\ufffdar of b\ufffd\.png is") as caught:
        load(folder_of(tmp_path, text), Labels([Label("Scar"), Label("Mass")]))
    assert str(caught.value).isprintable()


def test_what_a_column_of_no_asked_label_leaves_open_leaves_no_image_out(tmp_path: Path) -> None:
    text = "image,Cavity,Scar,Other\na.png,1,0,\nb.png,0,-1,1\nc.png,0,1,nan\n"
    folder = folder_of(tmp_path, text)
    found = load(folder, Labels([Label("Cavity")]))
    assert [image.targets.tolist() for image in found.images] == [[1], [0]]
    both = load(folder, Labels([Label("Cavity"), Label("Scar")]))
    assert [image.name for image in both.images] == ["a.png"]
    assert ("b.png", "unlabelled") in [(each.name, each.reason) for each in both.left_out]


def test_what_is_no_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="nowhere: is no folder"):
        load(tmp_path / "nowhere", NIH)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_csv_or_a_dataset_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp() / "any"
    folder.mkdir(exist_ok=True)
    for beginning in (b"", b"image,labels,patient\n"):
        (folder / "labels.csv").write_bytes(beginning + data)
        # Parquet, named so, needs an extra that is not everywhere.
        with suppress(DatasetError, MissingExtraError):
            assert not load(folder, NIH).images


def test_an_image_without_any_of_the_labels_says_none(tmp_path: Path) -> None:
    text = "image,labels\na.png,none\nb.png,Scar\nc.png,\n"
    found = load(folder_of(tmp_path, text), Labels([Label("Cavity"), Label("Scar")]))
    assert [image.targets.tolist() for image in found.images] == [[0, 0], [0, 1]]
    assert [(each.name, each.reason) for each in found.left_out] == [("c.png", "missing")]


@pytest.mark.parametrize(
    ("exclusive", "kind", "row"),
    [(True, NORMAL, [0, 1]), (False, FINDING, [0, 0]), (False, NORMAL, [0, 0])],
)
def test_none_of_exclusive_labels_is_the_normal_one(
    tmp_path: Path, exclusive: bool, kind: Kind, row: list[int]
) -> None:
    """Of independent ones it is not: the image may bear what none of these labels names."""
    labels = Labels([Label("Nodule"), Label("Well", kind)])
    folder = folder_of(tmp_path, "image,labels\na.png,None\nb.png,Nodule\n")
    found = load(folder, labels, exclusive=exclusive)
    assert [image.targets.tolist() for image in found.images] == [row, [1, 0]]


def test_a_normal_label_that_is_denied_is_not_borne(tmp_path: Path) -> None:
    text = "image,Nodule,Well\na.png,0,0\nb.png,0,1\n"
    labels = Labels([Label("Nodule"), Label("Well", NORMAL)])
    found = load(folder_of(tmp_path, text), labels)
    assert [image.targets.tolist() for image in found.images] == [[0, 0], [0, 1]]
    assert found.notes == [
        "1 images bear no label, not even 'Well': they count as not normal, with none of the "
        "findings"
    ]


@pytest.mark.parametrize(
    ("text", "kind", "bears"),
    [
        ("image,Nodule,Well,Scar\nb.png,1,0,0\na.png,0,0,0\n", NORMAL, "none"),
        ("image,Nodule,Well,Scar\nb.png,1,0,0\na.png,1,0,1\n", NORMAL, "2"),
        ("image,labels\nb.png,Nodule\na.png,Nodule|Scar\n", NORMAL, "2"),
        ("image,labels\nb.png,Nodule\na.png,none\n", FINDING, "none"),
    ],
)
def test_an_image_bears_just_one_of_exclusive_labels(
    tmp_path: Path, text: str, kind: Kind, bears: str
) -> None:
    """One that bears none would count as not normal without any finding."""
    labels = Labels([Label("Nodule"), Label("Well", kind), Label("Scar")])
    words = f"1 of 2 images do not bear just one label, first a.png, which bears {bears}: correct"
    with pytest.raises(DatasetError, match=words):
        load(folder_of(tmp_path, text), labels, exclusive=True)


@pytest.mark.parametrize(
    "header",
    [
        "Image Index,Finding Labels,Patient ID",
        "\ufeffImage Index,Finding Labels,Patient ID",
        " image_index , FINDING LABELS,PatientId",
        '"Image Index","Finding Labels","Patient ID"',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_headings_are_known_in_every_spelling(tmp_path: Path, header: str, encoding: str) -> None:
    text = f"{header}\na.png,Mass,1\nb.png,Edema,2\n"
    found = load(folder_of(tmp_path, text.encode(encoding)), NIH)
    assert findings(found) == {"a.png": {"Mass"}, "b.png": {"Edema"}}
    assert [image.patient for image in found.images] == ["1", "2"]
    assert found.name.startswith("NIH")


def test_a_missing_heading_is_told_with_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="there are: picture, truth"):
        load(folder_of(tmp_path, "picture,truth\na.png,Mass\n"), NIH)


def test_a_heading_of_several_lines_is_told_in_one(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no column 'Atelectasis' of 0 and 1") as refused:
        load(folder_of(tmp_path, 'image,"Mass\n,2"\na.png,0\n'), NIH)
    assert str(refused.value).isprintable()


def test_an_image_of_both_lists_is_refused(tmp_path: Path, make_nih: Callable[..., Path]) -> None:
    rows = [("1.png", "Mass", 1), ("2.png", "Mass", 2)]
    folder = make_nih(tmp_path / "nih", rows, test=["1.png"], listed=["1.png", "2.png"])
    with pytest.raises(DatasetError, match="1 images are in both official lists"):
        load(folder, NIH)


def test_with_the_training_list_alone_no_other_image_trains(
    tmp_path: Path, make_nih: Callable[..., Path]
) -> None:
    rows = [(f"{patient}.png", "Mass", patient) for patient in range(1, 9)]
    folder = make_nih(tmp_path / "nih", rows, listed=[f"{patient}.png" for patient in range(5, 9)])
    found = load(folder, NIH)
    assert {image.name for image in found.images} == {"5.png", "6.png", "7.png", "8.png"}
    assert all(image.split != "test" for image in found.images)
    assert not found.has_test_list
    assert any("no test_list.txt" in note for note in found.notes)


def test_a_folder_that_cannot_be_listed_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", forbidden)
    with pytest.raises(DatasetError, match="cannot be read: Permission denied"):
        load(tmp_path, NIH)
