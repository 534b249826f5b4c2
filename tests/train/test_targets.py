"""What a run trains towards, and how images are drawn and mixed for it."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import keras
import numpy as np
import pytest
from rich.console import Console

from edge_app.model.preprocess import InputSpec, normalised
from train.augment import NONE
from train.batches import batches, mixing_shares
from train.cache import Cached, open_cache
from train.datasets.registry import load
from train.errors import DatasetError, RunError
from train.finished_run import open_run
from train.fit import build, trained_part
from train.networks.cnn28 import cnn28
from train.predict import logits_only, predict
from train.recipes import Recipe
from train.run import train as train_run
from train.targets import sampling_weights, training_targets
from train.teacher_files import read_teacher, read_teachers
from train.teachers import ensemble

PLAIN = Recipe(network="cnn28", batch=16, epochs=1, augmentation=NONE)


@pytest.fixture(scope="module")
def cached(tmp_path_factory: pytest.TempPathFactory, small_nih: Path) -> Cached:
    folder = tmp_path_factory.mktemp("cache")
    return open_cache(load(small_nih), InputSpec.square(28), folder, Console(quiet=True))[0]


def test_smoothing_and_teachers_soften_the_labels(cached: Cached) -> None:
    truth = cached.targets.astype(np.float32)
    assert np.array_equal(training_targets(PLAIN, cached, None), truth)
    smooth = training_targets(replace(PLAIN, smoothing=0.1), cached, None)
    assert np.allclose(smooth, np.where(truth > 0, 0.95, 0.05))
    teachers = np.full_like(truth, 0.5)
    softened = training_targets(replace(PLAIN, distil=0.6), cached, teachers)
    assert np.allclose(softened, np.where(truth > 0, 0.7, 0.3))
    with pytest.raises(DatasetError, match="--teacher"):
        training_targets(replace(PLAIN, distil=0.6), cached, None)


def test_auxiliary_targets_are_view_sex_and_age(cached: Cached) -> None:
    table = cached.table.copy()
    table.loc[0, ["view", "sex", "age"]] = ["AP", "M", 25]
    with_views = replace(cached, table=table)
    more = training_targets(replace(PLAIN, auxiliary=0.2), with_views, None)
    assert more.shape == (len(cached), 18)
    assert np.allclose(more[:2, 15:], [[1, 1, 0.25], [0, 0, 0.5]])
    unknown = replace(cached, table=table.drop(columns="view").assign(age=""))
    less = training_targets(replace(PLAIN, auxiliary=0.2), unknown, None)
    assert np.array_equal(less[:2, 15:], [[1], [0]])
    nothing = replace(cached, table=table.drop(columns=["view", "sex", "age"]))
    assert training_targets(replace(PLAIN, auxiliary=0.2), nothing, None).shape[1] == 15


def test_an_auxiliary_head_is_trained_and_left_behind(cached: Cached, tmp_path: Path) -> None:
    recipe = replace(PLAIN, auxiliary=0.5)
    assert trained_part(build(recipe), recipe).output_shape == (None, 18)
    train_run(recipe, cached, tmp_path / "run", Console(file=StringIO()))
    model = open_run(tmp_path / "run").model
    assert [tuple(output.shape[1:]) for output in model.outputs] == [(15,), (7, 7, 15)]
    assert not np.array_equal(
        model.get_layer("conv0a").get_weights()[0],
        build(recipe).get_layer("conv0a").get_weights()[0],
    )


def test_a_student_learns_from_the_mean_of_its_teachers(
    small_nih: Path, finished_run: Path, tmp_path: Path
) -> None:
    cache = finished_run.parent / "cache"
    whole = open_cache(load(small_nih), InputSpec.square(28), cache, Console(quiet=True))[0]
    judges = whole.split("validation")
    teacher = read_teacher(finished_run, small_nih, cache, None, whole)
    other = replace(teacher, scores=lambda images: teacher.scores(images) / 2)
    one, both = ensemble([teacher], whole), ensemble([teacher, other], whole)
    assert np.allclose(both.scores, 0.75 * one.scores, atol=1e-6)

    backwards = replace(teacher.cached, table=teacher.cached.table[::-1].reset_index(drop=True))
    assert np.array_equal(one.scores_of(backwards), one.scores[::-1])
    stranger = teacher.cached.table.assign(image="stranger.png")
    with pytest.raises(DatasetError, match=r"no score of .stranger\.png"):
        one.scores_of(replace(teacher.cached, table=stranger))

    teacher.require_unseen(judges)
    first = int((whole.table["split"] == "train").to_numpy().argmax())
    assert one.knows_no_more == [True]
    moved = whole.table.assign(split=whole.table["split"].where(whole.table.index != first, "test"))
    assert not teacher.knows_no_more(replace(whole, table=moved))  # it was trained on that one
    assert one.trained_on[0].startswith(f"{whole.name}, train: ")
    with pytest.raises(DatasetError, match="would leak"):
        teacher.require_unseen(teacher.cached)
    recipe = replace(PLAIN, distil=1.0)
    train_run(recipe, whole, tmp_path / "run", Console(file=StringIO()), one)
    assert open_run(tmp_path / "run").config.dataset["teachers"] == one.names


def test_a_student_can_go_on_from_its_last_teachers_weights(
    cached: Cached, tmp_path: Path, finished_run: Path, small_nih: Path
) -> None:
    """At a learning rate of zero nothing but the norms' statistics moves away from them."""
    teachers = read_teachers([finished_run], small_nih, finished_run.parent / "cache", None, cached)
    assert teachers is not None
    still = replace(PLAIN, distil=0.5, continued=True, learning_rate=0.0, weight_decay=0.0)
    train_run(still, cached, tmp_path / "run", Console(file=StringIO()), teachers)
    for layer in ("conv0a", "map"):
        before, after = (
            run.get_layer(layer).get_weights()
            for run in (teachers.last, open_run(tmp_path / "run").model)
        )
        for a, b in zip(before, after, strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-5)  # averaging equal weights rounds them
    with pytest.raises(ValueError, match="distil"):
        replace(PLAIN, continued=True)
    filtered = replace(still, lowpass=True)
    with pytest.raises(RunError, match="continued=false"):
        train_run(filtered, cached, tmp_path / "other", Console(file=StringIO()), teachers)


def test_a_student_that_goes_on_from_a_teacher_asks_for_no_imagenet_weights(
    cached: Cached, tmp_path: Path, finished_run: Path, small_nih: Path
) -> None:
    """There are none for this network, so asking for them is an error."""
    teachers = read_teachers([finished_run], small_nih, finished_run.parent / "cache", None, cached)
    begun = replace(PLAIN, distil=0.5, imagenet=True)
    with pytest.raises(RunError, match="no ImageNet weights"):
        train_run(begun, cached, tmp_path / "begun", Console(file=StringIO()), teachers)
    continued = replace(begun, continued=True)
    assert train_run(continued, cached, tmp_path / "run", Console(file=StringIO()), teachers)


def test_rare_labels_are_drawn_more_often_when_balanced(cached: Cached) -> None:
    part = cached.split("train")
    even = sampling_weights(PLAIN, part.targets)
    assert np.allclose(even, 1 / len(part))
    balanced = replace(PLAIN, balance=1.0, epochs=30)
    weights = sampling_weights(balanced, part.targets)
    rarest = int(np.argmin(np.where(part.targets.sum(0) > 0, part.targets.sum(0), 10**9)))
    has = part.targets[:, rarest] > 0
    assert weights.sum() == pytest.approx(1)
    assert weights[has].min() > weights[~has].max()
    drawn = np.concatenate(
        [goals for _, goals in batches(part, part.targets.astype("f4"), balanced, range(30))]
    )
    assert drawn[:, rarest].mean() == pytest.approx(weights[has].sum(), abs=0.03)


def test_a_learning_curve_adds_patients_and_leaves_validation_alone(
    cached: Cached, tmp_path: Path
) -> None:
    part = cached.split("train")
    quarter, half = (part.of_patients(share) for share in (0.25, 0.5))
    people = [set(each.table["patient"]) for each in (quarter, half, part)]
    assert people[0] < people[1] < people[2]
    assert len(people[1]) == round(len(people[2]) / 2)
    # whole patients: none of their images is missing
    assert len(half) == part.table["patient"].isin(people[1]).sum()
    train_run(replace(PLAIN, patients=0.5), cached, tmp_path / "run", Console(file=StringIO()))
    facts = open_run(tmp_path / "run").config.dataset
    assert facts["train"]["patients"] == len(people[1])
    assert facts["validation"]["images"] == len(cached.split("validation"))


def test_mixing_gives_images_and_targets_the_same_share(cached: Cached) -> None:
    """A picture of one gray level, which is its target as well, stays so."""
    levels = np.arange(0, 240, 5, dtype=np.uint8)
    flat = replace(
        cached,
        images=np.broadcast_to(levels[:, np.newaxis, np.newaxis], (len(levels), 28, 28)),
        rows=np.arange(len(levels)),
        targets=cached.targets[: len(levels)],
    )
    targets = normalised(levels)[:, np.newaxis]
    recipe = replace(PLAIN, mixup=0.4)
    ((x, y), *_), ((again, _), *_) = (batches(flat, targets, recipe, range(1)) for _ in range(2))
    x = np.asarray(x)
    assert np.array_equal(x, np.asarray(again))
    assert np.allclose(x.min(axis=(1, 2)), x.max(axis=(1, 2)))
    assert np.allclose(x[:, 0, 0], y, atol=1e-6)
    (whole, _), *_ = batches(flat, targets, PLAIN, range(1))
    other = np.asarray(whole)[:, 0, 0]
    assert not np.allclose(y, other)
    # The image itself always weighs at least as much as the other.
    assert np.all(np.abs(y - other) <= np.abs(other - other[::-1]) / 2 + 1e-6)


@pytest.mark.parametrize("alpha", [1e-300, 0.2, 5.0])
def test_each_image_keeps_at_least_half_of_itself(alpha: float) -> None:
    share = mixing_shares(np.random.default_rng(0), alpha, 1000)
    assert np.all((share >= 0.5) & (share <= 1))


def test_the_low_pass_filter_keeps_flat_areas_and_halves_noise() -> None:
    recipe = replace(PLAIN, lowpass=True)
    network = build(recipe)
    layer = network.get_layer("lowpass")
    filtered = keras.Model(network.input, layer.output)
    flat = np.full((1, 28, 28, 1), 0.5, np.float32)
    # It pads for itself and the next convolution, so two pixels are of the border.
    assert np.allclose(filtered(flat)[0, 2:-2, 2:-2], 0.5)
    noise = np.random.default_rng(0).normal(size=(1, 28, 28, 1)).astype(np.float32)
    assert np.std(filtered(noise)) < 0.5
    assert not layer.trainable_weights


def test_settings_are_named_and_typed() -> None:
    changed = PLAIN.with_setting("mixup=0.2").with_setting("augmentation.noise=8")
    assert (changed.mixup, changed.augmentation.noise) == (0.2, 8.0)
    assert PLAIN.with_setting("lowpass=true").lowpass
    for wrong in ("mixupp=1", "mixup=much", "augmentation.x=1", "augmentation=1", "lowpass=1"):
        with pytest.raises(ValueError, match=r"setting|type"):
            PLAIN.with_setting(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        "dropout=1",
        "ema=-0.1",
        "patients=0",
        "distil=2",
        "batch=0",
        "mixup=nan",
        "learning_rate=-1",
        "augmentation.jpeg=1.5",
        "augmentation.noise=nan",
    ],
)
def test_values_no_training_could_run_with_are_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong.partition("=")[0]):
        PLAIN.with_setting(wrong)


def test_predictions_do_not_depend_on_the_training_head(cached: Cached) -> None:
    network = cnn28()
    plain = predict(logits_only(network), cached)
    recipe = replace(PLAIN, auxiliary=0.1)
    assert np.allclose(predict(trained_part(network, recipe), cached)[:, :15], plain, atol=1e-6)
