"""The input check: how it is taught, where its limits lie, and what it refuses."""

from __future__ import annotations

import io
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from edge_app.images.phantom import synthetic_radiograph
from edge_app.images.read import read_image
from edge_app.model.input_check import KINDS, Weights, feature_count
from edge_app.model.model_file import SHIPPED, ModelFile, read, shipped_models
from edge_app.model.preprocess import resize
from train import chosen_check, input_check
from train.cache import Cached
from train.cli import app
from train.errors import RunError
from train.input_check import (
    CHANGED,
    FLAGGED,
    askew,
    attach,
    clutter,
    fit,
    lessons,
    limits_of,
    soft,
    varied,
)
from train.non_radiographs import (
    DRAWERS,
    NEAR_MISSES,
    crops,
    is_photograph,
    package_pictures,
    tilted,
)

QUIET = Console(file=io.StringIO())
SIDE = 28


def radiographs(first: int, count: int) -> Cached:
    """Synthetic radiographs of as many patients."""
    seeds = range(first, first + count)
    images = np.stack([synthetic_radiograph(SIDE, seed) for seed in seeds])
    names = [f"{seed}.png" for seed in seeds]
    table = pd.DataFrame({"image": names, "patient": names, "split": "test", "sha256": "0" * 64})
    return Cached(images, np.zeros((count, 15), np.uint8), table, np.arange(count), "synthetic")


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> ModelFile:
    """The small shipped model with a check that knows synthetic radiographs alone."""
    facts, weights = fit(radiographs(0, 150), radiographs(150, 60), 0, QUIET)
    path = tmp_path_factory.mktemp("taught") / "taught.tflite"
    return attach(read(SHIPPED / "cxr-cnn28.tflite"), facts, weights, path)


def test_the_network_stays_as_it_is(taught: ModelFile) -> None:
    before, after = read(SHIPPED / "cxr-cnn28.tflite"), read(taught.path)
    assert after.flatbuffer == before.flatbuffer
    for name in ("inputs", "logits", "maps"):
        np.testing.assert_array_equal(getattr(after.golden, name), getattr(before.golden, name))
    for manifest in (before.manifest, after.manifest):
        manifest.pop("input_check", None)
    assert after.manifest == before.manifest


def test_a_check_taught_with_few_pictures_tells_them_from_others(taught: ModelFile) -> None:
    check = read(taught.path).input_check
    assert check is not None
    proper = radiographs(300, 40).images
    assert np.mean([check.judge(picture).flagged for picture in proper]) <= 0.1
    tilts = [check.judge(tilted(picture, 30, black=True)) for picture in proper]
    assert np.mean([verdict.kind == "askew" for verdict in tilts]) >= 0.9
    for near_miss in ("inverted", "turned by 180°", "in a black frame", "its left half"):
        spoilt = [check.judge(NEAR_MISSES[near_miss](picture)) for picture in proper]
        assert np.mean([verdict.flagged for verdict in spoilt]) >= 0.9
        kinds = [verdict.kind for verdict in spoilt]
        assert max(set(kinds), key=kinds.count) == NEAR_MISSES[near_miss].kind


def test_the_command_writes_a_check_of_this_data_set(
    small_nih: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chosen_check, "MIN_PATIENTS", 10)
    monkeypatch.setattr(chosen_check, "MIN_FLAGGED", 0.0)  # noise makes no good teacher
    out = tmp_path / "taught.tflite"
    cache = str(tmp_path / "cache")
    arguments = ["input-check", "cxr-cnn28", str(small_nih), "--out", str(out), "--cache", cache]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert f"written: {out}; flags" in done.output.replace("\n", "")
    stated = read(out).manifest["input_check"]
    assert stated["limits_from"].startswith("validation, ")
    assert stated != read(SHIPPED / "cxr-cnn28.tflite").manifest["input_check"]


def test_the_same_seed_teaches_the_same(taught: ModelFile) -> None:
    _, again = fit(radiographs(0, 150), radiographs(150, 60), 0, QUIET)
    assert again.to_bytes() == taught.check_weights


def test_too_few_or_odd_pictures_teach_nothing() -> None:
    with pytest.raises(RunError, match="too few"):
        fit(radiographs(0, 1), radiographs(1, 5), 0, QUIET)
    odd = radiographs(0, 5)
    odd = Cached(odd.images[:, :27, :27], odd.targets, odd.table, odd.rows, odd.name)
    with pytest.raises(RunError, match="27 pixels a side"):
        fit(odd, odd, 0, QUIET)


@given(st.integers(0, 2**32 - 1), st.integers(300, 2000))
@settings(max_examples=25)
def test_limits_flag_no_more_than_promised(seed: int, count: int) -> None:
    generator = np.random.default_rng(seed)
    scales = generator.uniform(0.1, 30, len(KINDS))
    margins, changed = (
        (generator.standard_t(3, (count, len(KINDS))) * scales * spread).astype(np.float32)
        for spread in (1, generator.uniform(0.5, 2))
    )
    limits = limits_of(margins, changed)
    assert (margins > limits).any(axis=1).mean() <= FLAGGED + 1 / count
    assert (changed > limits).any(axis=1).mean() <= CHANGED + 1 / count


def test_the_changed_copies_are_not_all_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a hundred thousand radiographs they would take gigabytes."""
    count, side = 200, 224
    inputs, outputs = feature_count(16, 3), 1 + len(KINDS)
    shapes = ((inputs, 2), (2,), (2, outputs), (outputs,))
    drawn = Weights(*(np.ones(shape, np.float32) for shape in shapes))
    monkeypatch.setattr(input_check, "_taught", lambda *arguments: drawn)
    one = synthetic_radiograph(side, 0)
    images = np.repeat(one[np.newaxis], count, axis=0)
    held_out = replace(radiographs(0, 1), images=images, rows=np.arange(count))
    tracemalloc.start()
    try:
        fit(held_out, held_out, 0, QUIET)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < images.nbytes


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=50)
def test_every_lesson_is_a_picture_of_the_networks_size(seed: int) -> None:
    picture = synthetic_radiograph(SIDE, 1)
    generator = np.random.default_rng(seed)
    for make in (varied, clutter, soft, askew):
        made = make(picture, generator)
        assert made.shape == picture.shape
        assert made.dtype == np.uint8
    for near_miss in NEAR_MISSES.values():
        assert near_miss(picture).shape == picture.shape
        assert near_miss.kind in KINDS


def test_every_kind_is_taught() -> None:
    codes = {code for _, code in lessons(radiographs(0, 30), 0)}
    assert codes == set(range(1 + len(KINDS)))


# --- what a shipped model's check refuses ---


@pytest.fixture(scope="module", params=[path.stem for path in shipped_models()])
def shipped(request: pytest.FixtureRequest) -> ModelFile:
    model = read(SHIPPED / f"{request.param}.tflite")
    if model.input_check is None:
        pytest.fail(f"no input check in it: python -m train input-check {model.name} DATA")
    return model


def photographs() -> list[Path]:
    found = [path for path in package_pictures() if is_photograph(path)]
    assert {"china.jpg", "flower.jpg", "grace_hopper.jpg"} <= {path.name for path in found}
    return found


@pytest.mark.parametrize("name", ["china.jpg", "flower.jpg", "grace_hopper.jpg"])
def test_photographs_are_refused(shipped: ModelFile, name: str) -> None:
    (path,) = (each for each in photographs() if each.name == name)
    check = shipped.input_check
    assert check is not None
    pictures = list(crops(path, np.random.default_rng(0)))
    verdicts = [check.judge(resize(p.copy(), shipped.input_spec), p.shape) for p in pictures]
    assert verdicts[0].flagged
    assert np.mean([verdict.flagged for verdict in verdicts]) >= 0.7


@pytest.mark.parametrize("kind", DRAWERS)
def test_drawn_kinds_are_refused(shipped: ModelFile, kind: str) -> None:
    generator, check = np.random.default_rng(7), shipped.input_check
    assert check is not None
    pictures = [DRAWERS[kind](generator) for _ in range(20)]
    verdicts = [check.judge(resize(p, shipped.input_spec), p.shape) for p in pictures]
    assert np.mean([verdict.flagged for verdict in verdicts]) >= 0.9


def test_real_radiographs_pass(shipped: ModelFile, nih: Path) -> None:
    check = shipped.input_check
    assert check is not None
    names = (nih / "test_list.txt").read_text().split()[::20]
    pictures = [read_image(nih / "images" / name).pixels for name in names]
    flagged = [check.judge(resize(p, shipped.input_spec)).flagged for p in pictures]
    assert np.mean(flagged) <= 0.04


def test_a_model_without_a_check_has_no_table(taught: ModelFile, tmp_path: Path) -> None:
    stated = {key: value for key, value in taught.manifest.items() if key != "input_check"}
    bare = taught.replace(manifest=stated, check_weights=None)
    with pytest.raises(RunError, match="train input-check"):
        input_check.require_check(bare)
