"""The effect of an int8 sigmoid at the end of the graph on rare labels, compared with int8 logits.

A sigmoid is stored in steps of 1/256, so all scores below 1/512 become one value, and the ranking
of a label that hardly ever scores higher is lost.
"""

from __future__ import annotations

from typing import Any, Final

import keras
import numpy as np
from keras import layers

from edge_app.comparison.compare import Comparison
from edge_app.comparison.gates import judge
from edge_app.comparison.tables import number, percent, signed
from edge_app.evaluation.report import Report
from edge_app.model.model_file import ModelFile
from quantize.convert import to_int8
from quantize.int8 import in_int8
from quantize.repairs.fold import fold
from quantize.repairs.registry import as_input, repaired
from quantize.studies.bench import Bench
from quantize.studies.result import Result
from train.finished_run import build_report

HEADER: Final = (
    "label", "support", "AUROC, float", "Δ, logits", "Δ, sigmoid", "values, logits",
    "values, sigmoid", "tied, logits", "tied, sigmoid", "lowest, sigmoid",
)  # fmt: skip


def with_sigmoid(network: keras.Model) -> keras.Model:
    """image → (scores, map)."""
    logits, maps = network.outputs
    return keras.Model(network.input, [layers.Activation("sigmoid", name="scores")(logits), maps])


def sigmoid_report(bench: Bench, model: ModelFile) -> Report:
    """The report of a model whose `logits` are scores, turned back into logits.

    A score of 0 becomes that of half a step: where the sigmoid rounds to 0.
    """
    report = bench.report(model)
    stored = model.manifest["outputs"]["logits"]["quantization"]
    assert stored is not None, "its outputs are int8"
    step = stored["scale"]
    scores = np.clip(report.evaluated.logits.astype(np.float64), step / 2, 1 - step / 2)
    logits = np.log(scores / (1 - scores)).astype(np.float32)
    return build_report(
        bench.run,
        bench.cached,
        logits,
        {},
        split=bench.split,
        model=report.content["model"],
        runtime=report.content["runtime"],
    )


def _comparisons(bench: Bench) -> dict[str, Comparison]:
    """The float network compared with the repaired network, with either output."""
    folded, pictures = fold(bench.run.model), bench.pictures
    network = repaired(folded, as_input(pictures))
    flatbuffer, spans = in_int8(network, folded, pictures, bench.span_pictures)
    logits = bench.package("int8 logits", flatbuffer, {"scheme": "int8"}, spans.as_dict())
    flatbuffer = to_int8(with_sigmoid(network), pictures)
    sigmoid = bench.package("int8 sigmoid", flatbuffer, {"scheme": "int8, sigmoid"})
    return {
        "logits": bench.compare(bench.report(logits)),
        "sigmoid": bench.compare(sigmoid_report(bench, sigmoid)),
    }


def outputs(bench: Bench) -> Result:
    """The study: a repaired network converted with logits, and with a sigmoid, as its output."""
    compared = _comparisons(bench)
    broken = {
        kind: [result.gate for result in judge(comparison) if not result.passed]
        for kind, comparison in compared.items()
    }
    rows = [_label(compared, channel) for channel in range(len(bench.run.labels.labels))]
    macro = {kind: each.written["macro"]["auroc"] for kind, each in compared.items()}
    data = compared["logits"].written["dataset"]
    gates = "; ".join(f"{kind}: {', '.join(names) or 'none'}" for kind, names in broken.items())
    return Result(
        "outputs",
        f"python -m quantize outputs RUN DATA --split {bench.split}",
        f"The same int8 network with logits and with a sigmoid as its output, over "
        f"{data['images']} {data['split']} images. Values: how many different ones; tied: share of "
        f"pairs of images that cannot be told apart; lowest: share of images in the lowest step. "
        f"Gates not met, {gates}.",
        HEADER,
        [
            *map(_row, rows),
            (
                "macro, findings", "", number(macro["logits"]["reference"]),
                *(signed(macro[kind]["difference"]["value"]) for kind in compared),
                *[""] * 5,
            ),
        ],
        {"dataset": data, "macro_auroc": macro, "gates_not_met": broken, "labels": rows},
    )  # fmt: skip


def _label(compared: dict[str, Comparison], channel: int) -> dict[str, Any]:
    rows = {kind: each.written["labels"][channel] for kind, each in compared.items()}
    return {
        "label": rows["logits"]["label"],
        "support": rows["logits"]["support"],
        **{kind: {"auroc": row["auroc"], **row["resolution"]["candidate"]}
           for kind, row in rows.items()},
    }  # fmt: skip


def _row(label: dict[str, Any]) -> tuple[str, ...]:
    kinds = [label[kind] for kind in ("logits", "sigmoid")]
    return (
        label["label"],
        str(label["support"]),
        number(kinds[0]["auroc"]["reference"]),
        *(signed(kind["auroc"]["difference"]["value"]) for kind in kinds),
        *(str(kind["distinct"]) for kind in kinds),
        *(percent(kind["tied"]) for kind in kinds),
        percent(kinds[1]["lowest"]),
    )
