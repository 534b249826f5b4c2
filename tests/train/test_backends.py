"""The same training under JAX, where there is no TensorFlow, and one run under both."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from train.backend import computing_in, precision
from train.cli import main
from train.criterion import measured
from train.finished_run import open_run
from train.fit import build
from train.networks.parts import with_auxiliary
from train.options import read_data
from train.predict import logits_only, predict
from train.recipes import Recipe
from train.resume import Backup
from train.run_config import RunConfig
from train.start import load_backend, load_tensorflow

EPOCHS = 4

# What is drawn for each pixel and each channel is each backend's own; all else is the same.
SETTINGS = (
    "epochs=4", "batch=16", "dropout=0", "ema=0.9", "auxiliary=0", "augmentation.noise=0",
    "augmentation.jpeg=0.5", "augmentation.resample=0.5",
)  # fmt: skip

UNDER_JAX = """
import sys

sys.modules["tensorflow"] = None  # as where it is not installed
from train.start import load_backend

load_backend()
import keras

from train import fit
from train.cli import main

assert keras.backend.backend() == "jax"
last, backup = int(sys.argv.pop(1)), fit.Backup.on_epoch_end


def on_epoch_end(self, epoch, logs=None):
    backup(self, epoch, logs)
    if epoch + 1 == last:
        raise SystemExit(9)


fit.Backup.on_epoch_end = on_epoch_end
main()
"""


def options(data: Path, run: Path) -> list[str]:
    settings = [part for each in SETTINGS[1:] for part in ("--set", each)]
    return [
        "fit", str(data), "--run", str(run), "--recipe", "cnn28", "--epochs", str(EPOCHS),
        *settings, "--cache", str(run.parent / "cache"),
    ]  # fmt: skip


def under_jax(repository: Path, until: int, arguments: list[str]) -> subprocess.CompletedProcess:
    """Run `python -m train` so that it dies when so many epochs are backed up; 0 for never."""
    environment = os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": str(repository)}
    return subprocess.run(
        [sys.executable, "-c", UNDER_JAX, str(until), *arguments],
        cwd=repository,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


with_jax = pytest.mark.skipif(
    find_spec("jax") is None, reason="JAX is not installed: pip install -e '.[jax]'"
)


def under_tensorflow(monkeypatch: pytest.MonkeyPatch, arguments: list[str], until: int = 0) -> None:
    """The same in this process."""
    original = Backup.on_epoch_end

    def on_epoch_end(self: Backup, epoch: int, logs: dict[str, float] | None = None) -> None:
        original(self, epoch, logs)
        if epoch + 1 == until:
            raise SystemExit(9)

    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", ["train", *arguments])
        patch.setattr(Backup, "on_epoch_end", on_epoch_end)
        with pytest.raises(SystemExit) as exit_:
            main()
    assert exit_.value.code == (9 if until else 0)


@pytest.mark.process
@with_jax
def test_a_run_that_goes_from_one_backend_to_the_other_and_back_ends_as_if_it_had_stayed(
    repository: Path, small_nih: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights, their average, both moments of the optimizer, its schedule, order, augmentation."""
    travelled, stayed = tmp_path / "travelled", tmp_path / "stayed"
    under_tensorflow(monkeypatch, options(small_nih, travelled), until=1)
    done = under_jax(repository, 3, options(small_nih, travelled))
    assert done.returncode == 9, done.stderr
    assert f"Going on after epoch 1 of {EPOCHS}" in done.stderr
    under_tensorflow(monkeypatch, options(small_nih, travelled))
    under_tensorflow(monkeypatch, options(small_nih, stayed))
    both, whole = (pd.read_csv(run / "history.csv") for run in (travelled, stayed))
    assert both["epoch"].tolist() == list(range(EPOCHS))
    np.testing.assert_allclose(both["loss"], whole["loss"], rtol=2e-3)
    np.testing.assert_allclose(both["val_auroc"], whole["val_auroc"], atol=0.05)
    cached = read_data(small_nih, 28, tmp_path / "cache")
    one, other = (predict(logits_only(open_run(run).model), cached) for run in (travelled, stayed))
    assert np.abs(one - other).mean() < 0.05 * other.std()


@pytest.mark.process
@with_jax
def test_a_run_finished_under_jax_is_opened_and_evaluated_under_tensorflow(
    repository: Path, small_nih: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    done = under_jax(repository, 0, [*options(small_nih, run), "--precision", "mixed_bfloat16"])
    assert done.returncode == 0, done.stderr
    assert "jax" in RunConfig.read(run).content["packages"]
    opened = open_run(run)
    assert {weight.dtype for weight in opened.model.weights} == {"float32"}
    assert {layer.compute_dtype for layer in opened.model.layers} == {"float32"}
    validation = read_data(small_nih, 28, tmp_path / "cache").split("validation")
    best = pd.read_csv(run / "history.csv")["val_auroc"].max()  # of bfloat16's logits
    logits = predict(logits_only(opened.model), validation)
    assert measured(validation.targets, logits)["val_auroc"] == pytest.approx(best, abs=0.03)
    cache = ["--cache", str(tmp_path / "cache")]
    under_tensorflow(monkeypatch, ["evaluate", str(run), str(small_nih), *cache])
    assert (run / "reports" / "float.json").exists()


def test_mixed_precision_leaves_weights_and_answers_in_float32() -> None:
    recipe = Recipe(network="cnn28")
    with computing_in("mixed_bfloat16"):
        model = with_auxiliary(build(recipe), 3)
    assert keras.config.dtype_policy().name == "float32"
    assert model.get_layer("conv1a").compute_dtype == "bfloat16"
    assert {weight.dtype for weight in model.weights} == {"float32"}
    image = np.random.default_rng(0).uniform(-1, 1, (2, 28, 28, 1)).astype(np.float32)
    coarse, exact = model(image), with_auxiliary(build(recipe), 3)(image)
    assert coarse.dtype == exact.dtype == "float32"
    np.testing.assert_allclose(coarse[:, :15], exact[:, :15], atol=0.05)


def test_without_a_gpu_arithmetic_is_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    for devices, chosen in ((["cpu:0"], "float32"), (["gpu:0"], "mixed_bfloat16")):
        monkeypatch.setattr(keras.distribution, "list_devices", lambda devices=devices: devices)
        assert precision("auto") == chosen
        assert precision("float32") == "float32"


def test_other_backends_are_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with pytest.raises(SystemExit, match="there are tensorflow and jax"):
        load_backend()
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(SystemExit, match="needs TensorFlow: unset KERAS_BACKEND"):
        load_tensorflow()
