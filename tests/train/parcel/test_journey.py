"""A parcel's whole way: made at home, trained where there is no TensorFlow, unpacked at home."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from train.criterion import measured
from train.datasets.registry import load
from train.errors import RunError
from train.finished_run import open_run
from train.options import read_data
from train.parcel.make import PICTURES, make
from train.parcel.results import WEIGHTS, packed_result, unpacked_result
from train.parcel.run import Clock, run_parcel
from train.parcel.unpack import unpack
from train.predict import logits_only, predict
from train.resume import finished_epochs
from train.run import train as train_run
from train.volumes import read_volumes

LIST = [
    {"name": "teacher", "recipe": "cnn28", "set": ["epochs=2", "batch=16", "auxiliary=0.1"]},
    {
        "name": "student",
        "recipe": "cxr-cnn28",
        "set": ["epochs=2", "batch=16", "seed=9"],
        "teachers": ["teacher"],
    },
]

WITHOUT_TENSORFLOW = """
import runpy, sys

sys.modules["tensorflow"] = None
runpy.run_module("train", run_name="__main__")
"""


def make_parcel(data: Path, folder: Path, recipes: list[dict[str, object]]) -> Path:
    listed = folder.with_suffix(".json")
    listed.write_text(json.dumps(recipes))
    make(
        data, folder, listed, quality=100, volume=60_000, limit=None, packages=(),
        python="3.12", console=Console(quiet=True),
    )  # fmt: skip
    return folder


def run_here(parcel: Path, folder: Path, seconds: float = 1e6, state: bool = False) -> str:
    """Run a parcel in this process; returns what it printed."""
    printed = io.StringIO()
    run_parcel(
        parcel, folder / "out", folder / "runs", folder / "cache", Console(file=printed, width=200),
        seconds=seconds, precision="float32", half=False, state=state, volume=10**9,
    )  # fmt: skip
    return printed.getvalue()


@pytest.mark.process
@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed: pip install '.[jax]'")
def test_what_is_trained_under_jax_comes_home_as_run_folders(
    repository: Path, small_nih: Path, tmp_path: Path
) -> None:
    parcel = make_parcel(small_nih, tmp_path / "parcel", LIST)
    assert len(list(parcel.glob(f"{PICTURES}.*"))) > 1  # cut into volumes
    assert set(load(parcel / PICTURES).table["split"]) == {"train", "validation"}
    environment = os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": str(repository)}
    command = [
        sys.executable, "-c", WITHOUT_TENSORFLOW, "parcel", "run", str(parcel),
        "--out", str(tmp_path / "out"), "--runs", str(tmp_path / "there"),
        "--cache", str(tmp_path / "there"), "--seconds", "100000",
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=repository, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "student.zip",
        "teacher.zip",
    ]

    cache = tmp_path / "cache"
    unpack(tmp_path / "out", small_nih, tmp_path / "runs", cache, None, Console(quiet=True))
    validation = read_data(small_nih, 28, cache).split("validation")
    for name in ("teacher", "student"):
        run = open_run(tmp_path / "runs" / name)
        assert "jax" in run.config.content["packages"]
        logits = predict(logits_only(run.model), validation)
        best = pd.read_csv(run.folder / "history.csv")["val_auroc"].max()
        assert measured(validation.targets, logits)["val_auroc"] == pytest.approx(best, abs=0.01)
        # It counts as finished here too, and is not begun anew over its results.
        assert finished_epochs(run.folder / "backup") == 2
    assert run.config.dataset["teachers"]


def test_a_run_that_was_cut_off_goes_on_there_and_at_home(small_nih: Path, tmp_path: Path) -> None:
    long = {"name": "long", "recipe": "cnn28", "set": ["epochs=3", "batch=16", "ema=0.9"]}
    never = {"name": "never", "recipe": "cnn28"}
    parcel = make_parcel(small_nih, tmp_path / "parcel", [long, never])
    printed = run_here(parcel, tmp_path, seconds=1e-3, state=True)
    assert "epoch 1/3" in printed
    assert "epoch 2/3" not in printed
    assert "never" not in printed
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["long.unfinished.zip"]

    home = tmp_path / "home"
    cache = tmp_path / "cache"
    unpack(tmp_path / "out", small_nih, home, cache, None, Console(quiet=True))
    before = open_run(home / "long")  # can be judged as it is
    assert finished_epochs(home / "long" / "backup") == 1
    cached = read_data(small_nih, 28, cache)
    assert train_run(before.recipe, cached, home / "long", Console(quiet=True))
    assert train_run(before.recipe, cached, tmp_path / "runs" / "long", Console(quiet=True))
    one, other = (pd.read_csv(run / "long" / "history.csv") for run in (home, tmp_path / "runs"))
    assert one["epoch"].tolist() == [0, 1, 2]
    assert np.array_equal(one["loss"], other["loss"])  # with its state: as if it had stayed

    assert "finished before" in run_here(parcel, tmp_path, seconds=0)


def test_without_its_state_a_run_goes_on_from_its_best_weights(
    small_nih: Path, tmp_path: Path
) -> None:
    entry = {"name": "a", "recipe": "cnn28", "set": ["epochs=2", "batch=16", "learning_rate=0"]}
    parcel = make_parcel(small_nih, tmp_path / "parcel", [entry])
    run_here(parcel, tmp_path, seconds=1e-3)
    cache = tmp_path / "cache"
    unpack(tmp_path / "out", small_nih, tmp_path / "home", cache, None, Console(quiet=True))
    before = open_run(tmp_path / "home" / "a")
    kernel = before.model.get_layer("conv1a").get_weights()[0]
    train_run(before.recipe, read_data(small_nih, 28, cache), before.folder, Console(quiet=True))
    assert pd.read_csv(before.folder / "history.csv")["epoch"].tolist() == [0, 1]
    after = open_run(before.folder).model.get_layer("conv1a").get_weights()[0]
    np.testing.assert_allclose(after, kernel, rtol=1e-5)


def test_results_of_other_pictures_are_refused(
    finished_run: Path, tiny_nih: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.zip").write_bytes(packed_result(finished_run, half=False, state=False))
    with pytest.raises(RunError, match="not those of this data set"):
        unpack(out, tiny_nih, tmp_path / "runs", tmp_path / "cache", None, Console(quiet=True))
    assert not (tmp_path / "runs" / "a").exists()
    (out / "a.zip").write_bytes(b"nothing")
    with pytest.raises(RunError, match="no result of a parcel"):
        unpack(out, tiny_nih, tmp_path / "runs", tmp_path / "cache", None, Console(quiet=True))
    with pytest.raises(RunError, match="no results of a parcel in it"):
        unpack(tmp_path, tiny_nih, tmp_path / "runs", tmp_path / "cache", None, Console(quiet=True))


def test_a_result_holds_the_weights_and_half_of_it_nearly(
    finished_run: Path, tmp_path: Path
) -> None:
    run = open_run(finished_run)
    for half, tolerance in ((False, 0.0), (True, 1e-3)):
        content = packed_result(finished_run, half=half, state=False)
        members = zipfile.ZipFile(io.BytesIO(content)).namelist()
        assert not any("backup" in name for name in members)
        unpacked_result(content, tmp_path / str(half))
        model = logits_only(run.model)
        expected = [weight.copy() for weight in model.get_weights()]
        model.load_weights(tmp_path / str(half) / WEIGHTS)
        for weight, kept in zip(model.get_weights(), expected, strict=True):
            np.testing.assert_allclose(weight, kept, rtol=tolerance, atol=tolerance * 1e-2)
        assert len(content) < (1.3e6, 0.7e6)[half]


def test_the_clock_lets_no_epoch_begin_that_would_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    # A run begins at 0 of 100 seconds; its first epoch compiles; later ones take 15, 10, 7, 5.
    times = iter([0, 60, 75, 85, 92, 97])
    clock = Clock(0)
    clock.end = 100
    answers = []
    for now in times:
        monkeypatch.setattr("train.parcel.run.time.monotonic", lambda now=now: now)
        if now == 0:
            clock.start()
        else:
            answers.append(clock.has_time_for_another())
    assert answers == [True, True, True, True, False]


def test_pieces_of_a_parcel_are_one_data_set(small_nih: Path, tmp_path: Path) -> None:
    parcel = make_parcel(small_nih, tmp_path / "parcel", LIST)
    whole = read_volumes(parcel / PICTURES)
    assert load(parcel / f"{PICTURES}.001").identity == load(parcel / PICTURES).identity
    assert len(whole) > 60_000


def test_a_parcel_takes_no_other_folders_place(small_nih: Path, tmp_path: Path) -> None:
    folder = make_parcel(small_nih, tmp_path / "parcel", LIST)
    make_parcel(small_nih, folder, LIST)  # but an older parcel's
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work")
    with pytest.raises(RunError, match="something else than a parcel"):
        make_parcel(small_nih, other, LIST)
    assert (other / "thesis.txt").exists()
