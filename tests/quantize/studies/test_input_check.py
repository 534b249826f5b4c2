"""The table of what a model file's input check refuses."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from edge_app.images.phantom import synthetic_radiograph
from edge_app.model.input_check import InputCheckResult
from edge_app.model.model_file import SHIPPED, read
from quantize.studies import input_check as study
from train.cache import Cached
from train.non_radiographs import (
    DRAWERS,
    NEAR_MISSES,
    blurred,
    folder_pictures,
    is_photograph,
    package_pictures,
    tilted,
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
    for sigma in study.SIGMAS:
        assert f"radiographs, blurred, σ {sigma} of 128 pixels" in names
    for degrees in study.DEGREES:
        assert {f"radiographs, tilted by {degrees}°{how}" for how in ("", ", corners black")} <= {
            *names
        }
    assert pictures["radiographs"]["lost"] is pictures["drawn: noise"]["lost"] is None
    result.write(tmp_path)


def test_what_is_refused_is_not_lost_and_what_passes_may_be() -> None:
    """Lost are the images that were flagged, and that are scored and no longer flagged."""

    def judged(*, refused: bool, flagged: bool) -> study.Judged:
        reason = "cropped" if refused else None
        return study.Judged(InputCheckResult(0.0, reason, reason), flagged)

    before = [judged(refused=False, flagged=each) for each in (True, True, True, True, False)]
    after = [
        judged(refused=False, flagged=False),
        judged(refused=True, flagged=False),
        judged(refused=False, flagged=True),
        judged(refused=True, flagged=True),
        judged(refused=False, flagged=False),
    ]
    assert study.lost(before, after) == {"of": 4, "share": 0.25}
    assert study.lost(before[4:], after[4:]) is None


def test_no_share_of_the_table_is_rounded_to_none_or_all() -> None:
    measured = {"number": 5000, "auroc": None, "flagged": 0.9998, "kinds": {}}
    row = study._row("all", measured | {"lost": {"of": 5000, "share": 0.0002}})
    assert row[3:5] == ("> 99.9%", "< 0.1% of 5000")


def test_a_blur_and_a_tilt_are_what_they_are_called() -> None:
    point = np.zeros((64, 64), np.uint8)
    point[32, 32] = 255
    wide = blurred(np.asarray(255 * (np.indices((64, 64))[1] >= 32), np.uint8), 8)
    # An edge blurred by σ rises from 16 % to 84 % within 2 σ: 4 of these 64 pixels a side.
    risen = np.interp([0.159, 0.841], wide[32] / 255, np.arange(64))
    assert np.diff(risen) == pytest.approx(8, abs=0.5)
    point[32, 48] = 255
    turned = tilted(point, 30, black=True)
    y, x = np.unravel_index(np.argmax(turned[:, 40:]), turned[:, 40:].shape)
    assert (y - 31.5, x + 40 - 31.5) == pytest.approx((-8, 14), abs=1.5)
    white = np.full((28, 28), 200, np.uint8)
    assert tilted(white, 45, black=True)[0, 0] == 0
    assert tilted(white, 45, black=False).min() == 200
