"""Files of labels, in each of their forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_app.core.errors import UsageError
from edge_app.evaluation import truth
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
    for told in (joined, columns, truth.read(path)):
        told = told.of(made.labels)
        assert told.images == made.images
        assert told.patients == made.patients
        assert list(told.labels.names) == made.labels
        np.testing.assert_array_equal(told.targets, made.targets)


def read(path: Path, content: str, normal: str | None = None) -> truth.Truth:
    path.write_text(content)
    return truth.read(path, normal)


def test_columns_that_are_no_labels_are_passed_over(tmp_path: Path) -> None:
    told = read(tmp_path / "a.csv", "image,age,TB,view\na,41,1,PA\nb,33,no,AP\nc,50,,PA\n")
    assert told.labels.names == ("TB",)
    assert told.images == ["a", "b"]
    assert told.unlabelled == ["c"]


def test_the_normal_label_is_known_or_named(tmp_path: Path) -> None:
    path, content = tmp_path / "a.csv", "image,labels\na,TB\nb,Normal\nc,healthy\n"
    assert read(path, content).labels.normal == 1
    assert read(path, content, "Healthy").labels.normal == 2
    with pytest.raises(UsageError, match=r"--normal 'x': .* no such label, but TB, Normal"):
        read(path, content, "x")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("image,age\na,41\n", "neither a column 'labels' nor"),
        ("image,TB\na,1\nb,maybe\n", "line 3: TB of b is 'maybe'"),
        ("image,TB\na,1\nb,2\n", "line 3: TB of b is '2'"),
        ("image,labels\na,none|TB\n", "'none' and a label at once"),
        ("image,labels\na,No Finding|TB\nb,TB\n", "line 2: a bears 'No Finding' and a finding"),
        ("image,labels\na,none\n", "no image bears a label"),
        ("image,labels\na,Normal\n", "none is left to be found"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, content: str, words: str) -> None:
    with pytest.raises(ScoresError, match=words):
        read(tmp_path / "a.csv", content)


def test_scores_are_no_labels(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, images=np.array(["a"]), labels=np.array(["X"]), scores=np.ones((1, 1)))
    with pytest.raises(ScoresError, match="holds scores, not labels"):
        truth.read(path)
