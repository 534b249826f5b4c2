"""Training: repeatable to the bit, and not to be spoilt by being killed at any moment."""

from __future__ import annotations

import csv
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console
from sklearn.metrics import roc_auc_score

from edge_app.model.preprocess import InputSpec
from train import fit as fitting
from train.augment import NONE, Augmentation
from train.batches import batches
from train.cache import Cached, open_cache
from train.cli import main
from train.criterion import criterion, measured
from train.datasets.registry import load
from train.errors import DatasetError
from train.fit import build, fit
from train.labels import LABELS
from train.networks.parts import BATCH_NORM, activation_head
from train.networks.registry import NETWORKS, Network
from train.predict import logits_only, predict
from train.ranking import macro_auroc
from train.recipes import RECIPES, TEACHERS, Recipe
from train.resume import Backup, ResumedEarlyStopping, finished_epochs
from train.run_config import RunConfig

EPOCHS = 6
TINY = Recipe(
    network="tiny",
    size=28,
    epochs=EPOCHS,
    batch=8,
    ema=0.9,
    patience=EPOCHS,
    seed=5,
    augmentation=Augmentation(jpeg=0.0, resample=0.0),  # quicker to trace
)


class Killed(BaseException):
    """Stands for SIGKILL where a test wants to choose the place."""


def tiny(size: int | None, dropout: float, lowpass: bool = False, labels: int = 15) -> keras.Model:
    """What a network here is made of, but quick: a convolution, a norm, dropout, the head."""
    inputs = keras.Input((size, size, 1), name="image")
    x = keras.layers.Conv2D(4, 3, 2, use_bias=False, name="conv")(inputs)
    x = keras.layers.BatchNormalization(name="bn")(x)
    x = keras.layers.ReLU(6.0)(x)
    return keras.Model(inputs, activation_head(x, dropout, labels), name="tiny")


@pytest.fixture(autouse=True, scope="module")
def with_tiny_network() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(NETWORKS, "tiny", Network(tiny, 28))
        yield


@pytest.fixture(scope="module")
def cached(tmp_path_factory: pytest.TempPathFactory, tiny_nih: Path) -> Cached:
    folder = tmp_path_factory.mktemp("cache")
    return open_cache(load(tiny_nih), InputSpec.square(28), folder, Console(quiet=True))[0]


def goals(cached: Cached) -> NDArray[np.float32]:
    return cached.targets.astype(np.float32)


def train(cached: Cached, run: Path, recipe: Recipe = TINY) -> str:
    """Run `fit` and return what it printed."""
    run.mkdir(exist_ok=True)
    printed = StringIO()
    console = Console(file=printed, width=200)
    fit(recipe, cached.split("train"), cached.split("validation"), run, console)
    return printed.getvalue()


def weights_in(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an HDF5 file; the file itself carries times, so bytes cannot be compared."""
    found: dict[str, NDArray[Any]] = {}
    with h5py.File(path, "r") as file:
        file.visititems(
            lambda name, item: (
                found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
            )
        )
    return found


def rows_of(run: Path) -> list[dict[str, str]]:
    with (run / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def assert_same_run(one: Path, other: Path) -> None:
    assert rows_of(one) == rows_of(other)
    first, second = weights_in(one / "kept.weights.h5"), weights_in(other / "kept.weights.h5")
    assert first.keys() == second.keys()
    assert len(first) > 10
    for name, values in first.items():
        assert values.tobytes() == second[name].tobytes(), name


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, cached: Cached) -> Path:
    run = tmp_path_factory.mktemp("runs") / "uninterrupted"
    train(cached, run)
    return run


# --- repeatable -----------------------------------------------------------------------------


def test_a_seed_repeats_a_run_to_the_bit(
    tmp_path: Path, cached: Cached, uninterrupted: Path
) -> None:
    train(cached, tmp_path / "again")
    assert [int(row["epoch"]) for row in rows_of(uninterrupted)] == list(range(EPOCHS))
    assert_same_run(uninterrupted, tmp_path / "again")


def test_another_seed_makes_other_weights_and_another_order(cached: Cached) -> None:
    part = cached.split("train")
    one, other = TINY, replace(TINY, seed=6)
    kernels = [build(recipe).get_layer("conv").get_weights()[0] for recipe in (one, one, other)]
    assert np.array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[0], kernels[2])
    plain = (replace(recipe, augmentation=NONE) for recipe in (one, other))
    first, second = (
        next(iter(batches(part, goals(part), recipe, range(1))))[0].numpy() for recipe in plain
    )
    assert not np.array_equal(first, second)


def test_each_epoch_shows_every_image_once_in_an_order_of_its_own(cached: Cached) -> None:
    part = cached.split("train")
    name_of = {part.images[row].tobytes(): int(row) for row in part.rows}
    plain = replace(TINY, epochs=3, augmentation=NONE)
    order = [
        name_of[((image + 1) * 128).astype(np.uint8).tobytes()]
        for images, _ in batches(part, goals(part), plain, range(3))
        for image in images.numpy()
    ]
    assert len(order) == 3 * 40
    epochs = [order[start : start + 40] for start in (0, 40, 80)]
    assert all(sorted(epoch) == sorted(part.rows.tolist()) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    # A batch that would not be full is left out: 40 images make 3 batches of 12.
    assert len(list(batches(part, goals(part), replace(plain, batch=12), range(2, 3)))) == 3


def test_each_step_augments_differently(cached: Cached) -> None:
    same = replace(cached, rows=np.zeros(16, np.int64), targets=cached.targets[:16])
    shown = [
        images.numpy() for images, _ in batches(same, goals(same), TINY, range(EPOCHS))
    ]  # one picture all the time
    assert len({step.tobytes() for step in shown}) == len(shown) == 2 * EPOCHS


def test_batches_after_a_resumption_are_those_that_would_have_come(cached: Cached) -> None:
    part = cached.split("train")
    whole = [
        images.numpy() for images, _ in batches(part, goals(part), TINY, range(EPOCHS - 3, EPOCHS))
    ]
    rest = [
        images.numpy() for images, _ in batches(part, goals(part), TINY, range(EPOCHS - 1, EPOCHS))
    ]
    assert len(whole) == 3 * len(rest) == 15
    assert np.array_equal(np.stack(whole[10:]), np.stack(rest))
    assert not np.array_equal(np.stack(whole[5:10]), np.stack(rest))


def test_the_first_epochs_see_small_images_and_a_resumed_run_the_same_ones(
    tmp_path: Path, tiny_nih: Path
) -> None:
    large = open_cache(load(tiny_nih), InputSpec.square(40), tmp_path, Console(quiet=True))[0]
    part = large.split("train")
    recipe = replace(TINY, size=40, early_size=28, early_epochs=2, epochs=4)
    whole = [images.numpy() for images, _ in batches(part, goals(part), recipe, range(4))]
    assert [images.shape[1:3] for images in whole] == [(28, 28)] * 10 + [(40, 40)] * 10
    for start in (1, 3):
        rest = [images.numpy() for images, _ in batches(part, goals(part), recipe, range(start, 4))]
        assert len(rest) == 5 * (4 - start)
        assert all(np.array_equal(a, b) for a, b in zip(whole[5 * start :], rest, strict=True))


def test_a_run_over_two_sizes_leaves_a_network_of_the_recipes_size(
    tmp_path: Path, tiny_nih: Path
) -> None:
    large = open_cache(load(tiny_nih), InputSpec.square(40), tmp_path, Console(quiet=True))[0]
    recipe = replace(TINY, size=40, early_size=28, early_epochs=1, epochs=2)
    train(large, tmp_path / "run", recipe)
    network = logits_only(build(recipe))
    network.load_weights(tmp_path / "run" / "kept.weights.h5")
    best = min(float(row["val_loss"]) for row in rows_of(tmp_path / "run"))
    validation = large.split("validation")
    logits = predict(network, validation)
    assert measured(validation.targets, logits)["val_loss"] == pytest.approx(best)


def test_the_head_starts_at_the_labels_prevalence(cached: Cached) -> None:
    model = logits_only(build(TINY))
    part = cached.split("train")
    fitting.start_at_prevalence(model, goals(part))
    bias = model.get_layer("map").bias.numpy()
    shares = part.targets.mean(axis=0)
    positive = shares > 0
    np.testing.assert_allclose(1 / (1 + np.exp(-bias[positive])), shares[positive], rtol=1e-5)
    assert np.isfinite(bias).all()


def test_without_validation_the_last_epoch_is_kept(tmp_path: Path, cached: Cached) -> None:
    part, console = cached.split("train", "validation"), Console(quiet=True)
    recipe = replace(TINY, epochs=3)
    run = tmp_path / "run"
    run.mkdir()
    fit(recipe, part, None, run, console)
    assert [row["epoch"] for row in rows_of(run)] == ["0", "1", "2"]
    assert "val_auroc" not in rows_of(run)[0]
    again = tmp_path / "again"
    again.mkdir()
    with pytest.MonkeyPatch.context() as patch:  # stopped after the second epoch, then gone on with
        die(patch, Backup, "on_epoch_end", call=2, after=True)
        with pytest.raises(Killed):
            fit(recipe, part, None, again, console)
    fit(recipe, part, None, again, console)
    assert_same_run(run, again)


# --- killed and started again ---------------------------------------------------------------


def die(patch: pytest.MonkeyPatch, owner: Any, name: str, *, call: int, after: bool) -> None:
    """Let the process "die" in the given call (from 1) of `owner.name`, before or after it acts."""
    original, calls = getattr(owner, name), 0

    def deadly(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and not after:
            raise Killed
        result = original(*args, **kwargs)
        if calls == call:
            raise Killed
        return result

    patch.setattr(owner, name, deadly)


# Where each start of the run dies: in the n-th call of what in this start, before or after it has
# acted, and how many epochs are then safe.
DEATHS = (
    (fitting.Validation, "on_epoch_end", 1, False, 0),  # the first epoch, not yet validated
    (keras.callbacks.CSVLogger, "on_epoch_end", 2, True, 1),  # written down, not yet backed up
    (keras.callbacks.ModelCheckpoint, "on_epoch_end", 2, False, 2),  # validated, best not kept
    (fitting.Report, "on_train_batch_end", 8, True, 3),  # among the batches
    (Path, "rename", 3, True, 4),  # one backup moved away, the next not yet in its place
)


def test_a_run_killed_at_awkward_moments_ends_as_if_it_had_not_been(
    tmp_path: Path, cached: Cached, uninterrupted: Path
) -> None:
    run = tmp_path / "run"
    for owner, name, call, after, safe in DEATHS:
        with pytest.MonkeyPatch.context() as patch:
            die(patch, owner, name, call=call, after=after)
            with pytest.raises(Killed):
                train(cached, run)
        assert finished_epochs(run / "backup") == safe, f"{owner.__name__}.{name}"
    printed = train(cached, run)
    assert f"Going on after epoch {DEATHS[-1][-1]} of {EPOCHS}" in printed
    assert_same_run(uninterrupted, run)


@pytest.fixture(scope="module")
def marked() -> Callable[[float], keras.Model]:
    """A compiled model whose weights tell which epoch they are of."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)

    def mark(epoch: float) -> keras.Model:
        model.set_weights([np.full(weight.shape, epoch) for weight in model.get_weights()])
        return model

    return mark


def back_up(folder: Path, model: keras.Model, epoch: int) -> None:
    backup = Backup(folder)
    backup.set_model(model)
    backup.on_epoch_end(epoch)


def restored(folder: Path, model: keras.Model) -> tuple[int, float]:
    """How many epochs a run would go on after, and the mark of the weights it would have."""
    finished = finished_epochs(folder)
    backup = Backup(folder)
    backup.set_model(model)
    backup.on_train_begin()
    return finished, float(model.get_weights()[0][0, 0])


@pytest.mark.parametrize("before", [1, 2, 3])
def test_a_backup_is_whole_wherever_it_was_interrupted(
    tmp_path: Path, marked: Callable[[float], keras.Model], before: int
) -> None:
    """`before` epochs are backed up; during the next backup, each step in turn is the last one."""
    for number, (owner, name, call, after) in enumerate(
        (owner, name, call, after)
        for owner, name, calls in (
            (keras.Model, "save_weights", 1),
            (shutil, "rmtree", 2),
            (Path, "rename", 2),
        )
        for call in range(1, calls + 1)
        for after in (False, True)
    ):
        folder = tmp_path / str(number) / "backup"
        for epoch in range(before):
            back_up(folder, marked(epoch + 1), epoch)
        with pytest.MonkeyPatch.context() as patch:
            die(patch, owner, name, call=call, after=after)
            with pytest.raises(Killed):
                back_up(folder, marked(before + 1), before)
        finished, mark = restored(folder, marked(-1))
        assert finished in (before, before + 1), (name, call, after)
        assert mark == finished, (name, call, after)
        back_up(folder, marked(finished + 1), finished)  # and it goes on from there
        assert restored(folder, marked(-1)) == (finished + 1, finished + 1)


def test_a_backup_torn_while_it_is_written_does_not_count(
    tmp_path: Path, marked: Callable[[float], keras.Model]
) -> None:
    def half_saved(model: keras.Model, filepath: str, overwrite: bool = True) -> None:
        Path(filepath).write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(1000))
        raise Killed

    folder = tmp_path / "backup"
    back_up(folder, marked(1), 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "save_weights", half_saved)
        with pytest.raises(Killed):
            back_up(folder, marked(2), 1)
    assert restored(folder, marked(-1)) == (1, 1.0)


@pytest.mark.parametrize("torn", [("backup",), ("backup", "backup.previous")])
def test_a_torn_backup_is_survived(
    tmp_path: Path, cached: Cached, uninterrupted: Path, torn: tuple[str, ...]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(uninterrupted, run)
    for folder in torn:
        path = run / folder / "latest.weights.h5"
        path.write_bytes(path.read_bytes()[:5000])
    printed = train(cached, run)
    first = 1 if len(torn) == 2 else EPOCHS  # one epoch lost, or, with both torn, all
    assert re.findall(r"^epoch (\d+)/", printed, re.M)[0] == str(first)
    assert_same_run(uninterrupted, run)


def test_a_finished_run_is_left_alone(tmp_path: Path, cached: Cached, uninterrupted: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(uninterrupted, run)
    before = {path: path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()}
    printed = train(cached, run)
    assert "finished" in printed
    assert not re.search(r"^epoch \d", printed, re.M)
    after = {path: path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()}
    assert before == after


# --- the average of the weights -------------------------------------------------------------


def test_exchanging_weights_and_average_twice_is_nothing_to_the_bit() -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(50)])
    model.compile(keras.optimizers.AdamW(0.1, use_ema=True, ema_momentum=0.7), "mse")
    rng = np.random.default_rng(0)
    for _ in range(3):
        model.train_on_batch(rng.normal(size=(8, 3)), rng.normal(size=(8, 50)))
    trained = model.get_weights()
    fitting.exchange_average(model)
    averaged = model.get_weights()
    assert all(np.abs(a - b).max() > 1e-3 for a, b in zip(trained, averaged, strict=True))
    fitting.exchange_average(model)
    assert all(np.array_equal(a, b) for a, b in zip(trained, model.get_weights(), strict=True))
    fitting.exchange_average(model)
    assert all(np.array_equal(a, b) for a, b in zip(averaged, model.get_weights(), strict=True))


class Recorder(fitting.Report):
    """Notes the trainable weights after each batch, and those that validation has just seen."""

    trained: list[list[NDArray[np.float32]]]
    validated: list[list[NDArray[np.float32]]]

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.trained.append([weight.numpy() for weight in self.model.trainable_variables])

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.validated.append([weight.numpy() for weight in self.model.trainable_variables])


@pytest.mark.parametrize("momentum", [0.9, 0.0])
def test_the_average_of_the_weights_is_validated_and_kept(
    tmp_path: Path, cached: Cached, monkeypatch: pytest.MonkeyPatch, momentum: float
) -> None:
    recipe = replace(TINY, ema=momentum, epochs=3, learning_rate=1e-2)
    Recorder.trained, Recorder.validated = [], []
    monkeypatch.setattr(fitting, "Report", Recorder)
    train(cached, tmp_path / "run", recipe)
    assert (len(Recorder.trained), len(Recorder.validated)) == (15, 3)

    momentum = fitting.shortened(momentum, fitting.HORIZONS, 15)
    averages: list[NDArray[np.float64]] = []
    for step, weights in enumerate(Recorder.trained):
        exact = [weight.astype(np.float64) for weight in weights]
        if step:
            exact = [
                momentum * average + (1 - momentum) * weight
                for average, weight in zip(averages, exact, strict=True)
            ]
        averages = exact
        if step % 5 == 4:
            validated = Recorder.validated[step // 5]
            for average, weight in zip(averages, validated, strict=True):
                np.testing.assert_allclose(weight, average, rtol=1e-4, atol=1e-6)
            distances = [
                np.abs(weight - trained).max()
                for weight, trained in zip(validated, weights, strict=True)
            ]
            assert (max(distances) > 1e-3) == (momentum > 0)

    losses = [float(row["val_loss"]) for row in rows_of(tmp_path / "run")]
    best = logits_only(build(recipe))
    best.load_weights(tmp_path / "run" / "kept.weights.h5")
    kept = [weight.numpy() for weight in best.trainable_variables]
    for weight, validated in zip(kept, Recorder.validated[int(np.argmin(losses))], strict=True):
        assert np.array_equal(weight, validated)
    validation = cached.split("validation")
    assert measured(validation.targets, predict(best, validation))["val_loss"] == min(losses)


def test_a_long_run_averages_as_its_recipe_says_and_a_short_one_leaves_its_beginning() -> None:
    shipped = {name: RECIPES[name] for name in (*TEACHERS, *TEACHERS["cxr-lite0-128"])}
    for recipe in shipped.values():
        steps = recipe.epochs * (9427 // recipe.batch)
        assert fitting.shortened(recipe.ema, fitting.HORIZONS, max(steps, 2000)) == recipe.ema
        norm = BATCH_NORM["momentum"]
        assert fitting.shortened(norm, fitting.NORM_HORIZONS, max(steps, 2000)) == norm
    for steps in (4, 15, 200, 1100):  # 600 images make 15 steps an epoch
        left = fitting.shortened(0.998, fitting.HORIZONS, steps) ** steps
        assert left < 0.02, "of the initial weights in the last average"
    assert fitting.shortened(0.0, fitting.HORIZONS, 100) == 0.0


def test_a_short_run_leaves_its_initial_weights(tmp_path: Path, cached: Cached) -> None:
    """With the default average the kept weights must be the trained ones, not the first ones."""
    recipe = replace(TINY, ema=Recipe().ema, epochs=3, learning_rate=1e-2)
    train(cached, tmp_path / "run", recipe)
    first, trained, kept = build(recipe), build(recipe), build(recipe)
    for network, name in ((trained, "backup/latest"), (kept, "kept")):
        logits_only(network).load_weights(tmp_path / "run" / f"{name}.weights.h5")
    begun, ended, averaged = (
        np.concatenate([weight.numpy().ravel() for weight in each.trainable_variables])
        for each in (first, trained, kept)
    )
    assert np.abs(averaged - begun).max() > 0.2 * np.abs(ended - begun).max() > 0


# --- choosing an epoch ----------------------------------------------------------------------


def few_positives(cached: Cached, count: int) -> Cached:
    """Forty images of which so many bear Mass, and none bears anything else."""
    validation = cached.split("train")
    targets = np.zeros_like(validation.targets)
    targets[:count, LABELS.index("Mass")] = 1
    return replace(validation, targets=targets)


@pytest.mark.parametrize(("count", "name"), [(4, "val_loss"), (5, "val_auroc")])
def test_an_epoch_is_chosen_by_the_loss_where_too_few_can_be_ranked(
    tmp_path: Path, cached: Cached, count: int, name: str
) -> None:
    validation = few_positives(cached, count)
    assert criterion(validation.targets).name == name
    recipe = replace(TINY, learning_rate=3e-2)
    (tmp_path / "run").mkdir()
    fit(recipe, cached.split("train"), validation, tmp_path / "run", Console(quiet=True))
    values = [float(row[name]) for row in rows_of(tmp_path / "run")]
    assert ("val_auroc" in rows_of(tmp_path / "run")[0]) == (name == "val_auroc")
    kept = logits_only(build(recipe))
    kept.load_weights(tmp_path / "run" / "kept.weights.h5")
    found = measured(validation.targets, predict(kept, validation))[name]
    assert found == pytest.approx(min(values) if name == "val_loss" else max(values), abs=1e-6)


def test_early_stopping_by_the_loss_remembers_too(tmp_path: Path, cached: Cached) -> None:
    validation = few_positives(cached, 2)
    history = [-0.5, -0.3, -0.4]
    stopping = ResumedEarlyStopping(criterion(validation.targets), history, 3)
    stopping.set_model(keras.Sequential())
    stopping.on_train_begin()
    assert (stopping.best, stopping.best_epoch, stopping.wait) == (0.3, 1, 1)


def test_one_positive_moves_no_choice() -> None:
    """A finding of one image, ranked first or last, changes nothing."""
    rng = np.random.default_rng(0)
    targets = np.zeros((60, 15), np.uint8)
    targets[:20, LABELS.index("Effusion")] = 1
    targets[0, LABELS.index("Hernia")] = 1
    logits = rng.normal(size=targets.shape).astype(np.float32)
    turned = logits.copy()
    turned[:, LABELS.index("Hernia")] *= -1
    both = [measured(targets, each)["val_auroc"] for each in (logits, turned)]
    assert both[0] == both[1] == roc_auc_score(targets[:, 7], logits[:, 7])


# --- stopping early -------------------------------------------------------------------------


def test_early_stopping_remembers_the_epochs_before_an_interruption(
    tmp_path: Path, cached: Cached, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best epoch is the second: with a patience of 3, the fifth is the last."""
    losses = {0: 0.4, 1: 0.3, 2: 0.35, 3: 0.34, 4: 0.31, 5: 0.01}

    def scripted(self: Any, epoch: int, logs: dict[str, float]) -> None:
        if epoch == dies_in:
            raise Killed
        logs["val_loss"] = losses[epoch]

    monkeypatch.setattr(fitting.Validation, "on_epoch_end", scripted)
    recipe = replace(TINY, patience=3)
    run = tmp_path / "run"
    dies_in: int | None = 3
    with pytest.raises(Killed):
        train(cached, run, recipe)
    best = weights_in(run / "kept.weights.h5")
    dies_in = None
    train(cached, run, recipe)
    assert [float(row["val_loss"]) for row in rows_of(run)] == [0.4, 0.3, 0.35, 0.34, 0.31]
    kept = weights_in(run / "kept.weights.h5")  # of the second epoch still
    assert all(np.array_equal(kept[name], best[name]) for name in best)
    # Started once more, it does not train another epoch to see whether that is better.
    assert "finished" in train(cached, run, recipe)
    assert len(rows_of(run)) == 5


# --- data that cannot be trained on ---------------------------------------------------------


def test_macro_auroc_is_over_findings_that_have_both_classes() -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 2, (50, 15)).astype(np.uint8)
    targets[:, 3], targets[:, 8] = 0, 1
    logits = rng.normal(size=(50, 15)).astype(np.float32)
    counted = [i for i in range(15) if LABELS[i] != "No Finding" and i not in (3, 8)]
    expected = np.mean([roc_auc_score(targets[:, i], logits[:, i]) for i in counted])
    assert macro_auroc(targets, logits) == pytest.approx(expected, abs=1e-12)
    assert np.isnan(macro_auroc(np.ones((5, 15), np.uint8), logits[:5]))


def test_data_that_would_fail_after_the_first_epoch_are_refused_before_it(
    tmp_path: Path, cached: Cached
) -> None:
    part, validation = cached.split("train"), cached.split("validation")
    console = Console(quiet=True)
    with pytest.raises(DatasetError, match="40 training images do not fill a batch of 41"):
        fit(replace(TINY, batch=41), part, validation, tmp_path, console)
    alike = replace(validation, targets=np.ones_like(validation.targets))
    nobody = replace(validation, targets=validation.targets[:0], rows=validation.rows[:0])
    for unusable in (alike, nobody):
        with pytest.raises(DatasetError, match="no finding is both present and absent"):
            fit(TINY, part, unusable, tmp_path, console)
    assert not list(tmp_path.iterdir())


def test_the_command_answers_unusable_data_with_one_line(
    tmp_path: Path,
    make_nih: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = make_nih(tmp_path / "nih", [("1.png", "Mass", 1), ("2.png", "Edema", 2)])
    command = ["train", "fit", str(data), "--run", str(tmp_path / "run"), "--network", "cnn28"]
    monkeypatch.setattr(sys, "argv", [*command, "--no-imagenet", "--cache", str(tmp_path / "c")])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 3
    assert "error: " in capsys.readouterr().err


# --- SIGKILL --------------------------------------------------------------------------------

DEADLINE = 120  # seconds; what is waited for comes within a few


@dataclass
class Attempt:
    """One start of the command: when it was killed, if it was, and what it printed."""

    process: subprocess.Popen[str]
    log: Path

    @property
    def epochs(self) -> list[int]:
        """The numbers, from 1, of the epochs that it printed as done."""
        return [int(n) for n in re.findall(r"^epoch (\d+)/", self.log.read_text(), re.M)]

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert self.process.poll() is None, f"it ended too early: {self.log.read_text()}"
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.002)

    def kill(self) -> None:
        assert self.process.poll() is None, f"it ended too early: {self.log.read_text()}"
        self.process.send_signal(signal.SIGKILL)
        assert self.process.wait(DEADLINE) == -signal.SIGKILL


@dataclass
class Story:
    """A run killed in its first epoch, killed again at a random moment, and then left to end."""

    run: Path
    attempts: list[Attempt]
    epochs: int


@pytest.fixture(scope="module")
def story(
    tmp_path_factory: pytest.TempPathFactory, repository: Path, tiny_nih: Path
) -> Iterator[Story]:
    seed = int(os.environ.get("EDGE_CXR_KILL_SEED", random.SystemRandom().randrange(10**6)))
    print(f"to repeat the moments of the kills: EDGE_CXR_KILL_SEED={seed}")
    chance = random.Random(seed)
    folder = tmp_path_factory.mktemp("killed")
    run, epochs = folder / "run", 8
    command = [
        sys.executable, "-m", "train", "fit", str(tiny_nih), "--run", str(run),
        "--cache", str(folder / "cache"), "--recipe", "cnn28",
        "--epochs", str(epochs), "--set", "batch=8", "--set", "ema=0.9",
        "--set", f"patience={epochs}",
    ]  # fmt: skip
    attempts: list[Attempt] = []

    def start() -> Attempt:
        log = folder / f"log{len(attempts)}.txt"
        environment = os.environ | {"COLUMNS": "200", "TF_CPP_MIN_LOG_LEVEL": "3"}
        with log.open("w") as file:
            process = subprocess.Popen(
                command, cwd=repository, env=environment, stdout=file, stderr=file, text=True
            )
        attempts.append(Attempt(process, log))
        return attempts[-1]

    try:
        first = start()
        first.wait_for((run / "history.csv").exists)  # training has begun
        time.sleep(chance.uniform(0, 0.8))  # its first step takes longer than that
        first.kill()

        second = start()
        until = chance.randrange(1, epochs - 1)
        began = time.monotonic()
        second.wait_for(lambda: len(second.epochs) >= 1)
        first_done = time.monotonic()
        second.wait_for(lambda: len(second.epochs) >= until)
        epoch = (time.monotonic() - first_done) / (until - 1) if until > 1 else 0.3
        time.sleep(chance.uniform(0, min(epoch, first_done - began)))
        second.kill()

        third = start()
        assert third.process.wait(DEADLINE) == 0, third.log.read_text()
        yield Story(run, attempts, epochs)
    finally:
        for attempt in attempts:
            if attempt.process.poll() is None:
                attempt.process.kill()
                attempt.process.wait()


def test_a_run_killed_in_its_first_epoch_starts_anew(story: Story) -> None:
    first, second, _ = story.attempts
    assert first.epochs == []
    assert second.epochs[0] == 1


def test_a_killed_run_loses_at_most_one_epoch(story: Story) -> None:
    _, second, third = story.attempts
    done = len(second.epochs)
    assert second.epochs == list(range(1, done + 1))
    assert third.epochs == list(range(third.epochs[0], story.epochs + 1))
    print(f"killed after {done} epochs, gone on with epoch {third.epochs[0]}")
    # Epoch `done + 1` was under way; at worst `done` was not yet backed up.
    assert third.epochs[0] in (done, done + 1)
    before = third.epochs[0] - 1
    going_on = f"Going on after epoch {before} of {story.epochs}" in third.log.read_text()
    assert going_on == (before > 0)


def test_a_killed_run_has_each_epoch_once_in_its_history(story: Story) -> None:
    assert [int(row["epoch"]) for row in rows_of(story.run)] == list(range(story.epochs))


def test_a_killed_run_ends_as_the_same_run_in_another_process(
    story: Story, tmp_path: Path, cached: Cached
) -> None:
    recipe = RunConfig.read(story.run).recipe
    assert (recipe.network, recipe.epochs, recipe.ema) == ("cnn28", story.epochs, 0.9)
    train(cached, tmp_path / "run", recipe)
    assert_same_run(story.run, tmp_path / "run")
