"""The files that a CSV's names lead to."""

from __future__ import annotations

from pathlib import Path, PurePath

import pytest

from edge_app.core.errors import DatasetError
from edge_app.evaluation.image_files import ImageFiles

NAME = "00000001_000.png"


def files_of(folder: Path, *names: str) -> ImageFiles:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return ImageFiles(folder)


@pytest.mark.parametrize(
    "place",
    [
        *(NAME, f"images/{NAME}", f"images_001/images/{NAME}", f"Images/{NAME}"),
        *("images/00000001_000.PNG", "images/00000001_000.jpg", "00000001_000.JPEG"),
    ],
)
def test_an_image_is_found_where_people_have_it(tmp_path: Path, place: str) -> None:
    files = files_of(tmp_path, place, "images/00000002_000.png")
    assert files.of([NAME]) == {NAME: tmp_path / place}


def test_the_very_name_comes_first(tmp_path: Path) -> None:
    files = files_of(tmp_path, "images/00000001_000.jpg", f"images/{NAME}")
    assert files.of([NAME]) == {NAME: tmp_path / "images" / NAME}


def test_which_of_two_endings_is_not_guessed(tmp_path: Path) -> None:
    files = files_of(tmp_path, "images/00000001_000.jpg", "images/00000001_000.tif")
    assert files.of([NAME]) == {}


def test_a_path_is_taken_at_its_word(tmp_path: Path) -> None:
    files = files_of(tmp_path, "a/x.png", "images/x.png")
    assert files.of(["a/x.png", "b/x.png"]) == {"a/x.png": tmp_path / "a/x.png"}


def test_a_path_may_be_relative_to_the_folder_of_images(tmp_path: Path) -> None:
    files = files_of(tmp_path, "images/siteA/1.png", "images/siteB/1.png", "images/old/2.png")
    names = ["siteA/1.png", "siteB/1.png", "2.png", "siteC/1.png"]
    assert files.of(names) == {
        "siteA/1.png": tmp_path / "images/siteA/1.png",
        "siteB/1.png": tmp_path / "images/siteB/1.png",
        "2.png": tmp_path / "images/old/2.png",
    }


def test_the_image_right_in_the_folder_of_images_is_no_other(tmp_path: Path) -> None:
    files = files_of(tmp_path, "images/1.png", "images/siteB/1.png", "images/a/siteB/1.png")
    assert files.of(["1.png"]) == {"1.png": tmp_path / "images/1.png"}
    assert files.of(["siteB/1.png"]) == {"siteB/1.png": tmp_path / "images/siteB/1.png"}


def test_a_name_that_several_files_have_is_refused_with_both(tmp_path: Path) -> None:
    files = files_of(tmp_path, f"images_001/images/{NAME}", f"images_002/images/{NAME}", "1.png")
    assert files.of(["1.png"]) == {"1.png": tmp_path / "1.png"}
    both = rf"{NAME} may be images_001/images/{NAME} or images_002/images/{NAME}: write more"
    with pytest.raises(DatasetError, match=both):
        files.of([NAME])


@pytest.mark.parametrize("other", [f"images/{NAME}", f"images_001/images/{NAME}"])
def test_a_name_in_the_folder_and_below_its_images_is_refused_with_both(
    tmp_path: Path, other: str
) -> None:
    files = files_of(tmp_path, NAME, other, "images/2.png")
    with pytest.raises(DatasetError, match=rf"{NAME} may be {NAME} or {other}: move one of them"):
        files.of(["2.png", NAME])
    assert files.of([other]) == {other: tmp_path / other}
    both = [NAME, other]
    assert files.of(both) == {name: tmp_path / name for name in both}


def test_strangers_are_looked_for_among_images_only(tmp_path: Path) -> None:
    files = files_of(tmp_path, f"images/{NAME}", "images/b.png", "curve.png", "images/readme.txt")
    assert files.strange(files.of([NAME])) == ["b.png"]


def test_a_file_is_that_of_the_longest_name_alone(tmp_path: Path) -> None:
    files = files_of(tmp_path, "images/siteB/1.png")
    assert files.of(["1.png", "siteB/1.png"]) == {"siteB/1.png": tmp_path / "images/siteB/1.png"}
    assert files.of(["1.png"]) == {"1.png": tmp_path / "images/siteB/1.png"}


def test_a_file_is_that_of_its_own_ending_alone(tmp_path: Path) -> None:
    files = files_of(tmp_path, "images/1.png")
    names = ["1.dcm", "1.png", "1.jpg", "1.PNG"]
    assert files.of(names) == {"1.png": tmp_path / "images/1.png"}
    assert files.of(["1.dcm", "1.jpg"]) == {}


def test_what_follows_a_dot_of_a_uid_is_no_ending(tmp_path: Path) -> None:
    files = files_of(tmp_path, "images/1.2.840.113.7.dcm", "images/1.2.840.113.png")
    assert files.of(["1.2.840.113.7", "1.2.840.113.8"]) == {
        "1.2.840.113.7": tmp_path / "images/1.2.840.113.7.dcm"
    }


def test_paths_are_not_compared_with_one_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where all files share a name, as CheXpert's do, the work grows with their number alone."""
    names = [f"patient{i}/study1/view1_frontal.jpg" for i in range(40)]
    files = files_of(tmp_path, *(f"images/{name}" for name in names))
    visited = []
    parts = Path.parts.fget  # type: ignore[attr-defined]
    monkeypatch.setattr(
        PurePath, "parts", property(lambda path: visited.append(path) or parts(path))
    )
    found = files.of(names)
    monkeypatch.undo()
    assert found == {name: tmp_path / "images" / name for name in names}
    assert len(visited) < 10 * len(names)
