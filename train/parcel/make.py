"""A folder with all that training needs on a machine without network: pictures, weights, wheels."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console

from train.console import say
from train.datasets.dataset import UNLABELLED, Dataset, Pixels
from train.datasets.packed import pack
from train.datasets.registry import load
from train.errors import RunError
from train.networks import imagenet
from train.networks.registry import pretrained
from train.parcel.recipes import Entry, read_list
from train.volumes import write_volumes

PICTURES: Final = "pictures.zip"
RECIPES: Final = "recipes.json"
IMAGENET: Final = "imagenet"
WHEELS: Final = "wheels"

PACKAGES: Final = ("keras", "namex", "optree")
"""Keras and what it needs in addition to JAX, h5py, rich and absl-py, which the machine has."""

PLATFORMS: Final = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")

SCRIPT: Final = """#!/bin/sh
# Trains what this parcel lists. From a checkout of edge-cxr, with a Python that has JAX:
#   sh PARCEL/run.sh --out RESULTS --seconds 500
set -e
here=$(cd "$(dirname "$0")" && pwd)
site=$(mktemp -d)
${PYTHON:-python3} -m pip install --quiet --no-index --no-deps --target "$site" "$here"/wheels/*.whl
export PYTHONPATH="$PWD:$site:$PYTHONPATH" PYTHONUNBUFFERED=1
export KERAS_BACKEND=jax EDGE_CXR_IMAGENET="$here/imagenet"
export JAX_COMPILATION_CACHE_DIR="${TMPDIR:-/tmp}/edge-cxr-compiled"
exec ${PYTHON:-python3} -m train parcel run "$here" "$@"
"""


def make(
    data: Path,
    folder: Path,
    recipes: Path,
    *,
    quality: int,
    volume: int,
    limit: int | None,
    packages: Sequence[str],
    python: str,
    console: Console,
) -> dict[str, Any]:
    """Write the parcel.

    Args:
        data: a data set; its test images stay at home.
        folder: of the parcel; replaced if it exists.
        recipes: the list of runs, see `parcel.recipes`.
        quality: of the pictures, see `packed.pack`.
        volume: the largest file, in bytes; larger ones are cut into pieces.
        limit: images of each split, for a trial.
        packages: whose wheels go along.
        python: version of the machine's Python, as in 3.12.
        console: for remarks.

    Returns:
        The `about.json` of `packed.pack`.

    Raises:
        DatasetError: nothing usable is at `data`.
        RunError: the list cannot be read, ImageNet weights or wheels are not available, or the
            folder holds something else.
    """
    entries, dataset = read_list(recipes), _without_test(load(data, limit=limit))
    _require_unlabelled(entries, dataset)
    _clear(folder)
    shutil.copyfile(recipes, folder / RECIPES)
    (folder / "run.sh").write_text(SCRIPT)
    _imagenet(entries, folder / IMAGENET)
    if packages:
        _download(packages, python, folder / WHEELS)
    side = max(entry.recipe.side for entry in entries)
    pictures, about = pack(dataset, side, quality)
    write_volumes(folder / PICTURES, pictures, volume)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            size = path.stat().st_size / 2**20
            say(console, f"{size:8.2f} MiB  {path.relative_to(folder)}")
    return about


def _require_unlabelled(entries: Sequence[Entry], dataset: Dataset) -> None:
    """Refuse a run that would fail on the other machine for lack of unlabelled images."""
    asking = [entry.name for entry in entries if entry.recipe.unlabelled]
    if asking and not (dataset.table["split"] == UNLABELLED).any():
        raise RunError(
            f"{asking[0]} asks for unlabelled images, and {dataset.name} has none: name some in a "
            "list of data sets, or give --recipes without unlabelled"
        )


def _clear(folder: Path) -> None:
    """Empty an old parcel's folder, or make a new folder."""
    if folder.exists() and any(folder.iterdir()) and not (folder / RECIPES).exists():
        raise RunError(f"{folder}: holds something else than a parcel: name another folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _imagenet(entries: Sequence[Entry], folder: Path) -> None:
    folder.mkdir()
    for network in sorted({e.recipe.network for e in entries if e.recipe.needs_imagenet}):
        imagenet.save(network, pretrained(network).state(), folder)


def _download(packages: Sequence[str], python: str, folder: Path) -> None:
    """Download wheels for 64-bit x86 Linux, in the versions that are installed here."""
    pinned = [name if "=" in name else f"{name}=={version(name)}" for name in packages]
    command = [
        sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet",
        "--no-deps", "--only-binary", ":all:", "--implementation", "cp",
        "--python-version", python, "--dest", str(folder),
    ]  # fmt: skip
    for platform in PLATFORMS:
        command += ["--platform", platform]
    done = subprocess.run([*command, *pinned], capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        raise RunError(f"no wheels of {', '.join(pinned)} for Python {python}: {reason}")


def _without_test(dataset: Dataset) -> Dataset:
    keep = (dataset.table["split"] != "test").to_numpy()
    places = np.cumsum(keep) - 1

    def pixels(min_side: int | None = None) -> Iterator[Pixels]:
        for index, picture, digest in dataset.pixels(min_side):
            if keep[index]:
                yield int(places[index]), picture, digest

    table = dataset.table[keep].reset_index(drop=True)
    return replace(dataset, table=table, targets=dataset.targets[keep], pixels=pixels)
