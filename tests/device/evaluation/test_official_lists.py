"""Official lists, in every form in which people have them."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from edge_app.core.errors import DatasetError
from edge_app.evaluation.official_lists import OfficialLists, read_lists

IMAGES = [f"{patient:08d}_000.png" for patient in range(1, 9)]
TEST, TRAIN = IMAGES[:4], IMAGES[4:]


def lists(
    folder: Path, test: str | bytes | None, train: str | bytes | None = "\n".join(TRAIN)
) -> OfficialLists:
    for name, content in (("test_list.txt", test), ("train_val_list.txt", train)):
        if content is not None:
            data = content if isinstance(content, bytes) else content.encode()
            (folder / name).write_bytes(data)
    return read_lists(folder, IMAGES)


FORMS = {
    "plain": "\n".join(TEST),
    "byte order mark": "\ufeff" + "\n".join(TEST),
    "Windows": "\r\n".join(TEST) + "\r\n",
    "old Macintosh": "\r".join(TEST),
    "UTF-16": "\n".join(TEST).encode("utf-16"),
    "UTF-16 big-endian": "\n".join(TEST).encode("utf-16-be"),
    "UTF-16 without mark": "\n".join(TEST).encode("utf-16-le"),
    "folders": "\n".join(f"images/{name}" for name in TEST),
    "Windows folders": "\n".join(f"D:\\nih\\images\\{name}" for name in TEST),
    "full paths": "\n".join(f"/data/images_001/images/{name}" for name in TEST),
    "capital ending": "\n".join(name.replace("png", "PNG") for name in TEST),
    "another ending": "\n".join(name.replace("png", "jpg") for name in TEST),
    "no ending": "\n".join(name.removesuffix(".png") for name in TEST),
    "blanks": "\n\n".join(f"  {name}\t" for name in TEST),
    "quotes": "\n".join(f'"{name}"' for name in TEST),
    "labels behind": "\n".join(f"{name} 0 1 0" for name in TEST),
    "cells behind": "\n".join(f"{name},Mass|Edema" for name in TEST),
    "one line": " ".join(TEST),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_list_is_understood_in_every_form(tmp_path: Path, form: str) -> None:
    found = lists(tmp_path, FORMS[form])
    assert found.test == set(TEST)
    assert found.train == set(TRAIN)
    assert found.notes == []


@pytest.mark.parametrize(
    ("test", "train"),
    [
        ("test_list_NIH.txt", "train_val_list_NIH.txt"),
        ("Test_List.TXT", "Train_Val_List.TXT"),
        ("test-list.txt", "train-val-list.txt"),
        ("test_list (1).txt", "trainval_list.txt"),
    ],
)
def test_a_list_is_found_under_the_names_people_have(tmp_path: Path, test: str, train: str) -> None:
    (tmp_path / test).write_text("\n".join(TEST))
    (tmp_path / train).write_text("\n".join(TRAIN))
    found = read_lists(tmp_path, IMAGES)
    assert (found.test, found.train) == (set(TEST), set(TRAIN))


def test_names_with_spaces_are_names(tmp_path: Path) -> None:
    images = ["left lung.png", "right lung.png", "lung.png"]
    (tmp_path / "test_list.txt").write_text("left lung.png\n")
    assert read_lists(tmp_path, images).test == {"left lung.png"}


def test_two_lists_of_one_kind_must_agree(tmp_path: Path) -> None:
    (tmp_path / "test_list_NIH.txt").write_text("\n".join(reversed(TEST)))
    assert lists(tmp_path, "\n".join(TEST)).test == set(TEST)
    (tmp_path / "test_list_NIH.txt").write_text("\n".join(TEST[1:]))
    with pytest.raises(DatasetError, match=r"test_list\.txt and test_list_NIH\.txt differ"):
        lists(tmp_path, "\n".join(TEST))


def test_names_that_are_not_there_are_counted(tmp_path: Path) -> None:
    found = lists(tmp_path, "\n".join([*TEST, "00009999_000.png", "other.png"]))
    assert found.test == set(TEST)
    assert found.notes == [
        "test_list.txt: 2 of its 6 names, first '00009999_000.png', are not in the CSV"
    ]


def test_a_list_of_other_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"names 2 images, first 'a\.png', and none of them"):
        lists(tmp_path, "a.png\nb.png")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\xe9\xe8.png"])
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DatasetError, match=r"test_list\.txt: is not UTF-8 or UTF-16 text"):
        lists(tmp_path, content)


def test_official_names_without_a_list_are_told(tmp_path: Path) -> None:
    found = lists(tmp_path, None, None)
    assert (found.test, found.train) == (None, None)
    assert "8 images are named as in NIH's release, but neither" in found.notes[0]
    assert read_lists(tmp_path, ["a.png", "b.png"]).notes == []


def test_half_of_the_lists_is_told(tmp_path: Path) -> None:
    found = lists(tmp_path, None)
    assert (found.test, found.train) == (None, set(TRAIN))
    assert found.notes == [
        "there is no test_list.txt beside the list of train and validation images",
        "4 images are in no official list",
    ]


def test_a_path_is_no_image_of_another_folder(tmp_path: Path) -> None:
    images = ["siteA/1.png", "siteB/1.png", "siteB/2.png", "3.png"]
    (tmp_path / "test_list.txt").write_text("siteB/1.png\nsiteA/2.png\n/data/siteA/3.png\n")
    found = read_lists(tmp_path, images)
    assert found.test == {"siteB/1.png", "3.png"}
    assert found.notes[:1] == [
        "test_list.txt: 1 of its 3 names, first 'siteA/2.png', are not in the CSV"
    ]


def test_a_name_of_several_images_is_refused_with_both(tmp_path: Path) -> None:
    (tmp_path / "test_list.txt").write_text("2.png\n1.png\n")
    with pytest.raises(DatasetError, match=r"'1\.png' may be siteA/1\.png or siteB/1\.png: write"):
        read_lists(tmp_path, ["siteA/1.png", "siteB/1.png", "2.png"])


def test_a_name_in_other_letters_is_the_image_of_just_that_path(tmp_path: Path) -> None:
    images = ["1.png", "siteA/1.png", "scan-2", "siteA/scan-3"]
    (tmp_path / "test_list.txt").write_text("1.PNG\nScan-2\nSITEA/scan-3\n")
    assert read_lists(tmp_path, images).test == {"1.png", "scan-2", "siteA/scan-3"}


def test_what_follows_a_dot_of_a_uid_is_no_ending(tmp_path: Path) -> None:
    images = ["1.2.840.113.1", "1.2.840.113.2.dcm", "siteA/1.2.840.113.3"]
    listed = ["1.2.840.113.2", "1.2.840.113.3.png", "1.2.840.113.7"]
    (tmp_path / "test_list.txt").write_text("\n".join(listed))
    found = read_lists(tmp_path, images)
    assert found.test == {"1.2.840.113.2.dcm", "siteA/1.2.840.113.3"}
    assert found.notes[0] == (
        "test_list.txt: 1 of its 3 names, first '1.2.840.113.7', are not in the CSV"
    )


def test_a_path_of_many_folders_takes_little(tmp_path: Path) -> None:
    (tmp_path / "test_list.txt").write_text("a/" * 5000 + "siteA/1.png\n")
    tracemalloc.start()
    found = read_lists(tmp_path, ["siteA/1.png", "1.png"])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.test == {"siteA/1.png"}
    assert peak < 5_000_000
