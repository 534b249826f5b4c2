"""How often a model file's input check flags radiographs, changed radiographs and other pictures.

For changed radiographs also the cost of passing: the share of flagged images that, once changed,
pass the check and are no longer flagged by the answer.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from sklearn.metrics import roc_auc_score

from edge_app.backends.interpreters import find_interpreter
from edge_app.classifier import Classifier
from edge_app.core.plain_text import percent
from edge_app.evaluation.metrics import interval, patient_weights
from edge_app.images.array import from_array
from edge_app.images.radiograph import Limits, Radiograph
from edge_app.model.input_check import InputCheck, InputCheckResult
from edge_app.model.model_file import ModelFile
from edge_app.model.preprocess import resize
from edge_app.pipeline.route import score_all, unbroken
from edge_app.pipeline.scorers import classified_only
from quantize.studies.inputs import ModelInputs
from quantize.studies.result import Result
from train.cache import Cached
from train.console import say
from train.data_facts import dataset_facts
from train.input_check import require_check, varied
from train.non_radiographs import (
    DRAWERS,
    NEAR_MISSES,
    OF_SIDE,
    Picture,
    blurred,
    crops,
    folder_pictures,
    is_photograph,
    package_pictures,
    tilted,
)

DRAWN: Final = 300
"""Drawn pictures of each kind."""

NEAR: Final = 1000
"""How many radiographs are changed, at most."""

RESAMPLES: Final = 2000
ROUNDS: Final = 200
"""Rounds that each time is the median of, in processor time, which other programs do not add to."""

SIGMAS: Final = (1, 2, 3, 4, 6, 8, 12, 16)
"""Blurs of the radiographs, see `blurred`."""

DEGREES: Final = (5, 10, 15, 20, 30, 45)
"""Tilts of the radiographs; every other one is turned clockwise."""

HEADER: Final = ("pictures", "number", "AUROC", "flagged", "lost", "mostly as")


FoldersOption = Annotated[
    list[Path] | None, typer.Option(help="Folder of pictures, no radiographs; repeatable.")
]


def input_check_study(inputs: ModelInputs, pictures: FoldersOption = None) -> Result:
    """The study: see `judge_pictures`."""
    return judge_pictures(inputs.model, inputs.images, pictures or [], inputs.seed, inputs.console)


def judge_pictures(
    model: ModelFile, radiographs: Cached, folders: Sequence[Path], seed: int, console: Console
) -> Result:
    """Apply the model file's input check to all pictures.

    Args:
        model: with a check.
        radiographs: test images.
        folders: of further pictures that are no radiographs.
        seed: of crops, drawings and small changes.
        console: for progress.

    Raises:
        RunError: the model has no check.
    """
    check, spec = require_check(model), model.input_spec
    generator = np.random.default_rng(seed)
    classifier = Classifier(model)
    real = [np.asarray(radiographs.images[row]) for row in radiographs.rows]
    proper = _judged(classifier, ((picture, None) for picture in real))
    groups, losses = {"radiographs": proper}, {}

    def change(way: str, changed: Iterable[Picture], originals: Sequence[Judged]) -> None:
        name = f"radiographs, {way}"
        say(console, f"{name} …")
        groups[name] = _judged(classifier, zip(changed, originals, strict=True))
        losses[name] = lost(originals, groups[name])

    change("changed a little", (varied(p, generator) for p in real), proper)
    for name, pictures in _other_pictures(folders, generator):
        say(console, f"{name} …")
        verdicts = [Judged(check.judge(resize(p, spec), p.shape)) for p in pictures]
        if verdicts:
            groups[name] = verdicts
    few = slice(None, None, -(-len(real) // NEAR))
    for way, spoil in _spoilers().items():
        change(way, spoil(real[few]), proper[few])
    measured = {
        name: _measured(verdicts, proper) | {"lost": losses.get(name)}
        for name, verdicts in groups.items()
    }
    patients = radiographs.table["patient"].to_numpy(str)
    low, high = _flagged_interval([each.check for each in proper], patients, seed)
    costs = _costs(model, check, real[0])
    return Result(
        "input-check",
        "python -m quantize refusals MODEL DATA [--pictures FOLDER]...",
        _caption(model, radiographs, low, high, costs),
        HEADER,
        [_row(name, each) for name, each in measured.items()],
        {
            "model": {"name": model.name, "sha256": model.sha256},
            "input_check": model.manifest["input_check"],
            "dataset": dataset_facts(radiographs, "test"),
            "flagged": {"value": measured["radiographs"]["flagged"], "low": low, "high": high},
            "pictures": measured,
            "cost": costs,
        },
    )


class Judged(NamedTuple):
    """The verdicts on one picture.

    Attributes:
        check: the check's result.
        answer: whether the answer flags the image as a whole; None if the check refuses it, the
            model flags no images, or no answer was needed.
    """

    check: InputCheckResult
    answer: bool | None = None


Changed = tuple[Picture, Judged | None]
"""A picture, and the verdicts on it before it was changed; None if it is unchanged."""


def _judged(classifier: Classifier, pictures: Iterable[Changed]) -> list[Judged]:
    """Judge pictures; a changed one is scored only if the answer flagged it unchanged."""
    scored = score_all(pictures, classifier, _read, _judge)
    return [judged for _, judged in unbroken(scored)]


def _read(changed: Changed, limits: Limits) -> Radiograph:
    return from_array(changed[0])


def _judge(classifier: Classifier, changed: Changed, image: Radiograph) -> Judged:
    picture, was = changed
    if was and not was.answer:
        found = classifier.judged(image, picture)
        assert found is not None  # the model has a check
        return Judged(found)
    _, findings = classified_only(classifier, changed, image)
    assert findings.check is not None
    return Judged(findings.check, findings.overall.flagged if findings.overall else None)


def _spoilers() -> dict[str, Callable[[Sequence[Picture]], Iterator[Picture]]]:
    """The changes of radiographs, by name; tilts alternate between the two directions."""

    def each(spoil: Callable[[Picture], Picture]) -> Callable[..., Iterator[Picture]]:
        return lambda pictures: map(spoil, pictures)

    def both_ways(degrees: int, *, black: bool) -> Callable[..., Iterator[Picture]]:
        return lambda pictures: (
            tilted(p, degrees * (-1) ** place, black=black) for place, p in enumerate(pictures)
        )

    found = {name: each(near_miss) for name, near_miss in NEAR_MISSES.items()}
    for sigma in SIGMAS:
        found[f"blurred, σ {sigma} of {OF_SIDE} pixels"] = each(partial(blurred, sigma=sigma))
    for degrees in DEGREES:
        found[f"tilted by {degrees}°"] = both_ways(degrees, black=False)
    for degrees in DEGREES:
        found[f"tilted by {degrees}°, corners black"] = both_ways(degrees, black=True)
    return found


def lost(before: Iterable[Judged], after: Iterable[Judged]) -> dict[str, Any] | None:
    """The share of images, flagged before a change, that pass the check and are not flagged after.

    None if none was flagged before.
    """
    flagged = [now for was, now in zip(before, after, strict=True) if was.answer]
    if not flagged:
        return None
    share = np.mean([not now.check.flagged and not now.answer for now in flagged])
    return {"of": len(flagged), "share": float(share)}


def _other_pictures(
    folders: Sequence[Path], generator: np.random.Generator
) -> Iterator[tuple[str, Iterator[Picture]]]:
    """Pictures that are no radiographs, by name of their kind."""

    def cropped(paths: Sequence[Path]) -> Iterator[Picture]:
        for path in paths:
            yield from (np.ascontiguousarray(crop) for crop in crops(path, generator))

    def drawn(draw: Callable[[np.random.Generator], Picture]) -> Iterator[Picture]:
        return (draw(generator) for _ in range(DRAWN))

    bundled = package_pictures()
    yield "photographs of packages", cropped([p for p in bundled if is_photograph(p)])
    yield "pages and drawings of packages", cropped([p for p in bundled if not is_photograph(p)])
    for folder in folders:
        yield f"pictures in {folder.name}", cropped(folder_pictures(folder))
    for name, draw in DRAWERS.items():
        yield f"drawn: {name}", drawn(draw)


def _measured(judged: Sequence[Judged], proper: Sequence[Judged]) -> dict[str, Any]:
    area = None
    verdicts = [each.check for each in judged]
    if judged is not proper:
        truth = np.r_[np.zeros(len(proper)), np.ones(len(judged))]
        area = float(roc_auc_score(truth, [each.check.score for each in (*proper, *judged)]))
    kinds = Counter(v.kind for v in verdicts if v.kind)
    return {
        "number": len(verdicts),
        "auroc": area,
        "flagged": float(np.mean([v.flagged for v in verdicts])),
        "kinds": dict(kinds.most_common()),
    }


def _flagged_interval(
    proper: Sequence[InputCheckResult], patients: NDArray[np.str_], seed: int
) -> tuple[float, float]:
    """95 % interval of the flagged share of radiographs, patients resampled."""
    weights = patient_weights(patients, RESAMPLES, seed)
    flagged = np.array([v.flagged for v in proper], np.float64)
    return interval((weights @ flagged) / weights.sum(axis=1))


def _costs(model: ModelFile, check: InputCheck, picture: Picture) -> dict[str, float | int]:
    """Bytes of the check, and median processor milliseconds of the check and of the network."""
    session = find_interpreter().open(model)
    tensor = model.to_tensor(picture)
    seen = np.zeros((ROUNDS, 2))
    for turn in seen:
        start = time.process_time()
        check.judge(picture)
        middle = time.process_time()
        session.run(tensor)
        turn[:] = middle - start, time.process_time() - middle
    check_ms, network_ms = (1000 * np.median(seen, axis=0)).round(4).tolist()
    size = len(model.check_weights or b"")
    return {"bytes": size, "check_ms": check_ms, "network_ms": network_ms}


def _caption(
    model: ModelFile, test: Cached, low: float, high: float, costs: dict[str, float | int]
) -> str:
    stated = model.manifest["input_check"]
    low_end, high_end, own = (percent(each, 2, "%") for each in (low, high, stated["flagged"]))
    return (
        f"Input check of {model.name} on {len(test)} test radiographs of "
        f"{test.table['patient'].nunique()} patients, whose flagged share has the 95 % interval "
        f"{low_end} to {high_end} (patients resampled). Taught with {stated['fitted_on']}; limits "
        f"from {stated['limits_from']}; as they are {own} are flagged. AUROC: of "
        "the check's score, against the test radiographs. Lost: of the radiographs that the answer "
        "flags as they are, the share that the check lets pass, so changed, and the answer no "
        "longer flags. It learned from no photograph, document or screenshot. What was changed a "
        "little was turned, moved, enlarged, blurred and made brighter or darker, as in training. "
        "What was tilted was turned to the left and to the right by turns; where its corners are "
        f"not black, they carry its edges on. The check takes {costs['bytes'] / 1000:.0f} kB and "
        f"{costs['check_ms']:.3f} ms of a processor here, the network {costs['network_ms']:.2f} ms."
    )


def _row(name: str, measured: dict[str, Any]) -> tuple[str, ...]:
    area, lacks = measured["auroc"], measured["lost"]
    kinds = list(measured["kinds"].items())[:2]
    return (
        name,
        str(measured["number"]),
        "" if area is None else f"{area:.4f}",
        percent(measured["flagged"], 1, "%"),
        f"{percent(lacks['share'], 1, '%')} of {lacks['of']}" if lacks else "",
        ", ".join(f"{kind} {count}" for kind, count in kinds),
    )
