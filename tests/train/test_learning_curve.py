"""The learning curve: a known power law is found again, and runs that form none are refused."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_app.evaluation import report
from edge_app.evaluation.report import Evaluated
from train import pictures
from train.errors import RunError
from train.finished_run import TRAINED_ON
from train.labels import LABELS, NIH
from train.learning_curve import RELEASE_PATIENTS, learning_curve, power_law
from train.recipes import Recipe

COUNT = 400
PATIENTS = [str(i // 4) for i in range(COUNT)]


def test_a_power_law_is_extrapolated_exactly() -> None:
    patients = np.array([100, 400, 200, 800])
    areas = 1 - 0.9 * patients[:, np.newaxis] ** -0.2 * np.array([1.0, 1.1])
    assert power_law(patients, areas, 6400) == pytest.approx(
        1 - 0.9 * 6400**-0.2 * np.array([1, 1.1])
    )


def test_a_perfect_ranking_goes_on_as_one() -> None:
    areas = np.array([[0.9, 1.0], [0.95, 1.0], [1.0, 1.0]])
    found = power_law(np.array([100, 200, 400]), areas, 800)
    assert np.isfinite(found).all()
    assert found == pytest.approx(1, abs=0.001)


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """Four runs that separate better the more patients they had."""
    generator = np.random.default_rng(0)
    targets = (generator.random((COUNT, len(LABELS))) < 0.3).astype(np.uint8)
    targets[:, LABELS.index("Hernia")] = np.arange(COUNT) == 0
    noise = generator.normal(size=targets.shape)
    halves = {name: [0.5] * 15 for name in ("thresholds", "sensitivity", "specificity")}
    folders = []
    for patients in (800, 100, 200, 400):
        folder = tmp_path / f"of-{patients}"
        logits = (noise + targets * (patients / 400)).astype(np.float32)
        evaluated = Evaluated(
            np.array([f"{i:03d}.png" for i in range(COUNT)]), np.array(PATIENTS), targets, logits
        )
        written = report.build(
            evaluated,
            labels=NIH,
            model={"name": "m", "format": "float32", "sha256": "0" * 64, "architecture": "cnn28"},
            dataset={
                "name": "NIH ChestX-ray14 layout, d", "split": "validation", "digest": "1" * 64,
                "images": COUNT, "patients": COUNT // 4,
            },
            runtime={"name": "keras", "version": "3", "delegate": "cpu"},
            calibration={"slope": [1.0] * 15, "intercept": [0.0] * 15},
            operating_points={"balanced": halves},
            operating_point="balanced",
            resamples=20,
        )  # fmt: skip
        (folder / "reports").mkdir(parents=True)
        report.write(written, folder / "reports" / "float-validation.json")
        write_config(folder, patients, Recipe(patients=patients / 800, epochs=8, seed=1))
        folders.append(folder)
    return folders


def write_config(folder: Path, patients: int, recipe: Recipe) -> None:
    train = {"patients": patients, "images": 3 * patients}
    config = {"recipe": asdict(recipe), "dataset": {"train": train}, "packages": {}}
    (folder / "config.json").write_text(json.dumps(config))


def test_points_come_in_order_and_the_curve_goes_on_rising(
    runs: list[Path], tmp_path: Path
) -> None:
    curve = learning_curve(runs, resamples=50)
    assert [point["patients"] for point in curve["points"]] == [100, 200, 400, 800]
    assert "Hernia" not in curve["over"]
    assert len(curve["over"]) == 13
    assert [point["patients"] for point in curve["extrapolated"]] == [1600, RELEASE_PATIENTS]
    areas = [point["auroc"] for point in curve["points"] + curve["extrapolated"]]
    assert areas == sorted(areas)
    assert all(p["low"] <= p["auroc"] <= p["high"] for p in curve["points"])
    pictures.learning_curve(curve, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").stat().st_size > 10_000


def changed(runs: list[Path], dataset: dict[str, Any], keep: int = COUNT) -> list[Path]:
    """The same runs, validated on other data; of the findings only the first `keep` images tell."""
    for run in runs:
        found = report.read(run / "reports" / "float-validation.json")
        facts = {**found.content["dataset"], **dataset}
        targets = found.evaluated.targets * (np.arange(COUNT) < keep)[:, np.newaxis]
        evaluated = replace(found.evaluated, targets=targets.astype(np.uint8))
        written = replace(found, content={**found.content, "dataset": facts}, evaluated=evaluated)
        report.write(written, run / "reports" / "float-validation.json")
    return runs


def test_other_data_are_not_extrapolated_to_the_nih_release(runs: list[Path]) -> None:
    curve = learning_curve(changed(runs, {"name": "labelled folder, ours"}), resamples=10)
    assert [point["patients"] for point in curve["extrapolated"]] == [1600]


def test_images_that_rank_nothing_or_trained_form_no_curve(runs: list[Path]) -> None:
    with pytest.raises(RunError, match="no finding is borne by 10 validation images"):
        learning_curve(changed(runs, {}, keep=9), resamples=10)
    with pytest.raises(RunError, match="trained on its validation patients"):
        learning_curve(changed(runs, {"notes": [TRAINED_ON]}), resamples=10)


def test_runs_that_form_no_curve_are_refused(runs: list[Path]) -> None:
    with pytest.raises(RunError, match="three runs"):
        learning_curve(runs[:2])
    write_config(runs[1], 100, Recipe(patients=0.125, epochs=8, seed=2))
    with pytest.raises(RunError, match="differ in more"):
        learning_curve(runs)
    write_config(runs[1], 800, Recipe(patients=0.125, epochs=8, seed=1))
    with pytest.raises(RunError, match="same number"):
        learning_curve(runs)
