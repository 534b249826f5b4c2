"""False alarms on normal images: does a threshold fail on test, or are its patients others?

A threshold that flags one in ten normal images of one group of people flags another share in
another group, without being wrong. So false alarms are counted in groups of similar images, by
their patients' number of images and by view, on validation and on test. If each group's shares
agree, test has another mix of people; if not, the scores differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer
from numpy.typing import NDArray

from edge_app.evaluation.labelled import facts
from edge_app.evaluation.metrics import interval, patient_weights
from edge_app.evaluation.report import Report, interval_text
from edge_app.model.overall import OverallScore
from quantize.errors import ConversionError
from quantize.studies.inputs import ModelAndReportsInputs
from quantize.studies.result import Result

Bools = NDArray[np.bool_]

COUNTS: Final = ((1, 5), (6, 20), (21, None))
"""Groups of patients by their number of images, from and to."""

RESAMPLES: Final = 1000

TableOption = Annotated[
    Path | None, typer.Option(help="CSV that tells the images' view, such as Data_Entry_2017.csv.")
]


@dataclass(frozen=True)
class Normals:
    """The N normal images of a report.

    Attributes:
        flagged: which the point flags.
        patients: whose they are.
        counts: how many images, of any kind, their patients have in the report.
        views: from the CSV; empty if it has none.
    """

    flagged: Bools
    patients: NDArray[np.str_]
    counts: NDArray[np.int64]
    views: NDArray[np.str_]

    def where(self, few: int, many: int | None, view: str | None) -> Bools:
        """Which are of patients with `few` to `many` images, and of this view."""
        inside = (self.counts >= few) & (self.counts <= (many or self.counts.max()))
        return inside if view is None else inside & (self.views == view)

    def alarms(self, chosen: Bools) -> dict[str, Any] | None:
        """The flagged share of the chosen images, with its 95 % interval over patients."""
        if not chosen.any():
            return None
        weights = patient_weights(self.patients, RESAMPLES, seed=0)[:, chosen]
        drawn = weights.sum(axis=1)
        shares = (weights @ self.flagged[chosen])[drawn > 0] / drawn[drawn > 0]
        low, high = interval(shares)
        return {
            "images": int(chosen.sum()),
            "patients": len(np.unique(self.patients[chosen])),
            "flagged": {"value": float(self.flagged[chosen].mean()), "low": low, "high": high},
        }


def alarms_study(inputs: ModelAndReportsInputs, table: TableOption = None) -> Result:
    """False alarms at the default image-level point, by group, on validation and on test."""
    model = inputs.model
    stated = model.manifest.get("overall")
    if stated is None:
        raise ConversionError(f"{model.path}: has no image-level point to flag anything by")
    name = stated["default_operating_point"]
    known = facts(table) if table else {}
    score = OverallScore(model.labels, stated["method"], stated)
    limit = stated["operating_points"][name]["threshold"]
    fitted, tried = (
        _normals(report, score, limit, known) for report in (inputs.validation, inputs.test)
    )
    groups = dict(_groups(fitted, tried))
    measured = {
        words: {
            "validation": fitted.alarms(fitted.where(*group)),
            "test": tried.alarms(tried.where(*group)),
        }
        for words, group in groups.items()
    }
    expected = _at_the_mix_of(tried, fitted, list(groups.values()))
    return Result(
        name="alarms",
        command="python -m quantize alarms MODEL VALIDATION.json TEST.json",
        caption=(
            f"Normal images that {model.name} flags at '{name}', by how many images their "
            "patients have there, and by view. 95 % intervals: patients resampled. With "
            f"validation's shares in each group, test's mix of groups would give {expected:.3f}."
        ),
        header=("patients, view", *_header("validation"), *_header("test")),
        rows=[
            (words, *_cells(each["validation"]), *_cells(each["test"]))
            for words, each in measured.items()
        ],
        content={
            "model": {"name": model.name, "sha256": model.sha256},
            "point": name,
            "groups": measured,
            "validation_at_the_mix_of_test": expected,
        },
    )


def _normals(
    report: Report, score: OverallScore, limit: float, known: dict[str, dict[str, str]]
) -> Normals:
    answers = report.evaluated
    normal = ~report.labels.not_normal(answers.targets)
    _, whose, counts = np.unique(answers.patients, return_inverse=True, return_counts=True)
    views = [known.get(name, {}).get("view", "") for name in answers.images.tolist()]
    flagged = score.probability(report.calibrated(answers.logits)) >= limit
    return Normals(
        flagged[normal], answers.patients[normal], counts[whose][normal], np.array(views)[normal]
    )


Group = tuple[int, int | None, str | None]


def _groups(*sides: Normals) -> Iterator[tuple[str, Group]]:
    """All images, then each group's words and what it holds."""
    yield "all", (1, None, None)
    views = sorted({view for side in sides for view in side.views.tolist() if view})
    for few, many in COUNTS:
        words = f"{few} to {many} images" if many else f"{few} images and more"
        yield words, (few, many, None)
        for view in views:
            yield f"{words}, {view}", (few, many, view)


def _at_the_mix_of(other: Normals, fitted: Normals, groups: list[Group]) -> float:
    """The share that would be flagged if each finest group were flagged as where it was fitted."""
    finest = [g for g in groups if g[2]] or [g for g in groups if g[:2] in COUNTS]
    shares = []
    for group in finest:
        here, there = fitted.where(*group), other.where(*group)
        if here.any():
            shares.append((there.sum(), fitted.flagged[here].mean()))
    weights, rates = np.array(shares).T
    return float(np.average(rates, weights=weights))


def _header(split: str) -> tuple[str, str, str]:
    return (f"{split}: normal images", "patients", "flagged")


def _cells(found: dict[str, Any] | None) -> tuple[str, str, str]:
    if found is None:
        return ("0", "0", "")
    return (str(found["images"]), str(found["patients"]), interval_text(found["flagged"]))
