"""The last training of a judged recipe, on its validation patients as well."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from train.cache import Cached
from train.errors import RunError
from train.finished_run import open_run
from train.options import read_data
from train.run import refit
from train.teacher_files import read_teachers

QUIET = Console(file=io.StringIO())


@pytest.fixture(scope="module")
def cached(finished_run: Path, small_nih: Path) -> Cached:
    return read_data(small_nih, 28, finished_run.parent / "cache")


@pytest.fixture(scope="module")
def final(finished_run: Path, cached: Cached, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("final") / "run"
    refit(finished_run, cached, folder, QUIET)
    return folder


def test_it_trains_on_all_but_the_test_patients(final: Path, cached: Cached) -> None:
    facts = open_run(final).config.dataset
    assert facts["train"]["split"] == "train and validation"
    assert facts["train"]["images"] == len(cached) - len(cached.split("test"))
    assert facts["train"]["digest"] == cached.split("train", "validation").digest


def test_calibration_and_thresholds_are_those_that_were_judged(
    final: Path, finished_run: Path
) -> None:
    before, after = open_run(finished_run), open_run(final)
    assert after.recipe == before.recipe
    assert after.calibration == before.calibration
    assert after.operating_points == before.operating_points
    assert "validation" in after.calibration["fitted_on"]


def test_it_is_another_network(final: Path, finished_run: Path) -> None:
    weights = [(run / "kept.weights.h5").read_bytes() for run in (final, finished_run)]
    assert weights[0] != weights[1]


def test_it_can_be_no_teacher_and_no_base_of_another(
    final: Path, small_nih: Path, cached: Cached, tmp_path: Path, finished_run: Path
) -> None:
    with pytest.raises(RunError, match="validation patients"):
        read_teachers([final], small_nih, finished_run.parent / "cache", None, cached)
    with pytest.raises(RunError, match="not validated"):
        refit(final, cached, tmp_path / "run", QUIET)


def test_other_data_are_refused(finished_run: Path, cached: Cached, tmp_path: Path) -> None:
    fewer = cached.split("train", "test")
    with pytest.raises(RunError, match="not validated"):
        refit(finished_run, fewer, tmp_path / "run", QUIET)


def test_the_run_before_has_to_be_finished_only_at_the_end(
    finished_run: Path, cached: Cached, tmp_path: Path
) -> None:
    unfinished = tmp_path / "before"
    shutil.copytree(finished_run, unfinished)
    (unfinished / "calibration.json").unlink()
    with pytest.raises(RunError, match="to its end first"):
        refit(unfinished, cached, tmp_path / "run", QUIET)
    shutil.copy(finished_run / "calibration.json", unfinished)
    refit(unfinished, cached, tmp_path / "run", QUIET)
    decided = json.loads((tmp_path / "run" / "calibration.json").read_text())
    assert decided["calibration"] == open_run(finished_run).calibration
