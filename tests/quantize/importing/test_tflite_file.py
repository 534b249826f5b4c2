"""A `.tflite` of every input type, packaged as it is: the device gives its logits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, logit

from edge_app.backends.interpreters import find_interpreter
from edge_app.backends.self_test import self_test
from edge_app.classifier import Classifier
from edge_app.core.errors import UsageError
from edge_app.model.labels import Label, Labels
from edge_app.model.model_file import ModelFile
from edge_app.model.outputs import undone
from quantize.importing.convert import packaged_as_is
from quantize.importing.decide import undecided
from quantize.importing.network import NetworkOptions
from quantize.importing.pipeline import Request, packaged
from quantize.importing.tflite_file import ImportedTflite, open_tflite

GRAYS = NetworkOptions(mean=(0.0,), std=(1.0,))
KINDS: dict[str, tuple[Any, Any, NetworkOptions]] = {
    "float32": (None, None, GRAYS),
    "int8": (tf.int8, tf.int8, GRAYS),
    "uint8": (tf.uint8, tf.uint8, NetworkOptions()),
    "uint8 to float32": (tf.uint8, tf.float32, NetworkOptions()),
    "float32 to int8": (tf.float32, tf.int8, GRAYS),
    "int16": (tf.int16, tf.int16, GRAYS),
    "uint8 without a scale": ("raw", None, NetworkOptions()),
}


def converted(model: keras.Model, pictures: np.ndarray, takes: Any, gives: Any) -> bytes:
    if takes == "raw":
        image = keras.Input(model.input_shape[1:], 1, dtype="uint8")
        model = keras.Model(image, model(keras.ops.cast(image, "float32")))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if gives is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [p[np.newaxis, ..., np.newaxis].astype(np.float32)] for p in pictures
        )
        sets, wide = tf.lite.OpsSet, "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"
        converter.target_spec.supported_ops = [
            getattr(sets, wide) if takes == tf.int16 else sets.TFLITE_BUILTINS_INT8
        ]
        converter.inference_input_type, converter.inference_output_type = takes, gives
    return converter.convert()


@pytest.fixture(scope="module")
def files(own: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tflite")
    model = keras.models.load_model(own / "own.keras")
    found = {}
    for name, (takes, gives, _) in KINDS.items():
        found[name] = folder / f"{name.replace(' ', '-')}.tflite"
        found[name].write_bytes(converted(model, pictures_of(own), takes, gives))
    return found


def pictures_of(own: Path, count: int = 24) -> np.ndarray:
    from PIL import Image

    paths = sorted((own / "data" / "images").iterdir())[:count]
    return np.stack([np.asarray(Image.open(path)) for path in paths])


def packed(opened: ImportedTflite, place: Path) -> ModelFile:
    request = Request(opened.path, None, place, place, "as-it-came", GRAYS, {}, place)
    labels = Labels([Label("Tuberculosis"), Label("Effusion")])
    return packaged(request, opened, labels, packaged_as_is(opened), undecided(2), place)


@pytest.mark.parametrize("kind", KINDS)
def test_the_device_answers_what_the_network_does(
    kind: str, files: dict[str, Path], own: Path, tmp_path: Path
) -> None:
    opened = open_tflite(files[kind], KINDS[kind][2])
    assert (opened.activation, opened.head, opened.outputs) == ("sigmoid", "independent", 2)
    model = packed(opened, tmp_path / "model.tflite")
    self_test(find_interpreter().open(model))
    classifier, pictures = Classifier(model), pictures_of(own)
    device = np.stack([classifier.logits(picture)[0] for picture in pictures])
    np.testing.assert_allclose(device, opened.logits(pictures), atol=2e-3)
    original = keras.models.load_model(own / "own.keras")
    expected = np.asarray(original(pictures[..., np.newaxis].astype(np.float32)))
    exact = kind in ("float32", "uint8 without a scale")
    np.testing.assert_allclose(expit(device), expected, atol=1e-5 if exact else 0.06)


def test_what_it_computes_in_is_read_from_it_whatever_it_takes_and_gives(
    files: dict[str, Path], tmp_path: Path
) -> None:
    expected = {
        "float32": "float32",
        "int8": "int8",
        "uint8": "uint8",
        "float32 to int8": "int8",
        "uint8 without a scale": "float32",
    }
    for name, precision in expected.items():
        options = KINDS[name][2]
        assert (
            packed(open_tflite(files[name], options), tmp_path / "a.tflite").precision == precision
        )


def test_what_its_input_means_is_asked_for(files: dict[str, Path]) -> None:
    for kind in ("float32", "int8", "int16"):
        with pytest.raises(UsageError, match=r"--mean 127\.5 --std 127\.5 for -1 to 1"):
            open_tflite(files[kind], NetworkOptions())


@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_a_scale_that_its_input_cannot_hold_is_refused(kind: str, files: dict[str, Path]) -> None:
    """Its numbers would be cut off: on every picture alike, and on both sides of a comparison."""
    of_another = NetworkOptions(mean=(127.5,), std=(0.5,))
    with pytest.raises(UsageError, match=r"input holds 0 to 253, and .* -255 to 255 .* 50%"):
        open_tflite(files[kind], of_another)


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "uint8 without a scale"])
def test_a_scale_that_its_input_hardly_notices_is_refused(
    kind: str, files: dict[str, Path]
) -> None:
    """All pictures would be black to it, and each score the same."""
    with pytest.raises(UsageError, match=r"make 0 to 1 of gray levels, 0\.\d% of that: say what"):
        open_tflite(files[kind], NetworkOptions(mean=(0.0,), std=(255.0,)))


def test_probabilities_become_logits_that_are_finite_and_in_their_order() -> None:
    stored = np.arange(-128, 128, dtype=np.int8)
    logits = undone(stored, {"scale": 1 / 256, "zero_point": -128}, "sigmoid")
    assert np.isfinite(logits).all()
    assert (np.diff(logits) > 0).all()
    np.testing.assert_allclose(logits[1:], logit(np.arange(1, 256) / 256), rtol=1e-5)
    real = np.array([0.0, 1e-12, 0.25, 1.0], np.float32)
    np.testing.assert_allclose(undone(real, None, "sigmoid")[1:3], logit(real[1:3]), rtol=1e-5)
    assert np.isfinite(undone(real, None, "sigmoid")).all()
    assert np.isnan(undone(np.array([1.5, -0.5], np.float32), None, "sigmoid")).all()


def test_the_logarithm_undoes_a_softmax() -> None:
    shares = np.array([0.7, 0.2, 0.1], np.float32)
    logits = undone(shares, None, "softmax")
    np.testing.assert_allclose(np.exp(logits) / np.exp(logits).sum(), shares, rtol=1e-6)
