"""What a comparison holds, as types; `comparison.schema.json` says the same of its JSON."""

from __future__ import annotations

from typing import Literal, TypedDict

from edge_app.evaluation.document import ConfusionCounts, Facts, Metric

Role = Literal["reference", "candidate"]


class Side(TypedDict):
    """One of the two reports: what answered, and the digest of its scores."""

    model: Facts
    runtime: Facts
    calibration: Facts
    scores_sha256: str | None


class Compared(TypedDict):
    """A metric of both models, and its difference with a paired 95 % interval."""

    reference: float | None
    candidate: float | None
    difference: Metric


class PairedBootstrap(TypedDict):
    unit: str
    paired: bool
    resamples: int
    level: float
    seed: int


class LogitDifference(TypedDict):
    """Over all labels; `retest` is the reference against itself, by perturbation."""

    rms: float | None
    largest: float | None
    retest: dict[str, float | None]


class Repeated(TypedDict):
    """The reference against itself on perturbed images.

    Attributes:
        beyond: the candidate's agreement with the reference, less this `agreement`.
    """

    agreement: float | None
    kappa: float | None
    beyond: Metric


class DecidedSide(TypedDict):
    threshold: float | None
    confusion: ConfusionCounts | None


class DecidedLabel(TypedDict):
    """How often both models decide alike about one label."""

    label: str
    agreement: float | None
    kappa: float | None
    reference: DecidedSide
    candidate: DecidedSide


class Agreement(TypedDict):
    """How often both models decide alike at an operating point."""

    decisions: int
    agreement: Metric
    kappa: float | None
    images_changed: int
    retest: dict[str, Repeated]
    labels: list[DecidedLabel]


class Proven(TypedDict):
    """What the reference knows at all.

    Attributes:
        findings: how many have patients enough to judge it by.
        patients: with, and without, the finding that has most of them.
        auroc: its mean over these findings.
    """

    findings: int
    patients: int
    auroc: Metric


class ComparisonDocument(TypedDict):
    """A comparison, without the outcome of the gates.

    Attributes:
        labels: a row a label: `label`, `support`, how many `patients` have it, the `spread` of the
            reference's logits, `reference_auroc`, why that is `not_proven`, a `Compared` for each
            metric, how its `logits` differ, and the `resolution` of both models' outputs.
        proven: what the reference knows at all.
        macro: what it is taken `over`, the loss of AUROC that may be `unseen`, and a `Compared` for
            each metric.
        operating_points: those that both models have, the reference's default first.
        largest_changes: the scores that move most.
    """

    kind: str
    schema_version: int
    edge_cxr: str
    disclaimer: str
    reference: Side
    candidate: Side
    dataset: Facts
    bootstrap: PairedBootstrap
    notes: list[str]
    operating_point: str
    labels: list[Facts]
    macro: Facts
    proven: Proven
    logits: LogitDifference
    operating_points: dict[str, Agreement]
    largest_changes: list[Facts]
