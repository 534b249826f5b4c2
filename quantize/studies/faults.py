"""Conversions with a deliberate fault: is each caught by the gate that is meant to catch it?

Each fault goes through the whole conversion to a report, which is compared with the float network's
like that of a correct conversion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from edge_app.comparison.compare import Comparison, compare
from edge_app.comparison.gates import GateResult, Gates, judge
from edge_app.comparison.tables import number, percent, signed
from edge_app.core.errors import EdgeCxrError
from edge_app.evaluation import report
from edge_app.evaluation.report import Evaluated, Report
from quantize.convert import to_int8
from quantize.int8 import Spans, in_int8
from quantize.int8_grid import as_kernel, as_matrix
from quantize.repairs.fold import before, fold
from quantize.repairs.registry import as_input, repaired
from quantize.studies.bench import Bench
from quantize.studies.outputs import sigmoid_report, with_sigmoid
from quantize.studies.result import Result
from train.console import say
from train.finished_run import build_report
from train.predict import logits_only, predict

Weights = list[NDArray[np.float32]]

NOT_CAUGHT: Final = "a fault was not caught by what is meant to catch it"
REFUSED: Final = "refused"
"""Stands in for a gate's name where an error refuses the fault before the gates."""


class Conversion:
    """A float network's correct conversion, and functions to do each step wrongly.

    Args:
        bench: the float network, the images to measure on and those to calibrate with.
    """

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.folded = fold(bench.run.model)

    @cached_property
    def repaired(self) -> keras.Model:
        """The folded network after the repair that ships."""
        return repaired(self.folded, as_input(self.bench.pictures))

    @cached_property
    def correct(self) -> Report:
        """The report of the correct conversion."""
        return self.converted(self.repaired, self.folded)

    def calibrated_on(self, pictures: NDArray[np.uint8]) -> Report:
        """The report of a conversion that uses these pictures for all that is calibrated."""
        network = repaired(self.folded, as_input(pictures))
        return self.packaged(*in_int8(network, self.folded, pictures, pictures))

    def edited(
        self, network: keras.Model, layer: str, edit: Callable[[Weights], Weights]
    ) -> keras.Model:
        """A copy of a network with one layer's weights replaced."""
        copy = keras.models.clone_model(network)
        copy.set_weights(network.get_weights())
        copy.get_layer(layer).set_weights(edit(copy.get_layer(layer).get_weights()))
        return copy

    @property
    def stem(self) -> str:
        """Name of the first layer with weights."""
        convs = (layer for layer in self.folded.layers if layer.get_weights())
        return next(layer.name for layer in convs if not before(before(layer)[0]))

    def converted(self, network: keras.Model, exact: keras.Model) -> Report:
        """The report of `network` in int8, with `exact` as the trained network."""
        bench = self.bench
        return self.packaged(*in_int8(network, exact, bench.pictures, bench.span_pictures))

    def packaged(self, flatbuffer: bytes, spans: Spans) -> Report:
        """The report of a model file with this network in it."""
        facts = {"scheme": "int8"}
        model = self.bench.package("sabotaged", flatbuffer, facts, spans.as_dict())
        return self.bench.report(model)

    def compared(self, candidate: Report) -> Comparison:
        """A report compared with the float network's."""
        return self.bench.compare(candidate)


Convert = Callable[[Conversion], Comparison]


@dataclass(frozen=True)
class Fault:
    """A conversion with one mistake.

    Attributes:
        name: what is done wrong.
        meant: what is meant to catch it: names of gates, or `REFUSED`.
        convert: converts with the mistake; raises an EdgeCxrError if it is refused.
    """

    name: str
    meant: tuple[str, ...]
    convert: Convert


def _calibrated_on(pictures: Callable[[Conversion], NDArray[np.uint8]]) -> Convert:
    return lambda conversion: conversion.compared(conversion.calibrated_on(pictures(conversion)))


def _edited(layer: Callable[[Conversion], str], edit: Callable[[Weights], Weights]) -> Convert:
    def convert(conversion: Conversion) -> Comparison:
        # The exact network is edited too: the fault precedes the conversion, which cannot know it.
        network, exact = (
            conversion.edited(each, layer(conversion), edit)
            for each in (conversion.repaired, conversion.folded)
        )
        return conversion.compared(conversion.converted(network, exact))

    return convert


def _map(conversion: Conversion) -> str:
    return "map"


def _stem(conversion: Conversion) -> str:
    return conversion.stem


def _black(conversion: Conversion) -> NDArray[np.uint8]:
    return np.zeros_like(conversion.bench.pictures)


def _black_but_a_pixel(conversion: Conversion) -> NDArray[np.uint8]:
    pictures = _black(conversion)
    pictures[:, 0, 0] = 255
    return pictures


def _of_one_label(conversion: Conversion) -> NDArray[np.uint8]:
    """Ten training pictures of the first label that has any."""
    training = conversion.bench.training
    present = training.targets[:, training.targets.any(axis=0).argmax()] > 0
    return training.images[training.rows[np.flatnonzero(present)[:10]]]


def _scaled(factor: float) -> Callable[[Weights], Weights]:
    """An edit that scales a kernel, as if the picture were scaled by `factor`."""
    return lambda weights: [(weights[0] * factor).astype(np.float32), *weights[1:]]


def _swapped(weights: Weights) -> Weights:
    order = [*range(weights[-1].shape[-1])]
    order[:2] = order[1::-1]
    return [each[..., order] for each in weights]


def _without_bias(weights: Weights) -> Weights:
    return [weights[0], np.zeros_like(weights[1])]


LOST: Final = 7
"""Channel of the lost label, Effusion in NIH's list; in a shorter list it is the last one."""


def _one_label_gone(weights: Weights) -> Weights:
    kernel, bias = weights
    kernel[..., min(LOST, kernel.shape[-1] - 1)] = 0
    return [kernel, bias]


def _in_four_bits(conversion: Conversion) -> Comparison:
    network = keras.models.clone_model(conversion.folded)
    network.set_weights(conversion.folded.get_weights())
    for layer in network.layers:
        if len(weights := layer.get_weights()) == 2:
            matrix = as_matrix(layer, weights[0])
            step = np.maximum(np.abs(matrix).max(axis=1, keepdims=True) / 7, 1e-12)
            held = as_kernel(layer, np.rint(matrix / step) * step, weights[0].shape)
            layer.set_weights([held, weights[1]])
    return conversion.compared(conversion.converted(network, conversion.folded))


def _sigmoid(conversion: Conversion) -> Comparison:
    flatbuffer = to_int8(with_sigmoid(conversion.repaired), conversion.bench.pictures)
    model = conversion.bench.package("sabotaged", flatbuffer, {"scheme": "int8, sigmoid"})
    return conversion.compared(sigmoid_report(conversion.bench, model))


def _diverged(conversion: Conversion) -> Comparison:
    """Breaks the reference rather than the candidate, because int8 cannot hold a NaN."""
    bench = conversion.bench
    network = conversion.edited(
        conversion.folded, "map", lambda weights: [weights[0], weights[1] * np.float32(np.nan)]
    )
    content = bench.reference.content
    reference = build_report(
        bench.run,
        bench.cached,
        predict(logits_only(network), bench.cached),
        {},
        split=bench.split,
        model=content["model"],
        runtime=content["runtime"],
    )
    return compare(reference, conversion.correct)


def _without_retest(conversion: Conversion) -> Comparison:
    reference = conversion.bench.reference
    bare = Report({**reference.content, "retest": {}}, replace(reference.evaluated, retest={}))
    return compare(bare, conversion.correct)


def _truncated(conversion: Conversion) -> Comparison:
    """A report as a full disk or an interrupted copy leaves it."""
    place = conversion.bench.folder / "truncated.json"
    report.write(conversion.bench.reference, place)
    scores = place.with_suffix(".npz")
    scores.write_bytes(scores.read_bytes()[: scores.stat().st_size // 2])
    return compare(report.read(place), conversion.correct)


def _half_the_images(conversion: Conversion) -> Comparison:
    answers = conversion.bench.reference.evaluated
    half = len(answers.images) // 2
    arrays = {k: getattr(answers, k)[:half] for k in ("images", "patients", "targets", "logits")}
    content = conversion.bench.reference.content
    kept = Report(
        {**content, "dataset": {**content["dataset"], "images": half}, "retest": {}},
        replace(answers, **arrays, retest={}),
    )
    return compare(kept, conversion.correct)


def _both(edit: Callable[[Evaluated], Evaluated]) -> Convert:
    """A fault in the data that both networks are compared on; the conversion is correct."""

    def convert(conversion: Conversion) -> Comparison:
        one, other = conversion.bench.reference, conversion.correct
        edited = (Report(side.content, edit(side.evaluated)) for side in (one, other))
        return compare(next(edited), next(edited))

    return convert


def _other_images_labels(answers: Evaluated) -> Evaluated:
    order = np.random.default_rng(0).permutation(len(answers.targets))
    return replace(answers, targets=answers.targets[order])


def _one_positive_a_label(answers: Evaluated) -> Evaluated:
    return replace(answers, targets=np.eye(*answers.targets.shape, dtype=answers.targets.dtype))


def _all_alike(answers: Evaluated) -> Evaluated:
    alike = np.zeros_like(answers.logits)
    return replace(answers, logits=alike, retest=dict.fromkeys(answers.retest, alike))


FAULTS: Final = (
    Fault("calibrated on black images", (REFUSED,), _calibrated_on(_black)),
    Fault("… black but for one white pixel", ("saturated",), _calibrated_on(_black_but_a_pixel)),
    Fault("calibrated on ten images of one label", ("saturated",), _calibrated_on(_of_one_label)),
    Fault("two labels swapped", ("misplaced",), _edited(_map, _swapped)),
    Fault("halved input scale", ("agreement",), _edited(_stem, _scaled(0.5))),
    Fault("inverted polarity", ("macro_auroc", "macro_auroc_low"), _edited(_stem, _scaled(-1))),
    Fault("a sigmoid as int8 output", ("tied", "saturated"), _sigmoid),
    Fault("the last layer's bias lost", ("agreement",), _edited(_map, _without_bias)),
    Fault("one label's weights lost", ("label_auroc",), _edited(_map, _one_label_gone)),
    Fault(
        "weights in four bits",
        ("agreement", "agreement_over_noise", "agreement_over_noise_low"),
        _in_four_bits,
    ),
    Fault("a float network that diverged", ("non_finite",), _diverged),
    Fault("a float report without retest", ("agreement_over_noise",), _without_retest),
    Fault("labels of other images", ("reference_auroc",), _both(_other_images_labels)),
    Fault("one positive a label", ("reference_support",), _both(_one_positive_a_label)),
    Fault("networks that answer all alike", ("reference_constant",), _both(_all_alike)),
    Fault("a truncated float report", (REFUSED,), _truncated),
    Fault("a float report of half the images", (REFUSED,), _half_the_images),
)

HEADER: Final = (
    "fault", "meant to catch it", "caught", "gates not met", "Δ macro AUROC", "same decisions",
    "logits, rms",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """The outcome of one fault."""

    fault: Fault
    not_met: tuple[str, ...]
    refusal: str | None
    comparison: Comparison | None

    @property
    def caught(self) -> bool:
        """Whether everything that is meant to catch it did."""
        found = {*self.not_met, *([] if self.refusal is None else [REFUSED])}
        return found.issuperset(self.fault.meant)


def attempt(fault: Fault, conversion: Conversion) -> Outcome:
    """Convert with a fault; returns what caught it."""
    try:
        comparison = fault.convert(conversion)
    except EdgeCxrError as error:
        refusal = str(error).replace(f"{conversion.bench.folder}/", "")
        return Outcome(fault, (), refusal, None)
    return Outcome(fault, _not_met(judge(comparison)), None, comparison)


def _not_met(results: list[GateResult]) -> tuple[str, ...]:
    return tuple(result.gate for result in results if not result.passed)


def sabotage(bench: Bench) -> Result:
    """The study: all of `FAULTS` and the correct conversion; fails if a fault is not caught."""
    conversion = Conversion(bench)
    correct = conversion.compared(conversion.correct)
    outcomes = []
    for fault in FAULTS:
        say(bench.console, f"{fault.name} …")
        outcomes.append(attempt(fault, conversion))
    tripped = {gate for outcome in outcomes for gate in outcome.not_met}
    gates = [result.gate for result in judge(correct, Gates())]
    idle = [gate for gate in gates if gate not in tripped]
    data = correct.content["dataset"]
    return Result(
        "sabotage",
        f"python -m quantize sabotage RUN DATA --split {bench.split}",
        f"Held against the float network on {data['images']} {data['split']} images of "
        f"{data['patients']} patients. Gates that no fault trips: {', '.join(idle) or 'none'}.",
        HEADER,
        [
            ("none", "", "", ", ".join(_not_met(judge(correct))) or "none", *_numbers(correct)),
            *map(_row, outcomes),
        ],
        {
            "dataset": data,
            "healthy": _content(correct),
            "not_tripped": idle,
            "sabotages": [_as_dict(outcome) for outcome in outcomes],
        },
        None if all(outcome.caught for outcome in outcomes) else NOT_CAUGHT,
    )


def _as_dict(outcome: Outcome) -> dict[str, Any]:
    return {
        "name": outcome.fault.name,
        "meant": list(outcome.fault.meant),
        "caught": outcome.caught,
        "gates_not_met": list(outcome.not_met),
        "refusal": outcome.refusal,
        **({} if outcome.comparison is None else _content(outcome.comparison)),
    }


def _content(comparison: Comparison) -> dict[str, Any]:
    content = comparison.written
    point = content["operating_points"][content["operating_point"]]
    return {
        "macro_auroc": content["macro"]["auroc"],
        "agreement": point["agreement"],
        "logit_rms": content["logits"]["rms"],
    }


def _numbers(comparison: Comparison) -> tuple[str, ...]:
    found = _content(comparison)
    return (
        signed(found["macro_auroc"]["difference"]["value"]),
        percent(found["agreement"]["value"], 2),
        number(found["logit_rms"]),
    )


def _row(outcome: Outcome) -> tuple[str, ...]:
    caught_by = outcome.refusal or ", ".join(outcome.not_met) or "none"
    numbers = ("", "", "") if outcome.comparison is None else _numbers(outcome.comparison)
    meant, caught = ", ".join(outcome.fault.meant), "yes" if outcome.caught else "NO"
    return (outcome.fault.name, meant, caught, caught_by, *numbers)
