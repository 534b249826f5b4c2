"""Findings, and refusals, as the JSON object that `answer` describes."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from edge_app.core.about import DISCLAIMER

if TYPE_CHECKING:
    from edge_app.classifier import Classifier, Finding, Findings
    from edge_app.core.errors import EdgeCxrError
    from edge_app.images.radiograph import Radiograph
    from edge_app.pipeline.answer import Answer, FindingAnswer, Origin, Refusal


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
