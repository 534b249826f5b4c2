"""The manual's page says how many images are needed, by the numbers that the code goes by."""

from __future__ import annotations

from pathlib import Path

from edge_app.comparison.gates import Gates
from edge_app.comparison.reference import MIN_PATIENTS
from edge_app.evaluation.splits import TEST_SHARE, VALIDATION_SHARE
from quantize.convert import CALIBRATION_IMAGES
from quantize.importing.pipeline import SPAN_IMAGES
from train.calibrate import MIN_IMAGES

PAGE = Path(__file__).parents[3] / "docs" / "import.md"


def test_the_page_asks_for_as_many_images_as_the_code_does() -> None:
    words = " ".join(PAGE.read_text().split())
    support = Gates().label_support
    for phrase in (
        f"{100 * TEST_SHARE:.0f} % of the patients become test images",
        f"{100 * VALIDATION_SHARE:.0f} % of the others validation",
        f"{MIN_PATIENTS} test patients with, and {MIN_PATIENTS} without",
        f"{support} test images with a label",
        f"{MIN_IMAGES} validation images with a label, and {MIN_IMAGES} without",
        f"at least {support} test images that bear a label",
        f"{CALIBRATION_IMAGES} training images at most",
        f"{SPAN_IMAGES:,} give the labels' spans",
    ):
        assert phrase in words, phrase
