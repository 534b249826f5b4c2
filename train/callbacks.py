"""Keras callbacks: validation, logs, progress and interruption between epochs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from train.cache import Cached
from train.console import say
from train.criterion import measured
from train.errors import RunError
from train.predict import predict

Logs = dict[str, float]


class Validation(keras.callbacks.Callback):
    """Adds to each epoch's logs what `criterion.measured` finds in the validation images."""

    def __init__(self, cached: Cached) -> None:
        super().__init__()
        self.cached = cached

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        assert logs is not None
        labels = self.cached.targets.shape[1]  # auxiliary outputs follow
        logits = predict(self.model, self.cached)[:, :labels]
        if not np.isfinite(logits).all():
            raise RunError(
                "training has diverged: try a lower --set learning_rate=..., in a new --run"
            )
        logs.update(measured(self.cached.targets, logits, self.cached.labels))


class Scalars(keras.callbacks.Callback):
    """Each epoch's logs for TensorBoard; Keras' own callback needs TensorFlow for that."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def on_train_begin(self, logs: Logs | None = None) -> None:
        from tensorboard.summary import Writer  # takes a second, and `evaluate` never needs it

        self.writer = Writer(str(self.folder))

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        for name, value in (logs or {}).items():
            self.writer.add_scalar(f"epoch_{name}", float(value), epoch)
        self.writer.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        self.writer.close()


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

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.started = time.monotonic()
        self.progress.start()
        self.task = self.progress.add_task("training", total=self.epochs * self.steps)
        self.progress.update(self.task, completed=self.first_epoch * self.steps)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self.progress.advance(self.task)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        done, logs = epoch + 1 - self.first_epoch, logs or {}
        left = (time.monotonic() - self.started) / done * (self.epochs - epoch - 1)
        values = "  ".join(f"{name} {value:.4f}" for name, value in logs.items())
        say(self.console, f"epoch {epoch + 1}/{self.epochs}  {values}  {left / 60:.0f} min left")

    def on_train_end(self, logs: Logs | None = None) -> None:
        self.progress.stop()


class Interruption(keras.callbacks.Callback):
    """Ends training between two epochs when `go_on` says so."""

    def __init__(self, go_on: Callable[[], bool]) -> None:
        super().__init__()
        self.go_on, self.happened = go_on, False

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if not self.go_on():
            self.happened = self.model.stop_training = True
