"""What an evaluation report holds, as types; `report.schema.json` says the same of its JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from edge_app.model.manifest_types import Head

Facts = dict[str, Any]
"""Facts of a machine, a runtime or a data set: they grow with what there is to tell."""


class Metric(TypedDict):
    """A number with its 95 % interval; None where it is not computable."""

    value: float | None
    low: float | None
    high: float | None


class ConfusionCounts(TypedDict):
    """Images, at a threshold."""

    tn: int
    fp: int
    fn: int
    tp: int


class AchievedAtPoint(TypedDict):
    """What a label's threshold reached where it was fitted, and what it reaches here."""

    label: str
    threshold: float | None
    sensitivity_fitted: float | None
    sensitivity: float | None
    specificity_fitted: float | None
    specificity: float | None


class RetestDocument(TypedDict):
    """The same model on perturbed images; `decisions_kept` is by operating point."""

    logit_rms: float | None
    decisions_kept: dict[str, float | None]


class BootstrapDocument(TypedDict):
    """How intervals are made; no resamples where there is one patient only."""

    unit: str
    resamples: int
    level: float


class OverallAtPoint(TypedDict):
    """What an image-level point reaches here.

    `first_finding_right` and `one_of_three_right` are shares of the flagged images that are not
    normal in which the most probable finding, or one of the three most probable, is right.
    """

    rule: str
    threshold: float
    sensitivity: Metric
    specificity: Metric
    predictive_value: Metric
    first_finding_right: Metric
    one_of_three_right: Metric


class OverallDocument(TypedDict):
    """Normal images against others, by the model's score of the whole image."""

    images: int
    not_normal: int
    method: str
    auroc: Metric
    average_precision: Metric
    calibration_error: Metric
    operating_points: dict[str, OverallAtPoint]


class SecondlyJudged(TypedDict):
    """A group of findings by a second reference standard, beside the report's own labels.

    `images` is how many it judged; on `said` it says yes, the labels on `labelled`.
    """

    group: str
    labels: list[str]
    images: int
    said: int
    labelled: int
    agreement: Metric
    auroc: Metric
    auroc_by_labels: Metric


class SecondReferenceDocument(TypedDict):
    """Those images of a report that a second reference standard judges."""

    name: str
    images: int
    patients: int
    judged: list[str]
    groups: list[SecondlyJudged]


class StoredScores(TypedDict):
    """The file of raw scores next to a report."""

    file: str
    sha256: str


class _ReportDocument(TypedDict):
    """What every report holds.

    Attributes:
        head: ``independent`` or ``exclusive``, as the model's.
        labels: a row a label: `label`, `kind`, `support`, `threshold`, `confusion`, and a `Metric`
            each of precision, recall, f1, accuracy, specificity, auroc, average_precision and
            calibration_error. Of an original with exclusive labels that was imported also
            auroc_before_fitting, by its own softmax; so `macro`.
        macro, micro: what they are taken `over`, and a `Metric` each.
        operating_points: of every point, a row a label.
        retest: by perturbation; empty where it is not measured.
    """

    kind: str
    schema_version: int
    edge_cxr: str
    disclaimer: str
    model: Facts
    dataset: Facts
    runtime: Facts
    bootstrap: BootstrapDocument
    head: Head
    calibration: Facts
    operating_point: str
    labels: list[Facts]
    macro: Facts
    micro: Facts
    operating_points: dict[str, list[AchievedAtPoint]]
    retest: dict[str, RetestDocument]


class ReportDocument(_ReportDocument, total=False):
    """A report.

    Attributes:
        scores: there once it is written.
        overall: None where the labels make no score of the whole image; absent from reports of
            earlier versions.
        second_reference: there where one was given.
    """

    scores: StoredScores
    overall: OverallDocument | None
    second_reference: SecondReferenceDocument
