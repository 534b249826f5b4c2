"""How well a report's scores rank by sex, age band and view: whether a model serves some less.

Groups of one kind are compared over the same findings, those with enough positives and negatives
in each group: a mean over other findings would be another quantity.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edge_app.evaluation.metrics import Resampled, whole_and_resampled
from edge_app.evaluation.report import Report
from train.errors import DatasetError
from train.ranking import enough, macro_aurocs, reported_scores, with_interval

KIND: Final = "edge-cxr subgroup report"
MIN_IMAGES: Final = 10
"""A finding with fewer positive or negative images in any group is left out."""

NOTABLE_GAP: Final = 0.05
AGE_BANDS: Final = {"under 40": (0, 40), "40 to 59": (40, 60), "60 and over": (60, 200)}
KINDS: Final = ("sex", "age", "view")
NAMES: Final = {"M": "male", "F": "female"}


def groups(table: pd.DataFrame) -> dict[str, dict[str, NDArray[np.bool_]]]:
    """Kind of group → name → which of the M images belong to it.

    Args:
        table: M rows with `sex`, `age` and `view`, as in `Dataset.table`; unknown ones form no
            group.
    """
    found: dict[str, dict[str, NDArray[np.bool_]]] = {}
    for kind in ("sex", "view"):
        values = table[kind].fillna("").to_numpy(str) if kind in table else np.array([], str)
        groups = {NAMES.get(v, v): values == v for v in sorted(set(values) - {"nan", ""})}
        found |= {kind: groups} if groups else {}
    ages = table["age"] if "age" in table else pd.Series(np.nan, table.index)
    age = pd.to_numeric(ages, errors="coerce").to_numpy()
    if np.isfinite(age).any():
        found["age"] = {
            name: (age >= low) & (age < high) for name, (low, high) in AGE_BANDS.items()
        }
    return found


def subgroups(report: Report, table: pd.DataFrame, resamples: int = 1000) -> dict[str, Any]:
    """Macro AUROC of each subgroup with its patient-clustered 95 % interval.

    Args:
        report: over M images.
        table: rows for at least those images, see `groups`.
        resamples: of the bootstrap.

    Raises:
        DatasetError: the table lacks an image of the report.
    """
    answers = report.evaluated
    known = table.set_index("image")
    absent = set(answers.images) - set(known.index)
    if absent:
        raise DatasetError(f"the data set has no {min(absent)}, which the report is over")
    rows = known.loc[answers.images]
    weights, whose = whole_and_resampled(answers.patients, resamples, seed=0)
    content: dict[str, Any] = {
        "kind": KIND,
        "model": report.content["model"],
        "dataset": report.content["dataset"],
        "bootstrap": {"unit": "patient", "resamples": resamples, "level": 0.95},
        "by": {},
    }
    labels, scores = report.labels, reported_scores(report)
    formed = groups(rows)
    content["not_told"] = [kind for kind in KINDS if kind not in formed]
    for kind, members in formed.items():
        findings = [
            i
            for i in labels.findings
            if all(enough(answers.targets[m, i], MIN_IMAGES) for m in members.values())
        ]
        values = {
            name: _macro_auroc(
                answers.targets[m], scores[m], findings, Resampled(weights, whose[m])
            )
            for name, m in members.items()
        }
        macros = [group["macro_auroc"]["value"] for group in values.values()]
        content["by"][kind] = {
            "over": [labels[i].name for i in findings],
            "gap": round(max(macros) - min(macros), 6) if findings else None,
            "groups": {
                name: {
                    "images": int(members[name].sum()),
                    "patients": len(np.unique(answers.patients[members[name]])),
                    **value,
                }
                for name, value in values.items()
            },
        }
    return content


def _macro_auroc(
    targets: NDArray[np.uint8],
    scores: NDArray[np.float64],
    findings: list[int],
    resampled: Resampled,
) -> dict[str, Any]:
    value = low = high = float("nan")
    if findings:
        value, low, high = with_interval(macro_aurocs(targets, scores, findings, *resampled))
    numbers = {"value": value, "low": low, "high": high}
    return {
        "macro_auroc": {
            key: round(number, 6) if np.isfinite(number) else None
            for key, number in numbers.items()
        }
    }
