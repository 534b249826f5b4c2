"""Evaluation reports of one model at one site → one labelled set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_app.core.errors import DatasetError, ReportError
from edge_app.evaluation.demographics import age_in_years, plain_sex, plain_view
from edge_app.evaluation.report import Report
from edge_app.model.labels import Labels
from edge_app.model.model_file import ModelFile

Bools = NDArray[np.bool_]


class LabelledSet(NamedTuple):
    """What a model answered about N images of a site.

    Attributes:
        labels: the model's, L.
        images, patients: N names.
        targets: N×L, which image bears which label.
        logits: N×L float32.
        reports: facts of each report.
        notes: what the reports say against believing their intervals.
    """

    labels: Labels
    images: NDArray[np.str_]
    patients: NDArray[np.str_]
    targets: Bools
    logits: NDArray[np.float32]
    reports: list[dict[str, Any]]
    notes: list[str]

    @property
    def bearing(self) -> Bools:
        """Which images are not normal (N)."""
        return self.labels.not_normal(self.targets)

    def counted(self, which: Bools) -> dict[str, int]:
        """How many images, and of how many patients."""
        return {"images": int(which.sum()), "patients": len(np.unique(self.patients[which]))}


def pooled(reports: Sequence[Report], model: ModelFile) -> LabelledSet:
    """One set of all reports.

    Raises:
        ReportError: a report is of another network.
        DatasetError: an image is in two of them.
    """
    for report in reports:
        if report.content["model"]["sha256"] != model.sha256:
            raise ReportError(
                f"a report is of another network than {model.name}: {_facts(report)['name']}; name "
                "its model with --model, or evaluate this one"
            )
        scoring = report.content["model"].get("scoring")
        if scoring != model.scoring and (scoring is not None or model.imported):
            raise ReportError(
                f"a report is of {model.name} as it was packaged otherwise: "
                f"{_facts(report)['name']}; evaluate this one"
            )
        if [(each.name, each.kind) for each in report.labels] != [
            (each.name, each.kind) for each in model.labels
        ]:
            raise ReportError(
                f"a report is of other labels, or another order of them, than {model.name} has: "
                f"{_facts(report)['name']}; evaluate this model"
            )
    parts = [report.evaluated for report in reports]
    images = np.concatenate([part.images for part in parts])
    names, counts = np.unique(images, return_counts=True)
    if counts.max() > 1:
        raise DatasetError(f"{names[counts.argmax()]} is in two of the reports: name each set once")
    notes = [note for report in reports for note in report.content["dataset"].get("notes", ())]
    return LabelledSet(
        model.labels,
        images,
        np.concatenate([part.patients for part in parts]),
        np.concatenate([part.targets for part in parts]) > 0,
        np.concatenate([part.logits for part in parts]),
        [_facts(report) for report in reports],
        list(dict.fromkeys(notes)),
    )


def _facts(report: Report) -> dict[str, Any]:
    dataset = report.content["dataset"]
    return {key: dataset[key] for key in ("name", "split", "digest", "images", "patients")}


AGES: Mapping[str, tuple[float, float]] = {
    "under 40": (0, 40),
    "40 to 59": (40, 60),
    "60 and over": (60, 200),
}


def groups(about: Mapping[str, Mapping[str, str]], images: NDArray[np.str_]) -> dict[str, Any]:
    """Which images (N) belong to which group of sex, view or age.

    Args:
        about: what is known of an image, by its name; see `evaluation.labelled.facts`.
        images: N names.

    Returns:
        By kind and by name of the group, N bools.
    """
    facts = [about.get(str(image), {}) for image in images]
    found: dict[str, dict[str, Bools]] = {}
    for kind, plain in (("sex", plain_sex), ("view", plain_view)):
        values = np.array([plain(each.get(kind, "")) for each in facts])
        if any(values):
            found[kind] = {str(name): values == name for name in np.unique(values[values != ""])}
    ages = np.array([age_in_years(each.get("age", "")) for each in facts])
    if np.isfinite(ages).any():
        found["age"] = {name: (ages >= low) & (ages < high) for name, (low, high) in AGES.items()}
    return found
