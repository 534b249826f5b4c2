"""From a data set to a model with its card, by one call that can be repeated."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from edge_app.evaluation import report
from edge_app.model.model_file import read, shipped_models
from quantize.reproduce import reproduce
from train.augment import NONE
from train.recipes import RECIPES, SHIPPED, TEACHERS, Recipe, runs_of

FINISHED = Recipe(network="cnn28", epochs=2, batch=16)
"""Of `finished_run`."""

TINY = replace(FINISHED, epochs=1, augmentation=NONE, distil=0.5, continued=True, seed=1)


def test_a_models_runs_begin_with_the_teachers_of_its_teachers() -> None:
    assert runs_of("cxr-lite0-fine") == [
        "lite0-5-stages",
        "lite0-5-stages-enlarged",
        "cxr-lite0-fine",
    ]
    assert {*SHIPPED} == {path.stem for path in shipped_models()}
    for name in SHIPPED:
        made = runs_of(name)
        assert len(made) == len(set(made))
        for run in made:
            assert {*TEACHERS.get(run, ())} <= {*made[: made.index(run)]}
            assert RECIPES[run].continued <= bool(TEACHERS.get(run))


@pytest.mark.parametrize("name", ["lite0-5-stages", "cxr-lite0-fine"])
def test_a_kept_network_was_made_by_the_recipe_of_its_name(name: str) -> None:
    kept = json.loads((Path("networks") / name / "config.json").read_text())
    assert Recipe.from_dict(kept["recipe"]) == RECIPES[name]


def test_a_model_that_is_not_trained_once_more_is_the_network_that_was_judged(
    small_nih: Path, finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RECIPES, "cxr-tiny", FINISHED)
    shutil.copytree(finished_run, tmp_path / "cxr-tiny")
    printed = io.StringIO()
    console = Console(file=printed, width=200)
    model = reproduce("cxr-tiny", small_nih, tmp_path, finished_run.parent / "cache", console)
    assert printed.getvalue().count("Training is finished") == 1
    facts = model.manifest["training"]["dataset"]
    assert facts["train"]["split"] == "train"
    reports = tmp_path / "cxr-tiny" / "reports"
    judged, tested = (
        json.loads((reports / f"{name}.json").read_text()) for name in ("float-validation", "float")
    )
    assert judged["model"]["sha256"] == tested["model"]["sha256"]
    assert "trained once more" not in (reports / "MODEL_CARD.md").read_text()


def test_kept_teachers_are_not_trained_again_nor_are_theirs(
    small_nih: Path, finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RECIPES, "cxr-tiny", TINY)
    monkeypatch.setitem(TEACHERS, "cxr-tiny", ("taught",))
    monkeypatch.setitem(TEACHERS, "taught", ("never",))
    monkeypatch.setattr("quantize.reproduce.KEPT", tmp_path / "networks")
    shutil.copytree(finished_run, tmp_path / "networks" / "taught")
    assert runs_of("cxr-tiny", ["taught"]) == ["cxr-tiny"]
    printed = io.StringIO()
    console = Console(file=printed, width=200)
    cache = finished_run.parent / "cache"
    model = reproduce("cxr-tiny", small_nih, tmp_path / "runs", cache, console, ["taught"])
    assert printed.getvalue().count("epoch 1/1") == 1
    assert len(model.manifest["training"]["dataset"]["teachers"]) == 1
    assert not (tmp_path / "runs" / "taught").exists()


def test_every_step_is_made_once_and_the_model_is_the_refit(
    small_nih: Path, finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RECIPES, "tiny", FINISHED)
    monkeypatch.setitem(RECIPES, "taught", TINY)
    monkeypatch.setitem(RECIPES, "cxr-tiny", replace(TINY, seed=2))
    monkeypatch.setitem(TEACHERS, "taught", ("tiny",))
    monkeypatch.setitem(TEACHERS, "cxr-tiny", ("tiny", "taught"))
    shutil.copytree(finished_run, tmp_path / "tiny")
    monkeypatch.setattr("quantize.reproduce.REFITTED", ("cxr-tiny",))
    cache = finished_run.parent / "cache"

    def make() -> str:
        printed = io.StringIO()
        reproduce("cxr-tiny", small_nih, tmp_path, cache, Console(file=printed, width=200))
        return printed.getvalue()

    said = make()
    assert said.count("epoch 1/1") == 3  # the other teacher, the run that is judged, the refit
    assert said.count("Training is finished") == 1
    final = tmp_path / "cxr-tiny"
    model = read(final / "cxr-tiny.tflite")
    facts = model.manifest["training"]["dataset"]
    assert facts["train"]["split"] == "train and validation"
    judged = json.loads((final / "reports" / "float-validation.json").read_text())
    assert judged["dataset"]["digest"] == facts["validation"]["digest"]
    assert len(facts["teachers"]) == 2
    card = (final / "reports" / "MODEL_CARD.md").read_text()
    assert "trained once more" in card
    answers = report.read(final / "reports" / "int8.json").evaluated.logits
    again = make()
    assert "epoch 1/1" not in again
    assert again.count("Training is finished") == 4
    repeated = report.read(final / "reports" / "int8.json").evaluated.logits
    assert np.array_equal(answers, repeated)
