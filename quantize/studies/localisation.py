"""Do the maps point where radiologists drew boxes? Pointing game and overlap, with a baseline.

The pointing game (Zhang et al., Top-Down Neural Attention by Excitation Backprop, IJCV 2018) asks
whether the map's peak is in the box; the overlap is the intersection over union of the box and the
cells with at least half of the peak's evidence, as in the data set's paper (Wang et al.,
ChestX-ray8, CVPR 2017). The baseline ignores the picture: it points at the centre and marks the
middle half of each side.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import keras
import numpy as np
import typer
from numpy.typing import NDArray

from edge_app.classifier import Classifier
from edge_app.core.files import UnreadableError, read_bounded
from edge_app.evaluation.metrics import interval, patient_weights
from edge_app.evaluation.report import interval_text
from edge_app.heatmap.maps import (
    GRID,
    POINTING,
    POINTING_BEYOND,
    POINTING_OF_MIDDLE,
    evidence,
    peak,
)
from edge_app.images.array import from_array
from edge_app.model.model_file import ModelFile
from edge_app.model.preprocess import normalised
from edge_app.pipeline.reader import ready
from edge_app.pipeline.route import score_all, unbroken
from edge_app.pipeline.scorers import classified_only
from quantize.errors import ConversionError
from quantize.studies.inputs import ModelAndRunInputs
from quantize.studies.result import Result
from train.cache import Cached
from train.data_facts import dataset_facts
from train.errors import DatasetError
from train.finished_run import FinishedRun
from train.labels import LABELS

BOXES: Final = "BBox_List_2017.csv"
BOX_PIXELS: Final = 1024
"""Side of the release's images in pixels, the unit of the boxes."""

SPELLED: Final = {"Infiltrate": "Infiltration"}
"""Labels of the box list that differ from those of the images."""

REGION: Final = 0.5
"""Evidence, relative to the peak, from which on a cell counts as marked."""

OVERLAPS: Final = (0.1, 0.25)
MEASURES: Final = ("pointing", *(f"overlap {limit:g}" for limit in OVERLAPS))
METHODS: Final = ("int8", "float", "centre")
RESAMPLES: Final = 2000
MAX_BYTES: Final = 8 << 20

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Boxed:
    """One finding of one image, with all boxes drawn for it.

    Attributes:
        image: its name.
        label: one of `LABELS`.
        mask: `GRID`×`GRID`, what the boxes cover.
        boxes: left, top, right, bottom, as shares of the sides.
    """

    image: str
    label: str
    mask: Mask
    boxes: list[tuple[float, float, float, float]]


def read_boxes(folder: Path) -> list[Boxed]:
    """The release's box list, one entry an image and finding.

    Raises:
        DatasetError: there is none, or it is not one.
    """
    path = folder / BOXES
    try:
        text = read_bounded(path, MAX_BYTES).decode("utf-8")
    except (UnreadableError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: {error}") from None
    found: dict[tuple[str, str], list[tuple[float, float, float, float]]] = {}
    for number, row in enumerate(csv.reader(text.splitlines()[1:]), 2):
        try:
            image, label = row[0], SPELLED.get(row[1], row[1])
            left, top, width, height = (float(value) / BOX_PIXELS for value in row[2:6])
        except (IndexError, ValueError):
            raise DatasetError(f"{path}: line {number} holds no box") from None
        box = (left, top, left + width, top + height)
        if label not in LABELS or not (width > 0 and height > 0 and min(box) >= 0):
            raise DatasetError(f"{path}: line {number} holds no box of a known finding")
        found.setdefault((image, label), []).append(box)
    return [Boxed(image, label, covered(boxes), boxes) for (image, label), boxes in found.items()]


def covered(boxes: list[tuple[float, float, float, float]]) -> Mask:
    """The cells of a `GRID`×`GRID` picture whose centres are in a box."""
    centres = (np.arange(GRID) + 0.5) / GRID
    mask = np.zeros((GRID, GRID), bool)
    for left, top, right, bottom in boxes:
        rows, columns = ((centres >= a) & (centres < b) for a, b in ((top, bottom), (left, right)))
        mask |= np.outer(rows, columns)
    return mask


@dataclass(frozen=True)
class Pointed:
    """A map's peak, as shares of the sides, and the cells that it marks."""

    place: tuple[float, float] | None
    region: Mask


def pointed(cells: NDArray[np.floating[Any]]) -> Pointed:
    """Peak and marked cells of the h×w map of one finding."""
    return Pointed(peak(cells), evidence(cells, GRID, GRID) >= REGION)


CENTRE: Final = Pointed((0.5, 0.5), covered([(0.25, 0.25, 0.75, 0.75)]))


def judged(answer: Pointed, truth: Boxed) -> NDArray[np.float64]:
    """1 or 0 for each of `MEASURES`."""
    place = answer.place
    inside = place is not None and any(
        left <= place[0] < right and top <= place[1] < bottom
        for left, top, right, bottom in truth.boxes
    )
    union = (answer.region | truth.mask).sum()
    overlap = (answer.region & truth.mask).sum() / union if union else 0.0
    return np.array([inside, *(overlap >= limit for limit in OVERLAPS)], np.float64)


def localisation_study(
    inputs: ModelAndRunInputs,
    state: Annotated[
        bool, typer.Option(help="State it in the model file too: its heatmaps' legends show it.")
    ] = False,
) -> Result:
    """The study: see `localise`."""
    boxes = read_boxes(inputs.data)
    if state and inputs.limit is not None:
        raise ConversionError("--state states what all images say: leave --limit out")
    result = localise(inputs.model, inputs.run, inputs.images, boxes, inputs.seed)
    if state:
        stating(inputs.model, result.content).save()
    return result


def stating(model: ModelFile, found: Mapping[str, Any]) -> ModelFile:
    """A model whose manifest says how often its maps point into the boxes.

    Args:
        model: the model.
        found: a result's content, see `localise`.
    """
    whole = found["findings"]["all"]
    on = f"{whole['boxes']} boxes that radiologists drew on test images"
    metrics = {
        POINTING: {**whole["int8"]["pointing"], "on": on},
        POINTING_OF_MIDDLE: {**whole["centre"]["pointing"], "on": on},
        POINTING_BEYOND: {**found["pointing_over_centre"], "on": on},
    }
    manifest = model.manifest
    return model.replace(manifest={**manifest, "metrics": {**manifest["metrics"], **metrics}})


def localise(
    model: ModelFile, run: FinishedRun, cached: Cached, boxes: list[Boxed], seed: int
) -> Result:
    """Measure the int8 maps, the float network's and the baseline against the boxes.

    Args:
        model: the int8 model file.
        run: the float network that it was made from.
        cached: the images, at the network's size.
        boxes: see `read_boxes`; those of images that are not there are left out.
        seed: of the bootstrap.

    Raises:
        ConversionError: no image with a box is there.
    """
    places = {name: place for place, name in enumerate(cached.table["image"])}
    known = model.labels.names
    boxes = [boxed for boxed in boxes if boxed.image in places and boxed.label in known]
    if not boxes:
        raise ConversionError(f"{cached.name}: no image with a box of the model's labels is in it")
    rows = np.array([places[boxed.image] for boxed in boxes])
    scores = _scores(model, run, cached.images[cached.rows[rows]], boxes)
    patients = cached.table["patient"].to_numpy(str)[rows]
    content: dict[str, Any] = {
        "model": {"name": model.name, "sha256": model.sha256},
        "dataset": dataset_facts(cached, "test"),
        "map": model.manifest["outputs"]["map"]["shape"][1:3],
        "findings": _by_finding(scores, boxes, rows, patients, seed),
        "pointing_over_centre": _mean(
            scores["int8"][:, 0] - scores["centre"][:, 0], patients, seed
        ),
    }
    header = ("finding", "boxes", *(f"{m}: {method}" for m in MEASURES for method in METHODS))
    return Result(
        "localisation",
        "python -m quantize localise MODEL RUN DATA",
        _caption(model.name, content),
        header,
        [_row(label, each) for label, each in content["findings"].items()],
        content,
    )


def _scores(
    model: ModelFile, run: FinishedRun, pictures: NDArray[np.uint8], boxes: list[Boxed]
) -> dict[str, NDArray[np.float64]]:
    """By each of `METHODS`, N×3: how each of `MEASURES` judges the map of each entry of `boxes`.

    Args:
        model, run: the int8 network and the float one.
        pictures: N×size×size, those of `boxes`.
        boxes: N entries.
    """
    classifier = Classifier(model, force=True)
    scored = score_all(map(from_array, pictures), classifier, ready, classified_only)
    answered = [findings.map for _, (_, findings) in unbroken(scored)]
    maps = [cells for cells in answered if cells is not None]
    network = keras.Model(run.model.input, run.model.get_layer("map").output)
    float_maps = np.asarray(network.predict_on_batch(normalised(pictures)[..., np.newaxis]))
    pointers: dict[str, Callable[[int, int], Pointed]] = {
        "int8": lambda i, channel: pointed(maps[i][..., channel]),
        "float": lambda i, channel: pointed(float_maps[i, ..., channel]),
        "centre": lambda i, channel: CENTRE,
    }
    channels = [model.labels.names.index(boxed.label) for boxed in boxes]
    return {
        method: np.stack(
            [judged(pointers[method](i, channels[i]), boxed) for i, boxed in enumerate(boxes)]
        )
        for method in METHODS
    }


def _by_finding(
    scores: dict[str, NDArray[np.float64]],
    boxes: list[Boxed],
    rows: NDArray[np.int64],
    patients: NDArray[np.str_],
    seed: int,
) -> dict[str, dict[str, Any]]:
    """Counts, and each method's mean measures, for each finding that has boxes and for all."""
    labels = np.array([boxed.label for boxed in boxes])
    members = {label: labels == label for label in LABELS if (labels == label).any()}
    members["all"] = np.ones(len(boxes), bool)
    return {
        label: {
            "boxes": sum(len(boxes[i].boxes) for i in np.flatnonzero(chosen)),
            "images": len(set(rows[chosen].tolist())),
            "patients": len(set(patients[chosen])),
            **{
                method: {
                    measure: _mean(values[chosen, column], patients[chosen], seed)
                    for column, measure in enumerate(MEASURES)
                }
                for method, values in scores.items()
            },
        }
        for label, chosen in members.items()
    }


def _caption(name: str, content: dict[str, Any]) -> str:
    cells, whole = content["map"], content["findings"]["all"]
    return (
        f"Maps of {name} ({cells[0]}×{cells[1]} cells) on {whole['boxes']} "
        f"boxes that radiologists drew on {whole['images']} test images of {whole['patients']} "
        "patients. Pointing: the map's peak is in the box. Overlap: the intersection over union of "
        f"the box and of what has at least {REGION:.0%} of the peak's evidence is at least "
        f"{OVERLAPS[0]:g} or {OVERLAPS[1]:g}. The centre points at the middle of the picture and "
        "marks the middle half of each side. 95 % intervals: patients resampled. Int8 pointing "
        f"beyond the centre's: {interval_text(content['pointing_over_centre'])}."
    )


def _row(label: str, finding: dict[str, Any]) -> tuple[str, ...]:
    intervals = (finding[method][measure] for measure in MEASURES for method in METHODS)
    return (label, str(finding["boxes"]), *map(interval_text, intervals))


def _mean(values: NDArray[np.float64], patients: NDArray[np.str_], seed: int) -> dict[str, Any]:
    weights = patient_weights(patients, RESAMPLES, seed)
    low, high = interval((weights @ values) / weights.sum(axis=1))
    return {"value": float(values.mean()), "low": low, "high": high}
