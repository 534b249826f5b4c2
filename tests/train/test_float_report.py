"""The float report of a run, and the lines that people read of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_app.evaluation.report import Report, read
from edge_app.images.perturb import PERTURBATIONS, WORDS
from train import predict as prediction
from train.cache import Cached
from train.finished_run import FinishedRun, open_run
from train.float_report import as_text, evaluate, write_all
from train.options import read_data


@pytest.fixture(scope="module")
def run(finished_run: Path) -> FinishedRun:
    return open_run(finished_run)


@pytest.fixture(scope="module")
def cached(finished_run: Path, small_nih: Path) -> Cached:
    return read_data(small_nih, 28, finished_run.parent / "cache").split("test")


@pytest.fixture(scope="module")
def made(run: FinishedRun, cached: Cached) -> Report:
    return evaluate(run, cached, "test", "tiny")


def test_a_run_is_measured_under_every_perturbation(made: Report, tmp_path: Path) -> None:
    measured = made.content["retest"]
    assert list(measured) == list(PERTURBATIONS)
    assert all(0 < each["logit_rms"] < 10 for each in measured.values())
    assert measured["noise"]["logit_rms"] < measured["zoom"]["logit_rms"]
    write_all(made, tmp_path, "float")
    assert read(tmp_path / "float.json").evaluated.retest.keys() == PERTURBATIONS.keys()


def test_its_text_says_how_many_decisions_were_kept(made: Report) -> None:
    lines = as_text(made).splitlines()
    for key, words in WORDS.items():
        (line,) = (line for line in lines if words in line)
        assert f"{made.content['retest'][key]['logit_rms']:.3f}" in line


class Echo:
    """A network that answers with what it was given."""

    def predict_on_batch(self, batch: np.ndarray) -> np.ndarray:
        return batch


def test_a_perturbed_prediction_does_not_depend_on_the_batches(
    cached: Cached, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = prediction.predict(Echo(), cached, "noise")
    monkeypatch.setattr(prediction, "PREDICT_BATCH", 7)
    np.testing.assert_array_equal(prediction.predict(Echo(), cached, "noise"), whole)
    one_level = np.abs(prediction.predict(Echo(), cached) - whole).max()
    assert one_level == 1 / 128
