"""A model file's report at the workstation is the device's."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from rich.console import Console

from edge_app.classifier import Classifier
from edge_app.evaluation import evaluate as device
from edge_app.evaluation.labelled import load
from edge_app.model.model_file import SHIPPED, read
from quantize.int8_report import evaluate
from train.labels import NIH
from train.options import read_data


def test_workstation_and_device_report_the_same(small_nih: Path, tmp_path: Path) -> None:
    model = read(SHIPPED / "cxr-cnn28.tflite")
    cached = read_data(small_nih, 28, tmp_path / "cache").split("test")
    here = evaluate(model, cached, "test", Console(file=io.StringIO()), retest=True)
    selection = device.part(load(small_nih, NIH), "test")
    there = device.evaluate(selection, Classifier(model), tmp_path / "r.json", retest=True)
    for key in ("images", "patients", "targets", "logits"):
        expected = getattr(here.evaluated, key)
        np.testing.assert_array_equal(getattr(there.evaluated, key), expected)
    for key, logits in here.evaluated.retest.items():
        np.testing.assert_array_equal(there.evaluated.retest[key], logits)
    said = there.content["dataset"]
    del said["notes"], said["left_out"]
    assert there.content == here.content
