"""What "usually" and "normal images" refer to, said only where the answer shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge_app.model.model_file import read
from edge_app.model.usual import NEVER_FLAGGED, referred_to

MODELS = Path(__file__).parents[2] / "models"


def _manifest(normal: bool) -> Any:
    manifest: Any = dict(read(MODELS / "three-exclusive.tflite").manifest)
    manifest["labels"] = [dict(label, kind="finding") for label in manifest["labels"]]
    if normal:
        manifest["labels"][-1]["kind"] = "normal"
    manifest["prevalence"] = [0.2, 0.3, 0.5]
    manifest["calibration"] = {"fitted_on": "validation, 43 images"}
    manifest.pop("overall", None)
    manifest.pop("reference", None)
    return manifest


def test_exclusive_labels_of_which_none_is_normal_are_told_to_flag_nothing() -> None:
    assert list(referred_to(_manifest(normal=False), usual=False)) == [NEVER_FLAGGED]
    assert NEVER_FLAGGED not in list(referred_to(_manifest(normal=True)))


@pytest.mark.parametrize("usual", [True, False])
def test_what_is_usual_is_explained_where_it_is_shown(usual: bool) -> None:
    told = " ".join(referred_to(_manifest(normal=True), usual=usual))
    assert ("usually: " in told) is usual
