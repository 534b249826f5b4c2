"""Does a map follow the picture? Its peak in the picture and in the mirrored picture.

A map that finds something finds it on the other side of the mirrored picture. A map with its peak
at the same place in both follows a habit of its network, not the picture.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_app.classifier import Classifier, Findings
from edge_app.images.array import from_array
from edge_app.model.model_file import ModelFile
from edge_app.pipeline.reader import ready
from edge_app.pipeline.route import score_all, unbroken
from edge_app.pipeline.scorers import classified_only
from quantize.errors import ConversionError
from quantize.studies.inputs import ModelInputs
from quantize.studies.result import Result

IMAGES: Final = 500
"""How many test images are drawn at random, at most."""


def mirrored_study(inputs: ModelInputs) -> Result:
    """The study: the column of the map's peak, of the picture's most probable finding.

    Raises:
        ConversionError: the model has no map.
    """
    model, cached = inputs.model, inputs.images
    if not model.has_map:
        raise ConversionError(f"{model.name} has no map")
    count = min(IMAGES, len(cached))
    drawn = np.random.default_rng(inputs.seed).choice(len(cached), count, replace=False)
    pictures = cached.images[cached.rows[np.sort(drawn)]]
    there = _answers(model, pictures)
    mirrored = _answers(model, pictures[:, :, ::-1])
    columns = model.manifest["outputs"]["map"]["shape"][2]
    labels = model.labels.names
    pairs = []
    for one, other in zip(there, mirrored, strict=True):
        channel = labels.index(one.ranked[0].label)
        pairs.append((_column(one, channel), _column(other, channel)))
    places = np.array(pairs)
    same = float((places[:, 0] == places[:, 1]).mean())
    moved = float((places[:, 0] == columns - 1 - places[:, 1]).mean())
    shares = [np.bincount(side, minlength=columns) / count for side in places.T]
    return Result(
        name="mirrored",
        command="python -m quantize mirrored MODEL DATA",
        caption=(
            f"Maps of {model.name} on {count} test images: the column of the cell with the most "
            "evidence for the most probable finding, in the picture and in its mirror image. The "
            f"peak moves to the mirrored column in {moved:.0%} of the images, and stays in its "
            f"column in {same:.0%}."
        ),
        header=("column", "picture", "mirrored"),
        rows=[
            (str(column + 1), f"{shares[0][column]:.1%}", f"{shares[1][column]:.1%}")
            for column in range(columns)
        ],
        content={
            "model": {"name": model.name, "sha256": model.sha256},
            "images": count,
            "moved": moved,
            "stayed": same,
            "picture": shares[0].tolist(),
            "mirrored": shares[1].tolist(),
        },
    )


def _answers(model: ModelFile, pictures: NDArray[np.uint8]) -> list[Findings]:
    classifier = Classifier(model, force=True)
    sources = (from_array(np.ascontiguousarray(picture)) for picture in pictures)
    scored = score_all(sources, classifier, ready, classified_only)
    return [findings for _, (_, findings) in unbroken(scored)]


def _column(findings: Findings, channel: int) -> int:
    assert findings.map is not None
    cells = findings.map[..., channel]
    return int(cells.argmax()) % cells.shape[1]
