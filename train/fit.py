"""Training: one recipe, one data set, one run folder that can be stopped and taken up again."""

from __future__ import annotations

import csv
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from sklearn.metrics import roc_auc_score

from edge_app.labels import FINDINGS
from edge_app.preprocess import normalised
from train.augment import Augmentation, augment, normalise
from train.cache import Cached
from train.datasets import DatasetError
from train.networks import DEFAULT_SIZES, NETWORKS, load_imagenet

PREDICT_BATCH = 256


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a training run does, besides the data.

    Attributes:
        network: a name in `networks.NETWORKS`.
        size: side of the square input, pixels; 0 for the network's own.
        imagenet: start from ImageNet weights (efficientnet-lite0 only).
        epochs: passes over the training images, at most.
        batch: images a step.
        learning_rate: peak; reached after `warmup` epochs, then a cosine to zero
            (Loshchilov & Hutter, ICLR 2017).
        weight_decay: AdamW's, on kernels only.
        dropout: of feature channels before the map.
        smoothing: label smoothing towards 0.5.
        ema: momentum of the weight average that is validated and kept; 0 for none.
        patience: epochs without a better validation AUROC before stopping.
        seed: of initial weights, order, augmentation and dropout.
    """

    network: str = "efficientnet-lite0"
    size: int = 0
    imagenet: bool = False
    epochs: int = 12
    batch: int = 32
    learning_rate: float = 1e-3
    warmup: float = 1.0
    weight_decay: float = 1e-2
    dropout: float = 0.3
    smoothing: float = 0.0
    ema: float = 0.998
    patience: int = 6
    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)

    @property
    def side(self) -> int:
        return self.size or DEFAULT_SIZES[self.network]

    @classmethod
    def read(cls, path: Path) -> Recipe:
        values = json.loads(path.read_text())["recipe"]
        return cls(**values | {"augmentation": Augmentation(**values["augmentation"])})

    def write(self, path: Path, **beside: Any) -> None:
        path.write_text(json.dumps({"recipe": asdict(self), **beside}, indent=2) + "\n")


def build(recipe: Recipe) -> keras.Model:
    """The recipe's network with its initial weights: image → (logits, map)."""
    keras.utils.set_random_seed(recipe.seed)
    model = NETWORKS[recipe.network](recipe.side, dropout=recipe.dropout)
    if recipe.imagenet:
        load_imagenet(model)
    return model


def logits_only(model: keras.Model) -> keras.Model:
    """The same layers without the map output: what is trained."""
    return keras.Model(model.input, model.get_layer("logits").output, name=model.name)


def predict(model: keras.Model, cached: Cached) -> NDArray[np.float32]:
    """Logits M×15 of a network over cached images, in `PREDICT_BATCH`es."""
    chunks = []
    for start in range(0, len(cached), PREDICT_BATCH):
        images = cached.images[cached.rows[start : start + PREDICT_BATCH]]
        chunks.append(model.predict_on_batch(normalised(images)[..., np.newaxis]))
    return np.concatenate(chunks)


def macro_auroc(targets: NDArray[np.uint8], logits: NDArray[np.float32]) -> float:
    """Mean AUROC over those of the 14 findings that have both classes; NaN if none has."""
    columns = [i for i in FINDINGS if 0 < targets[:, i].sum() < len(targets)]
    values = [roc_auc_score(targets[:, i], logits[:, i]) for i in columns]
    return float(np.mean(values)) if values else float("nan")


def batches(cached: Cached, recipe: Recipe, first_epoch: int) -> tf.data.Dataset:
    """Endless (images, targets) batches from `first_epoch` on.

    Order and augmentation depend on seed and epoch alone, so a resumed run sees what the
    uninterrupted one would have seen. An incomplete last batch is dropped.
    """
    steps = len(cached) // recipe.batch
    rows = tf.constant(np.arange(len(cached)))

    def epoch_batches(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(rows, seed=[recipe.seed, epoch])
        return (
            tf.data.Dataset.from_tensor_slices(order)
            .batch(recipe.batch, drop_remainder=True)
            .enumerate(epoch * steps)
        )

    def gather(indices: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        images = cached.images[cached.rows[indices]][..., np.newaxis]
        return images, cached.targets[indices].astype(np.float32)

    def load(step: tf.Tensor, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images, targets = tf.numpy_function(gather, [indices], [tf.uint8, tf.float32])
        images.set_shape((recipe.batch, recipe.side, recipe.side, 1))
        targets.set_shape((recipe.batch, cached.targets.shape[1]))
        seed = tf.stack([tf.constant(recipe.seed, tf.int64), step])
        return normalise(augment(images, recipe.augmentation, seed)), targets

    return (
        tf.data.Dataset.range(first_epoch, recipe.epochs)
        .flat_map(epoch_batches)
        .map(load, num_parallel_calls=2, deterministic=True)
        .prefetch(4)
    )


class Validation(keras.callbacks.Callback):
    """Adds `val_auroc`, the macro AUROC over the findings, to each epoch's logs."""

    def __init__(self, cached: Cached) -> None:
        super().__init__()
        self.cached = cached

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        assert logs is not None
        logs["val_auroc"] = macro_auroc(self.cached.targets, predict(self.model, self.cached))


class ResumedEarlyStopping(keras.callbacks.EarlyStopping):
    """Early stopping that remembers the epochs before an interruption."""

    def __init__(self, history: Sequence[float], patience: int) -> None:
        super().__init__(monitor="val_auroc", mode="max", patience=patience)
        self.history = history

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        super().on_train_begin(logs)
        if len(self.history):
            self.best_epoch = int(np.argmax(self.history))
            self.best = float(self.history[self.best_epoch])
            self.wait = _epochs_since_best(self.history)


class Report(keras.callbacks.Callback):
    """A progress bar over all epochs with the time left, and a line an epoch."""

    def __init__(self, console: Console, epochs: int, steps: int, first_epoch: int) -> None:
        super().__init__()
        self.console, self.epochs, self.steps = console, epochs, steps
        self.first_epoch, self.started = first_epoch, 0.0
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.started = time.monotonic()
        self.progress.start()
        self.task = self.progress.add_task("training", total=self.epochs * self.steps)
        self.progress.update(self.task, completed=self.first_epoch * self.steps)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.progress.advance(self.task)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        done, logs = epoch + 1 - self.first_epoch, logs or {}
        left = (time.monotonic() - self.started) / done * (self.epochs - epoch - 1)
        values = "  ".join(f"{name} {value:.4f}" for name, value in logs.items())
        self.console.print(
            f"epoch {epoch + 1}/{self.epochs}  {values}  {left / 60:.0f} min left", highlight=False
        )

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.progress.stop()


class Backup(keras.callbacks.BackupAndRestore):
    """Keras' backup, whole or not there: made beside the last one, which is kept, and renamed.

    Written in place, a kill can leave half a file, or one epoch's weights under another's number.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder), delete_checkpoint=False)
        self.folder = folder

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        partial = self.folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        writer = keras.callbacks.BackupAndRestore(str(partial))
        writer.set_model(self.model)
        writer.on_epoch_end(epoch, logs)
        if self.folder.exists():
            shutil.rmtree(_previous(self.folder), ignore_errors=True)
            self.folder.rename(_previous(self.folder))
        partial.rename(self.folder)


def _previous(backup: Path) -> Path:
    return backup.with_suffix(".previous")


def exchange_average(model: keras.Model) -> None:
    """Exchange the trained weights and their moving average; twice is nothing, to the bit.

    Keras' `SwapEMAWeights` takes the average out again when the next epoch begins: too late for
    a backup of the trained weights. It also adds and subtracts, and so rounds them each epoch.
    """
    optimizer = model.optimizer
    averages = optimizer._model_variables_moving_average
    for weight, average in zip(optimizer._trainable_variables, averages, strict=True):
        trained = weight.numpy()
        weight.assign(average)
        average.assign(trained)


def place_dropout(model: keras.Model, step: int) -> None:
    """Let every dropout layer go on with the mask of this step; Keras' backup leaves it out."""
    for layer in model.layers:
        if hasattr(layer, "seed_generator"):
            state = layer.seed_generator.state
            state.assign([state.numpy()[0], step])


def require_trainable(recipe: Recipe, train: Cached, validation: Cached) -> None:
    """Refuse data that a run would only fail on after its first epoch.

    Raises:
        DatasetError: no whole batch to train on, or no AUROC to choose an epoch by.
    """
    if len(train) < recipe.batch:
        raise DatasetError(f"{len(train)} training images do not fill a batch of {recipe.batch}")
    if np.isnan(macro_auroc(validation.targets, np.zeros(validation.targets.shape, np.float32))):
        raise DatasetError(
            f"no finding is both present and absent among the {len(validation)} validation images"
        )


def fit(recipe: Recipe, train: Cached, validation: Cached, run: Path, console: Console) -> None:
    """Train into the folder `run`, or go on from its last finished epoch.

    Leaves `best.weights.h5` (the epoch with the best validation AUROC), `history.csv` and
    TensorBoard's logs. Killed at any moment, it loses at most the epoch it was in, and ends with
    the very weights it would have had. A run that has finished or stopped early is left alone.

    Raises:
        DatasetError: the images cannot be trained on or validated with.
    """
    require_trainable(recipe, train, validation)
    backup = run / "backup"
    first_epoch = _finished_epochs(backup)
    history = _history_before(run / "history.csv", first_epoch)
    if first_epoch >= recipe.epochs or _epochs_since_best(history) >= recipe.patience:
        console.print(f"Training is finished: {first_epoch} epochs")
        return
    if first_epoch:
        console.print(f"Going on after epoch {first_epoch} of {recipe.epochs}")

    tf.config.experimental.enable_op_determinism()
    model = logits_only(build(recipe))
    steps = len(train) // recipe.batch
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
        ema_momentum=recipe.ema or 0.99,
    )
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    model.compile(
        optimizer,
        keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=recipe.smoothing),
    )

    def exchange(epoch: int, logs: dict[str, float]) -> None:
        if recipe.ema:
            exchange_average(model)

    best = max(history, default=-np.inf)
    callbacks: list[keras.callbacks.Callback] = [
        keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: place_dropout(model, epoch * steps),
            on_epoch_end=exchange,
        ),
        # From here to the second exchange the model holds the averaged weights.
        Validation(validation),
        keras.callbacks.ModelCheckpoint(
            str(run / "best.weights.h5"),
            monitor="val_auroc",
            mode="max",
            save_best_only=True,
            save_weights_only=True,
            initial_value_threshold=None if best == -np.inf else best,
        ),
        ResumedEarlyStopping(history, recipe.patience),
        keras.callbacks.CSVLogger(str(run / "history.csv"), append=bool(history)),
        keras.callbacks.TensorBoard(str(run / "tensorboard"), write_graph=False),
        Report(console, recipe.epochs, steps, first_epoch),
        keras.callbacks.LambdaCallback(on_epoch_end=exchange),
        Backup(backup),  # last: an epoch counts when all that it leaves is written
    ]
    model.fit(
        batches(train, recipe, first_epoch),
        steps_per_epoch=steps,
        epochs=recipe.epochs,
        callbacks=callbacks,
        shuffle=False,  # `batches` has done it
        verbose=0,
    )


def _finished_epochs(backup: Path) -> int:
    """How many epochs the backup holds; one that cannot be read makes way for the one before."""
    for folder in (backup, _previous(backup)):
        try:
            h5py.File(folder / "latest.weights.h5", "r").close()
            finished = int(json.loads((folder / "training_metadata.json").read_text())["epoch"])
        except (OSError, ValueError, KeyError):
            continue
        if folder != backup:
            shutil.rmtree(backup, ignore_errors=True)
            folder.rename(backup)
        return finished
    shutil.rmtree(backup, ignore_errors=True)
    return 0


def _history_before(path: Path, epoch: int) -> list[float]:
    """Validation AUROC of the epochs that count; later rows, of a torn epoch, are dropped."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        header, *rows = file.readlines() or [""]
    kept = [row for row in rows if int(row.partition(",")[0]) < epoch]
    if not kept:
        path.unlink()
        return []
    if len(kept) < len(rows):
        partial = path.with_suffix(".partial")
        partial.write_text(header + "".join(kept), newline="")
        partial.replace(path)
    return [float(row["val_auroc"]) for row in csv.DictReader([header, *kept])]


def _epochs_since_best(history: Sequence[float]) -> int:
    return len(history) - 1 - int(np.argmax(history)) if len(history) else 0
