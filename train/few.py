"""Training on few images: what starting from a finished network, or from ImageNet, is worth.

A number of images is drawn by patient and split into training and validation. Each start trains on
them, and all are compared in pairs on the same test patients.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from edge_app.core.files import write_whole
from edge_app.evaluation.metrics import whole_and_resampled
from edge_app.evaluation.report import Report
from edge_app.evaluation.splits import VALIDATION_SHARE, split_by_patient
from train.cache import Cached
from train.data_facts import dataset_facts
from train.errors import DatasetError
from train.finished_run import open_run
from train.labels import LabelSet
from train.predict import logits_only, predict
from train.ranking import macro_aurocs, rankable, ranking_scores, with_interval
from train.recipes import Recipe
from train.run import train
from train.source import Source, fine_tuning

MIN_POSITIVES: Final = 10
"""Findings with fewer positive or negative test images are left out."""

STARTS: Final = ("source", "nothing", "imagenet")
VIEWS: Final = 8000
"""A network that starts from nothing sees at least so many training images, each at least `PASSES`
times; one that starts from a source needs fewer and sees a quarter as many."""

PASSES: Final = 5
RESAMPLES: Final = 1000
NOTHING_RATE: Final = 1e-3
"""Peak of the learning rate from ImageNet weights and from nothing."""

Areas = dict[tuple[int, str], NDArray[np.float64]]
"""The macro AUROCs of `_macro` by number of images and start; (0, "source") is the source itself,
if it has the same labels."""


def drawn(cached: Cached, images: int, seed: int) -> Cached:
    """`images` images of random patients, split again into train and validation.

    The last patient gives only as many images as are still needed.

    Raises:
        DatasetError: there are fewer images.
    """
    if len(cached) < images:
        raise DatasetError(f"{cached.name}: {len(cached)} images to draw from, not {images}")
    of = cached.table["patient"].to_numpy(str)
    patients = np.random.default_rng([seed, images]).permutation(np.unique(of))
    place = {patient: i for i, patient in enumerate(patients)}
    order = np.argsort([place[patient] for patient in of], kind="stable")
    rows = np.sort(order[:images])
    table = cached.table.iloc[rows].reset_index(drop=True)
    validating = split_by_patient(table["patient"], VALIDATION_SHARE, "validation")
    split = np.where(table["patient"].isin(validating), "validation", "train")
    return replace(
        cached,
        targets=cached.targets[rows],
        table=table.assign(split=split),
        rows=cached.rows[rows],
        name=f"{images} images drawn from {cached.name}",
    )


def recipe_of(start: str, source: Source, images: int) -> Recipe:
    """The recipe of one start, with the source's network and input; see `VIEWS` for its epochs.

    Args:
        start: one of `STARTS`.
        source: the finished network.
        images: how many are trained on.
    """
    base, passes = fine_tuning(source.recipe), max(PASSES, math.ceil(VIEWS / images))
    if start == "source":
        return replace(base, epochs=math.ceil(passes / 4))
    # With few images an epoch's AUROC is mostly chance, so it stops nothing early.
    patience, rate = max(base.patience, passes), NOTHING_RATE
    base = replace(base, epochs=passes, patience=patience, learning_rate=rate)
    return replace(base, imagenet=start == "imagenet")


def few(
    own: Cached,
    judges: Cached,
    source: Source,
    counts: Sequence[int],
    starts: Sequence[str],
    runs: Path,
    seed: int,
    console: Console,
    rival: Report | None = None,
) -> dict[str, Any]:
    """Train each start on each number of images, and judge them.

    Finished runs in `runs` are not trained again; what is done is in `runs/few.json` after each.

    Args:
        own: images to draw from.
        judges: test images, of other patients.
        source: the finished network.
        counts: how many images to draw.
        starts: some of `STARTS`; they train in this order.
        runs: folder of run folders.
        seed: of the draw.
        console: for progress.
        rival: report, over the same test images, of a network that was trained from nothing on
            more images than any drawn number.

    Returns:
        Plain JSON: see `_measured`.

    Raises:
        DatasetError: there are too few images, the test images have other labels, a patient is on
            both sides, or the rival's test images are others.
    """
    _require_judges(own, judges)
    pool, relation = _pool(source, own)
    content: dict[str, Any] = {
        "source": {**source.facts, "drawn_images": relation},
        "drawn_from": dataset_facts(pool, "train_val"),
        "judged_on": dataset_facts(judges, "test"),
        "over": [judges.labels.names[i] for i in _ranked(judges)],
        "resamples": RESAMPLES,
        "results": [],
    }
    areas: Areas = {}
    if _ranked_labels(source.labels) == _ranked_labels(judges.labels):
        areas[0, "source"] = _macro(judges, predict(logits_only(source.network), judges))
    above = _macro(judges, _answers_of(rival, judges)) if rival else None
    if rival and above is not None:
        content["rival"] = {"name": rival.content["model"]["name"], "macro_auroc": _interval(above)}
    for start, count in ((start, count) for start in starts for count in counts):
        part = drawn(pool, count, seed)
        recipe = recipe_of(start, source, len(part.split("train")))
        run = runs / f"{count}-{start}"
        console.rule(f"{count} images, from {start}: {recipe.epochs} passes")
        train(recipe, part, run, console, source=source if start == "source" else None)
        areas[count, start] = _macro(judges, _answers(run, judges))
        content["results"] = _measured(areas, above)
        write_whole(runs / "few.json", (json.dumps(content, indent=1) + "\n").encode())
    return content


def _require_judges(own: Cached, judges: Cached) -> None:
    """Refuse test images with other labels, or of patients who may be drawn."""
    if _ranked_labels(own.labels) != _ranked_labels(judges.labels):
        raise DatasetError(
            f"{judges.name}: has other labels than {own.name}, {', '.join(judges.labels.names[:5])}"
            f" and not {', '.join(own.labels.names[:5])}: what judges bears the same labels"
        )
    shared = set(own.table["patient"]) & set(judges.table["patient"])
    if shared:
        raise DatasetError(f"patient {min(shared)} is among the judges and among those drawn from")


def _ranked_labels(labels: LabelSet) -> tuple[tuple[str, ...], str]:
    """The labels of the columns of logits, and their head."""
    return labels.names, labels.head


def _pool(source: Source, own: Cached) -> tuple[Cached, str]:
    """The images to draw from, and whether the source has seen their patients, by digest.

    If the source was trained on a share of the training patients, the others are drawn from.
    """
    trained = source.facts["dataset"].get("train", {}).get("digest")
    training, share = own.split("train"), source.recipe.patients
    if share < 1 and trained == training.of_patients(share).digest:
        return training.of_other_patients(share), "of patients that the source has not seen"
    if trained in (own.digest, training.digest):
        return own, "of patients that the source was trained on"
    return own, "of patients of whom it is not known whether the source has seen them"


def _answers(run: Path, judges: Cached) -> NDArray[np.float32]:
    """A finished run's logits (M×L) of the test images, kept in its folder: they take minutes."""
    kept = run / f"judged-{judges.digest[:16]}.npy"
    if not kept.exists():
        logits = predict(logits_only(open_run(run).model), judges)
        file = io.BytesIO()
        np.save(file, logits)
        write_whole(kept, file.getvalue())
    answers: NDArray[np.float32] = np.load(kept)
    return answers


def _answers_of(rival: Report, judges: Cached) -> NDArray[np.float32]:
    """A report's logits (M×L) in the order of the test images.

    Raises:
        DatasetError: it is of other images or labels.
    """
    answers = rival.evaluated
    same = (rival.labels.names, rival.head) == _ranked_labels(judges.labels)
    if rival.content["dataset"]["digest"] != judges.digest or not same:
        raise DatasetError(f"{judges.name}: the report to be compared with is of other images")
    place = {image: row for row, image in enumerate(answers.images)}
    logits: NDArray[np.float32] = answers.logits[[place[i] for i in judges.table["image"]]]
    return logits


def _macro(judges: Cached, logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean AUROC over the findings that can be ranked: of all images, then of each resample."""
    resampled = whole_and_resampled(judges.table["patient"].to_numpy(str), RESAMPLES, seed=0)
    scores = ranking_scores(logits, judges.labels)
    return macro_aurocs(judges.targets, scores, _ranked(judges), *resampled)


def _ranked(judges: Cached) -> list[int]:
    return rankable(judges.targets, judges.labels, MIN_POSITIVES)


def _measured(areas: Areas, rival: NDArray[np.float64] | None = None) -> list[dict[str, Any]]:
    """Each network's macro AUROC, and how far it is above one that started from nothing."""
    rows = []
    for (count, start), area in areas.items():
        row: dict[str, Any] = {"images": count, "start": start, "macro_auroc": _interval(area)}
        nothing = areas.get((count, "nothing"))
        if nothing is not None and start != "nothing":
            row["above_nothing"] = _interval(area - nothing)
        if rival is not None:
            row["above_rival"] = _interval(area - rival)
        rows.append(row)
    return sorted(rows, key=lambda row: (row["images"], STARTS.index(row["start"])))


def _interval(areas: NDArray[np.float64]) -> dict[str, float]:
    """The value on all images, and its 95 % interval over patients."""
    names = ("value", "low", "high")
    return {n: round(end, 4) for n, end in zip(names, with_interval(areas), strict=True)}


def lines(content: dict[str, Any]) -> Iterable[str]:
    """The results for people."""
    source = content["source"]["name"]
    names = {"source": f"from {source}", "nothing": "from nothing", "imagenet": "from ImageNet"}
    yield f"drawn images: {content['source']['drawn_images']}"
    for row in content["results"]:
        name = names[row["start"]] if row["images"] else f"{source} as it is"
        line = f"{row['images']:>6} images  {name:<24}  {_words(row['macro_auroc'])}"
        if "above_nothing" in row:
            line += f"; above nothing by {_words(row['above_nothing'])}"
        if "above_rival" in row:
            line += f"; above {content['rival']['name']} by {_words(row['above_rival'])}"
        yield line


def _words(found: dict[str, float]) -> str:
    return f"{found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})"
