"""An answer's JSON → what it states, in the words of no format.

The one place that knows the keys of the public answer (``answer.schema.json`` in `pipeline`):
structured reports, and whatever else is made of answers, are written from what is here. A key that
an older or newer answer has or lacks is dealt with here alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from edge_app.model.labels import Code, Labels

JUDGED: Final = "judged"
WITHHELD: Final = "withheld"
UNREADABLE: Final = "unreadable"
BLANK: Final = "blank"

OVERALL: Final = "Overall"
"""The statement about the radiograph as a whole."""

CHANGED: Final = "its model or site file is another one than when the box started"


class Statement(NamedTuple):
    """What is said of one finding, or of the radiograph as a whole.

    Attributes:
        name: the model's label; `OVERALL` of the whole.
        code: of the label, where the model states one.
        probability: calibrated, 0 to 1.
        threshold: of the operating point, on the probability; None without one.
        above: probability ≥ threshold; None without a threshold.
        percentile: at least this share of the reference images has less; None if not known.
        point: the operating point that the threshold belongs to.
    """

    name: str
    code: Code | None
    probability: float
    threshold: float | None
    above: bool | None
    percentile: float | None
    point: str


class Stated(NamedTuple):
    """What an answer states.

    Attributes:
        verdict: ``judged``, ``withheld`` where it does not look like a chest radiograph that can
            be judged, ``blank``, or ``unreadable``.
        reason: why it was not judged; None where it was.
        statements: the whole first, then the findings in the model's order.
        remarks: one line each: warnings, and what the input check said.
        model, model_sha256: whose answer it is; the digest is that of the network.
        parameters: what else decides what is answered, as ``key: value``.
        disclaimer: what every answer says of itself.
    """

    verdict: str
    reason: str | None
    statements: tuple[Statement, ...]
    remarks: tuple[str, ...]
    model: str
    model_sha256: str
    parameters: tuple[str, ...]
    disclaimer: str


def decided_by(answer: Mapping[str, Any]) -> tuple[str | None, ...]:
    """What decided an answer: digests of network, model file and site file, operating points.

    Args:
        answer: the object that `classify --json` prints, or what all answers have in common.
    """
    model = answer["model"]
    return (
        *(model["sha256"], model.get("digest"), answer.get("site")),
        *(answer["operating_point"], answer.get("label_operating_point")),
    )


def stated(answer: Mapping[str, Any], labels: Labels) -> Stated:
    """What an answer, or a refusal, states.

    Args:
        answer: the object that `classify --json` prints.
        labels: of the model that answered.
    """
    verdict, reason = _verdict(answer)
    model, runtime = answer["model"], answer["runtime"]
    parameters = [
        f"network SHA-256: {model['sha256']}",
        f"data type: {model['dtype']}",
        f"operating point: {answer['operating_point']}",
        f"runtime: {runtime['name']} {runtime['version']}",
    ]
    if model.get("digest"):  # thresholds may be others with the same network
        parameters.append(f"model file SHA-256: {model['digest']}")
    if answer.get("site"):
        parameters.append(f"site file SHA-256: {answer['site']}")
    if "label_operating_point" in answer:
        parameters.append(f"operating point of the findings: {answer['label_operating_point']}")
    return Stated(
        verdict=verdict,
        reason=reason,
        statements=_statements(answer, labels) if verdict == JUDGED else (),
        remarks=tuple(answer.get("warnings", ())),
        model=model["name"],
        model_sha256=model["sha256"],
        parameters=tuple(parameters),
        disclaimer=answer["disclaimer"],
    )


def _verdict(answer: Mapping[str, Any]) -> tuple[str, str | None]:
    if "error" in answer:
        return UNREADABLE, answer["error"]["message"]
    check = answer["input_check"]
    if answer["blank"]:
        reason = check["reason"] if check and check["reason"] else "is blank"
        return BLANK, reason
    if check and check["flagged"] and not answer["findings"]:
        return WITHHELD, check["reason"] or "does not look like a chest radiograph"
    return JUDGED, None


def _statements(answer: Mapping[str, Any], labels: Labels) -> tuple[Statement, ...]:
    codes = {label.name: label.code for label in labels}
    point = answer["operating_point"]
    by_label = answer.get("label_operating_point", point)
    made = []
    if overall := answer.get("overall"):
        made.append(
            Statement(
                *(OVERALL, None, overall["probability"], overall["threshold"]),
                *(overall["flagged"], overall.get("percentile"), point),
            )
        )
    for each in answer["findings"]:
        made.append(
            Statement(
                *(each["label"], codes.get(each["label"]), each["score"], each["threshold"]),
                *(each["above"], each.get("percentile"), by_label),
            )
        )
    return tuple(made)
