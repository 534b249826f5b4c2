"""Findings and refusals as the JSON objects of `answer`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from edge_app.core.about import DISCLAIMER
from edge_app.core.plain_text import rounded
from edge_app.model.decisions import RAISED, mark
from edge_app.model.labels import FINDING

if TYPE_CHECKING:
    from edge_app.classifier import Classifier, Findings
    from edge_app.core.errors import EdgeCxrError
    from edge_app.images.radiograph import Radiograph
    from edge_app.model.decisions import Finding
    from edge_app.model.overall import Overall
    from edge_app.pipeline.answer import (
        Answer,
        FindingAnswer,
        Origin,
        OverallAnswer,
        Refusal,
        ShareAnswer,
    )


def origin(classifier: Classifier) -> Origin:
    """The part that all answers of a classifier share."""
    return cast("Origin", {**classifier.provenance(), "disclaimer": DISCLAIMER})


def answered(
    name: str, image: Radiograph, findings: Findings, by: Origin, top: int | None = None
) -> Answer:
    """The answer for an image.

    Args:
        name: of the image.
        image: the radiograph, whose facts are included.
        findings: its answer.
        by: see `origin`.
        top: how many of the most probable findings to include; None for all.
    """
    rank = {finding.label: place for place, finding in enumerate(findings.ranked, 1)}
    listed = list(findings.findings) if top is None else findings.ranked[:top]
    answer = {
        "file": name,
        "overall": _overall(findings.overall, findings.caution) if findings.overall else None,
        "findings": [_finding(each, rank.get(each.label), findings.by_label) for each in listed],
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


def _overall(overall: Overall, caution: str | None) -> OverallAnswer:
    return {
        "probability": rounded(overall.probability),
        "usually": overall.usually,
        "percentile": overall.percentile,
        "threshold": _rounded(overall.threshold),
        "flagged": overall.flagged,
        "caution": caution,
    }


def _finding(finding: Finding, rank: int | None, by_label: bool) -> FindingAnswer:
    unmarked = by_label or finding.usually is None or finding.kind != FINDING
    word = mark(finding.score, finding.usually, finding.above, by_label)
    answer: FindingAnswer = {
        "label": finding.label,
        "kind": finding.kind,
        "rank": rank,
        "probability": rounded(finding.score),
        "prevalence": finding.usually,
        "percentile": finding.percentile,
        "score": rounded(finding.score),
        "logit": round(finding.logit, 6),
        "threshold": _rounded(finding.threshold),
        "above": finding.above,
        "raised": None if unmarked else word == RAISED,
    }
    if finding.ppv:
        answer["ppv"] = cast("ShareAnswer", finding.ppv._asdict())
    return answer


def _rounded(threshold: float | None) -> float | None:
    """A threshold rounded like probabilities, so that one exactly on it is not below it."""
    return None if threshold is None else rounded(threshold)
