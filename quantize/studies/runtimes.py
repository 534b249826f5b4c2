"""One model file under the runtimes of two Pythons, one of which may be an emulated board's.

Both run the device's own `edge-cxr evaluate`; differences are in steps of the int8 output.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
import typer
from numpy.typing import NDArray

import edge_app
from edge_app.comparison.compare import compare
from edge_app.comparison.tables import percent, side_name
from edge_app.core.errors import EXIT_DONE, EXIT_INPUT
from edge_app.evaluation.report import Report, read
from edge_app.model.model_file import ModelFile
from quantize.errors import ConversionError
from quantize.studies.inputs import ModelAndFolderInputs
from quantize.studies.result import Result

if TYPE_CHECKING:
    from edge_app.comparison.document import Agreement

HEADER: Final = ("label", "differ", "largest, steps", "mean, steps")
OtherOption = Annotated[
    str, typer.Option(metavar="COMMAND", help="Starts the other Python; may be an emulator's.")
]


def evaluated(
    python: Sequence[str], model: ModelFile, data: Path, limit: int | None, place: Path
) -> Report:
    """The report that `edge-cxr evaluate` makes under another Python.

    Args:
        python: the command that starts it: a path, or an emulator with its options and a path.
        model: a model file.
        data: a labelled folder.
        limit: of the images.
        place: where the report goes; after an interruption the same command resumes.

    Raises:
        ConversionError: it cannot be started or does not end with a report.
    """
    arguments = ["evaluate", str(data.resolve()), "--model", str(model.path.resolve())]
    arguments += ["--out", str(place.resolve())] + (
        [] if limit is None else ["--limit", str(limit)]
    )
    home = Path(edge_app.__file__).parents[1]  # where `-m edge_app` imports this package
    try:
        ended = subprocess.run(
            [*python, "-m", "edge_app", *arguments], cwd=home, capture_output=True, text=True,
            errors="replace", check=False,
        )  # fmt: skip
    except OSError as error:
        raise ConversionError(f"{shlex.join(python)}: cannot be started: {error}") from None
    if ended.returncode not in (EXIT_DONE, EXIT_INPUT):
        said = ended.stderr.strip().splitlines()
        reason = said[-1][:300] if said else f"ended with {ended.returncode}"
        raise ConversionError(f"{shlex.join(python)}: {reason}")
    return read(place)


def runtimes_study(inputs: ModelAndFolderInputs, other: OtherOption) -> Result:
    """The study: see `runtimes`."""
    return runtimes(inputs.model, inputs.data, other, inputs.limit, inputs.folder)


def runtimes(model: ModelFile, data: Path, other: str, limit: int | None, folder: Path) -> Result:
    """Score a labelled folder under both and compare, output by output.

    Args:
        model: an int8 model file.
        data: a labelled folder.
        other: another Python's command, as a shell would take it.
        limit: of the images.
        folder: where the reports go.

    Raises:
        ConversionError: the model is not int8, or see `evaluated`.
        ReportError: the reports are not over the same images.
    """
    step = model.logit_steps
    if step is None:
        raise ConversionError(f"{model.path}: its logits have no steps of int8 to compare")
    folder.mkdir(parents=True, exist_ok=True)
    here, there = (
        evaluated(python, model, data, limit, folder / f"{name}.json")
        for name, python in (("here", [sys.executable]), ("other", shlex.split(other)))
    )
    comparison = compare(here, there)
    one, second = (answers.logits for answers in comparison.pair.answers)
    steps = np.rint(np.abs(second - one) / step)
    labels = [
        {"label": label, **_spread(column)}
        for label, column in zip(model.labels.names, steps.T, strict=True)
    ]
    points = comparison.written["operating_points"]
    changed = {name: _changed(point) for name, point in points.items()}
    sides = {role: comparison.written[role] for role in ("reference", "candidate")}
    decisions = next(iter(points.values()))["decisions"]
    said = ", ".join(f"{count} at '{name}'" for name, count in changed.items())
    return Result(
        "runtimes",
        "python -m quantize runtimes MODEL DATA --other PYTHON",
        f"{side_name(sides['reference'])} on {_machine(here)} against "
        f"{side_name(sides['candidate'])} on {_machine(there)}, {len(one)} images; a step is "
        f"{step.min():.4f} to {step.max():.4f}, by label. Largest difference: "
        f"{int(steps.max())} steps; rms {comparison.written['logits']['rms']:.3f} "
        f"logits. Decisions that change, of {decisions}: {said}.",
        HEADER,
        [
            *map(_row, labels),
            _row({"label": "all", **_spread(steps)}),
        ],
        {
            "model": {"name": model.name, "sha256": model.sha256},
            "runtimes": [here.content["runtime"], there.content["runtime"]],
            "images": len(one),
            "step": step.tolist(),
            "largest": int(steps.max()),
            "logit_rms": comparison.written["logits"]["rms"],
            "decisions": decisions,
            "decisions_changed": changed,
            "labels": labels,
        },
    )  # fmt: skip


def _spread(steps: NDArray[np.float64]) -> dict[str, Any]:
    return {
        "differ": round(float((steps > 0).mean()), 6),
        "largest": int(steps.max()),
        "mean": round(float(steps.mean()), 4),
    }


def _row(found: dict[str, Any]) -> tuple[str, ...]:
    return (
        found["label"],
        percent(found["differ"]),
        str(found["largest"]),
        f"{found['mean']:.3f}",
    )


def _changed(point: Agreement) -> int:
    """Decisions that are not the same."""
    agreement = point["agreement"]["value"]
    return 0 if agreement is None else round((1 - agreement) * point["decisions"])


def _machine(report: Report) -> str:
    return str(report.content["runtime"].get("machine", "an unknown machine"))
