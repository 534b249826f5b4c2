"""Every scheme, and every repair of int8, of one network side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from edge_app.comparison.compare import Comparison
from edge_app.comparison.tables import number, percent, signed, spread
from edge_app.core.machine import capabilities, identity
from edge_app.model.model_file import ModelFile
from quantize.convert import CALIBRATION_IMAGES, SCHEMES, calibration_rows, stratified_rows
from quantize.int8 import in_int8
from quantize.repairs.fold import fold
from quantize.repairs.registry import REPAIRS, SHIPPED, as_input
from quantize.studies.bench import Bench, latencies
from quantize.studies.result import Result
from train.backend import versions
from train.cache import Cached
from train.console import say

Choice = Callable[[Cached, int, int], NDArray[np.int64]]

FEW: Final = 20
ROUNDS: Final = 100
"""Passes that each time is the median of."""


@dataclass(frozen=True)
class Variant:
    """One row: a scheme, a repair, and what it is calibrated on."""

    scheme: str
    repair: str = "none"
    images: int = CALIBRATION_IMAGES
    choice: Choice = calibration_rows
    spans: bool = False

    @property
    def name(self) -> str:
        if self.scheme != "int8":
            return self.scheme
        if self.spans:
            return "int8, as it ships"
        how = "plain" if self.repair == "none" else self.repair
        by_label = ", labels in turn" if self.choice is stratified_rows else ""
        plain_set = self.images == CALIBRATION_IMAGES and not by_label
        return f"int8, {how}" + ("" if plain_set else f", {self.images} images{by_label}")


VARIANTS: Final = (
    *(Variant(scheme) for scheme in SCHEMES),
    Variant("int8", images=FEW),
    Variant("int8", images=3 * CALIBRATION_IMAGES),
    Variant("int8", choice=stratified_rows),
    *(Variant("int8", repair) for repair in REPAIRS if repair != "none"),
    Variant("int8", SHIPPED, spans=True),
)

HEADER: Final = (
    "scheme", "size, MB", "Δ macro AUROC", "95 %", "same decisions", "logits, rms",
    "time, × float32",
)  # fmt: skip


def matrix(bench: Bench) -> Result:
    """The study: each of `VARIANTS` built and measured."""
    models, comparisons = [], []
    folded = fold(bench.run.model)
    for variant in VARIANTS:
        say(bench.console, f"{variant.name} …")
        model = _convert(variant, folded, bench)
        models.append(model)
        comparisons.append(bench.compare(bench.report(model)))
    seconds = latencies(models, bench.cached, ROUNDS)
    times = [each / seconds[0] for each in seconds]
    measured = [_measured(*each) for each in zip(VARIANTS, models, comparisons, times, strict=True)]
    machine = {**identity(), "features": capabilities()["features"]}
    return Result(
        "matrix",
        f"python -m quantize matrix RUN DATA --split {bench.split}",
        _caption(comparisons[0], machine),
        HEADER,
        [_row(each) for each in measured],
        {**_yardstick(comparisons[0]), "machine": machine, "variants": measured},
    )


def _convert(variant: Variant, folded: keras.Model, bench: Bench) -> ModelFile:
    """The model file of one variant of a folded network."""
    rows = variant.choice(bench.training, variant.images, bench.seed)
    pictures = bench.training.images[bench.training.rows[rows]]
    network = REPAIRS[variant.repair](folded, as_input(pictures))
    facts = {
        "scheme": variant.scheme,
        "repair": variant.repair,
        "calibration": {"images": len(rows), "seed": bench.seed},
        "packages": versions("ai-edge-litert"),
    }
    if not variant.spans:
        return bench.package(variant.name, SCHEMES[variant.scheme](network, pictures), facts)
    flatbuffer, spans = in_int8(network, folded, pictures, bench.span_pictures)
    return bench.package(variant.name, flatbuffer, facts, spans.as_dict())


def _measured(
    variant: Variant, model: ModelFile, comparison: Comparison, times: float
) -> dict[str, Any]:
    content = comparison.written
    point = content["operating_points"][content["operating_point"]]
    return {
        "name": variant.name,
        "scheme": variant.scheme,
        "repair": variant.repair,
        "spans": variant.spans,
        "calibration_images": variant.images,
        "bytes": len(model.flatbuffer),
        "macro_auroc": content["macro"]["auroc"],
        "agreement": point["agreement"],
        "logit_rms": content["logits"]["rms"],
        "times_float32": round(times, 3),
    }


def _row(measured: dict[str, Any]) -> tuple[str, ...]:
    difference = measured["macro_auroc"]["difference"]
    return (
        measured["name"],
        f"{measured['bytes'] / 1e6:.2f}",
        signed(difference["value"]),
        spread(difference),
        percent(measured["agreement"]["value"], 2),
        number(measured["logit_rms"]),
        f"{measured['times_float32']:.1f}",
    )


def _yardstick(comparison: Comparison) -> dict[str, Any]:
    """The data, and the float network's AUROC and decisions, also with one gray level of noise."""
    content = comparison.written
    point = content["operating_points"][content["operating_point"]]
    return {
        "dataset": content["dataset"],
        "operating_point": content["operating_point"],
        "macro_auroc": content["macro"]["auroc"]["reference"],
        "decisions": point["decisions"],
        "noise": {
            "agreement": point["retest"]["noise"]["agreement"],
            "logit_rms": content["logits"]["retest"]["noise"],
        },
    }


def _caption(comparison: Comparison, machine: Mapping[str, Any]) -> str:
    found = _yardstick(comparison)
    data, noise = found["dataset"], found["noise"]
    processor = ", ".join([machine["cpu"], *machine["features"]])
    return (
        f"Compared with the float network (macro AUROC {number(found['macro_auroc'])}) on "
        f"{data['images']} {data['split']} images of {data['patients']} patients, at the operating "
        f"point '{found['operating_point']}'; paired intervals over patients. One gray level of "
        f"noise leaves {percent(noise['agreement'], 2)} of the float network's own decisions and "
        f"moves its logits by {number(noise['logit_rms'])} (rms). Time: of a pass, 1 thread, "
        f"median of {ROUNDS} that take turns, beside the float32 file's ({processor})."
    )
