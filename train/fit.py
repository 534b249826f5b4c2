"""Training: one recipe, one data set, one run folder; it can be stopped and resumed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from train.backend import computing_in, make_repeatable, stream
from train.batches import batches
from train.cache import Cached
from train.callbacks import Interruption, Logs, Report, Scalars, Validation
from train.console import say
from train.criterion import AUROC, Criterion, criterion
from train.errors import DatasetError, RunError
from train.labels import OF_NIH, LabelSet
from train.machines import require_divisible
from train.networks.parts import with_auxiliary
from train.networks.registry import NETWORKS, pretrained
from train.predict import logits_only
from train.ranking import rankable
from train.recipes import LSE, Recipe
from train.resume import (
    Backup,
    ResumedEarlyStopping,
    epochs_since_best,
    finished_epochs,
    history_before,
)
from train.source import Source, write_weights
from train.targets import AUXILIARY, crossentropy, training_targets
from train.teachers import Teachers

HORIZONS: Final = 4
"""A run lasts at least so many horizons of the weight average, so that its last average holds at
most e⁻⁴, 2 %, of the initial weights. A recipe's own average holds less from 2,000 steps on."""

NORM_HORIZONS: Final = 20
"""The same for batch normalisation's averages, which have to follow the weights more closely."""


def build(recipe: Recipe, labels: LabelSet = OF_NIH, *, any_size: bool = False) -> keras.Model:
    """The recipe's network with its initial weights: image → (logits, map).

    Args:
        recipe: decides the network and the seed.
        labels: of its outputs.
        any_size: take images of any size rather than the recipe's.
    """
    keras.utils.set_random_seed(recipe.seed)
    side = None if any_size else recipe.side
    more: dict[str, Any] = {"enlarge": True} if recipe.enlarge else {}
    if recipe.pooling == LSE:
        more["pooling_r"] = recipe.pooling_r
    model = NETWORKS[recipe.network].build(
        side, dropout=recipe.dropout, lowpass=recipe.lowpass, labels=len(labels.labels), **more
    )
    if recipe.needs_imagenet:
        pretrained(recipe.network).load(model)
    return model


def trained_part(
    model: keras.Model, recipe: Recipe, auxiliary: int = len(AUXILIARY)
) -> keras.Model:
    """The trained part of a network: image → logits, with auxiliary ones if the recipe has them.

    Args:
        model: image → (logits, map).
        recipe: says whether there are auxiliary targets.
        auxiliary: how many of them the data have.
    """
    if recipe.auxiliary and auxiliary:
        return with_auxiliary(model, auxiliary)
    return logits_only(model)


def start_at_prevalence(
    model: keras.Model, goals: NDArray[np.float32], labels: LabelSet = OF_NIH
) -> None:
    """Set the head's bias to each label's log-odds, or to the log of an exclusive label's share.

    So no epoch is spent on learning how rare the findings are (Lin et al., Focal Loss, ICCV 2017,
    section 3.3).

    Args:
        model: with the layer `map`.
        goals: M×K in 0..1, the labels' columns first; NaN where unknown.
        labels: the model's.
    """
    own = goals[:, : len(labels.labels)]
    share = np.clip(np.nanmean(own, axis=0), 1 / len(goals), 1 - 1 / len(goals))
    bias = np.log(share) if labels.head == "exclusive" else np.log(share / (1 - share))
    model.get_layer("map").bias.assign(bias)


def continue_from(network: keras.Model, teacher: keras.Model | None) -> None:
    """Start from a teacher's weights.

    Raises:
        RunError: the teacher is another network, or no run.
    """
    if teacher is None:
        raise RunError("the last teacher is no run: only a run can be gone on from")
    try:
        network.set_weights(teacher.get_weights())
    except ValueError:
        raise RunError(
            f"the last teacher is a {teacher.name}, or made otherwise: this run, a {network.name}, "
            "cannot go on from its weights; set continued=false"
        ) from None


def exchange_average(model: keras.Model) -> None:
    """Exchange the trained weights and their moving average; doing it twice changes no bit.

    Keras' `SwapEMAWeights` restores the trained weights only when the next epoch begins, too late
    for their backup. It also adds and subtracts, which rounds them in each epoch.
    """
    optimizer = model.optimizer
    averages = optimizer._model_variables_moving_average
    for weight, average in zip(optimizer._trainable_variables, averages, strict=True):
        trained = keras.ops.copy(weight)
        weight.assign(average)
        average.assign(trained)


def place_dropout(model: keras.Model, step: int) -> None:
    """Set every dropout layer to its mask of this step, which Keras' backup does not hold."""
    for layer in model.layers:
        if hasattr(layer, "seed_generator"):
            state = layer.seed_generator.state
            state.assign([state.numpy()[0], step])


def require_trainable(recipe: Recipe, train: Cached, validation: Cached | None) -> None:
    """Refuse data on which a run would fail after its first epoch.

    Raises:
        DatasetError: there is no whole batch to train on, or no finding to validate with.
    """
    if len(train) < recipe.batch:
        raise DatasetError(
            f"{len(train)} training images do not fill a batch of {recipe.batch}: add images, or "
            "--set batch=..."
        )
    if validation is None:
        return
    if not rankable(validation.targets, validation.labels):
        raise DatasetError(
            f"no finding is both present and absent among the {len(validation)} validation images: "
            "add images of further patients, or choose them by a column 'split'"
        )


def fit(
    recipe: Recipe,
    train: Cached,
    validation: Cached | None,
    run: Path,
    console: Console,
    teachers: Teachers | None = None,
    precision: str = "float32",
    go_on: Callable[[], bool] = lambda: True,
    source: Source | None = None,
) -> bool:
    """Train into the folder `run`, or resume it after its last finished epoch.

    Writes `kept.weights.h5` (of the best epoch by `criterion`, or of the last one without
    validation), `history.csv` and TensorBoard's logs. A run that is killed loses at most the
    current epoch, and resumed it ends with the same weights as without the kill. A run that has
    finished or stopped early is left alone.

    Args:
        recipe, train, validation, teachers: what decides the run.
        run: its folder.
        console: for progress.
        precision: of the arithmetic, "float32" or "mixed_bfloat16"; the weights are float32.
        go_on: called when an epoch is safely written; False ends training there.
        source: a finished network to start from rather than from initial weights.

    Returns:
        Whether training came to its end.

    Raises:
        DatasetError: the images cannot be trained on or validated with.
    """
    require_trainable(recipe, train, validation)
    require_divisible(recipe.batch)
    scores = teachers.scores_of(train) if teachers else None
    goals = training_targets(recipe, train, scores)
    auxiliary = goals.shape[1] - len(train.labels.labels)
    chosen = None if validation is None else criterion(validation.targets, validation.labels)
    first = _next_epoch(recipe, run, chosen)
    if first is None:
        say(console, f"Training is finished: {finished_epochs(run / 'backup')} epochs")
    elif first:
        say(console, f"Going on after epoch {first} of {recipe.epochs}")
    make_repeatable()
    # Images of another size need another graph: training stops there, and is resumed.
    for until in (recipe.early_epochs, recipe.epochs):
        first = _next_epoch(recipe, run, chosen)
        if first is not None and first < until:
            with computing_in(precision):
                network = _started(recipe, goals, teachers, source, train.labels)
                model = trained_part(network, recipe, auxiliary)
            epochs = range(first, until)
            if not _fit(model, train, goals, validation, recipe, epochs, run, console, go_on):
                break
    return _next_epoch(recipe, run, chosen) is None


def _next_epoch(recipe: Recipe, run: Path, chosen: Criterion | None) -> int | None:
    """The epoch that `run` has to train next, from 0; None if it has finished or stopped early."""
    first = finished_epochs(run / "backup")
    history = history_before(run / "history.csv", first, chosen or AUROC)
    over = first >= recipe.epochs or epochs_since_best(history) >= recipe.patience
    return None if over else first


def _fit(
    model: keras.Model,
    train: Cached,
    goals: NDArray[np.float32],
    validation: Cached | None,
    recipe: Recipe,
    epochs: range,
    run: Path,
    console: Console,
    go_on: Callable[[], bool],
) -> bool:
    """Train these epochs, all with images of one size, from the last backup on.

    Returns:
        Whether all were trained, and `go_on` did not end them.
    """
    steps = len(train) // recipe.batch
    _shorten_norm_averages(model, recipe.epochs * steps)
    model.compile(_optimizer(recipe, steps), crossentropy(recipe.auxiliary, train.labels))

    def exchange(epoch: int, logs: Logs) -> None:
        if recipe.ema:
            exchange_average(model)

    interruption = Interruption(go_on)
    callbacks: list[keras.callbacks.Callback] = [
        keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: place_dropout(model, epoch * steps),
            on_epoch_end=exchange,
        ),
        # From here to the second exchange the model holds the averaged weights.
        *_keeping(run, recipe, validation, epochs.start),
        keras.callbacks.CSVLogger(str(run / "history.csv"), append=epochs.start > 0),
        Scalars(run / "tensorboard"),
        Report(console, recipe.epochs, steps, epochs.start),
        keras.callbacks.LambdaCallback(on_epoch_end=exchange),
        Backup(run / "backup"),  # last: an epoch counts once everything else of it is written
        interruption,
    ]
    model.fit(
        stream(batches(train, goals, recipe, epochs)),
        steps_per_epoch=steps,
        epochs=epochs.stop,
        callbacks=callbacks,
        shuffle=False,  # `batches` shuffles
        verbose=0,
    )
    return not interruption.happened


def _started(
    recipe: Recipe,
    goals: NDArray[np.float32],
    teachers: Teachers | None,
    source: Source | None,
    labels: LabelSet,
) -> keras.Model:
    """The recipe's network with the weights that training begins with."""
    network = build(recipe, labels, any_size=recipe.early_epochs > 0)
    if source:
        write_weights(network, source)
        if not source.keeps_head:
            start_at_prevalence(network, goals, labels)
    elif teachers and recipe.continued:
        continue_from(network, teachers.last)
    else:
        start_at_prevalence(network, goals, labels)
    return network


def begin_again(
    model: keras.Model,
    recipe: Recipe,
    images: int,
    epochs: int,
    backup: Path,
    labels: LabelSet = OF_NIH,
) -> None:
    """Make a backup from weights alone, so that a run without its own backup can be resumed.

    The schedule continues after `epochs`; the average begins at the weights, the moments at zero.

    Args:
        model: `trained_part` with its weights.
        recipe: of the run.
        images: how many it is trained on.
        epochs: how many count as finished.
        backup: the folder to make.
        labels: the model's.
    """
    steps = images // recipe.batch
    model.compile(_optimizer(recipe, steps), crossentropy(recipe.auxiliary, labels))
    model.optimizer.build(model.trainable_variables)
    model.optimizer.iterations.assign(epochs * steps)
    if recipe.ema:
        averages = model.optimizer._model_variables_moving_average
        for weight, average in zip(model.trainable_variables, averages, strict=True):
            average.assign(weight)
    writer = Backup(backup)
    writer.set_model(model)
    writer.on_epoch_end(epochs - 1)


def shortened(momentum: float, horizons: int, steps: int) -> float:
    """A moving average's momentum, lowered for a short run.

    An average with momentum m forgets over a horizon of 1 / (1 − m) steps. In a run of few
    horizons it would still hold what it began with.

    Args:
        momentum: for a long run.
        horizons: how many of them the run shall last, at least.
        steps: of the run.
    """
    return min(momentum, max(0.0, 1 - horizons / steps))


def _shorten_norm_averages(model: keras.Model, steps: int) -> None:
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = shortened(layer.momentum, NORM_HORIZONS, steps)


def _optimizer(recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    """AdamW with the recipe's schedule, for epochs of `steps` steps."""
    decay_steps = max(1, round((recipe.epochs - recipe.warmup) * steps))
    optimizer = keras.optimizers.AdamW(
        keras.optimizers.schedules.CosineDecay(
            0.0 if recipe.warmup else recipe.learning_rate,
            decay_steps,
            warmup_target=recipe.learning_rate if recipe.warmup else None,
            warmup_steps=round(recipe.warmup * steps),
        ),
        weight_decay=recipe.weight_decay,
        use_ema=recipe.ema > 0,
        ema_momentum=shortened(recipe.ema, HORIZONS, recipe.epochs * steps),
    )
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


def _keeping(
    run: Path, recipe: Recipe, validation: Cached | None, done: int
) -> list[keras.callbacks.Callback]:
    """The callbacks that keep an epoch's weights in `run`, and stop early.

    Args:
        run, recipe, validation: of the run.
        done: how many epochs are finished.
    """
    path = str(run / "kept.weights.h5")
    if validation is None:
        return [keras.callbacks.ModelCheckpoint(path, save_weights_only=True)]
    chosen = criterion(validation.targets, validation.labels)
    history = history_before(run / "history.csv", done, chosen)
    return [
        Validation(validation),
        keras.callbacks.ModelCheckpoint(
            path,
            monitor=chosen.name,
            mode=chosen.mode,
            save_best_only=True,
            save_weights_only=True,
            initial_value_threshold=chosen.goodness(max(history)) if history else None,
        ),
        ResumedEarlyStopping(chosen, history, recipe.patience),
    ]
