"""Training on several machines: the weights of one, and no more than an epoch lost with one.

Five trainings in a minute and a half, so it is no part of `make test`:
`python -m pytest tests/train/two_machines.py`.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
import pytest

from train import machines
from train.errors import RunError

MEAN, LARGEST = 1e-3, 1e-2
"""How far weights may be off: sums are added in another order, and Adam divides by small ones. A
run with another `mixup` is off by twice as much on average, and by more than 0.01 at most."""

PROGRAM = """
import os, signal, sys

sys.modules["tensorflow"] = None  # it takes seconds to load
from train.start import load_backend

load_backend()
from train import fit
from train.cli import main

die_after, backup = int(sys.argv.pop(1)), fit.Backup.on_epoch_end


def on_epoch_end(self, epoch, logs=None):
    backup(self, epoch, logs)
    if epoch + 1 == die_after:
        os.kill(os.getpid(), signal.SIGKILL)


fit.Backup.on_epoch_end = on_epoch_end
main()
"""

SETTINGS = (
    "batch=16",
    "auxiliary=0",
    "augmentation.jpeg=0",
    "augmentation.resample=0",
    "mixup=0.2",
)


def started(repository: Path, die_after: int, arguments: list[str]) -> subprocess.Popen[str]:
    environment = os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": str(repository)}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(die_after), *arguments],
        cwd=repository,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> str:
    """What a process printed until its end."""
    try:
        return process.communicate(timeout=400)[0]
    finally:
        process.kill()


def options(data: Path, run: Path) -> list[str]:
    settings = [part for each in SETTINGS for part in ("--set", each)]
    return [
        "fit", str(data), "--run", str(run), "--recipe", "cnn28", "--epochs", "2", *settings,
        "--cache", str(run.parent / "cache"),
    ]  # fmt: skip


def weights(run: Path) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}

    def add(name: str, each: object) -> None:
        if isinstance(each, h5py.Dataset):
            found[name] = np.asarray(each, np.float64)

    with h5py.File(run / "backup" / "latest.weights.h5") as file:
        file["layers"].visititems(add)
    return found


def together(number: int) -> list[str]:
    """Options of each of so many machines, all of them this one."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    places = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    return ["--machines", ",".join(places), "--machine"]


@pytest.mark.process
@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed: pip install '.[jax]'")
def test_two_machines_reach_the_weights_of_one_though_one_of_them_is_killed(
    repository: Path, small_nih: Path, tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    alone = started(repository, 0, options(small_nih, one))
    printed = ended(alone)
    assert alone.returncode == 0, printed
    line, several = options(small_nih, two), together(2)
    pair = [started(repository, d, [*line, *several, n]) for n, d in (("1", 0), ("2", 1))]
    output, _ = (ended(each) for each in pair)
    assert [each.returncode for each in pair] == [RunError.exit_code, -signal.SIGKILL], output
    assert f"error: {machines.GONE}" in output
    assert "Traceback" not in output
    several = together(2)
    pair = [started(repository, 0, [*line, *several, n]) for n in ("1", "2")]
    output, other = (ended(each) for each in pair)
    assert [each.returncode for each in pair] == [0, 0], output + other
    assert "Going on after epoch 1 of 2" in output
    expected, found = weights(one), weights(two)
    assert expected.keys() == found.keys()
    for name, each in expected.items():
        if "/seed_generator" not in name and "batch_normalization" not in name:
            off = np.abs(found[name] - each)
            assert off.mean() < MEAN, name
            assert off.max() < LARGEST, name
    assert (two / "calibration.json").exists()
