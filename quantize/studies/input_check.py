"""What a model file's input check flags: radiographs, changed radiographs and other pictures."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from sklearn.metrics import roc_auc_score

from edge_app.backends.interpreters import find_interpreter
from edge_app.evaluation.metrics import interval, patient_weights
from edge_app.model.input_check import InputCheck, InputCheckResult
from edge_app.model.model_file import ModelFile
from edge_app.model.preprocess import resize
from quantize.studies.inputs import ModelInputs
from quantize.studies.result import Result
from train.cache import Cached
from train.input_check import require_check, varied
from train.non_radiographs import (
    DRAWERS,
    NEAR_MISSES,
    Picture,
    crops,
    folder_pictures,
    is_photograph,
    package_pictures,
)
from train.run import dataset_facts

DRAWN: Final = 300
"""Drawn pictures of each kind."""

NEAR: Final = 1000
"""The largest number of radiographs that are changed."""

RESAMPLES: Final = 2000
ROUNDS: Final = 200
"""Behind each time."""

HEADER: Final = ("pictures", "number", "AUROC", "flagged", "mostly as")


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
    real = [np.asarray(radiographs.images[row]) for row in radiographs.rows]
    proper = [check.judge(picture) for picture in real]
    groups: dict[str, list[InputCheckResult]] = {
        "radiographs": proper,
        "radiographs, changed a little": [check.judge(varied(p, generator)) for p in real],
    }
    few = real[:: -(-len(real) // NEAR)]
    for name, pictures in _other_pictures(folders, generator):
        console.print(f"{name} …", highlight=False)
        verdicts = [check.judge(resize(p, spec), p.shape) for p in pictures]
        if verdicts:
            groups[name] = verdicts
    for name, near_miss in NEAR_MISSES.items():
        groups[f"radiographs, {name}"] = [check.judge(near_miss(p)) for p in few]
    measured = {name: _measured(verdicts, proper) for name, verdicts in groups.items()}
    patients = radiographs.table["patient"].to_numpy(str)
    low, high = _flagged_interval(proper, patients, seed)
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


def _measured(
    verdicts: Sequence[InputCheckResult], proper: Sequence[InputCheckResult]
) -> dict[str, Any]:
    area = None
    if verdicts is not proper:
        truth = np.r_[np.zeros(len(proper)), np.ones(len(verdicts))]
        area = float(roc_auc_score(truth, [v.score for v in (*proper, *verdicts)]))
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
    """Bytes, and median milliseconds of the check and of the network here, one thread, in turn."""
    session = find_interpreter().open(model)
    tensor = model.to_tensor(picture)
    seen = np.zeros((ROUNDS, 2))
    for turn in seen:
        start = time.perf_counter()
        check.judge(picture)
        middle = time.perf_counter()
        session.run(tensor)
        turn[:] = middle - start, time.perf_counter() - middle
    check_ms, network_ms = (1000 * np.median(seen, axis=0)).round(4).tolist()
    size = len(model.check_weights or b"")
    return {"bytes": size, "check_ms": check_ms, "network_ms": network_ms}


def _caption(
    model: ModelFile, test: Cached, low: float, high: float, costs: dict[str, float | int]
) -> str:
    stated = model.manifest["input_check"]
    return (
        f"Input check of {model.name} on {len(test)} test radiographs of "
        f"{test.table['patient'].nunique()} patients, whose flagged share has the 95 % interval "
        f"{low:.2%} to {high:.2%} (patients resampled). Taught with {stated['fitted_on']}; limits "
        f"from {stated['limits_from']}, of which {stated['flagged']:.2%} are flagged. AUROC: of "
        "the check's score, against the test radiographs. It learned from no photograph, document "
        "or screenshot. What was changed a little was turned, moved, enlarged, blurred and made "
        f"brighter or darker, as in training. The check takes {costs['bytes'] / 1000:.0f} kB and "
        f"{costs['check_ms']:.3f} ms here, the network {costs['network_ms']:.2f} ms."
    )


def _row(name: str, measured: dict[str, Any]) -> tuple[str, ...]:
    area = measured["auroc"]
    kinds = list(measured["kinds"].items())[:2]
    return (
        name,
        str(measured["number"]),
        "" if area is None else f"{area:.4f}",
        f"{measured['flagged']:.1%}",
        ", ".join(f"{kind} {count}" for kind, count in kinds),
    )
