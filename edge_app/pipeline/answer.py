"""The JSON object that stands for one image's answer; see ``answer.schema.json``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict, cast

from edge_app import DISCLAIMER

if TYPE_CHECKING:
    from edge_app.classifier import Classifier, Finding, Findings
    from edge_app.core.errors import EdgeCxrError
    from edge_app.images.radiograph import Radiograph


class FindingAnswer(TypedDict):
    """One label: its calibrated probability, logit, threshold and decision (null: no threshold)."""

    label: str
    score: float
    logit: float
    threshold: float | None
    above: bool | None


class InputCheckAnswer(TypedDict):
    """What the input check made of the picture."""

    score: float
    flagged: bool
    kind: str | None
    reason: str | None


class PeakAnswer(TypedDict):
    """Where a finding's evidence is highest: x and y in pixels of the image; null: nowhere."""

    label: str
    peak: list[int] | None


class HeatmapAnswer(TypedDict):
    """The heatmap's file, the size of the radiograph in it, and what it shows."""

    file: str
    width: int
    height: int
    findings: list[PeakAnswer]


class ModelAnswer(TypedDict):
    """Whose answer it is; the digest is that of the network."""

    name: str
    sha256: str
    dtype: str


class Origin(TypedDict):
    """What every answer says of who made it."""

    model: ModelAnswer
    operating_point: str
    preprocessing: dict[str, Any]
    runtime: dict[str, Any]
    disclaimer: str


class WithHeatmap(TypedDict, total=False):
    """Of an image whose heatmap was drawn."""

    heatmap: HeatmapAnswer


class Answer(WithHeatmap, Origin):
    """An image that was read; without findings where they are withheld."""

    file: str
    findings: list[FindingAnswer]
    input_check: InputCheckAnswer | None
    blank: bool
    warnings: list[str]
    image: dict[str, Any]


class Fault(TypedDict):
    """Why an image has no answer, in a word and in a line."""

    kind: str
    message: str


class Refusal(Origin):
    """An image that could not be read."""

    file: str
    error: Fault


def origin(classifier: Classifier) -> Origin:
    """What all answers of a classifier have in common."""
    return cast("Origin", {**classifier.provenance(), "disclaimer": DISCLAIMER})


def answered(
    name: str, image: Radiograph, findings: Findings, by: Origin, top: int | None = None
) -> Answer:
    """The answer for an image.

    Args:
        name: of the image.
        image: its facts are told.
        findings: its answer.
        by: see `origin`.
        top: only so many findings, those above their threshold first, then by score.
    """
    ranked = list(findings.findings)
    if top is not None:
        ranked = sorted(ranked, key=lambda f: (not f.above, -f.score))[:top]
    answer = {
        "file": name,
        "findings": [_finding(each) for each in ranked],
        "input_check": findings.check.as_dict() if findings.check else None,
        **({"heatmap": findings.heatmap} if findings.heatmap else {}),
        "blank": findings.blank,
        "warnings": list(findings.warnings),
        "image": image.facts,
        **by,
    }
    return cast("Answer", answer)


def refused(name: str, error: EdgeCxrError, by: Origin) -> Refusal:
    """The answer for an image that could not be read."""
    return {"file": name, "error": {"kind": error.kind, "message": str(error)}, **by}


def _finding(finding: Finding) -> FindingAnswer:
    return {
        "label": finding.label,
        "score": round(finding.score, 6),
        "logit": round(finding.logit, 6),
        "threshold": finding.threshold,
        "above": finding.above,
    }
