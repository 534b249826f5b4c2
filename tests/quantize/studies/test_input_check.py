"""The table of what a model file's input check refuses."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from edge_app.images.phantom import synthetic_radiograph
from edge_app.model.model_file import SHIPPED, read
from quantize.studies import input_check as study
from train.cache import Cached
from train.non_radiographs import (
    DRAWERS,
    NEAR_MISSES,
    folder_pictures,
    is_photograph,
    package_pictures,
)

QUIET = Console(file=io.StringIO())


def radiographs(count: int) -> Cached:
    """Synthetic radiographs of as many patients."""
    images = np.stack([synthetic_radiograph(28, seed) for seed in range(count)])
    names = [f"{seed}.png" for seed in range(count)]
    table = pd.DataFrame({"image": names, "patient": names, "split": "test", "sha256": "0" * 64})
    return Cached(images, np.zeros((count, 15), np.uint8), table, np.arange(count), "synthetic")


def test_the_table_has_a_row_a_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = read(SHIPPED / "cxr-cnn28.tflite")
    bundled = [path for path in package_pictures() if is_photograph(path)]
    monkeypatch.setattr(study, "DRAWN", 5)
    monkeypatch.setattr(study, "package_pictures", lambda: bundled[:2])
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "broken.png").write_bytes(b"none")
    (folder / "other.png").write_bytes(bundled[0].read_bytes())
    assert len(folder_pictures(folder)) == 2
    result = study.judge_pictures(model, radiographs(30), [folder], 0, QUIET)
    names = [row[0] for row in result.rows]
    assert names[0] == "radiographs"
    assert "photographs of packages" in names
    assert "pictures in more" in names
    assert {f"drawn: {kind}" for kind in DRAWERS} <= set(names)
    assert {f"radiographs, {name}" for name in NEAR_MISSES} <= set(names)
    pictures = result.content["pictures"]
    assert pictures["radiographs"]["auroc"] is None
    assert pictures["radiographs, inverted"]["auroc"] > 0.95
    assert pictures["pictures in more"]["number"] == 9
    assert result.content["cost"]["bytes"] <= 200_000
    low, high = result.content["flagged"]["low"], result.content["flagged"]["high"]
    assert low <= result.content["flagged"]["value"] <= high
    result.write(tmp_path)
