"""Files of scores and of labels, for tests of what reads them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Study(NamedTuple):
    """Images that two classifiers scored nearly alike.

    Attributes:
        targets: N×L, 0 or 1; scores: N×L probabilities that know something of them.
    """

    images: list[str]
    patients: list[str]
    labels: list[str]
    targets: np.ndarray
    scores: np.ndarray

    def nearly(self, by: float = 0.01) -> np.ndarray:
        """Scores of a faithful second classifier."""
        odds = np.log(self.scores) - np.log1p(-self.scores)
        odds = odds + by * np.random.default_rng(1).normal(size=odds.shape)
        return 1 / (1 + np.exp(-odds))


def study(count: int = 300, labels: Sequence[str] = ("Nodule", "Big heart", "Effusion")) -> Study:
    generator = np.random.default_rng(0)
    targets = (generator.random((count, len(labels))) < 0.4).astype(np.uint8)
    odds = generator.normal(size=targets.shape) + 1.5 * targets - 1
    return Study(
        [f"{i:04d}.png" for i in range(count)],
        [f"p{i % 60}" for i in range(count)],
        list(labels),
        targets,
        1 / (1 + np.exp(-odds)),
    )


def write_csv(
    path: Path,
    images: Sequence[str],
    labels: Sequence[str],
    values: np.ndarray,
    patients: Sequence[str] | None = None,
) -> Path:
    """A CSV of image, patient if told, and one column a label."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["image", *(["patient"] if patients else []), *labels])
        for i, image in enumerate(images):
            rows.writerow([image, *([patients[i]] if patients else []), *values[i].tolist()])
    return path


def write_joined(path: Path, made: Study) -> Path:
    """A CSV of labels joined by bars, ``none`` where there is none."""
    lines = ["image,patient,labels"]
    for image, patient, row in zip(made.images, made.patients, made.targets, strict=True):
        present = [made.labels[k] for k in np.flatnonzero(row)]
        lines.append(f"{image},{patient},{'|'.join(present) or 'none'}")
    path.write_text("\n".join(lines) + "\n")
    return path
