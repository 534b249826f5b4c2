"""Which input check a model gets: with few patients the shipped one, and none that flags little."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from edge_app.images.phantom import synthetic_radiograph
from edge_app.model.input_check import feature_count
from edge_app.model.model_file import SHIPPED, read
from edge_app.model.preprocess import InputSpec
from train import chosen_check
from train.cache import Cached
from train.chosen_check import MIN_PATIENTS, chosen
from train.errors import RunError
from train.input_check import attach

QUIET = Console(file=io.StringIO())
SIDE = 28


@pytest.fixture(autouse=True)
def few_drawings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chosen_check, "DRAWN", 5)


def radiographs(count: int) -> Cached:
    images = np.stack([synthetic_radiograph(SIDE, seed) for seed in range(count)])
    names = [f"{seed}.png" for seed in range(count)]
    table = pd.DataFrame({"image": names, "patient": names, "split": "test", "sha256": "0" * 64})
    return Cached(images, np.zeros((count, 15), np.uint8), table, np.arange(count), "synthetic")


def test_few_patients_get_the_shipped_check_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(chosen_check, "MAX_REFUSED", 1.0)  # the drawn ones are no patients
    found = chosen(radiographs(20), radiographs(10), 0, QUIET)
    shipped = read(SHIPPED / "cxr-cnn28.tflite")
    assert found.weights.to_bytes() == shipped.check_weights
    assert found.facts["limits"] == shipped.manifest["input_check"]["limits"]
    assert found.said == "that of cxr-cnn28, since 20 training patients are fewer than the " + (
        f"{MIN_PATIENTS} to teach one with"
    )
    assert found.tried["drawn"]["flagged"] >= 0.9
    written = attach(shipped, found.facts, found.weights, tmp_path / "m.tflite", found.tried)
    stated = read(written.path).manifest
    assert stated["input_check"]["fitted_on"].startswith("as in cxr-cnn28: ")
    assert stated["training"]["input_check"]["as_in"] == "cxr-cnn28"


def test_a_check_that_flags_too_little_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Taught with enough patients, but blind: the shipped one takes its place, or none does."""
    shipped = read(SHIPPED / "cxr-cnn28.tflite")
    facts = {k: v for k, v in shipped.manifest["input_check"].items() if k != "sha256"}
    blind = facts | {"limits": [999.0] * len(facts["limits"])}
    weights = chosen_check.Weights.from_bytes(
        shipped.check_weights or b"", shipped.manifest["input_check"]
    )
    assert len(weights.hidden) == feature_count(facts["grid"], facts.get("details", 0))
    monkeypatch.setattr(chosen_check, "MIN_PATIENTS", 5)
    monkeypatch.setattr(chosen_check, "MAX_REFUSED", 1.0)
    monkeypatch.setattr(chosen_check, "fit", lambda *arguments: (blind, weights))
    found = chosen(radiographs(8), radiographs(4), 0, QUIET)
    assert found.facts["limits"] == facts["limits"]
    # The blank ones among the drawn pictures are flagged without any weights.
    assert "that of cxr-cnn28, since taught with these, it flags 2" in found.said
    monkeypatch.setattr(chosen_check, "MIN_FLAGGED", 1.01)
    with pytest.raises(RunError, match=r"no input check is written: .* train input-check"):
        chosen(radiographs(8), radiographs(4), 0, QUIET)


def test_a_shipped_check_that_refuses_the_data_is_not_written() -> None:
    upside_down = radiographs(20)
    upside_down = Cached(
        upside_down.images[:, ::-1],
        upside_down.targets,
        upside_down.table,
        upside_down.rows,
        upside_down.name,
    )
    with pytest.raises(RunError, match=r"that of cxr-cnn28 flags .* of these radiographs"):
        chosen(upside_down, upside_down, 0, QUIET)


def test_a_shipped_check_serves_other_sides_that_show_its_detail() -> None:
    found = chosen_check.shipped(InputSpec.square(224), None, 0, "nothing to teach with")
    assert found.tried["drawn"]["flagged"] >= 0.9
    with pytest.raises(RunError, match="no shipped one fits 32 pixels"):
        chosen_check.shipped(InputSpec.square(32), None, 0, "nothing to teach with")
