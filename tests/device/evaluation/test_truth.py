"""Files of labels, in each of their forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_app.core.errors import DatasetError, UsageError
from edge_app.evaluation import truth
from edge_app.evaluation.of_scores import report_of
from edge_app.evaluation.score_files import ScoresError

from ..scores import study, write_csv, write_joined


def test_joined_one_column_each_and_npz_say_the_same(tmp_path: Path) -> None:
    made = study(40)
    joined = truth.read(write_joined(tmp_path / "joined.csv", made))
    columns = truth.read(
        write_csv(tmp_path / "columns.csv", made.images, made.labels, made.targets, made.patients)
    )
    path = tmp_path / "a.npz"
    np.savez(
        path,
        images=np.array(made.images),
        patients=np.array(made.patients),
        labels=np.array(made.labels),
        targets=made.targets,
    )
    for found in (joined, columns, truth.read(path)):
        found = found.of(made.labels)
        assert found.images == made.images
        assert found.patients == made.patients
        assert list(found.labels.names) == made.labels
        np.testing.assert_array_equal(found.targets, made.targets)


def test_images_need_not_lie_in_a_folder(tmp_path: Path) -> None:
    found = read(tmp_path / "a.csv", "filename,diagnosis\n/far/a.png,TB\n../b.png,none\n")
    assert found.images == ["/far/a.png", "../b.png"]
    assert found.targets.tolist() == [[1], [0]]


def test_none_of_exclusive_labels_is_the_normal_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("image,labels\na,TB\nb,none\nc,Healthy\n")
    found = truth.read(tmp_path / "a.csv", exclusive=True)
    assert found.targets.tolist() == [[1, 0], [0, 1], [0, 1]]
    found = truth.read(tmp_path / "a.csv")
    assert found.targets.tolist() == [[1, 0], [0, 0], [0, 1]]


@pytest.mark.parametrize(
    "content",
    [
        "image,labels\na,TB\nb,none\nc,Scar\nd,\n",
        "image,TB,Scar\na,1,0\nb,0,0\nc,0,1\nd,-1,0\n",
    ],
)
def test_of_exclusive_labels_the_normal_one_may_be_named_by_the_scores_alone(
    tmp_path: Path, content: str
) -> None:
    (tmp_path / "a.csv").write_text(content)
    found = truth.read(tmp_path / "a.csv", "Well", exclusive=True)
    assert (found.labels.names, found.labels.normal) == (("TB", "Scar", "Well"), 2)
    assert found.targets.tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]
    with pytest.raises(DatasetError) as caught:
        truth.read(tmp_path / "a.csv", exclusive=True)
    assert "1 of 3 images do not bear just one label, first b, which bears none" in str(
        caught.value
    )
    assert "say with --normal which of the scores" in str(caught.value)
    with pytest.raises(UsageError, match="--normal 'Well'"):
        truth.read(tmp_path / "a.csv", "Well")


@pytest.mark.parametrize(
    ("content", "bears"),
    [
        ("image,labels\na,TB\nb,TB|Scar\n", "2"),
        ("image,TB,Scar,Normal\na,1,0,0\nb,1,1,0\n", "2"),
        ("image,TB,Scar,Normal\na,1,0,0\nb,0,0,0\n", "none"),
    ],
)
def test_an_image_bears_just_one_of_exclusive_labels(
    tmp_path: Path, content: str, bears: str
) -> None:
    (tmp_path / "a.csv").write_text(content)
    words = f"1 of 2 images do not bear just one label, first b, which bears {bears}: correct"
    with pytest.raises(DatasetError, match=words):
        truth.read(tmp_path / "a.csv", exclusive=True)
    assert truth.read(tmp_path / "a.csv").images == ["a", "b"]


def test_a_normal_label_of_another_name_is_no_further_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("image,labels\na,TB\nb,Healthy\nc,none\n")
    with pytest.raises(UsageError, match=r"--normal 'Well': .* no such label, but TB, Healthy"):
        truth.read(tmp_path / "a.csv", "Well", exclusive=True)


def read(path: Path, content: str, normal: str | None = None) -> truth.Truth:
    path.write_text(content)
    return truth.read(path, normal)


def test_the_normal_label_has_one_meaning_in_scores_and_labels(tmp_path: Path) -> None:
    found = read(tmp_path / "a.csv", "image,labels\n./a,TB\nb,Healthy\nc,TB\nd,Healthy\n")
    scores = tmp_path / "scores.csv"
    scores.write_text("image,tb,No Finding\n./a,0.9,0.2\nb,0.4,0.8\nc,0.3,0.6\nd,0.2,0.7\n")
    made = report_of(scores, found, resamples=10)
    assert made.labels.names == ("TB", "Healthy")
    assert made.evaluated.images.tolist() == ["a", "b", "c", "d"]
    assert made.content["labels"][1]["auroc"]["value"] == 1
    scores.write_text("image,TB,Normal,No Finding\na,0.9,0.2,0.1\nb,0.4,0.8,0.9\n")
    with pytest.raises(ScoresError, match="'Normal' and 'No Finding' both stand for 'Healthy'"):
        report_of(scores, found)


def test_an_image_that_is_denied_the_normal_label_is_not_normal(tmp_path: Path) -> None:
    found = read(tmp_path / "a.csv", "image,TB,Healthy\na,1,0\nb,0,1\nc,0,0\n")
    scores = tmp_path / "scores.csv"
    scores.write_text("image,TB,Healthy\na,0.9,0.2\nb,0.4,0.8\nc,0.3,0.1\n")
    content = report_of(scores, found, resamples=10).content
    assert content["overall"]["not_normal"] == 2
    assert any("1 images bear no label, not even" in note for note in content["dataset"]["notes"])


def test_a_parquet_file_says_what_its_csv_says(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow

    columns = {"image": ["a", "b", "c"], "TB": [1, 0, None], "old": [True, False, False]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    found = truth.read(tmp_path / "a.parquet")
    assert found.labels.names == ("TB", "old")
    assert found.targets.tolist() == [[1, 1], [0, 0]]
    assert found.unlabelled == ["c"]


def test_columns_that_are_no_labels_are_passed_over(tmp_path: Path) -> None:
    found = read(tmp_path / "a.csv", "image,age,TB,view\na,41,1,PA\nb,33,no,AP\nc,50,,PA\n")
    assert found.labels.names == ("TB",)
    assert found.images == ["a", "b"]
    assert found.unlabelled == ["c"]


def test_the_normal_label_is_known_or_named(tmp_path: Path) -> None:
    path, content = tmp_path / "a.csv", "image,labels\na,TB\nb,Normal\nc,healthy\n"
    for word in ("Normal", "no finding", "Healthy"):
        assert read(path, f"image,labels\na,TB\nb,{word}\n").labels.normal == 1
    with pytest.raises(DatasetError, match=r"Normal and healthy both sound like .* --normal"):
        read(path, content)
    assert read(path, content, "Healthy").labels.normal == 2
    with pytest.raises(UsageError, match=r"--normal 'x': .* no such label, but TB, Normal"):
        read(path, content, "x")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("image,age\na,41\n", "no column .* 'labels', .* nor one of 0 and 1 for each label"),
        ("image,TB\na,1\nb,maybe\n", "line 3: TB of b is 'maybe'"),
        ("image,TB\na,1\nb,2\n", "line 3: TB of b is '2'"),
        ("image,labels\na,none|TB\n", "'none' and a label at once"),
        ("image,labels\na,No Finding|TB\nb,TB\n", "line 2: a: bears 'No Finding' and a finding"),
        ("image,labels\na,none\nb,None\n", "no image bears a label"),
        ("image,TB\na,1\nb,0\n,1\n", "line 4: '' names no image"),
        ("image,TB,age\na,,1\n", "no column .* nor one of 0 and 1"),
        ("image,TB,Scar\na,1,\nb,,0\n", "no image of it is labelled"),
        ("image,labels\na,Normal\n", "none is left to be found"),
        ("image,labels\na,1\nb,0\n", "its labels are numbers, such as 0, 1"),
        ("image,TB\na,1\na,0\n", "lines 2 and 3: two lines disagree about a"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, content: str, words: str) -> None:
    with pytest.raises(DatasetError, match=words):
        read(tmp_path / "a.csv", content)


def test_scores_are_no_labels(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, images=np.array(["a"]), labels=np.array(["X"]), scores=np.ones((1, 1)))
    with pytest.raises(DatasetError, match="holds scores, not labels"):
        truth.read(path)
