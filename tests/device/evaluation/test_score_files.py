"""Files of scores that anybody wrote: what they mean, or the line that is wrong."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge_app.core.errors import ReportError
from edge_app.evaluation import score_files
from edge_app.evaluation.of_scores import report_of
from edge_app.evaluation.score_files import ScoresError, log_odds, matched, read
from edge_app.evaluation.truth import read as read_truth
from edge_app.model.labels import Label, Labels
from edge_app.model.model_file import locate
from edge_app.model.model_file import read as model_file

from ..conftest import Run
from ..parquet_rows import encoded
from ..scores import study, write_csv


def text(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


def npz(path: Path, **arrays: Any) -> Path:
    np.savez_compressed(path, **arrays)
    return path


def labels_of(*names: str) -> Labels:
    return Labels(Label(name) for name in names)


GOOD: dict[str, Any] = {
    "images": np.array(["a", "b"]),
    "labels": np.array(["X", "Y"]),
    "probabilities": np.array([[0.1, 0.9], [0.5, 0.25]], np.float32),
}


def test_a_csv_and_an_npz_of_the_same_scores_say_the_same(tmp_path: Path) -> None:
    made = study(20)
    one = read(write_csv(tmp_path / "a.csv", made.images, made.labels, made.scores, made.patients))
    other = read(
        npz(
            tmp_path / "a.npz",
            images=np.array(made.images),
            patients=np.array(made.patients),
            labels=np.array(made.labels),
            scores=made.scores,
        )
    )
    assert one.images == other.images == made.images
    assert one.patients == other.patients == made.patients
    assert one.labels == other.labels == tuple(made.labels)
    assert one.scale == other.scale == "probabilities"
    np.testing.assert_allclose(one.values, made.scores)
    np.testing.assert_allclose(other.values, made.scores)


def test_columns_are_found_by_name_whatever_their_order_and_case(tmp_path: Path) -> None:
    path = text(tmp_path / "a.csv", "Y,Big_Heart,Image Index\n0.1,0.2,a.png\n0.3,0.4,b.png\n")
    scores = read(path)
    np.testing.assert_array_equal(scores.of(labels_of("big heart", "y")), [[0.2, 0.1], [0.4, 0.3]])
    with pytest.raises(ScoresError, match="no scores of Mass; its columns are Y, Big_Heart"):
        scores.of(labels_of("Y", "Mass"))


def test_what_classify_prints_is_a_file_of_scores(tmp_path: Path) -> None:
    head = "file,overall,percentile,flagged,X,Y,above,above_ppv,operating_point,model_sha256,site"
    path = text(
        tmp_path / "a.csv",
        f"{head},warnings,withheld,error,note\n"
        "a.png,0.2,,false,0.1,0.2,,,balanced,00,,,false,,n\n"
        "b.png,0.2,,true,0.3,0.2,X,0.5,balanced,00,,,false,,n\n"
        "c.png,,,,,,,,balanced,00,,,,no such file,n\n"
        "d.png,,,,,,,,balanced,00,,,true,,n\n",
    )
    scores = read(path)
    assert scores.labels == ("X", "Y")
    assert scores.images == ["a.png", "b.png"]
    assert scores.refused == [("c.png", "no such file"), ("d.png", "its findings were withheld")]


def test_no_column_of_what_classify_prints_now_is_taken_for_a_label(
    run: Run, picture: Path, tmp_path: Path
) -> None:
    path = text(tmp_path / "a.csv", run("classify", "--csv", picture).stdout)
    assert read(path).labels == model_file(locate("cxr-cnn28")).labels.names


def test_percentages_are_not_taken_for_logits(tmp_path: Path) -> None:
    path = tmp_path / "percent.csv"
    path.write_text("image,Mass\na.png,12.5\nb.png,0.4\nc.png,98.0\n")
    with pytest.raises(ScoresError, match="percentages are divided by 100"):
        read(path)
    assert read(path, "logits").scale == "logits"


@pytest.mark.parametrize("scale", ["probabilities", "logits"])
def test_a_scale_is_told_from_the_numbers_or_stated(tmp_path: Path, scale: str) -> None:
    made = study(50)
    values = made.scores if scale == "probabilities" else np.log(made.scores / (1 - made.scores))
    path = write_csv(tmp_path / "a.csv", made.images, made.labels, values)
    assert read(path).scale == read(path, scale).scale == scale


def test_one_number_out_of_range_makes_no_logits_of_probabilities(tmp_path: Path) -> None:
    made = study(50)
    values = made.scores.copy()
    values[7, 1] = 1.5
    path = write_csv(tmp_path / "a.csv", made.images, made.labels, values)
    with pytest.raises(ScoresError, match=r"line 9: Big heart of 0007.png is 1.5, and most other"):
        read(path)
    with pytest.raises(ScoresError, match=r"line 9: Big heart of 0007.png is 1.5, no probability"):
        read(path, "probabilities")
    assert read(path, "logits").scale == "logits"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "needs one column 'image'"),
        ("name,X\na,0.1\n", "needs one column 'image'.*there are: name, X"),
        ("image,file,X\na,b,0.1\n", "needs one column 'image'"),
        ("image\na\n", "no column of scores"),
        ("image,X\n", "holds no image"),
        ("image,X,x\na,0.1,0.2\n", "two columns 'X'"),
        ("image,X\na,0.1\nb\n", "line 3: 1 cells, not 2"),
        ("image,X\na,0.1\na,0.2\n", "line 3: a is there already, in line 2"),
        ("image,X\na,0.1\n,0.2\n", "line 3: '' is no name"),
        ("image,X\na,0.1\n\x1b[31m,0.2\n", "is no name of an image"),
        ("image,patient,X\na,,0.2\n", "a has no patient"),
        ("image,patient,X\na,NA,0.2\n", "a has no patient"),
        ("image,X\na,0.1\nb,\n", "line 3: X of b is '', no number"),
        ("image,X\na,0.1\nb,nan\n", "line 3: X of b is 'nan', no number"),
        ("image,X\na,0.1\nb,inf\n", "no number"),
        ("image,X\na,0.1\nb,1e999\n", "no number"),
        ("image,X\na,1_0\n", "no number"),
        ("image,X\na,1e31\nb,-1e31\n", "no score"),
        ('image,X\n"a,0.5\n', "is no CSV"),
        ("image,X\n" + "a" * 200_000 + ",0.5\n", "is no CSV"),
        ("image," + ",".join(f"X{i}" for i in range(65)) + "\na" + ",0.1" * 65, "more than 64"),
        ("image," + ",".join(f"X{i}" for i in range(2000)) + "\n", "more than 1000"),
    ],
)
def test_a_wrong_csv_is_one_line_that_names_the_place(
    tmp_path: Path, content: str, words: str
) -> None:
    path = text(tmp_path / "a.csv", content)
    with pytest.raises(ScoresError, match=words) as error:
        read(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)
    assert "\x1b" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": np.array(["a", "b"], object)}, "damaged or no .npz of plain arrays"),
        ({"labels": np.array(["X", "x"])}, "a label twice"),
        ({"labels": np.array(["X"])}, "2 images and 1 labels"),
        ({"images": np.array([1, 2])}, "its images are int64"),
        ({"images": np.array(["a", "a"])}, "there already"),
        ({"patients": np.array(["p"])}, "not every image has a patient"),
        ({"probabilities": np.array([["0.1", "2"], ["1", "1"]])}, "its probabilities are <U"),
        ({"probabilities": np.array([[0.1, np.nan], [1, 1]])}, "Y of a is 'nan', no number"),
        ({"probabilities": np.array([[0.1, 1.2], [1, 1]])}, "is 1.2, no probability"),
        ({"logits": np.zeros((2, 2))}, "one of probabilities, logits"),
        ({"extra": np.zeros(2)}, "it holds extra, images"),
        ({"images": np.array([]), "probabilities": np.zeros((0, 2))}, "no names"),
    ],
)
def test_a_wrong_npz_is_one_line(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    path = npz(tmp_path / "a.npz", **(GOOD | changes))
    with pytest.raises(ScoresError, match=words):
        read(path)


def test_columns_in_parquet_are_those_of_a_csv(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="pip install 'edge-cxr[archive]'")
    import pyarrow.parquet

    made = study(20)
    columns = {"image": made.images, "patient": made.patients}
    columns |= {name: made.scores[:, k] for k, name in enumerate(made.labels)}
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pa.table(columns), path)
    found = read(path)
    csv = write_csv(tmp_path / "a.csv", made.images, made.labels, made.scores, made.patients)
    expected = read(csv)
    assert (found.images, found.patients) == (expected.images, expected.patients)
    np.testing.assert_array_equal(
        found.of(labels_of(*made.labels)), expected.of(labels_of(*made.labels))
    )
    for column, words in (
        (pa.array([None] * 20, pa.float64()), "row 1: Nodule of 0000.png is '', no number"),
        (pa.array([[0.5]] * 20), "its column 'Nodule' is list"),
    ):
        pyarrow.parquet.write_table(pa.table(columns | {"Nodule": column}), path)
        with pytest.raises(ReportError, match=words):
            read(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ReportError, match="cannot be read, is damaged or no Parquet file"):
        read(path)


def test_a_file_of_the_truth_is_no_file_of_scores(tmp_path: Path) -> None:
    arrays = {**GOOD, "targets": np.eye(2)}
    del arrays["probabilities"]
    with pytest.raises(ScoresError, match="the truth about its images, not scores"):
        read(npz(tmp_path / "a.npz", **arrays))


def test_nothing_is_unpickled_or_unpacked_beyond_its_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = tmp_path / "bomb.npz"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", bytes(2 << 20))
    monkeypatch.setattr("edge_app.evaluation.report.MAX_SCORES_BYTES", 1 << 20)
    with pytest.raises(ScoresError, match="is damaged or no"):
        read(bomb)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 50, 2)}
    )
    lying = tmp_path / "lying.npz"
    with zipfile.ZipFile(lying, "w") as archive:
        archive.writestr("images.npy", header.getvalue())
    with pytest.raises(ScoresError, match="is damaged or no"):
        read(lying)


def test_special_and_large_files_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ScoresError, match="no such file"):
        read(tmp_path / "nothing.csv")
    with pytest.raises(ScoresError, match="is a folder"):
        read(tmp_path)
    monkeypatch.setattr(score_files, "MAX_IMAGES", 3)
    made = study(4)
    with pytest.raises(ScoresError, match="line 5: more than 3 images"):
        read(write_csv(tmp_path / "a.csv", made.images, made.labels, made.scores))


def test_damage_is_refused_or_read_and_never_anything_else(tmp_path: Path) -> None:
    made = study(6)
    sources = [
        write_csv(
            tmp_path / "a.csv", made.images, made.labels, made.scores, made.patients
        ).read_bytes(),
        npz(tmp_path / "a.npz", **GOOD).read_bytes(),
    ]
    generator = np.random.default_rng(0)
    said = []
    for _ in range(150):
        for number, source in enumerate(sources):
            data = bytearray(source)
            for place in generator.integers(len(data), size=3):
                data[place] = generator.integers(256)
            path = tmp_path / f"damaged-{number}"
            path.write_bytes(data[: generator.integers(1, len(data) + 1)])
            try:
                assert np.isfinite(read(path).values).all()
            except ReportError as error:
                said.append(str(error))
    assert len(said) > 200
    assert not any("\n" in line for line in said)


def test_a_sigmoid_of_the_log_odds_gives_the_probabilities() -> None:
    values = np.array([[0.5, 1e-30], [0.999999, 1e-6]])
    odds = log_odds(values, "probabilities", exclusive=False).astype(np.float64)
    np.testing.assert_allclose(1 / (1 + np.exp(-odds)), values, rtol=1e-5)


def test_a_probability_of_0_or_1_lies_beyond_all_others_and_stays_finite() -> None:
    values = np.array([[0.0], [1e-9], [0.3], [1 - 1e-7], [1.0]])
    odds = log_odds(values, "probabilities", exclusive=False)[:, 0]
    assert np.isfinite(odds).all()
    assert (np.diff(odds) > 0).all()
    readers = log_odds(np.array([[0.0], [1.0]]), "probabilities", exclusive=False)
    np.testing.assert_allclose(readers[:, 0], [-np.log(200), np.log(200)], rtol=1e-5)


def test_a_softmax_of_exclusive_log_odds_gives_the_probabilities() -> None:
    values = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])
    odds = log_odds(values, "probabilities", exclusive=True).astype(np.float64)
    shares = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, values, atol=0.011)


def test_the_longest_end_of_a_path_that_is_known_decides() -> None:
    known = ["1.png", "siteA/1.png", "siteB/1.png", "2.png"]
    scored = ["/data/siteB/1.png", "s3://bucket/siteA/1.png", "./1.png", "siteA/2.png", "A/3.png"]
    assert matched(Path("x.csv"), scored, known) == [2, 1, 0, 3, None]
    assert matched(Path("x.csv"), ["xsiteA/1.png", "1.png/siteA"], known[1:]) == [None, None]


@pytest.mark.parametrize("withheld", ["false", "true"])
def test_two_scored_images_are_never_one(tmp_path: Path, withheld: str) -> None:
    """Even where one of them was not scored: then the other's score would be the wrong one's."""
    head = "file,X,above,model_sha256,withheld,error"
    rows = ["siteA/1.png,0.5,,x,false,", f"siteB/1.png,0.1,,x,{withheld},"]
    path = text(tmp_path / "scores.csv", "\n".join([head, *rows]))
    truth = text(tmp_path / "labels.csv", "image,labels\n1.png,X\n2.png,none\n")
    with pytest.raises(ScoresError, match=r"siteA/1\.png and siteB/1\.png would both be 1\.png"):
        report_of(path, read_truth(truth))


SITES = "image,labels\n1.png,none\nsiteA/1.png,\n2.png,X\n3.png,none\n"
"""Labels, of which that of one image is not known."""


def test_an_unlabelled_image_is_not_the_labelled_one_of_a_shorter_name(tmp_path: Path) -> None:
    truth = read_truth(text(tmp_path / "labels.csv", SITES))
    scored = "image,X\n/data/siteA/1.png,0.9\n2.png,0.8\n3.png,0.2\n"
    made = report_of(text(tmp_path / "scores.csv", scored), truth)
    assert made.evaluated.images.tolist() == ["2.png", "3.png"]
    assert made.content["dataset"]["left_out"]["first"] == [
        {"image": "/data/siteA/1.png", "reason": "unlabelled"},
        {"image": "1.png", "reason": "no score"},
    ]


def test_images_that_all_stand_in_the_table_are_told_apart(tmp_path: Path) -> None:
    truth = read_truth(text(tmp_path / "labels.csv", SITES))
    scored = "image,X\nsiteA/1.png,0.9\nb/siteA/1.png,0.7\n1.png,0.1\n2.png,0.8\n3.png,0.2\n"
    made = report_of(text(tmp_path / "scores.csv", scored), truth)
    assert made.evaluated.images.tolist() == ["1.png", "2.png", "3.png"]
    odds = np.log(np.array([0.1, 0.8, 0.2]) / np.array([0.9, 0.2, 0.8]))
    np.testing.assert_allclose(made.evaluated.logits[:, 0], odds, rtol=1e-5)


def test_an_archive_counts_an_unlabelled_image_among_the_others(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pip install 'edge-cxr[archive]'")
    answers = [
        {"file": name, "findings": [{"label": "X", "probability": 0.9}]}
        for name in ("/data/siteA/1.png", "/data/2.png")
    ]
    path = tmp_path / "part-0.parquet"
    path.write_bytes(encoded(answers))
    scores = read(path, known=["1.png", "2.png"], others=["siteA/1.png"])
    assert scores.images == ["/data/2.png"]
    assert scores.others == 1


def test_a_path_of_many_folders_is_tried_no_longer_than_names_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = []

    class Parts(tuple[str, ...]):
        def __getitem__(self, key: Any) -> Any:
            tried.append(key)
            return super().__getitem__(key)

    def path(name: str) -> SimpleNamespace:
        return SimpleNamespace(parts=Parts(PurePosixPath(name).parts))

    monkeypatch.setattr(score_files, "PurePosixPath", path)
    name = "a/" * 500 + "siteA/1.png"
    assert matched(Path("x.csv"), [name], ["1.png", "siteA/1.png"], ["b/2.png"]) == [1]
    assert matched(Path("x.csv"), [name], ["siteB/1.png"], ["2.png"]) == [None]
    assert len(tried) < 10


def test_images_with_a_finding_that_is_not_judged_are_not_called_normal(tmp_path: Path) -> None:
    """Of scores of one label alone nobody is told how well they find what is not normal."""
    made = study()
    labels = text(
        tmp_path / "labels.csv",
        "image,labels\n"
        + "".join(
            f"{image},{'|'.join(np.array(made.labels)[row > 0]) or 'none'}\n"
            for image, row in zip(made.images, made.targets, strict=True)
        ),
    )
    whole = write_csv(tmp_path / "all.csv", made.images, made.labels, made.scores)
    part = write_csv(tmp_path / "part.csv", made.images, made.labels[:1], made.scores[:, :1])
    truth = read_truth(labels)
    overall = report_of(whole, truth, resamples=20).content["overall"]
    assert overall is not None
    assert overall["not_normal"] == made.targets.any(axis=1).sum()
    content = report_of(part, truth, resamples=20).content
    assert content["overall"] is None
    others = (made.targets[:, 1:].any(axis=1) & (made.targets[:, 0] == 0)).sum()
    assert any(
        f"not judged: {others} that seem normal bear" in n for n in content["dataset"]["notes"]
    )


def test_answers_of_two_models_in_one_file_are_refused(
    run: Run, picture: Path, tmp_path: Path
) -> None:
    """As of two months, between which the model was another: their scores are of two scales."""
    other = tmp_path / "other.png"
    other.write_bytes(picture.read_bytes())
    first = run("classify", "--csv", picture).stdout
    second = run("classify", "--csv", "--model", "cxr-lite0-128", other).stdout
    both = text(tmp_path / "both.csv", first + "".join(second.splitlines(keepends=True)[1:]))
    with pytest.raises(ScoresError, match=r"line 3: .*other\.png was scored by another"):
        read(both)
    pytest.importorskip("pyarrow", reason="pip install 'edge-cxr[archive]'")
    pairs = (("cxr-cnn28", picture), ("cxr-lite0-128", other))
    answers = [json.loads(run("classify", "--json", "-m", *each).stdout) for each in pairs]
    path = tmp_path / "part-0.parquet"
    path.write_bytes(encoded(answers))
    with pytest.raises(ScoresError, match=r"other\.png was scored by another model file"):
        read(path)
