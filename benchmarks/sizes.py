"""The shipped models side by side: their size, work, and time here and on boards.

Times here are measured in turn, so that changes of the machine's speed affect all models alike.
Times on boards are predicted from the multiply-accumulates (`predictions`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks import predictions
from benchmarks.operators import invoke_seconds, layers
from edge_app.core import machine
from edge_app.model.model_file import read
from edge_app.model.shipped import DEFAULT_MODEL

KIND: Final = "edge-cxr sizes"
TURN: Final = 0.3
"""Seconds for each model in a round."""


def sizes(paths: Sequence[Path], rounds: int, command: str) -> dict[str, Any]:
    """Measure models; the result is for `markdown`.

    Args:
        paths: of the model files.
        rounds: how often every model's network is timed, on one thread.
        command: for the result.
    """
    models = [read(path) for path in paths]
    timers = [invoke_seconds(model.flatbuffer, TURN) for model in models]
    taken = [[timer() for timer in timers] for _ in range(rounds)]
    place = [model.name for model in models].index(DEFAULT_MODEL)
    rows = []
    for number, model in enumerate(models):
        macs = sum(layer.macs for layer in layers(model.flatbuffer))
        rows.append(
            {
                "name": model.name,
                "sha256": model.sha256,
                "input": [model.input_spec.height, model.input_spec.width],
                "map": model.manifest["outputs"]["map"]["shape"][1:3] if model.has_map else None,
                "bytes": model.path.stat().st_size,
                "macs": macs,
                "seconds": median(each[number] for each in taken),
                "of_default": median(each[number] / each[place] for each in taken),
                "boards": predictions.predict(macs, model.precision),
            }
        )
    return {
        "kind": KIND,
        "command": command,
        "machine": machine.identity(),
        "rounds": rounds,
        "factor": predictions.factor(),
        "models": rows,
    }


def markdown(result: dict[str, Any]) -> str:
    """The result as a Markdown table with an explanation."""
    boards = [each["board"] for each in result["models"][0]["boards"]]
    whole = next(each["name"] for each in result["models"] if each["of_default"] == 1)
    # By name, because the default may change after the measurement.
    ratio = f"of `{whole}`'s"
    head = ("model", "file", "map", "multiply-accumulates", "here, one thread", ratio)
    lines = [_row((*head, *boards)), "|---" * (len(head) + len(boards)) + "|"]
    for each in result["models"]:
        cells = (
            f"`{each['name']}`",
            f"{each['bytes'] / 1e6:.2f} MB",
            "none" if each["map"] is None else "×".join(map(str, each["map"])),
            f"{each['macs'] / 1e6:.0f} M",
            f"{1000 * each['seconds']:.2f} ms",
            f"{each['of_default']:.2f}",
        )
        predicted = (f"{1000 * board['predicted']:.1f} ms" for board in each["boards"])
        lines.append(_row((*cells, *predicted)))
    return "\n".join(lines) + (
        f"\n\nThe network alone, without decoding. Here: {result['machine']['cpu']}, the median of "
        f"{result['rounds']} rounds in turn. On the boards, with all their cores: predicted from "
        f"published times of other networks, within a factor of {result['factor']:.1f} up and "
        "down, not measured.\n"
    )


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
