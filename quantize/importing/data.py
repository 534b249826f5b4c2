"""The user's labelled images, as an imported network sees them, and what is missing from them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from rich.console import Console

from edge_app.comparison.gates import Gates
from edge_app.model.labels import Labels
from edge_app.model.preprocess import InputSpec
from train.cache import Cached, open_cache
from train.calibrate import MIN_IMAGES
from train.data_facts import shared_files
from train.datasets.folder import read_folder
from train.errors import DatasetError
from train.labels import LabelSet
from train.own_labels import require_exclusive

if TYPE_CHECKING:
    from edge_app.model.manifest_types import Head

SPLITS: Final = ("train", "validation", "test")
SUPPORT: Final = Gates().label_support


@contextmanager
def decoded_images(cache: Path | None, neighbour: Path) -> Iterator[Path]:
    """The folder that decoded images are kept in; if None, a temporary one next to a file.

    It is not in the system's temporary folder, which may lie in memory that the images would fill.
    """
    if cache is not None:
        yield cache
        return
    with TemporaryDirectory(prefix=".decoded-", dir=neighbour.parent) as folder:
        yield Path(folder)


def read_images(
    data: Path,
    labels: Labels,
    exclusive: bool,
    spec: InputSpec,
    cache: Path,
    limit: int | None,
    console: Console,
) -> Cached:
    """A folder of labelled images, decoded at the network's size; says what is left out.

    Args:
        data: the folder, with a CSV of the labels.
        labels: of the network, in the order of its scores.
        exclusive: whether each image bears just one of them.
        spec: what the network sees.
        cache: folder of decoded images.
        limit: images of each split; None for all.
        console: for remarks.

    Raises:
        DatasetError: it is no such folder, its labels are others, or a split is empty.
    """
    if not data.is_dir():
        raise DatasetError(
            f"{data}: is no folder: give one with the images and a labels.csv of image, patient, "
            "labels"
        )
    head: Head = "exclusive" if exclusive else "independent"
    dataset = read_folder(data, limit, LabelSet(labels, head))
    label_counts, images = dataset.targets.sum(axis=1).tolist(), dataset.table["image"].tolist()
    require_exclusive(label_counts, images, dataset.labels, "leave them out of the table")
    cached, problems = open_cache(dataset, spec, cache, console)
    for note in dataset.notes:
        console.print(f"{data}: {note}")
    for image, reason in problems[:10]:
        console.print(f"left out: {image}: {reason}")
    console.print(f"{dataset.name}: {len(cached)} images, {len(problems)} left out")
    for split in SPLITS:
        if not (cached.table["split"] == split).any():
            raise DatasetError(
                f"{data}: no {split} images in it: images are divided by patient, so give more "
                "patients (50 at least, some hundreds for narrow intervals)"
            )
    return cached


def shortages(cached: Cached, labels: Labels) -> list[str]:
    """What these images cannot show: labels with few positives, unknown patients, and files in both
    the choice and the test."""
    said = []
    if (cached.table["patient"] == cached.table["image"]).all():
        said.append(
            "the labels tell no patients: each image counts as one, so intervals are too narrow, "
            "and a patient may be in two splits: add a column 'patient'"
        )
    test, validation = cached.split("test"), cached.split("validation")
    said += [f"test: {line}" for line in shared_files(test, validation, "validate")]
    for split in ("validation", "test"):
        part = cached.split(split)  # type: ignore[arg-type]
        for channel, name in enumerate(labels.names):
            positives = int(part.targets[:, channel].sum())
            fewest = min(positives, len(part) - positives)
            if fewest < MIN_IMAGES:
                what = "positives" if fewest == positives else "negatives"
                then = "it gets no threshold" if split == "validation" else "its AUROC means little"
                said.append(
                    f"{name}: {fewest} {what} among {len(part)} {split} images, fewer than "
                    f"{MIN_IMAGES}: {then}; add images that are"
                )
    if not any(SUPPORT <= n <= len(test) - SUPPORT for n in test.targets.sum(axis=0)):
        said.append(
            f"no label has {SUPPORT} positives and as many negatives among the test images, so one "
            "gate cannot be met: add images"
        )
    return said
