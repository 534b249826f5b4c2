"""A site file as types; `site.schema.json` says the same of its JSON.

Imported for checking types alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from edge_app.model.manifest_types import Calibration, Estimate, OperatingPoint, OverallFacts
from edge_app.model.manifest_types import Reference as NormalReference

if TYPE_CHECKING:
    from typing_extensions import NotRequired


class SiteModel(TypedDict):
    """Whose answers the file is for: the network's digest, and that of all that makes its logits.

    Earlier versions did not state `scoring`.
    """

    name: str
    sha256: str
    scoring: NotRequired[str]


class Counts(TypedDict):
    """Of images, and of the patients that they are of."""

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
    """Of findings; `stated` where it was told rather than counted."""

    stated: bool


class TargetFacts(TypedDict):
    """What was asked for; see `site.target`."""

    kind: str
    value: float
    certainty: float
    words: str


class Decisions(TypedDict):
    """What takes the place of the same parts of the model's manifest."""

    calibration: Calibration
    prevalence: list[float]
    operating_points: dict[str, OperatingPoint]
    default_operating_point: str
    overall: OverallFacts
    reference: NormalReference


class Performance(TypedDict):
    """At a threshold; `per_thousand` counts images of 1,000."""

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
    """One label: who bears it, what was fitted, and what its threshold is worth here.

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
    """Of falling thresholds: shares of images without, and with, a finding that are flagged."""

    false_alarms: list[float]
    found: list[float]


class Choice(Performance):
    """Another target, what it would be worth, and how to ask for it."""

    option: str


class Expected(TypedDict):
    """A mean or a share of the reference; `effective` is its effective number of images."""

    value: float
    spread: float
    effective: float


class DriftReference(TypedDict):
    """What `drift` compares later answers with.

    `quantiles` are of the probability that an image is not normal, at evenly spaced shares from 0
    to 1; `design` is how many images tell as much as one independent one.
    """

    images: int
    design: float
    quantiles: list[float]
    overall: Expected
    flagged: Expected
    findings: dict[str, Expected]


class SiteDocument(TypedDict):
    """A site file; `digest` is over all the rest."""

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
