"""Where int8's error comes from: each kernel and each activation rounded alone, simulated."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, Final

import numpy as np
import typer
from numpy.typing import NDArray
from rich.progress import track

from quantize.repairs.fold import fold
from quantize.repairs.registry import REPAIRS, as_input
from quantize.simulate import Simulation
from quantize.studies.bench import Bench
from quantize.studies.result import Result
from train.data_facts import dataset_facts

IMAGES: Final = 256
SHOWN: Final = 16
"""Layers in the table; all are in the JSON."""

HEADER: Final = ("rounded", "kernel", "activation", "its range")


RepairOption = Annotated[str, typer.Option(help="Done first; see the matrix for which.")]


def layers(bench: Bench, repair: RepairOption = "none") -> Result:
    """The study: how much the logits change when a kernel or an activation is rounded.

    Args:
        bench: the float network; `IMAGES` of its images, evenly chosen, are measured on.
        repair: one of `REPAIRS`, which is done first.

    Raises:
        typer.BadParameter: there is no such repair.
    """
    if repair not in REPAIRS:
        raise typer.BadParameter(f"{repair!r}; there are {', '.join(REPAIRS)}")
    content = layer_errors(bench, repair)
    rows = [
        ("all", f"{content['all_kernels']:.3f}", f"{content['all_activations']:.3f}", ""),
        *map(_row, sorted(content["layers"], key=_most, reverse=True)[:SHOWN]),
    ]
    return Result(
        "layers" if repair == "none" else "layers-repaired",
        f"python -m quantize layers RUN DATA --split {bench.split} --repair '{repair}'",
        _caption(content),
        HEADER,
        rows,
        content,
    )


def layer_errors(bench: Bench, repair: str) -> dict[str, Any]:
    """Root mean square change of the logits from rounding each kernel and activation, and all."""
    cached = bench.cached
    rows = cached.rows[np.linspace(0, len(cached) - 1, min(IMAGES, len(cached)), dtype=int)]
    images, examples = as_input(cached.images[rows]), as_input(bench.pictures)
    folded = fold(bench.run.model)
    reference = Simulation(folded, examples[:1]).logits(images)
    simulation = Simulation(REPAIRS[repair](folded, examples), examples)
    exact = simulation.logits(images)

    def change(kernels: Collection[str], activations: Collection[str]) -> float:
        return _rms(simulation.logits(images, kernels, activations) - exact)

    def layer(name: str) -> dict[str, Any]:
        row: dict[str, Any] = {"layer": name, "kernel": None, "activation": None, "range": None}
        if name in kernels:
            row["kernel"] = change([name], [])
        if name in activations:
            row["activation"] = change([], [name])
            row["range"] = [round(end, 3) for end in simulation.range_of(name)]
        return row

    kernels, activations = simulation.kernels, simulation.activations
    names = list(dict.fromkeys([*kernels, *activations]))
    console = bench.console
    progress = track(names, "Layers", console=console, disable=not console.is_terminal)
    return {
        "dataset": {**dataset_facts(cached, bench.split), "measured": len(rows)},
        "calibration_images": len(examples),
        "repair": repair,
        "logits_std": round(float(reference.std()), 3),
        "repair_alone": _rms(exact - reference),
        "all_kernels": change(kernels, []),
        "all_activations": change([], activations),
        "everything": _rms(simulation.logits(images, kernels, activations) - reference),
        "layers": [layer(name) for name in progress],
    }


def _caption(content: dict[str, Any]) -> str:
    dataset = content["dataset"]
    return (
        f"Repair: {content['repair']}. Rms change of the logits over {dataset['measured']} "
        f"{dataset['split']} images, each kernel "
        f"and each activation rounded alone. The logits' standard deviation is "
        f"{content['logits_std']:.2f}; the repair itself changes them by "
        f"{content['repair_alone']:.3f}, all of it together by {content['everything']:.3f}. "
        f"Those of {len(content['layers'])} layers that change them most; the JSON has all."
    )


def _most(measured: dict[str, Any]) -> float:
    """The larger of a layer's two changes."""
    return max(measured["kernel"] or 0, measured["activation"] or 0)


def _rms(difference: NDArray[np.float32]) -> float:
    return round(float(np.sqrt(np.square(difference).mean())), 4)


def _row(measured: dict[str, Any]) -> tuple[str, ...]:
    cells = (
        "" if measured[key] is None else f"{measured[key]:.3f}" for key in ("kernel", "activation")
    )
    span = "" if measured["range"] is None else "{:.1f} to {:.1f}".format(*measured["range"])
    return (measured["layer"], *cells, span)
