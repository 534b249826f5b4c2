"""From a data set to a model with its card, by one call that can be repeated."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from edge_app.evaluation import report
from edge_app.model.model_file import read
from quantize.reproduce import reproduce
from train.augment import NONE
from train.recipes import RECIPES, TEACHERS, Recipe

TEACHER = Recipe(network="cnn28", epochs=1, batch=16, augmentation=NONE)
TINY = replace(TEACHER, distil=0.5, continued=True, seed=1)


def test_every_step_is_made_once_and_the_model_is_the_refit(
    small_nih: Path, finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RECIPES, "tiny", TEACHER)
    monkeypatch.setitem(RECIPES, "cxr-tiny", TINY)
    monkeypatch.setitem(TEACHERS, "cxr-tiny", ("tiny",))
    cache = finished_run.parent / "cache"

    def make() -> str:
        printed = io.StringIO()
        reproduce("cxr-tiny", small_nih, tmp_path, cache, Console(file=printed, width=200))
        return printed.getvalue()

    assert make().count("epoch 1/1") == 3
    final = tmp_path / "cxr-tiny"
    model = read(final / "cxr-tiny.tflite")
    facts = model.manifest["training"]["dataset"]
    assert facts["train"]["split"] == "train and validation"
    judged = json.loads((final / "reports" / "float-validation.json").read_text())
    assert judged["dataset"]["digest"] == facts["validation"]["digest"]
    assert len(facts["teachers"]) == 1
    card = (final / "reports" / "MODEL_CARD.md").read_text()
    assert "trained once more" in card
    answers = report.read(final / "reports" / "int8.json").evaluated.logits
    again = make()
    assert "epoch 1/1" not in again
    assert again.count("Training is finished") == 3
    repeated = report.read(final / "reports" / "int8.json").evaluated.logits
    assert np.array_equal(answers, repeated)
