"""A run from its command to its report."""

from __future__ import annotations

import fcntl
import io
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from edge_app.evaluation import report
from edge_app.model.calibration import calibrated
from edge_app.model.labels import Label, Labels
from train.augment import Augmentation
from train.calibrate import MIN_IMAGES, operating_points, platt
from train.cli import main
from train.errors import RunError
from train.finished_run import TAUGHT_ON, images_to_judge, open_run
from train.float_report import evaluate, write_all
from train.labels import LABELS, LabelSet
from train.options import read_data
from train.recipes import Recipe
from train.run import _warn_of_data, train

QUIET = Console(file=io.StringIO())


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "train", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=300)


def test_a_finished_run_holds_what_the_next_step_needs(finished_run: Path) -> None:
    for name in ("config.json", "train.png", "curves.png", "history.csv", "model.keras"):
        assert (finished_run / name).stat().st_size > 0
    run = open_run(finished_run)
    assert run.config.dataset["train"]["images"] > run.config.dataset["validation"]["images"]
    assert set(run.operating_points) == {"balanced", "screening", "rule-in"}


def test_evaluate_prints_and_writes_the_report(finished_run: Path, small_nih: Path) -> None:
    cache = finished_run.parent / "cache"
    done = command("evaluate", finished_run, small_nih, "--cache", cache, "--split", "validation")
    assert done.returncode == 0, done.stderr
    found = report.read(finished_run / "reports" / "float-validation.json")
    assert found.content["dataset"]["split"] == "validation"
    assert all(label in done.stdout for label in LABELS)
    assert "not a medical device" in done.stdout
    assert (finished_run / "reports" / "float-validation.txt").read_text() == done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("fit", "nowhere", "--run", "r", "--no-imagenet"), 3, "nowhere"),
        (("evaluate", ".", "nowhere"), 4, "train it to its end first"),
        (("fit", "nowhere", "--run", "r", "--network", "resnet"), 2, "resnet"),
        (("fit", "nowhere", "--run", "r", "--network", "cnn28"), 4, "--no-imagenet"),
        (("fit", "nowhere", "--run", "r", "--size", "-5"), 2, "size"),
        (("fit", "nowhere", "--run", "r", "--limit", "-1"), 2, "limit"),
        (("evaluate", ".", "nowhere", "--split", "train"), 4, "train it to its end first"),
        (("fit", "nowhere", "--run", "r", "--recipe", "soup"), 2, "soup"),
    ],
)
def test_an_error_is_reported_before_training(
    arguments: tuple[str, ...],
    code: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["train", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == code
    assert words in capsys.readouterr().err


def test_a_process_that_meets_a_fault_ends_with_its_code_and_no_traceback() -> None:
    done = command("fit", "nowhere", "--run", "r", "--no-imagenet")
    assert done.returncode == 3
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unfinished_run_is_not_evaluated(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="train it to its end first"):
        open_run(tmp_path)


def begun(finished_run: Path, small_nih: Path, **changes: object) -> str:
    """What `train` says when a finished run is gone on with as something else."""
    recipe = replace(open_run(finished_run).recipe, **changes)
    before = (finished_run / "config.json").read_bytes()
    with pytest.raises(RunError) as caught:
        train(recipe, read_data(small_nih, 28, finished_run.parent / "cache"), finished_run, QUIET)
    assert (finished_run / "config.json").read_bytes() == before
    return str(caught.value)


def test_a_run_is_not_gone_on_with_as_something_else(
    finished_run: Path, small_nih: Path, tiny_nih: Path
) -> None:
    assert "another seed, learning_rate" in begun(
        finished_run, small_nih, seed=7, learning_rate=0.5
    ) or "another learning_rate, seed" in begun(finished_run, small_nih, seed=7, learning_rate=0.5)
    assert "another the data set" in begun(finished_run, tiny_nih)


def test_two_trainings_do_not_share_a_folder(finished_run: Path, small_nih: Path) -> None:
    with (finished_run / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another training is writing" in begun(finished_run, small_nih)


def test_a_finished_run_stays_as_it_is(finished_run: Path, small_nih: Path) -> None:
    names = ("config.json", "calibration.json", "kept.weights.h5", "history.csv")
    before = [(finished_run / name).read_bytes() for name in names]
    cached = read_data(small_nih, 28, finished_run.parent / "cache")
    train(open_run(finished_run).recipe, cached, finished_run, QUIET)
    assert [(finished_run / name).read_bytes() for name in names] == before


@pytest.mark.parametrize("name", ["config.json", "calibration.json", "model.keras"])
def test_a_damaged_run_is_refused(finished_run: Path, tmp_path: Path, name: str) -> None:
    copy = tmp_path / "run"
    shutil.copytree(finished_run, copy)
    (copy / name).write_bytes(b"")
    with pytest.raises(RunError, match="damaged"):
        open_run(copy)


def synthetic(count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are twice too sure of themselves, and one label with hardly a positive."""
    generator = np.random.default_rng(0)
    true_logits = generator.normal(-1, 1.5, (count, len(LABELS)))
    targets = (generator.random(true_logits.shape) < 1 / (1 + np.exp(-true_logits))).astype(
        np.uint8
    )
    targets[:, LABELS.index("Hernia")] = 0
    targets[: MIN_IMAGES - 1, LABELS.index("Hernia")] = 1
    return targets, (2 * true_logits).astype(np.float32)


def test_calibration_undoes_overconfidence() -> None:
    targets, logits = synthetic()
    calibration = platt(targets, logits, "here")
    assert calibration["slope"][0] == pytest.approx(0.5, abs=0.06)
    scores = calibrated(logits, calibration)
    np.testing.assert_allclose(scores.mean(axis=0), targets.mean(axis=0), atol=0.01)
    hernia = LABELS.index("Hernia")
    assert calibration["slope"][hernia] == 1


def test_a_fit_that_would_turn_the_ranking_round_is_not_taken() -> None:
    targets, logits = synthetic()
    calibration = platt(targets, -logits, "here")
    assert min(calibration["slope"]) > 0


def test_operating_points_keep_their_rules_where_they_were_fitted() -> None:
    targets, logits = synthetic()
    calibration = platt(targets, logits, "here")
    points = operating_points(targets, logits, calibration, "here")
    scores = calibrated(logits, calibration)
    hernia = LABELS.index("Hernia")
    for channel in range(len(LABELS)):
        if channel == hernia:
            assert all(point["thresholds"][channel] is None for point in points.values())
            continue
        truth = targets[:, channel].astype(bool)
        reached = {}
        for name, point in points.items():
            above = scores[:, channel] >= point["thresholds"][channel]
            reached[name] = (above[truth].mean(), 1 - above[~truth].mean())
            assert reached[name][0] == pytest.approx(point["sensitivity"][channel])
            assert reached[name][1] == pytest.approx(point["specificity"][channel])
        assert reached["screening"][0] >= 0.90
        assert reached["rule-in"][1] >= 0.95
        best = max(reached.values(), key=sum)
        assert sum(reached["balanced"]) == pytest.approx(sum(best))


@pytest.mark.parametrize(
    ("name", "flip", "said"),
    [
        ("Left_effusion", 0.5, True),
        ("Situs inversus", 0.5, True),
        ("Left_effusion", 0.0, False),
        ("Cleft", 0.5, False),
    ],
)
def test_a_label_that_tells_a_side_is_named_where_images_are_mirrored(
    name: str, flip: float, said: bool, finished_run: Path, small_nih: Path
) -> None:
    recipe = Recipe(network="cnn28", augmentation=Augmentation(flip=flip))
    heard = io.StringIO()
    cached = read_data(small_nih, 28, finished_run.parent / "cache")
    cached = replace(cached, labels=LabelSet(Labels([Label(name), Label("Mass")])))
    _warn_of_data(recipe, cached.split("train"), cached.split("validation"), Console(file=heard))
    assert (f"{name}: training mirrors images" in heard.getvalue()) is said


UNTAUGHT: dict[str, Any] = {
    "nothing": {},
    "a start that was not": {"started_from": {"test_patients": "not seen"}},
    "teachers that were not": {"teachers_know_no_more": [True, True]},
}
TAUGHT: dict[str, Any] = {
    "a start of which it is not known": {"started_from": {"test_patients": "not known"}},
    "a teacher of whom it is not known": {"teachers_know_no_more": [True, False]},
}


@pytest.mark.parametrize("by", [*UNTAUGHT, *TAUGHT])
def test_a_report_says_what_a_start_or_a_teacher_may_know_of_its_patients(
    by: str, finished_run: Path, small_nih: Path, tmp_path: Path
) -> None:
    cached = read_data(small_nih, 28, finished_run.parent / "cache")
    run = open_run(finished_run)
    dataset = {**run.config.dataset, **{**UNTAUGHT, **TAUGHT}[by]}
    run = replace(
        run, config=replace(run.config, content=run.config.content | {"dataset": dataset})
    )
    judged = evaluate(run, images_to_judge(run, cached, "test"), "test", "x", [])
    expected = [TAUGHT_ON] if by in TAUGHT else []
    assert judged.content["dataset"].get("notes", []) == expected
    write_all(judged, tmp_path, "float")
    assert (f"note: {TAUGHT_ON}" in (tmp_path / "float.txt").read_text()) is (by in TAUGHT)


def test_a_file_that_trains_and_tests_under_two_names_is_reported(
    finished_run: Path, small_nih: Path
) -> None:
    cached = read_data(small_nih, 28, finished_run.parent / "cache")
    run = open_run(finished_run)
    assert images_to_judge(run, cached, "test").notes == ()
    digests = cached.table["sha256"].copy()
    trained, tested = (np.flatnonzero(cached.table["split"] == s)[0] for s in ("train", "test"))
    digests[tested] = digests[trained]
    found = images_to_judge(run, replace(cached, table=cached.table.assign(sha256=digests)), "test")
    (said,) = (note for note in found.notes if "also train" in note)
    heard = io.StringIO()
    _warn_of_data(run.recipe, cached.split("train"), found, Console(file=heard, width=500))
    assert f"validation: {said}" in heard.getvalue()
    assert f"1 of these images are files that also train, such as {found.table['image'][0]}" in said
    validated = np.flatnonzero(cached.table["split"] == "validation")[0]
    digests[tested] = digests[validated]
    found = images_to_judge(run, replace(cached, table=cached.table.assign(sha256=digests)), "test")
    assert any("1 of these images are files that also validate" in note for note in found.notes)
