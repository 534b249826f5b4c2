"""Every image decoded and resized once, into memory-mapped files that training reads.

The cache is keyed by the data set's identity and the preprocessing, so a changed image, label
list, size or resampling makes a new one. Memory stays flat however many images there are.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from edge_app.core.errors import ImageError
from edge_app.evaluation.report import dataset_digest
from edge_app.evaluation.splits import Split, split_by_patient
from edge_app.images.read import DECODING
from edge_app.model.preprocess import InputSpec, resize
from train.datasets.dataset import Dataset, Further
from train.errors import DatasetError
from train.labels import OF_NIH, LabelSet

MAX_UNREADABLE = 0.01
"""A larger share of unreadable images means that the whole set is at fault, not single files."""


@dataclass(frozen=True)
class Cached:
    """M readable images of one split or of all.

    Attributes:
        images: N×height×width, uint8, memory-mapped: what `preprocess.resize` gave.
        rows: M places in `images`.
        targets: M×L, uint8.
        table: M rows, see `Dataset.table`, and `sha256` of each source.
        name, labels, tells_patients, further: the data set's.
        named: all image names in the data set: of every split, and those left out.
        notes: for a report on these images.
    """

    images: NDArray[np.uint8]
    targets: NDArray[np.uint8]
    table: pd.DataFrame
    rows: NDArray[np.int64]
    name: str
    labels: LabelSet = OF_NIH
    tells_patients: bool = True
    further: tuple[Further, ...] = ()
    named: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def split(self, *names: Split | Literal["unlabelled"]) -> Cached:
        """The images of the named splits; `rows` are their places in `images`, which is shared."""
        return self._where(self.table["split"].isin(names).to_numpy())

    def of_patients(self, share: float) -> Cached:
        """All images of a fixed `share` of the patients; a larger share includes a smaller one."""
        chosen = split_by_patient(self.table["patient"].tolist(), share, "learning curve")
        return self._where(self.table["patient"].isin(chosen).to_numpy())

    def of_other_patients(self, share: float) -> Cached:
        """All images that `of_patients` leaves out."""
        chosen = split_by_patient(self.table["patient"].tolist(), share, "learning curve")
        return self._where(~self.table["patient"].isin(chosen).to_numpy())

    def of_data_set(self, number: int) -> Cached:
        """The images of one data set of a list, see `datasets.joined`."""
        return self._where((self.table["source"] == number).to_numpy())

    def _where(self, keep: NDArray[np.bool_]) -> Cached:
        return replace(
            self,
            targets=self.targets[keep],
            table=self.table[keep].reset_index(drop=True),
            rows=self.rows[keep],
        )

    @property
    def counted(self) -> str:
        """How many images of how many patients, in words."""
        if not self.tells_patients:
            return f"{len(self)} images, patients not known"
        return f"{len(self)} images of {self.table['patient'].nunique()} patients"

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def digest(self) -> str:
        """See `report.dataset_digest`."""
        return dataset_digest(self.table["image"], self.table["sha256"], self.targets)


def open_cache(
    dataset: Dataset, spec: InputSpec, folder: Path, console: Console
) -> tuple[Cached, list[tuple[str, str]]]:
    """Decode `dataset` into `folder`, or reuse what an earlier call left there.

    Returns:
        The readable images, and ``(image, reason)`` for all others.

    Raises:
        DatasetError: more than 1 % of the images cannot be read, or a file of a further data set
            validates or tests. Unreadable images are tried again next time.
    """
    key = hashlib.sha256(
        json.dumps([DECODING, dataset.identity, spec.as_dict()], sort_keys=True).encode()
    ).hexdigest()[:16]
    place = folder / key
    folder.mkdir(parents=True, exist_ok=True)
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run may be making the same cache
        if not (place / "sources.json").exists():
            _build(dataset, spec, place, console)
    sources = json.loads((place / "sources.json").read_text())
    unreadable = [(name, reason) for name, reason in sources["unreadable"]]
    digests = np.array(sources["sha256"])
    rows = np.flatnonzero(digests != "")
    table = dataset.table.assign(sha256=digests).iloc[rows].reset_index(drop=True)
    if dataset.further:
        _require_no_judge_trains(table)
    images = np.load(place / "images.npy", mmap_mode="r")
    cached = Cached(
        images,
        dataset.targets[rows],
        table,
        rows,
        dataset.name,
        dataset.labels,
        dataset.tells_patients,
        dataset.further,
        (*dataset.table["image"], *(name for name, _ in dataset.problems)),
    )
    return cached, dataset.problems + unreadable


def _require_no_judge_trains(table: pd.DataFrame) -> None:
    """Raise a DatasetError if a file that validates or tests also trains in a further data set."""
    more = table["source"] > 0
    judges = ~more & (table["split"] != "train")
    shared = more & table["sha256"].isin(table.loc[judges, "sha256"])
    if shared.any():
        first = table.loc[shared, "image"].iloc[0]
        raise DatasetError(
            f"{shared.sum()} further images are files that validate or test, such as {first}: "
            "take them out of the list of data sets"
        )


def _build(dataset: Dataset, spec: InputSpec, place: Path, console: Console) -> None:
    partial = place.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    count = len(dataset.table)
    shape = (count, spec.height, spec.width)
    digests, unreadable = [], []
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    blank = np.zeros((spec.height, spec.width), np.uint8)
    with (partial / "images.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for index, pixels, digest in track(
            dataset.pixels(spec.min_side), f"Decoding {count} images", total=count, console=console
        ):
            if isinstance(pixels, ImageError):
                unreadable.append((dataset.table["image"][index], str(pixels)))
                pixels = blank
            file.write(resize(pixels, spec).tobytes())
            digests.append(digest)
    if len(unreadable) > MAX_UNREADABLE * count:
        shutil.rmtree(partial)
        raise DatasetError(
            f"{len(unreadable)} of {count} images cannot be read, "
            f"first {unreadable[0][0]}: {unreadable[0][1]}"
        )
    sources = {"dataset": dataset.name, "sha256": digests, "unreadable": unreadable}
    (partial / "sources.json").write_text(json.dumps(sources))
    shutil.rmtree(place, ignore_errors=True)
    partial.rename(place)  # a cache is either whole or not there
