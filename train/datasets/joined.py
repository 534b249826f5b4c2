"""Several data sets as one: a list of them, as a TOML or JSON file.

    data = "nih-chestxray14-subset"        # validates and tests, and trains as it does alone

    [[also]]                               # trains, and does nothing else
    path = "more"
    origin = "Radiographs of …, licence …" # for the model card
    apart = true                           # none of its patients is in `data`, its maker says

    [[also]]
    path = "pictures"
    origin = "…"
    unlabelled = true                      # a folder of images; only teachers' scores are learned

Paths are relative to the file. Images of `also` are named after its folder. Where a data set of
`also` names test images, these are left out; otherwise all its images train.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edge_app.evaluation.image_files import SUFFIXES
from edge_app.evaluation.splits import plain_patient
from train.datasets.dataset import UNLABELLED, Dataset, Further, Pixels
from train.datasets.folder import read_files, stamps_of
from train.errors import DatasetError
from train.labels import LabelSet
from train.written_file import read_written

Load = Callable[[Path, int | None, LabelSet | None], Dataset]

KEYS: Final = {"path": str, "origin": str, "apart": bool, "unlabelled": bool}
NEEDED: Final = ("path", "origin")
LONGEST_ORIGIN: Final = 1000
SOURCE: Final = "source"
"""The table's column for an image's data set: 0 for `data`, then 1, 2 … for those of `also`."""


def is_joined(path: Path) -> bool:
    return path.suffix in (".toml", ".json") and path.is_file()


def read_joined(load: Load, path: Path, limit: int | None, requested: LabelSet | None) -> Dataset:
    """Index a list of data sets.

    Args:
        load: reads one data set.
        path: the list.
        limit: images of each split of each data set; None for all.
        requested: the labels that an image can have; None for those of `data`.

    Raises:
        DatasetError: the list is not as above, one of its data sets cannot be read, or a patient
            who validates or tests would train.
    """
    data, entries = _stated(path)
    first = load(data, limit, requested)
    parts, further = [_of(first, 0)], []
    for entry in entries:
        folder = path.parent / entry["path"]
        unlabelled = entry.get("unlabelled", False)
        if unlabelled:
            found = _unlabelled(folder, limit, first.labels)
        else:
            found = load(folder, limit, first.labels)
            _require_apart(found, first, folder)
        part = _of(_for_training(found, folder.name), len(parts))
        _require_other_names(part, first, folder)
        parts.append(part)
        tells, apart = found.tells_patients, entry.get("apart", False)
        further.append(Further(found.name, entry["origin"], apart, unlabelled, tells))
    identity = json.dumps([[each.identity, each.table["image"].tolist()] for each in parts])
    return replace(
        first,
        table=pd.concat([each.table for each in parts], ignore_index=True),
        targets=np.concatenate([each.targets for each in parts]),
        pixels=partial(_one_after_another, parts),
        identity=hashlib.sha256(identity.encode()).hexdigest(),
        problems=[problem for each in parts for problem in each.problems],
        notes=[note for each in parts for note in each.notes],
        further=tuple(further),
    )


def describe(further: Sequence[Mapping[str, Any]]) -> list[str]:
    """A run's `further` data sets in sentences, for a terminal and a card."""
    return [_described(facts) for facts in further]


def _described(facts: Mapping[str, Any]) -> str:
    count = f"{facts['images']} images"
    if facts["tells_patients"]:
        count += f" of {facts['patients']} patients"
    taught = ", without labels: only its teachers' scores of them were learned"
    words = f"Also trained on {count} ({facts['name']}){taught if facts['unlabelled'] else ''}."
    known = (
        "As its user states, none of its patients validates or tests."
        if facts["apart"]
        else "Whether test patients are among these is not known, and a test patient who is spoils "
        "the test."
    )
    return f"{words} Origin: {facts['origin'].rstrip('.')}. {known}"


def _stated(path: Path) -> tuple[Path, list[dict[str, Any]]]:
    """Where `data` is, and the entries of `also`."""
    stated = read_written(path)
    how = 'write data = "PATH", and [[also]] with path and origin for each other data set'
    if not isinstance(stated, dict) or not isinstance(stated.get("data"), str):
        raise DatasetError(f"{path}: is no list of data sets: {how}")
    also = stated.get("also", [])
    if set(stated) - {"data", "also"} or not isinstance(also, list):
        raise DatasetError(f"{path}: there are data and also, and nothing else: {how}")
    for entry in also:
        _check(path, entry)
    names = [Path(entry["path"]).name for entry in also]
    if len(set(names)) < len(names) or "" in names:
        raise DatasetError(f"{path}: two data sets have the same folder name: rename one")
    return path.parent / stated["data"], also


def _check(path: Path, entry: Any) -> None:
    if not isinstance(entry, dict) or not set(NEEDED) <= set(entry) <= set(KEYS):
        raise DatasetError(
            f"{path}: an entry of also takes {', '.join(KEYS)}, and needs {' and '.join(NEEDED)}"
        )
    for key, value in entry.items():
        if not isinstance(value, KEYS[key]):
            kind = "true or false" if KEYS[key] is bool else "a text"
            raise DatasetError(f"{path}: {key} is {kind}, not {value!r}")
    origin = entry["origin"]
    if not 0 < len(origin) <= LONGEST_ORIGIN or not origin.isprintable():
        raise DatasetError(f"{path}: origin is a line of 1 to {LONGEST_ORIGIN} printable letters")


def _of(dataset: Dataset, source: int) -> Dataset:
    return replace(dataset, table=dataset.table.assign(**{SOURCE: source}))


def _require_other_names(part: Dataset, first: Dataset, folder: Path) -> None:
    """Refuse images with names of the first data set: scores are matched by name."""
    shared = sorted(set(part.table["image"]) & set(first.table["image"]))
    if shared:
        raise DatasetError(
            f"{folder}: {len(shared)} of its images would be called as images of the first data "
            f"set, such as {shared[0]}: rename the folder {folder.name}"
        )


def _require_apart(more: Dataset, first: Dataset, folder: Path) -> None:
    """Refuse a data set with a patient, by name, who validates or tests in the first one."""
    judges = set(map(plain_patient, first.table.loc[first.table["split"] != "train", "patient"]))
    shared = sorted(each for each in set(more.table["patient"]) if plain_patient(each) in judges)
    if shared and not more.tells_patients:
        raise DatasetError(
            f"{folder}: {len(shared)} of its images are called as ones that validate or test the "
            f"first data set, such as {shared[0]}, and it tells no patients: leave them out, or, "
            "where others are meant, write a patient for each image"
        )
    if shared:
        raise DatasetError(
            f"{folder}: {len(shared)} of its patients validate or test the first data set, such as "
            f"{shared[0]}: leave them out, or, where others are meant, rename them"
        )


def _for_training(dataset: Dataset, name: str) -> Dataset:
    """The images of a further data set that train: all in that split, but for the unlabelled."""
    table = dataset.table
    keep = np.ones(len(table), bool)
    if dataset.names_test:
        keep = (table["split"] != "test").to_numpy()
    split = table["split"].where(table["split"] == UNLABELLED, "train")
    table = table.assign(split=split, image=[f"{name}/{image}" for image in table["image"]])
    problems = [(f"{name}/{image}", reason) for image, reason in dataset.problems]
    return replace(
        dataset,
        table=table[keep].reset_index(drop=True),
        targets=dataset.targets[keep],
        pixels=partial(_kept, dataset, keep),
        problems=problems + [(image, "tests its own data set") for image in table["image"][~keep]],
    )


def _kept(
    dataset: Dataset, keep: NDArray[np.bool_], min_side: int | None = None
) -> Iterator[Pixels]:
    places = np.cumsum(keep) - 1
    for index, pixels, digest in dataset.pixels(min_side):
        if keep[index]:
            yield int(places[index]), pixels, digest


def _one_after_another(parts: Sequence[Dataset], min_side: int | None = None) -> Iterator[Pixels]:
    start = 0
    for part in parts:
        for index, pixels, digest in part.pixels(min_side):
            yield start + index, pixels, digest
        start += len(part.table)


def _unlabelled(folder: Path, limit: int | None, labels: LabelSet) -> Dataset:
    """All images in a folder and below, each of a patient of its own, without labels.

    Raises:
        DatasetError: there are none.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)[:limit]
    if not paths:
        raise DatasetError(f"{folder}: no images in it")
    names = [path.relative_to(folder).as_posix() for path in paths]
    patients = [f"{folder.name}/{name}" for name in names]
    return Dataset(
        name=f"unlabelled folder, {folder.resolve().name}",
        table=pd.DataFrame({"image": names, "patient": patients, "split": UNLABELLED}),
        targets=np.zeros((len(paths), len(labels.labels)), np.uint8),
        pixels=partial(read_files, paths),
        identity=hashlib.sha256(stamps_of(names, paths).encode()).hexdigest(),
        labels=labels,
        tells_patients=False,
    )
