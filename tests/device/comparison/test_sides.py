"""`edge-cxr compare` and `evaluate` on files of scores: what passes, and what must not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from jsonschema import validate

import edge_app
from edge_app.evaluation import report as reports
from edge_app.evaluation.metrics import auroc
from edge_app.evaluation.report import Report

from ..conftest import Run
from ..reports import FLOAT, answers, nearly, report
from ..scores import Study, study, write_csv, write_joined

QUICK = ("--resamples", 100)
LENIENT = ("--gate", "agreement=0.9", "--gate", "macro_auroc_low=-0.05")
"""What 60 patients can show of one label."""


class Files(NamedTuple):
    made: Study
    reference: Path
    candidate: Path
    labels: Path

    @property
    def named(self) -> tuple[object, ...]:
        return self.reference, self.candidate, "--labels", self.labels, *QUICK


@pytest.fixture
def files(tmp_path: Path) -> Files:
    made = study()
    return Files(
        made,
        write_csv(tmp_path / "one.csv", made.images, made.labels, made.scores),
        write_csv(tmp_path / "other.csv", made.images, made.labels, made.nearly()),
        write_joined(tmp_path / "labels.csv", made),
    )


def test_a_faithful_candidate_passes_and_is_told_apart(
    run: Run, files: Files, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    done = run("compare", *files.named, "--html", page)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("PASSED: all 11 gates met\n")
    assert "reference one probabilities (scores file one.csv)" in done.stdout
    assert "300 images of 60 patients" in done.stdout
    assert "nobody here has seen the images" in done.stdout
    assert "Passed" in page.read_text()


@pytest.mark.parametrize("count", [40, 2000])
def test_equal_ranks_of_few_patients_are_not_called_passed(
    run: Run, tmp_path: Path, count: int
) -> None:
    """A candidate that would fail on one patient in thirty may not have met one among 40."""
    made = study(count)
    labels = write_csv(tmp_path / "labels.csv", made.images, made.labels, made.targets)
    files = [tmp_path / "one.npz", tmp_path / "other.npz"]
    for path in files:
        names = {"images": np.array(made.images), "labels": np.array(made.labels)}
        np.savez(path, probabilities=made.scores, **names)
    done = run("compare", *files, "--labels", labels, *QUICK)
    if count == 2000:
        assert (done.returncode, done.stdout[:7]) == (0, "PASSED:")
        return
    assert done.returncode == 5
    assert done.stdout.startswith("NOT PROVEN: 3 of 11 gates not proven: macro_auroc_low, label_au")
    assert "none of the 40 patients is ranked otherwise" in done.stderr
    assert "too few patients: it may be 96.97 %" in done.stderr


def test_the_numbers_are_those_of_the_files(run: Run, files: Files) -> None:
    found = json.loads(run("compare", *files.named, "--json").stdout)
    made, ones = files.made, np.ones((1, 300))
    for channel, row in enumerate(found["labels"]):
        assert row["label"] == made.labels[channel]
        for role, scores in (("reference", made.scores), ("candidate", made.nearly())):
            area = auroc(made.targets[:, channel] > 0, scores[:, channel], ones)[0]
            assert row["auroc"][role] == pytest.approx(area, abs=1e-6)
    half = found["operating_points"]["half"]
    same = (made.scores >= 0.5) == (made.nearly() >= 0.5)
    assert half["agreement"]["value"] == pytest.approx(same.mean(), abs=1e-6)


def test_order_of_rows_and_columns_form_and_scale_change_nothing(
    run: Run, files: Files, tmp_path: Path
) -> None:
    made, order = files.made, np.random.default_rng(3).permutation(300)
    odds = np.log(made.nearly() / (1 - made.nearly()))
    path = tmp_path / "other.npz"
    np.savez(
        path,
        images=np.array([f"server/cache/{made.images[i]}" for i in order]),
        labels=np.array(["EFFUSION", "nodule", "age", "big_heart"]),
        logits=np.column_stack([odds[:, 2], odds[:, 0], 40 + odds[:, 0], odds[:, 1]])[order],
    )
    expected = json.loads(run("compare", *files.named, "--json").stdout)
    found = json.loads(
        run("compare", files.reference, path, "--labels", files.labels, *QUICK, "--json").stdout
    )
    assert found["labels"] == expected["labels"]
    assert found["operating_points"] == expected["operating_points"]


def rows_permuted(made: Study) -> np.ndarray:
    return made.nearly()[np.random.default_rng(2).permutation(len(made.images))]


def two_swapped(made: Study) -> np.ndarray:
    return made.nearly()[:, [1, 0, 2]]


def one_inverted(made: Study) -> np.ndarray:
    values = made.nearly()
    values[:, 1] = 1 - values[:, 1]
    return values


def one_shuffled(made: Study) -> np.ndarray:
    values = made.nearly()
    values[:, 1] = values[::-1, 1]
    return values


SABOTAGE: dict[str, Callable[[Study], np.ndarray]] = {
    "all inverted": lambda made: 1 - made.nearly(),
    "one inverted": one_inverted,
    "rows permuted": rows_permuted,
    "rows off by one": lambda made: np.roll(made.nearly(), 1, axis=0),
    "columns swapped": two_swapped,
    "columns rotated": lambda made: made.nearly()[:, [1, 2, 0]],
    "one shuffled": one_shuffled,
    "one file of one": lambda made: np.repeat(made.nearly()[:, :1], 3, axis=1),
    "the truth inverted": lambda made: 1.0 - made.targets,
    "noise": lambda made: np.random.default_rng(9).random(made.scores.shape),
}


@pytest.mark.parametrize("sabotage", SABOTAGE)
@pytest.mark.parametrize("side", ["reference", "candidate"])
def test_sabotage_of_one_side_never_passes(
    run: Run, files: Files, sabotage: str, side: str
) -> None:
    made = files.made
    write_csv(getattr(files, side), made.images, made.labels, SABOTAGE[sabotage](made))
    done = run("compare", *files.named)
    assert done.returncode == 5
    assert done.stdout.startswith("NOT PASSED")


@pytest.mark.parametrize(
    "coarser", [lambda scores: np.round(scores * 9) / 9, lambda scores: 0.4 + scores / 10]
)
def test_a_coarser_or_narrower_candidate_does_not_pass(
    run: Run, files: Files, coarser: Callable[[np.ndarray], np.ndarray]
) -> None:
    made = files.made
    write_csv(files.candidate, made.images, made.labels, coarser(made.nearly()))
    assert run("compare", *files.named).returncode == 5


@pytest.mark.parametrize("side", ["reference", "candidate"])
def test_one_label_alone_shows_sabotage_too(run: Run, files: Files, side: str) -> None:
    made = files.made
    for change in (
        lambda x: 1 - x,
        lambda x: x[::-1],
        lambda x: np.where(x > 0.8, x, 0.5),
    ):
        write_csv(getattr(files, side), made.images, made.labels, change(made.nearly()))
        done = run("compare", *files.named, "--label", "Nodule", *LENIENT)
        assert done.returncode == 5, change
    write_csv(getattr(files, side), made.images, made.labels, made.nearly())
    assert run("compare", *files.named, "--label", "Nodule", *LENIENT).returncode == 0


@pytest.mark.parametrize("side", ["reference", "candidate"])
def test_missing_images_and_labels_are_refused(run: Run, files: Files, side: str) -> None:
    made, path = files.made, getattr(files, side)
    write_csv(path, made.images[5:], made.labels, made.nearly()[5:])
    done = run("compare", *files.named)
    assert (done.returncode, done.stdout) == (3, "")
    assert "5 images are in one of the reports only" in done.stderr
    renamed = [f"x{name}" for name in made.images]
    write_csv(path, renamed, made.labels, made.nearly())
    done = run("compare", *files.named)
    assert done.returncode == 3
    assert "none of its images (x0000.png, …) is in labels.csv (0000.png, …)" in done.stderr
    write_csv(path, made.images, [*made.labels[:2], "Mass"], made.nearly())
    done = run("compare", *files.named)
    if side == "candidate":
        assert done.returncode == 3
        assert "other.csv: has no scores of Effusion" in done.stderr
    else:  # what the reference lacks is not judged, and that is said
        assert "no label of labels.csv, so not judged: Mass" in done.stdout
        assert "without scores, so not judged: Effusion" in done.stdout


@pytest.mark.parametrize("sides", [("reference",), ("candidate",), ("reference", "candidate")])
def test_a_constant_score_is_refused_by_its_label(
    run: Run, files: Files, sides: tuple[str, ...]
) -> None:
    made = files.made
    values = made.nearly()
    values[:, 1] = 0.2
    for side in sides:
        write_csv(getattr(files, side), made.images, made.labels, values)
    done = run("compare", *files.named)
    assert (done.returncode, done.stdout) == (3, "")
    assert "every image has the same score of Big heart, which tells nothing" in done.stderr
    assert run("compare", *files.named, "--label", "Nodule", *LENIENT).returncode == 0


def test_patients_decide_the_intervals_and_must_agree(
    run: Run, files: Files, tmp_path: Path
) -> None:
    made = files.made
    without = write_csv(tmp_path / "plain.csv", made.images, made.labels, made.targets)
    line = (files.reference, files.candidate, "--labels", without, *QUICK)
    done = run("compare", *line)
    assert "300 images of 300 patients" in done.stdout
    assert "nothing tells patients: each image counts as one" in done.stdout
    write_csv(files.reference, made.images, made.labels, made.scores, made.patients)
    done = run("compare", *line)
    assert "300 images of 60 patients" in done.stdout
    other = [*made.patients[1:], "p1"]
    write_csv(files.candidate, made.images, made.labels, made.nearly(), other)
    done = run("compare", *line)
    assert done.returncode == 3
    assert "0000.png is of another patient than in plain.csv" in done.stderr


def test_two_readers_of_yes_and_no_are_compared(run: Run, files: Files) -> None:
    made = files.made
    write_csv(files.reference, made.images, made.labels, np.round(made.scores))
    write_csv(files.candidate, made.images, made.labels, np.round(made.nearly(0.5)))
    done = run("compare", *files.named, "--json", "--gate", "agreement=0.8")
    found = json.loads(done.stdout)
    same = np.round(made.scores) == np.round(made.nearly(0.5))
    assert found["operating_points"]["half"]["agreement"]["value"] == pytest.approx(same.mean())
    assert 0.5 < found["operating_points"]["half"]["kappa"] < 1


# --- beside a report ---------------------------------------------------------------------------


def as_scores(path: Path, made: Report) -> Path:
    evaluated = made.evaluated
    scores = made.calibrated(evaluated.logits)
    return write_csv(path, evaluated.images.tolist(), list(made.labels.names), scores)


def test_scores_are_held_to_a_report_of_the_same_images(run: Run, tmp_path: Path) -> None:
    evaluated = answers()
    reports.write(report(evaluated, model=FLOAT), tmp_path / "board.json")
    server = as_scores(tmp_path / "server.csv", report(nearly(evaluated)))
    done = run("compare", tmp_path / "board.json", server, *QUICK)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("PASSED: all 13 gates met\n")
    done = run("compare", server, tmp_path / "board.json", *QUICK)
    assert done.stdout.startswith("PASSED: all 11 gates met\n")
    done = run("compare", tmp_path / "board.json", server, "--labels", server)
    assert done.returncode == 2
    assert "the report says which image bears what" in done.stderr


def test_a_report_of_scores_is_a_report(run: Run, files: Files, repository: Path) -> None:
    out = files.labels.parent
    line = ("--labels", files.labels, "--out")
    done = run("evaluate", "--scores", files.reference, *line, out / "a.json")
    assert done.returncode == 0, done.stderr
    assert "one, probabilities of the scores file one.csv" in done.stdout
    assert "fitted on these very images" in done.stdout
    points = ("--points-of", out / "a.json")
    run("evaluate", "--scores", files.candidate, *points, *line, out / "b.json")
    schema = repository / "edge_app" / "evaluation" / "report.schema.json"
    for name in ("a.json", "b.json"):
        validate(json.loads((out / name).read_text()), json.loads(schema.read_text()))
    found = json.loads(run("compare", out / "a.json", out / "b.json", *QUICK, "--json").stdout)
    direct = json.loads(run("compare", *files.named, "--json").stdout)
    assert found["labels"] == direct["labels"]
    assert found["operating_points"] == direct["operating_points"]
    schema = repository / "edge_app" / "comparison" / "comparison.schema.json"
    validate(direct, json.loads(schema.read_text()))


def test_what_has_no_score_or_no_label_is_left_out_and_said(run: Run, files: Files) -> None:
    made, out = files.made, files.labels.parent / "a.json"
    images = [*made.images[2:], "stranger.png"]
    write_csv(files.reference, images, made.labels, made.scores[1:])
    done = run("evaluate", "--scores", files.reference, "--labels", files.labels, "--out", out)
    assert done.returncode == 3
    assert "left out: 2 images: no score, 1 images: not in labels.csv" in done.stdout
    content = json.loads(out.read_text())
    assert content["dataset"]["images"] == 298
    assert content["dataset"]["left_out"]["images"] == 3


def test_exclusive_labels_pass_a_softmax(run: Run, files: Files) -> None:
    made, line = files.made, ("--labels", files.labels, "--exclusive", "--out")
    only = np.eye(3, dtype=np.uint8)[made.scores.argmax(axis=1)]
    write_csv(files.labels, made.images, made.labels, only)
    odds = np.log(made.scores)
    shares = made.scores / made.scores.sum(axis=1, keepdims=True)
    found = []
    for number, values in enumerate((odds, shares)):
        write_csv(files.reference, made.images, made.labels, values)
        out = files.labels.parent / f"{number}.json"
        done = run("evaluate", "--scores", files.reference, *line, out)
        assert done.returncode == 0, done.stderr
        found.append(reports.read(out))
        scores = found[-1].calibrated(found[-1].evaluated.logits)
        np.testing.assert_allclose(scores, shares, atol=1e-5)
    write_csv(files.reference, made.images, made.labels, made.scores)
    done = run("evaluate", "--scores", files.reference, *line, files.labels.parent / "c.json")
    assert done.returncode == 3
    assert "the probabilities of exclusive labels add up to" in done.stderr


class Exclusive(NamedTuple):
    shares: np.ndarray
    truth: np.ndarray
    line: tuple[object, ...]

    def scores_of(self, path: Path) -> np.ndarray:
        made = reports.read(path)
        assert made.labels.names == CLASSES
        assert made.labels.normal == 2
        return made.calibrated(made.evaluated.logits)


CLASSES = ("TB", "Scar", "Well")


@pytest.fixture
def exclusive(tmp_path: Path) -> Exclusive:
    """Scores of three classes, and a table that says `none` of the images of the third."""
    rng = np.random.default_rng(0)
    truth, images = rng.integers(0, 3, 200), [f"{i}.png" for i in range(200)]
    logits = rng.normal(size=(200, 3)) + 2 * np.eye(3)[truth] + rng.normal(0, 8, (200, 1))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    write_csv(tmp_path / "scores.csv", images, CLASSES, logits)
    write_csv(tmp_path / "shares.csv", images, CLASSES, shares)
    words = (*CLASSES[:2], "none")
    lines = [f"{image},{words[place]}" for image, place in zip(images, truth, strict=True)]
    (tmp_path / "none.csv").write_text("\n".join(["image,labels", *lines]))
    write_csv(tmp_path / "named.csv", images, CLASSES, np.eye(3, dtype=np.uint8)[truth])
    write_csv(tmp_path / "two.csv", images, CLASSES[:2], np.eye(3, dtype=np.uint8)[truth][:, :2])
    return Exclusive(shares, truth, ("--exclusive", "--out", tmp_path / "report.json"))


@pytest.mark.parametrize("table", ["none.csv", "named.csv", "two.csv"])
@pytest.mark.parametrize("scores", ["scores.csv", "shares.csv"])
def test_a_softmax_is_over_all_columns_of_the_scores(
    run: Run, exclusive: Exclusive, tmp_path: Path, scores: str, table: str
) -> None:
    named = ("--labels", table, "--normal", "Well", *exclusive.line)
    done = run("evaluate", "--scores", scores, *named, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = exclusive.scores_of(tmp_path / "report.json")
    np.testing.assert_allclose(found, exclusive.shares, atol=1e-5)
    assert f"images as a whole: {(exclusive.truth < 2).sum()} of 200 are not normal" in done.stdout
    both = ("scores.csv", "shares.csv", "--labels", table, "--normal", "Well", "--exclusive")
    lenient = ("--gate", "macro_auroc_low=-0.01")  # 200 patients and nothing that differs
    done = run("compare", *both, *QUICK, *lenient, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    area = auroc(exclusive.truth == 0, exclusive.shares[:, 0], np.ones((1, 200)))[0]
    assert json.loads(done.stdout)["labels"][0]["auroc"]["reference"] == pytest.approx(
        area, abs=1e-6
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            ("scores.csv", "none.csv"),
            ("images do not bear just one label", "say with --normal which of the scores"),
        ),
        (
            ("scores.csv", "named.csv", "--normal", "Well", "--label", "TB", "--label", "Scar"),
            ("not judged: Well, without which", "leave out --label"),
        ),
        (
            ("shares.csv", "named.csv", "--normal", "Well", "--label", "TB", "--label", "Scar"),
            ("not judged: Well, without which", "leave out --label"),
        ),
        (
            ("scores.csv", "ill.csv"),
            ("not judged: Well, without which", "say --normal NAME", "a column of 0 and 1"),
        ),
        (
            ("scores.csv", "none.csv", "--normal", "Wel"),
            ("has no scores of 'Wel', the normal label", "TB, Scar, Well: name one of them"),
        ),
        (
            ("scores.csv", "named.csv", "--normal", "Healthy"),
            ("has no scores of 'Healthy', the normal label",),
        ),
        (
            ("scores.csv", "ill.csv", "--normal", "TB"),
            ("not judged: Well, without which", "give ill.csv a column of 0 and 1"),
        ),
        (
            ("two-classes.csv", "named.csv", "--normal", "TB"),
            ("images do not bear just one label", "see that each label that they bear has scores"),
        ),
    ],
)
def test_a_part_of_a_softmax_is_refused(
    run: Run, exclusive: Exclusive, tmp_path: Path, line: tuple[str, ...], words: tuple[str, ...]
) -> None:
    (tmp_path / "ill.csv").write_text("image,labels\n0.png,TB\n1.png,Scar\n2.png,TB\n")
    images = [f"{i}.png" for i in range(200)]
    write_csv(tmp_path / "two-classes.csv", images, CLASSES[:2], 9 * exclusive.shares[:, :2] - 4)
    scores, table, *more = line
    named = ("--labels", table, *more, "--exclusive")
    done = run("evaluate", "--scores", scores, *named, cwd=tmp_path)
    again = run("compare", scores, scores, *named, *QUICK, cwd=tmp_path)
    for each in (done, again):
        assert each.returncode == 3
        assert each.stderr.count("\n") == 1
        for word in words:
            assert word in each.stderr


def test_a_column_that_the_reference_lacks_is_no_part_of_its_softmax(
    run: Run, exclusive: Exclusive, tmp_path: Path
) -> None:
    images = [f"{i}.png" for i in range(200)]
    more = np.column_stack([np.log(exclusive.shares), np.arange(200.0)])
    write_csv(tmp_path / "more.csv", images, [*CLASSES, "age"], more)
    named = ("--labels", "named.csv", "--normal", "Well", "--exclusive")
    done = run("compare", "scores.csv", "more.csv", *named, *QUICK, cwd=tmp_path)
    assert done.returncode == 3
    assert "more.csv: not judged: age, without which the softmax" in done.stderr


def test_one_of_exclusive_logits_may_be_constant(
    run: Run, exclusive: Exclusive, tmp_path: Path
) -> None:
    """As of a network that gives the others relative to the first class."""
    images = [f"{i}.png" for i in range(200)]
    relative = np.log(exclusive.shares / exclusive.shares[:, :1])
    write_csv(tmp_path / "relative.csv", images, CLASSES, relative)
    named = ("--labels", "named.csv", "--normal", "Well", *exclusive.line)
    done = run("evaluate", "--scores", "relative.csv", *named, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = exclusive.scores_of(tmp_path / "report.json")
    np.testing.assert_allclose(found, exclusive.shares, atol=1e-5)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (("compare", "one.csv", "other.csv"), "--labels FILE: which of the scored images"),
        (("evaluate", "--scores", "one.csv"), "--labels FILE: which of the scored images"),
        (("evaluate", ".", "--scores", "one.csv"), "FOLDER excludes --scores"),
        (("evaluate", "--scores", "one.csv", "--split", "test"), "--split excludes --scores"),
        (("evaluate", ".", "--exclusive"), "--exclusive belongs to --scores"),
        (("evaluate",), "FOLDER of images, or --scores FILE and --labels FILE, is missing"),
        (
            ("compare", "one.csv", "other.csv", "--labels", "labels.csv", "--scale", "percent"),
            "--scale 'percent': there are auto, probabilities, logits",
        ),
        (
            ("compare", "one.csv", "other.csv", "--labels", "labels.csv", "--label", "Mass"),
            "labels.csv: says nothing of 'Mass'",
        ),
        (
            ("evaluate", "--scores", "one.csv", "--labels", "labels.csv", "--out", "a.txt"),
            "a report's name ends in .json",
        ),
    ],
)
def test_wrong_usage_is_said(run: Run, files: Files, line: tuple[str, ...], words: str) -> None:
    command, *arguments = line
    done = run(command, *arguments, cwd=files.labels.parent)
    assert done.returncode == 2
    assert words in done.stderr


def test_from_python(files: Files, tmp_path: Path) -> None:
    made = edge_app.evaluate_scores(files.reference, files.labels, out=tmp_path / "a.json")
    assert made.content["labels"][0]["label"] == "Nodule"
    done = edge_app.compare(made, files.candidate, resamples=100)
    both = edge_app.compare(files.reference, files.candidate, labels=files.labels, resamples=100)
    assert done.passed
    assert both.passed
    assert done.content["labels"] == both.content["labels"]
