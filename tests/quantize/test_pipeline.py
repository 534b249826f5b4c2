"""From a finished run to a model file with both evaluations."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from rich.console import Console

from edge_app.backends.interpreters import find_interpreter
from edge_app.backends.self_test import self_test
from edge_app.classifier import Classifier
from edge_app.evaluation import report
from edge_app.images.read import read_image
from edge_app.model.model_file import ModelFile, read
from quantize.about import UNSTATED
from quantize.cli import _require_gates
from quantize.errors import ConversionError
from quantize.pipeline import quantize_run
from quantize.repairs.fold import fold
from train.finished_run import open_run
from train.fit import build
from train.options import read_data
from train.predict import logits_only, predict

QUIET = Console(file=io.StringIO())


@pytest.fixture(scope="module")
def shipped(
    finished_run: Path, small_nih: Path, tmp_path_factory: pytest.TempPathFactory
) -> ModelFile:
    cached = read_data(small_nih, 28, finished_run.parent / "cache")
    path = tmp_path_factory.mktemp("shipped") / "cxr-tiny.tflite"
    return quantize_run(open_run(finished_run), cached, "cxr-tiny", path, 10, 0, QUIET)


def test_the_file_is_read_and_its_golden_vectors_hold(shipped: ModelFile) -> None:
    model = read(shipped.path)
    assert model.manifest == shipped.manifest
    assert self_test(find_interpreter().open(model)).logits == 0


def test_the_manifest_tells_where_the_model_comes_from(
    shipped: ModelFile, finished_run: Path
) -> None:
    config = json.loads((finished_run / "config.json").read_text())
    assert shipped.manifest["training"] == config | UNSTATED.training()
    assert shipped.manifest["quantization"]["calibration"]["images"] == 10
    assert shipped.manifest["quantization"]["calibration"]["split"] == "train"
    assert "tensorflow" in shipped.manifest["quantization"]["packages"]


def test_a_map_that_is_pooled_by_log_sum_exp_is_pooled_by_the_device(
    finished_run: Path, small_nih: Path, tmp_path: Path
) -> None:
    """The same weights, whose map is pooled otherwise."""
    before = open_run(finished_run)
    recipe = replace(before.recipe, pooling="lse", pooling_r=2.0)
    network = build(recipe)
    network.set_weights(before.model.get_weights())
    network.save(tmp_path / "model.keras")
    config = replace(before.config, recipe=recipe)
    run = replace(before, folder=tmp_path, config=config, model=network)
    cached = read_data(small_nih, 28, finished_run.parent / "cache")
    quantize_run(run, cached, "pooled", tmp_path / "pooled.tflite", 10, 0, QUIET)
    model = read(tmp_path / "pooled.tflite")
    assert model.manifest["pooling"] == {"kind": "log-sum-exp", "r": 2.0}
    assert model.manifest["quantization"]["gates"]["gates"]["agreement"]["passed"]
    test = cached.split("test")
    classifier = Classifier(model)
    found = np.stack([classifier.logits(test.images[row])[0] for row in test.rows])
    exact, means = (predict(logits_only(each), test) for each in (network, before.model))
    # What is left is int8's rounding, far less than what the pooling itself does.
    rounding, pooling = (np.sqrt(np.square(exact - each).mean()) for each in (found, means))
    assert rounding < pooling / 5
    with pytest.raises(ConversionError, match="log-sum-exp"):
        fold(network)


def test_a_network_that_proves_nothing_is_not_to_be_shipped(
    shipped: ModelFile, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two epochs on pictures of nothing: int8 equals it, and that is worth nothing."""
    with pytest.raises(typer.Exit) as exit_:
        _require_gates(shipped)
    assert exit_.value.exit_code == 5
    said = capsys.readouterr().err
    assert "not to be shipped: " in said
    assert "reference_auroc not proven" in said


def test_both_reports_are_of_the_same_images_and_thresholds(
    shipped: ModelFile, finished_run: Path
) -> None:
    real, integer = (
        report.read(finished_run / "reports" / f"{stem}.json") for stem in ("float", "int8")
    )
    assert real.content["model"]["format"] == "float32"
    assert integer.content["model"]["format"] == "int8"
    assert integer.content["model"]["sha256"] == shipped.sha256
    for key in ("dataset", "calibration", "operating_point"):
        assert real.content[key] == integer.content[key]
    np.testing.assert_array_equal(real.evaluated.images, integer.evaluated.images)
    rms = np.sqrt(np.mean((real.evaluated.logits - integer.evaluated.logits) ** 2))
    assert 0 < rms < 0.2 * real.evaluated.logits.std() + 0.1
    macro = integer.content["macro"]["auroc"]["value"]
    assert shipped.manifest["metrics"]["macro_auroc"]["value"] == macro
    for name in ("int8.txt", "int8-roc.png", "int8-confusion.png", "float-roc.png"):
        assert (finished_run / "reports" / name).stat().st_size > 1000


def test_the_device_gives_each_file_the_logits_of_the_report(
    shipped: ModelFile, finished_run: Path, small_nih: Path
) -> None:
    """The whole way of `classify`, from the file, against the workstation's evaluation."""
    evaluated = report.read(finished_run / "reports" / "int8.json").evaluated
    classifier = Classifier(read(shipped.path))
    for image, expected in zip(evaluated.images, evaluated.logits, strict=True):
        findings = classifier.classify(read_image(small_nih / "images" / image))
        np.testing.assert_array_equal([f.logit for f in findings.findings], expected)


def test_no_golden_vector_is_an_image_of_the_data_set(shipped: ModelFile, small_nih: Path) -> None:
    golden = {tensor.tobytes() for tensor in shipped.golden.inputs}
    for path in (small_nih / "images").iterdir():
        assert (np.asarray(Image.open(path)) ^ 0x80).tobytes() not in golden


def test_a_float_report_of_an_older_run_is_not_compared_with(
    shipped: ModelFile, finished_run: Path, small_nih: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    place = run / "reports" / "float.json"
    stale = report.read(place)
    stale.content["macro"]["auroc"]["value"] = 0.999
    report.write(stale, place)
    cached = read_data(small_nih, 28, finished_run.parent / "cache")
    model = quantize_run(open_run(run), cached, "cxr-tiny", tmp_path / "m.tflite", 10, 0, QUIET)
    assert (
        model.manifest["metrics"]["float_macro_auroc"]
        == (shipped.manifest["metrics"]["float_macro_auroc"])
    )
