"""What "usually" and "normal images" refer to, said only where the answer shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge_app.model.model_file import locate, read
from edge_app.model.usual import NEVER_FLAGGED, normal_images, referred_to

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


def test_exclusive_labels_without_a_normal_one_are_said_to_flag_nothing() -> None:
    assert list(referred_to(_manifest(normal=False), usual=False)) == [NEVER_FLAGGED]
    assert NEVER_FLAGGED not in list(referred_to(_manifest(normal=True)))


@pytest.mark.parametrize("usual", [True, False])
def test_what_is_usual_is_explained_where_it_is_shown(usual: bool) -> None:
    text = " ".join(referred_to(_manifest(normal=True), usual=usual))
    assert ("usually: " in text) is usual


def test_what_is_usual_and_what_is_normal_are_one_line() -> None:
    manifest = read(locate("cxr-lite0-128")).manifest
    assert list(referred_to(manifest)) == [
        "probability, usually: among the images the model was calibrated on "
        "(validation, 2238 images of 633 patients); higher than: at least so many of the 1393 "
        "normal ones among them"
    ]
    assert list(referred_to(manifest, usual=False)) == [
        "higher than: at least so many of the "
        "1393 normal images of validation, 2238 images of 633 patients"
    ]


@pytest.mark.parametrize(
    ("images", "said"),
    [
        ("9 normal images of validation, 20 images", "normal validation images"),
        ("9 normal images of this site", "normal images of this site"),
        ("9 normal images of all, 20 images", "normal images"),
    ],
)
def test_the_origin_of_normal_images_is_named(images: str, said: str) -> None:
    manifest: Any = {"reference": {"images": images}}
    assert normal_images(manifest) == said
    nobody: Any = {}
    assert normal_images(nobody) == "normal images"
