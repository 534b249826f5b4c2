"""A site file as types; see `site.schema.json`.

Imported only for type checking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from edge_app.model.manifest_types import Calibration, Estimate, OperatingPoint, OverallFacts
from edge_app.model.manifest_types import Reference as NormalReference

if TYPE_CHECKING:
    from typing_extensions import NotRequired


class SiteModel(TypedDict):
    """The model of the file, by the digests of its network and of all that determines its logits.

    Earlier versions did not state `scoring`.
    """

    name: str
    sha256: str
    scoring: NotRequired[str]


class Counts(TypedDict):
    """Numbers of images and of their patients."""

    images: int
    patients: int


class ReportFacts(Counts):
    """An evaluation report that the file was made from."""

    name: str
    split: str
    digest: str


class Data(Counts):
    """The labelled images; `bearing` and `normal` are those with and without a finding."""

    bearing: Counts
    normal: Counts
    reports: list[ReportFacts]
    notes: list[str]


class Prevalence(Estimate):
    """The share of images with a finding; `stated` if a person gave it, so it was not counted."""

    stated: bool


class TargetFacts(TypedDict):
    """The target of the calibration; see `site.target`."""

    kind: str
    value: float
    certainty: float
    words: str


class Decisions(TypedDict):
    """The parts that replace the same parts of the model's manifest."""

    calibration: Calibration
    prevalence: list[float]
    operating_points: dict[str, OperatingPoint]
    default_operating_point: str
    overall: OverallFacts
    reference: NormalReference


class Performance(TypedDict):
    """What a threshold reaches; `per_thousand` counts images of 1,000."""

    threshold: float
    sensitivity: Estimate
    specificity: Estimate
    ppv: Estimate
    npv: Estimate
    per_thousand: dict[str, Estimate]


class Recalibration(TypedDict):
    """The line from the model's log-odds to the site's."""

    slope: Estimate
    intercept: Estimate


class LabelFacts(Counts):
    """One label: how many images have it, what was fitted, and what its threshold is worth here.

    `recalibrated` names what was fitted: ``slope and intercept``, ``intercept`` or ``nothing``;
    `why_not` says why there is no threshold.
    """

    label: str
    recalibrated: str
    performance: Performance | None
    why_not: str | None


class Group(TypedDict):
    """Images of one sex, view or age."""

    by: str
    name: str
    images: int
    patients: int
    sensitivity: Estimate
    specificity: Estimate


class Curve(TypedDict):
    """By falling thresholds, the flagged shares of images without and with a finding."""

    false_alarms: list[float]
    found: list[float]


class Choice(Performance):
    """Another target, what it would be worth, and the option that chooses it."""

    option: str


class Expected(TypedDict):
    """A mean or a share of the reference; `effective` is its effective number of images."""

    value: float
    spread: float
    effective: float


class DriftReference(TypedDict):
    """What `drift` compares later answers with.

    `quantiles` are of the probability that an image is not normal, at evenly spaced shares from 0
    to 1; `design` is how many images are worth as much as one independent image.
    """

    images: int
    design: float
    quantiles: list[float]
    overall: Expected
    flagged: Expected
    findings: dict[str, Expected]


class SiteDocument(TypedDict):
    """A site file; `digest` covers all the rest."""

    kind: str
    schema_version: int
    edge_cxr: str
    disclaimer: str
    created: str
    model: SiteModel
    data: Data
    prevalence: Prevalence
    target: TargetFacts
    decisions: Decisions
    recalibration: Recalibration
    overall: Performance
    before: Performance | None
    labels: list[LabelFacts]
    groups: list[Group]
    curve: Curve
    choices: list[Choice]
    reference: DriftReference
    digest: str
