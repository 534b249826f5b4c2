"""A folder of images with their CSV: the NIH release's layout, or a plain one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from edge_app.core.errors import ImageError, MachineError
from edge_app.evaluation.label_table import Table, read_table
from edge_app.evaluation.labelled import find_labels, load_table, require_folder
from edge_app.images.read import read_image
from train.datasets.dataset import Dataset, Pixels, first_of_each_split, stamp_of
from train.datasets.demographics import with_plain_demographics
from train.labels import OF_NIH, LabelSet
from train.own_labels import labels_from_columns, labels_from_names

WORKERS: Final = 4


def read_folder(root: Path, limit: int | None, requested: LabelSet | None = None) -> Dataset:
    """Index a folder of labelled images; see `edge_app.evaluation.labelled` for its layouts.

    Args:
        root: the folder.
        limit: images of each split; None for all.
        requested: the labels that an image can have; None for those of the data.

    Raises:
        DatasetError: it has no layout that is known, or its table cannot be read.
    """
    require_folder(root)
    source = read_table(find_labels(root))
    labels, said = (requested, []) if requested else _labels_of(source)
    exclusive = labels.head == "exclusive"
    labelled = load_table(
        root, source, labels.labels, numbered=labels.numbered, exclusive=exclusive
    )
    rows = [
        {"image": each.name, "patient": each.patient, "split": each.split, **each.about}
        for each in labelled.images
    ]
    table = pd.DataFrame(rows, columns=None if rows else ["image", "patient", "split"])
    table, notes = with_plain_demographics(table)
    table = first_of_each_split(table, limit)
    images = [labelled.images[row] for row in table.index]
    paths = [each.path for each in images]
    stamps = stamps_of([each.name for each in images], paths)
    return Dataset(
        name=labelled.name,
        table=table.reset_index(drop=True),
        targets=np.array([each.targets for each in images], np.uint8).reshape(
            -1, len(labels.labels)
        ),
        pixels=partial(read_files, paths),
        identity=hashlib.sha256(stamps.encode()).hexdigest(),
        problems=[(each.name, each.reason) for each in labelled.left_out],
        notes=said + labelled.notes + notes,
        labels=labels,
        tells_patients=labelled.tells_patients,
        names_test=labelled.has_test_list,
    )


def stamps_of(names: Sequence[str], paths: Sequence[Path]) -> str:
    """A line for each file, which changes when the file does or another takes its place.

    Args:
        names: of the images, each once; files in several folders may be called alike.
        paths: of their files.
    """
    return "\n".join(f"{name} {stamp_of(path)}" for name, path in zip(names, paths, strict=True))


def _labels_of(table: Table) -> tuple[LabelSet, list[str]]:
    """NIH's labels for its own release; for any other data the labels in it."""
    if table.nih:
        return OF_NIH, []
    if table.columns:
        return labels_from_columns(table.columns, str(table.path))
    return labels_from_names((row.present for row in table.rows if row.present), str(table.path))


def read_files(paths: Sequence[Path], min_side: int | None = None) -> Iterator[Pixels]:
    """Decode in threads (Pillow releases the lock while it does), a bounded number ahead."""

    def read(index: int) -> Pixels:
        try:
            image = read_image(paths[index], min_side=min_side)
        except MachineError:  # not the file's fault, so it is not left out of training
            raise
        except ImageError as error:
            return index, error, ""
        return index, image.pixels, image.facts["sha256"]

    with ThreadPoolExecutor(WORKERS) as pool:
        indices = iter(range(len(paths)))
        ahead: list[Future[Pixels]] = [pool.submit(read, i) for i in islice(indices, 4 * WORKERS)]
        while ahead:
            yield ahead.pop(0).result()
            ahead += [pool.submit(read, i) for i in islice(indices, 1)]
