"""How often findings that an answer marks as raised are right, and how many normal images have any.

A mark is no decision, but a hurried reader looks at it. A rule has two numbers: the least
probability, and how many times the usual one it must be. Rules are compared on validation, where
one is chosen, and on test.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_app.evaluation.report import Report
from edge_app.model.decisions import RAISED_FROM, TIMES
from edge_app.model.model_file import ModelFile
from quantize.errors import ConversionError
from quantize.studies.inputs import ModelAndReportsInputs
from quantize.studies.result import Result
from train.overall import raised

RULES: Final = ((2, 1), (2, 5), (2, 8), (2, 10), (3, 3), (3, 10), (4, 10))
"""Times the usual probability, and per cent, that a raised finding has at least."""

SHARES: Final = ("right", "normal", "found")


def raised_study(inputs: ModelAndReportsInputs) -> Result:
    """The study: what each rule marks on validation and on test."""
    model = inputs.model
    if "prevalence" not in model.manifest:
        raise ConversionError(f"{model.path}: does not tell what is usual, so nothing is raised")
    sides = {"validation": inputs.validation, "test": inputs.test}
    found = {
        _words(*rule): {name: _shares(model, report, *rule) for name, report in sides.items()}
        for rule in RULES
    }
    used = _words(TIMES, round(RAISED_FROM))
    return Result(
        name="raised",
        command="python -m quantize raised MODEL VALIDATION.json TEST.json",
        caption=(
            f"What {model.name} would mark as raised, by rule: the share of marks whose finding is "
            "borne, of normal images that have one or more, and of borne findings that have one. "
            f"In use: {used}."
        ),
        header=(
            "times the usual, and at least",
            *(f"{name}: {share}" for name in sides for share in SHARES),
        ),
        rows=[
            (rule, *(_percent(each[name][share]) for name in sides for share in SHARES))
            for rule, each in found.items()
        ],
        content={"model": {"name": model.name, "sha256": model.sha256}, "rules": found},
    )


def _words(times: int, minimum: int) -> str:
    return f"{times}x, {minimum} %"


def _shares(model: ModelFile, report: Report, times: int, minimum: int) -> dict[str, Any]:
    """What a rule marks in a report's images; a share of nothing is None."""
    findings = list(model.labels.findings)
    scores = report.calibrated(report.evaluated.logits)[:, findings]
    marked = raised(scores, np.array(model.manifest["prevalence"])[findings], times, minimum)
    positive = report.evaluated.targets[:, findings].astype(bool)
    normal = ~model.labels.not_normal(report.evaluated.targets)
    return {
        "marks": int(marked.sum()),
        "right": _share(positive[marked]),
        "normal": _share(np.asarray(marked[normal].any(axis=1))),
        "found": _share(marked[positive]),
    }


def _share(values: NDArray[np.bool_]) -> float | None:
    return float(values.mean()) if len(values) else None


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"
