"""Packed pictures are the data set that they were made from."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from edge_app.model.preprocess import InputSpec
from train.cache import Cached, open_cache
from train.datasets.dataset import Dataset
from train.datasets.packed import pack
from train.datasets.registry import load
from train.errors import DatasetError

QUIET = Console(quiet=True)


def packed(dataset: Dataset, path: Path, side: int = 64, quality: int = 100) -> Dataset:
    path.write_bytes(pack(dataset, side, quality)[0])
    return load(path)


def cached(dataset: Dataset, side: int, folder: Path) -> Cached:
    return open_cache(dataset, InputSpec.square(side), folder, QUIET)[0]


def test_training_on_packed_pictures_is_training_on_the_data_set(
    small_nih: Path, tmp_path: Path
) -> None:
    original = load(small_nih)
    again = packed(original, tmp_path / "pictures.zip")
    for side in (28, 64):
        one = cached(original, side, tmp_path / "one")
        other = cached(again, side, tmp_path / "other")
        assert np.array_equal(one.images, other.images)
        assert np.array_equal(one.targets, other.targets)
        assert (one.name, one.digest) == (other.name, other.digest)
        assert one.table.drop(columns="sha256").to_dict("list") == other.table.drop(
            columns="sha256"
        ).to_dict("list")
        assert one.split("validation").digest == other.split("validation").digest


def test_large_pictures_are_reduced_as_the_network_would_have_them(
    make_nih: Callable[..., Path], tmp_path: Path
) -> None:
    rows = [(f"{i}.png", "Mass", i) for i in range(12)]
    original = load(make_nih(tmp_path / "nih", rows, size=(90, 150)))
    again = packed(original, tmp_path / "pictures.zip", side=48)
    assert all(pixels.shape == (48, 48) for _, pixels, _ in again.pixels(None))
    one, other = (cached(each, 48, tmp_path / "cache") for each in (original, again))
    assert np.array_equal(one.images, other.images)


def test_the_loss_by_a_lower_quality_is_reported(
    make_nih: Callable[..., Path], tmp_path: Path
) -> None:
    root = make_nih(tmp_path / "nih", [(f"{i}.png", "Mass", i) for i in range(8)])
    smooth = np.add.outer(np.arange(60), np.arange(60)).astype(np.uint8)
    rng = np.random.default_rng(0)
    for path in (root / "images").iterdir():
        Image.fromarray(smooth + rng.integers(0, 20, (60, 60), np.uint8)).save(path)
    original = load(root)
    exact, about = pack(original, 64, 100)
    assert about["error"] == {"mean": 0.0, "rms": 0.0}
    coarse, about = pack(original, 64, 80)
    assert len(coarse) < len(exact)
    path = tmp_path / "pictures.zip"
    path.write_bytes(coarse)
    pairs = zip(original.pixels(None), load(path).pixels(None), strict=True)
    errors = [np.abs(a[1].astype(float) - b[1]).mean() for a, b in pairs]
    assert np.mean(errors) == pytest.approx(about["error"]["mean"], abs=1e-3)
    assert 0.2 < np.mean(errors) < 6


def test_a_limit_keeps_the_first_of_each_split(small_nih: Path, tmp_path: Path) -> None:
    path = tmp_path / "pictures.zip"
    path.write_bytes(pack(load(small_nih), 64, 100)[0])
    few, same = load(path, limit=5), load(small_nih, limit=5)
    assert few.table["image"].tolist() == same.table["image"].tolist()
    assert np.array_equal(few.targets, same.targets)
    pairs = zip(few.pixels(None), same.pixels(None), strict=True)
    assert all(np.array_equal(a[1], b[1]) and a[2] == b[2] for a, b in pairs)


def test_other_files_are_refused_in_a_line(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("holiday.txt", "sun")
    for content in (b"no ZIP", file.getvalue()):
        path = tmp_path / "a.zip"
        path.write_bytes(content)
        with pytest.raises(DatasetError, match="holds no packed pictures"):
            load(path)
