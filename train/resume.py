"""Resuming a run that was stopped: its backup, and the history of its epochs."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import h5py
import keras
import numpy as np

from train.criterion import Criterion


class Backup(keras.callbacks.BackupAndRestore):
    """Keras' backup, written to a new folder that then takes the old one's place.

    Written in place, a kill could leave half a file, or one epoch's weights under another's number.
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


class ResumedEarlyStopping(keras.callbacks.EarlyStopping):
    """Early stopping that remembers the epochs before an interruption."""

    def __init__(self, criterion: Criterion, history: Sequence[float], patience: int) -> None:
        super().__init__(monitor=criterion.name, mode=criterion.mode, patience=patience)
        self.criterion, self.history = criterion, history

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        super().on_train_begin(logs)
        if len(self.history):
            self.best_epoch = int(np.argmax(self.history))
            self.best = self.criterion.goodness(self.history[self.best_epoch])
            self.wait = epochs_since_best(self.history)


def finished_epochs(backup: Path) -> int:
    """How many epochs the backup holds; an unreadable one is replaced by the previous one."""
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


def history_before(path: Path, epoch: int, criterion: Criterion) -> list[float]:
    """The goodness of each epoch before `epoch`, more being better; drops all others from the file.

    Args:
        path: of `history.csv`.
        epoch: the first one, from 0, that does not count.
        criterion: what is read from it.
    """
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
    rows_kept = csv.DictReader([header, *kept])
    name = criterion.name
    return [criterion.goodness(float(row[name])) for row in rows_kept if name in row]


def epochs_since_best(history: Sequence[float]) -> int:
    return len(history) - 1 - int(np.argmax(history)) if len(history) else 0
