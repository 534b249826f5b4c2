"""The effect of photographing a film: scores of synthetic photographs, rectified and not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import cycle
from typing import Annotated, Any, Final

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.progress import track

from edge_app.classifier import Classifier
from edge_app.evaluation.metrics import auroc, interval, patient_weights
from edge_app.evaluation.report import interval_text
from edge_app.film.rectify import rectified
from edge_app.film.synthetic import SURROUNDINGS, photographed
from edge_app.images.array import from_array
from edge_app.images.radiograph import Radiograph
from edge_app.model.model_file import ModelFile
from edge_app.pipeline.reader import ready
from edge_app.pipeline.route import score_all, unbroken
from edge_app.pipeline.scorers import classified_only
from quantize.studies.inputs import ModelInputs
from quantize.studies.result import Result
from train.cache import Cached
from train.data_facts import dataset_facts
from train.labels import LabelSet
from train.ranking import macro_auroc, rankable, ranking_scores

FILM_SIDE: Final = 512
"""Pixels a side of the radiograph that is photographed."""

RESAMPLES: Final = 200
ImagesOption = Annotated[int, typer.Option(min=1, help="Test images to photograph.")]
WAYS: Final = ("radiograph", "photograph as it is", "photograph, rectified")


def film_study(inputs: ModelInputs, images: ImagesOption = 500) -> Result:
    """The study: see `film`."""
    return film(inputs.model, inputs.images, images, inputs.seed, inputs.console)


def film(model: ModelFile, cached: Cached, images: int, seed: int, console: Console) -> Result:
    """Score test radiographs, their synthetic photographs, and the rectified photographs.

    Args:
        model: scores them; its input check, if any, judges them.
        cached: test images.
        images: the largest number of them to use, evenly spread.
        seed: of the photographs; their surroundings alternate.
        console: for progress.
    """
    classifier = Classifier(model, force=True)
    places = np.unique(np.linspace(0, len(cached) - 1, min(images, len(cached))).astype(int))
    logits: dict[str, list[NDArray[np.float32]]] = {way: [] for way in WAYS}
    flagged: dict[str, list[bool]] = {way: [] for way in WAYS}
    found: list[bool] = []
    shown = track(
        places.tolist(), "Photographing", console=console, disable=not console.is_terminal
    )
    pictures = _pictures(classifier, cached, shown, seed, found)
    scored = unbroken(score_all(pictures, classifier, ready, classified_only))
    for way, (_, (_, findings)) in zip(cycle(WAYS), scored, strict=False):
        logits[way].append(np.array([each.logit for each in findings.findings], np.float32))
        flagged[way].append(bool(findings.check and findings.check.flagged))
    targets = cached.targets[places]
    patients = cached.table["patient"].to_numpy(str)[places]
    answers = {way: np.stack(values) for way, values in logits.items()}
    measured: dict[str, dict[str, Any]] = {
        way: {
            "macro_auroc": _macro(targets, answers[way], patients, seed, cached.labels),
            "logit_rms": float(np.sqrt(np.mean((answers[way] - answers[WAYS[0]]) ** 2))),
            "flagged": float(np.mean(flagged[way])),
        }
        for way in WAYS
    }
    content = {
        "model": {"name": model.name, "sha256": model.sha256},
        "dataset": {**dataset_facts(cached, "test"), "used": len(places)},
        "found": float(np.mean(found)),
        "ways": measured,
    }
    return Result(
        "film",
        "python -m quantize film MODEL DATA",
        _caption(content, len(set(patients))),
        ("scored", "macro AUROC", "logits, rms", "flagged"),
        [_row(way, each) for way, each in measured.items()],
        content,
    )


def _caption(content: dict[str, Any], patients: int) -> str:
    return (
        f"{content['dataset']['used']} test radiographs of {patients} patients through synthetic "
        f"photographs ({', '.join(SURROUNDINGS)}; perspective, uneven light, vignetting, glare, "
        f"blur, noise, JPEG), scored by {content['model']['name']}. A film was found in "
        f"{content['found']:.1%} of "
        "them. Macro AUROC over the findings, with 95 % intervals (patients resampled); logits: "
        "root mean square difference from the radiograph's. No real photograph was at hand."
    )


def _row(way: str, measured: dict[str, Any]) -> tuple[str, ...]:
    return (
        way,
        interval_text(measured["macro_auroc"]),
        f"{measured['logit_rms']:.3f}",
        f"{measured['flagged']:.1%}",
    )


def _pictures(
    classifier: Classifier,
    cached: Cached,
    places: Iterable[int],
    seed: int,
    found: list[bool],
) -> Iterator[Radiograph]:
    """For each image the pictures of `WAYS`: radiograph, photograph, rectified photograph.

    Whether a film was found is appended to `found`.
    """
    for place in places:
        original = np.asarray(cached.images[cached.rows[place]])
        enlarged = Image.fromarray(original).resize(
            (FILM_SIDE, FILM_SIDE), Image.Resampling.BICUBIC
        )
        kind = SURROUNDINGS[place % len(SURROUNDINGS)]
        colour, _ = photographed(np.asarray(enlarged), seed + place, kind)
        gray = np.asarray(Image.fromarray(colour).convert("L"))
        straight = rectified(from_array(gray), classifier.check, classifier.model.input_spec)
        found.append(straight.facts["film"]["corners"] is not None)
        yield from_array(original)
        yield from_array(gray)
        yield straight


def _macro(
    targets: NDArray[np.uint8],
    logits: NDArray[np.float32],
    patients: NDArray[np.str_],
    seed: int,
    labels: LabelSet,
) -> dict[str, Any]:
    weights = patient_weights(patients, RESAMPLES, seed)
    scores = ranking_scores(logits, labels)
    each = [auroc(targets[:, i] > 0, scores[:, i], weights) for i in rankable(targets, labels)]
    low, high = interval(np.nanmean(each, axis=0))
    return {"value": macro_auroc(targets, logits, labels), "low": low, "high": high}
