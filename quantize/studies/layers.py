"""Where int8's error comes from: each kernel and each activation rounded alone, simulated."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from quantize.repairs.fold import fold
from quantize.repairs.registry import REPAIRS, as_input
from quantize.simulate import Simulation
from quantize.studies.result import Result
from train.cache import Cached
from train.run import FinishedRun, dataset_facts

IMAGES: Final = 256


def layer_errors(
    run: FinishedRun,
    cached: Cached,
    split: str,
    calibration: NDArray[np.uint8],
    repair: str,
    console: Console,
) -> Result:
    """Root-mean-square change of the logits by what is rounded.

    Args:
        run: whose network.
        cached: images to measure on; evenly chosen `IMAGES` of them are.
        split: their name.
        calibration: training images, for the ranges and the repair.
        repair: one of `REPAIRS`, done first.
        console: for progress.
    """
    rows = cached.rows[np.linspace(0, len(cached) - 1, min(IMAGES, len(cached)), dtype=int)]
    images, examples = as_input(cached.images[rows]), as_input(calibration)
    folded = fold(run.model)
    reference = Simulation(folded, examples[:1]).logits(images)
    simulation = Simulation(REPAIRS[repair](folded, examples), examples)

    exact = simulation.logits(images)

    def alone(kernels: Collection[str], activations: Collection[str]) -> float:
        return _rms(simulation.logits(images, kernels, activations) - exact)

    kernels, activations = simulation.kernels, simulation.activations
    measured: list[dict[str, Any]] = []
    names = list(dict.fromkeys([*kernels, *activations]))
    for name in track(names, "Layers", console=console, disable=not console.is_terminal):
        row: dict[str, Any] = {"layer": name, "kernel": None, "activation": None, "range": None}
        if name in kernels:
            row["kernel"] = alone([name], [])
        if name in activations:
            row["activation"] = alone([], [name])
            row["range"] = [round(end, 3) for end in simulation.range_of(name)]
        measured.append(row)
    content = {
        "dataset": {**dataset_facts(cached, split), "measured": len(rows)},
        "calibration_images": len(calibration),
        "repair": repair,
        "logits_std": round(float(reference.std()), 3),
        "repair_alone": _rms(exact - reference),
        "all_kernels": alone(kernels, []),
        "all_activations": alone([], activations),
        "everything": _rms(simulation.logits(images, kernels, activations) - reference),
        "layers": measured,
    }
    return Result(
        "layers" if repair == "none" else "layers-repaired",
        f"python -m quantize layers RUN DATA --split {split} --repair '{repair}'",
        f"Repair: {repair}. Rms change of the logits over {len(rows)} {split} images, each kernel "
        f"and each activation rounded alone. The logits' standard deviation is "
        f"{content['logits_std']:.2f}; the repair itself changes them by "
        f"{content['repair_alone']:.3f}, all of it together by {content['everything']:.3f}.",
        ("rounded", "kernel", "activation", "its range"),
        [
            ("all", f"{content['all_kernels']:.3f}", f"{content['all_activations']:.3f}", ""),
            *map(_row, measured),
        ],
        content,
    )


def _rms(difference: NDArray[np.float32]) -> float:
    return round(float(np.sqrt(np.square(difference).mean())), 4)


def _row(measured: dict[str, Any]) -> tuple[str, ...]:
    cells = (
        "" if measured[key] is None else f"{measured[key]:.3f}" for key in ("kernel", "activation")
    )
    span = "" if measured["range"] is None else "{:.1f} to {:.1f}".format(*measured["range"])
    return (measured["layer"], *cells, span)
