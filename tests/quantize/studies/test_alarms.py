"""False alarms by group: of the shipped small model's own reports, and of made-up ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_app.evaluation.report import Report, read
from edge_app.model.model_file import SHIPPED
from edge_app.model.model_file import read as read_model
from quantize.studies.alarms import alarms_study
from quantize.studies.inputs import ModelAndReportsInputs

REPORTS = Path(__file__).resolve().parents[3] / "reports" / "cxr-cnn28"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> ModelAndReportsInputs:
    reports = (read(REPORTS / f"{stem}.json") for stem in ("float-validation", "int8"))
    model = read_model(SHIPPED / "cxr-cnn28.tflite")
    return ModelAndReportsInputs(model, *reports, tmp_path_factory.mktemp("out"))


def test_all_normal_images_are_flagged_as_the_model_file_says(
    inputs: ModelAndReportsInputs,
) -> None:
    found = alarms_study(inputs).content["groups"]
    point = inputs.model.manifest["overall"]["operating_points"]["one-in-ten"]
    everybody = found["all"]
    assert everybody["validation"]["flagged"]["value"] == pytest.approx(
        1 - point["specificity"], abs=0.002
    )
    stated = point["test"]["specificity"]["value"]
    assert everybody["test"]["flagged"]["value"] == pytest.approx(1 - stated, abs=0.002)
    for split in ("validation", "test"):
        parts = [each[split]["images"] for name, each in found.items() if name != "all"]
        assert sum(parts) == everybody[split]["images"]


def test_other_patients_are_distinguished_from_a_wrong_threshold(
    inputs: ModelAndReportsInputs, tmp_path: Path
) -> None:
    """The test images are validation's, of its patients with many images alone."""
    answers = inputs.validation.evaluated
    _, whose, counts = np.unique(answers.patients, return_inverse=True, return_counts=True)
    keep = counts[whose] > 20
    arrays = {
        key: getattr(answers, key)[keep] for key in ("images", "patients", "targets", "logits")
    }
    many = Report(inputs.validation.content, replace(answers, **arrays, retest={}))
    views = tmp_path / "views.csv"
    lines = [f"{name},none,{'AP' if i % 2 else 'PA'}" for i, name in enumerate(answers.images)]
    views.write_text("\n".join(["image,labels,view", *lines]) + "\n")
    content = alarms_study(replace(inputs, test=many), views).content
    test = content["groups"]["all"]["test"]["flagged"]["value"]
    assert test > 2 * content["groups"]["all"]["validation"]["flagged"]["value"]
    assert content["validation_at_the_mix_of_test"] == pytest.approx(test)
    assert content["groups"]["1 to 5 images"]["test"] is None
    assert {"21 images and more, AP", "21 images and more, PA"} <= content["groups"].keys()
