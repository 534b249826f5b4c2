"""The codes of a structured report: public ones where there are any, else a scheme of our own.

The conformance statement (``docs/conformance.md``) lists the scheme.
"""

from __future__ import annotations

import hashlib
from typing import Final

from edge_app.clinic.statements import BLANK, JUDGED, OVERALL, UNREADABLE, WITHHELD, Statement
from edge_app.model.labels import Code

SCHEME: Final = "99EDGECXR"
SCHEME_NAME: Final = "edge-cxr findings and decisions"

TITLE: Final = Code("DCM", "126000", "Imaging Measurement Report")
PROCEDURE: Final = Code("SCT", "399208008", "Plain chest X-ray")
PROBABILITY: Final = Code("DCM", "122157", "Probability")
GROUPS: Final = Code("DCM", "126010", "Imaging Measurements")
COMMENT: Final = Code("DCM", "121106", "Comment")
NO_UNITS: Final = Code("UCUM", "1", "no units")

IMAGE: Final = Code(SCHEME, "IMAGE", "Radiograph as a whole")
DECISION: Final = Code(SCHEME, "DECISION", "Decision at the operating point")
THRESHOLD: Final = Code(SCHEME, "THRESHOLD", "Threshold of the operating point")
PERCENTILE: Final = Code(SCHEME, "PERCENTILE", "Share of reference images with a lower probability")
VERDICT: Final = Code(SCHEME, "VERDICT", "Verdict of the input check")

ABOVE: Final = Code(SCHEME, "ABOVE", "At or above the threshold")
BELOW: Final = Code(SCHEME, "BELOW", "Below the threshold")
OUTWEIGHED: Final = Code(
    SCHEME, "OUTWEIGHED", "Reached, but the image or a finding decides otherwise"
)
UNDECIDED: Final = Code(SCHEME, "UNDECIDED", "No decision of its own")
DECISIONS: Final = (ABOVE, BELOW, OUTWEIGHED, UNDECIDED)

VERDICTS: Final = {
    JUDGED: Code(SCHEME, "JUDGED", "Judged"),
    WITHHELD: Code(SCHEME, "WITHHELD", "Not judged: unlike an upright frontal chest radiograph"),
    BLANK: Code(SCHEME, "BLANK", "Not judged: blank"),
    UNREADABLE: Code(SCHEME, "UNREADABLE", "Not judged: could not be read"),
}

OWN: Final = (
    *(IMAGE, DECISION, THRESHOLD, PERCENTILE, VERDICT, *DECISIONS),
    *VERDICTS.values(),
)
"""All of the scheme but labels, whose codes are made by `finding`."""

LONGEST_VALUE: Final = 16
LONGEST_MEANING: Final = 64


def finding(statement: Statement) -> Code:
    """The code of what a statement is about; the label's own where the model states none."""
    if statement.code:
        return statement.code
    if statement.name == OVERALL:
        return IMAGE
    value = "L-" + "".join(c for c in statement.name.upper() if c.isascii() and c.isalnum())
    plain = all(c.isascii() and (c.isalnum() or c in " _-") for c in statement.name)
    if len(value) > LONGEST_VALUE or not plain:  # which others could have, too
        digest = hashlib.sha256(statement.name.encode()).hexdigest()[:6].upper()
        value = f"{value[:9]}-{digest}"
    return Code(SCHEME, value, statement.name[:LONGEST_MEANING])


def decision(statement: Statement) -> Code:
    """Above, below, reached and not called, or none of it.

    There is no decision without a threshold, nor on the normal label where the image as a whole is
    decided on. No finding is called in an image that is not flagged, whatever its probability: see
    `model.decisions`.
    """
    if statement.above is None or statement.threshold is None:
        return UNDECIDED
    if statement.above:
        return ABOVE
    return OUTWEIGHED if statement.probability >= statement.threshold else BELOW
