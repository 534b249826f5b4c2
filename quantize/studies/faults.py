"""Conversions that are done wrong on purpose: does what is there to catch them catch them?

Each goes the whole way, from the network or the calibration images to a report, and is held
against the float network as a good one is.
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
from edge_app.evaluation.report import Report
from quantize.convert import to_int8
from quantize.int8 import Spans, in_int8
from quantize.int8_grid import as_kernel, as_matrix
from quantize.repairs.fold import before, fold
from quantize.repairs.registry import as_input, repaired
from quantize.studies.bench import Bench
from quantize.studies.outputs import sigmoid_report, with_sigmoid
from quantize.studies.result import Result
from train.cache import Cached
from train.errors import RunError
from train.labels import LABELS
from train.predict import logits_only, predict
from train.run import build_report

Weights = list[NDArray[np.float32]]

REFUSED: Final = "refused"
"""What catches a fault that never gets as far as the gates: one line that names it."""


class Workshop:
    """A healthy network and what is needed to convert it wrongly.

    Args:
        bench: the float network and the images to measure on.
        training: images to calibrate with.
        rows: the healthy calibration's places in `training`.
        more: what a healthy conversion takes the labels' spans from; see `in_int8`.
    """

    def __init__(
        self, bench: Bench, training: Cached, rows: NDArray[np.int64], more: NDArray[np.uint8]
    ) -> None:
        self.bench, self.training, self.more = bench, training, more
        self.pictures = training.images[training.rows[rows]]
        self.folded = fold(bench.run.model)

    @cached_property
    def repaired(self) -> keras.Model:
        return repaired(self.folded, as_input(self.pictures))

    @cached_property
    def healthy(self) -> Report:
        return self.converted(self.repaired, self.folded)

    def calibrated_on(self, pictures: NDArray[np.uint8]) -> Report:
        """All that calibration images are used for, with these."""
        network = repaired(self.folded, as_input(pictures))
        return self.packaged(*in_int8(network, self.folded, pictures, pictures))

    def edited(
        self, network: keras.Model, layer: str, edit: Callable[[Weights], Weights]
    ) -> keras.Model:
        """A network with one layer's weights replaced."""
        copy = keras.models.clone_model(network)
        copy.set_weights(network.get_weights())
        copy.get_layer(layer).set_weights(edit(copy.get_layer(layer).get_weights()))
        return copy

    @property
    def stem(self) -> str:
        """The layer that sees the picture."""
        convs = (x for x in self.folded.layers if x.get_weights())
        return next(x.name for x in convs if not before(before(x)[0]))

    def converted(self, network: keras.Model, exact: keras.Model) -> Report:
        """With healthy images, and `exact` taken for the network that was trained."""
        return self.packaged(*in_int8(network, exact, self.pictures, self.more))

    def packaged(self, flatbuffer: bytes, spans: Spans) -> Report:
        facts = {"scheme": "int8"}
        model = self.bench.package("sabotaged", flatbuffer, facts, spans.as_dict())
        return self.bench.report(model)

    def compared(self, candidate: Report) -> Comparison:
        return self.bench.compare(candidate)


Deed = Callable[[Workshop], Comparison]


@dataclass(frozen=True)
class Sabotage:
    """One fault.

    Attributes:
        name: what is done wrong.
        meant: what is there to catch it, all of it: names of gates, or `REFUSED`.
        deed: does it; raises an EdgeCxrError or RunError where it is refused.
    """

    name: str
    meant: tuple[str, ...]
    deed: Deed


def _calibrated_on(pictures: Callable[[Workshop], NDArray[np.uint8]]) -> Deed:
    return lambda shop: shop.compared(shop.calibrated_on(pictures(shop)))


def _edited(layer: Callable[[Workshop], str], edit: Callable[[Weights], Weights]) -> Deed:
    def deed(shop: Workshop) -> Comparison:
        # Of both: a fault that is there before the conversion, which takes it for what was meant.
        network, exact = (
            shop.edited(each, layer(shop), edit) for each in (shop.repaired, shop.folded)
        )
        return shop.compared(shop.converted(network, exact))

    return deed


def _map(shop: Workshop) -> str:
    return "map"


def _stem(shop: Workshop) -> str:
    return shop.stem


def _black(shop: Workshop) -> NDArray[np.uint8]:
    return np.zeros_like(shop.pictures)


def _black_but_a_pixel(shop: Workshop) -> NDArray[np.uint8]:
    pictures = _black(shop)
    pictures[:, 0, 0] = 255
    return pictures


def _of_one_label(shop: Workshop) -> NDArray[np.uint8]:
    rows = np.flatnonzero(shop.training.targets[:, LABELS.index("Atelectasis")])[:10]
    return shop.training.images[shop.training.rows[rows]]


def _scaled(factor: float) -> Callable[[Weights], Weights]:
    """What the kernel that sees the picture makes of `factor` times the picture."""
    return lambda weights: [(weights[0] * factor).astype(np.float32), *weights[1:]]


def _swapped(weights: Weights) -> Weights:
    order = [1, 0, *range(2, len(LABELS))]
    return [each[..., order] for each in weights]


def _without_bias(weights: Weights) -> Weights:
    return [weights[0], np.zeros_like(weights[1])]


def _one_label_gone(weights: Weights) -> Weights:
    kernel, bias = weights
    kernel[..., LABELS.index("Effusion")] = 0
    return [kernel, bias]


def _in_four_bits(shop: Workshop) -> Comparison:
    network = keras.models.clone_model(shop.folded)
    network.set_weights(shop.folded.get_weights())
    for layer in network.layers:
        if len(weights := layer.get_weights()) == 2:
            matrix = as_matrix(layer, weights[0])
            step = np.maximum(np.abs(matrix).max(axis=1, keepdims=True) / 7, 1e-12)
            held = as_kernel(layer, np.rint(matrix / step) * step, weights[0].shape)
            layer.set_weights([held, weights[1]])
    return shop.compared(shop.converted(network, shop.folded))


def _sigmoid(shop: Workshop) -> Comparison:
    flatbuffer = to_int8(with_sigmoid(shop.repaired), shop.pictures)
    model = shop.bench.package("sabotaged", flatbuffer, {"scheme": "int8, sigmoid"})
    return shop.compared(sigmoid_report(shop.bench, model))


def _diverged(shop: Workshop) -> Comparison:
    """A reference that is broken, not the candidate: int8 cannot hold a NaN."""
    bench = shop.bench
    network = shop.edited(
        shop.folded, "map", lambda weights: [weights[0], weights[1] * np.float32(np.nan)]
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
    return compare(reference, shop.healthy)


def _without_retest(shop: Workshop) -> Comparison:
    given = shop.bench.reference
    bare = Report({**given.content, "retest": {}}, replace(given.evaluated, retest={}))
    return compare(bare, shop.healthy)


def _truncated(shop: Workshop) -> Comparison:
    """As after a full disk or a copy that broke off."""
    place = shop.bench.folder / "truncated.json"
    report.write(shop.bench.reference, place)
    scores = place.with_suffix(".npz")
    scores.write_bytes(scores.read_bytes()[: scores.stat().st_size // 2])
    return compare(report.read(place), shop.healthy)


def _half_the_images(shop: Workshop) -> Comparison:
    given = shop.bench.reference.evaluated
    half = len(given.images) // 2
    arrays = {k: getattr(given, k)[:half] for k in ("images", "patients", "targets", "logits")}
    content = shop.bench.reference.content
    kept = Report(
        {**content, "dataset": {**content["dataset"], "images": half}, "retest": {}},
        replace(given, **arrays, retest={}),
    )
    return compare(kept, shop.healthy)


SABOTAGES: Final = (
    Sabotage("calibrated on black images", (REFUSED,), _calibrated_on(_black)),
    Sabotage("… black but for one white pixel", ("saturated",), _calibrated_on(_black_but_a_pixel)),
    Sabotage(
        "calibrated on ten images of one label", ("saturated",), _calibrated_on(_of_one_label)
    ),
    Sabotage("two labels swapped", ("misplaced",), _edited(_map, _swapped)),
    Sabotage("halved input scale", ("agreement",), _edited(_stem, _scaled(0.5))),
    Sabotage("inverted polarity", ("macro_auroc", "macro_auroc_low"), _edited(_stem, _scaled(-1))),
    Sabotage("a sigmoid as int8 output", ("tied", "saturated"), _sigmoid),
    Sabotage("the last layer's bias lost", ("agreement",), _edited(_map, _without_bias)),
    Sabotage("one label's weights lost", ("label_auroc",), _edited(_map, _one_label_gone)),
    Sabotage("weights in four bits", ("agreement", "agreement_over_noise"), _in_four_bits),
    Sabotage("a float network that diverged", ("non_finite",), _diverged),
    Sabotage("a float report without retest", ("agreement_over_noise",), _without_retest),
    Sabotage("a truncated float report", (REFUSED,), _truncated),
    Sabotage("a float report of half the images", (REFUSED,), _half_the_images),
)

HEADER: Final = (
    "fault", "meant to catch it", "caught", "gates not met", "Δ macro AUROC", "same decisions",
    "logits, rms",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What became of one fault."""

    sabotage: Sabotage
    broken: tuple[str, ...]
    refusal: str | None
    comparison: Comparison | None

    @property
    def caught(self) -> bool:
        """By what is meant to; not merely by something."""
        found = {*self.broken, *([] if self.refusal is None else [REFUSED])}
        return found.issuperset(self.sabotage.meant)


def attempt(sabotage: Sabotage, shop: Workshop) -> Outcome:
    """Do it, and see what is said."""
    try:
        comparison = sabotage.deed(shop)
    except (EdgeCxrError, RunError) as error:
        refusal = str(error).replace(f"{shop.bench.folder}/", "")
        return Outcome(sabotage, (), refusal, None)
    return Outcome(sabotage, _broken(judge(comparison)), None, comparison)


def _broken(verdicts: list[GateResult]) -> tuple[str, ...]:
    return tuple(verdict.gate for verdict in verdicts if not verdict.passed)


def sabotage(shop: Workshop) -> tuple[Result, bool]:
    """All of `SABOTAGES`, beside the healthy conversion; and whether each was caught as meant."""
    healthy = shop.compared(shop.healthy)
    outcomes = []
    for each in SABOTAGES:
        shop.bench.console.print(f"{each.name} …", highlight=False)
        outcomes.append(attempt(each, shop))
    tripped = {gate for outcome in outcomes for gate in outcome.broken}
    names = [verdict.gate for verdict in judge(healthy, Gates())]
    idle = [name for name in names if name not in tripped]
    data = healthy.content["dataset"]
    result = Result(
        "sabotage",
        f"python -m quantize sabotage RUN DATA --split {shop.bench.split}",
        f"Held against the float network on {data['images']} {data['split']} images of "
        f"{data['patients']} patients. Gates that no fault trips: {', '.join(idle) or 'none'}.",
        HEADER,
        [
            ("none", "", "", ", ".join(_broken(judge(healthy))) or "none", *_numbers(healthy)),
            *map(_row, outcomes),
        ],
        {
            "dataset": data,
            "healthy": _content(healthy),
            "not_tripped": idle,
            "sabotages": [
                {
                    "name": outcome.sabotage.name,
                    "meant": list(outcome.sabotage.meant),
                    "caught": outcome.caught,
                    "gates_not_met": list(outcome.broken),
                    "refusal": outcome.refusal,
                    **({} if outcome.comparison is None else _content(outcome.comparison)),
                }
                for outcome in outcomes
            ],
        },
    )
    return result, all(outcome.caught for outcome in outcomes)


def _content(comparison: Comparison) -> dict[str, Any]:
    content = comparison.content
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
    told = outcome.refusal or ", ".join(outcome.broken) or "none"
    numbers = ("", "", "") if outcome.comparison is None else _numbers(outcome.comparison)
    meant, caught = ", ".join(outcome.sabotage.meant), "yes" if outcome.caught else "NO"
    return (outcome.sabotage.name, meant, caught, told, *numbers)
