"""Writing the scores of a model's reports as plain CSV files, for examples in the manual.

    python -m tools.manual.scores MODEL FOLDER      # float.csv, int8.csv and labels.csv

Probabilities of the test images, calibrated as in the reports, with six digits.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from edge_app.evaluation.report import read

REPOSITORY: Final = Path(__file__).resolve().parents[2]


def main(model: str, folder: Path) -> None:
    """Write the three files."""
    for name in ("float", "int8"):
        report = read(REPOSITORY / "reports" / model / f"{name}.json")
        found = report.evaluated
        head = ["image", "patient", *report.labels.names]
        scores = report.calibrated(found.logits)
        rows = [[f"{score:.6f}" for score in row] for row in scores]
        _write(folder / f"{name}.csv", head, found.images, found.patients, rows)
    _write(folder / "labels.csv", head, found.images, found.patients, found.targets)


def _write(
    path: Path,
    head: list[str],
    images: Iterable[str],
    patients: Iterable[str],
    rows: Iterable[Iterable[object]],
) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows(
            [image, patient, *row]
            for image, patient, row in zip(images, patients, rows, strict=True)
        )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
