"""The codes of a structured report: public ones where there are any, else a scheme of our own.

The conformance statement (``docs/conformance.md``) lists the scheme.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
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
"""All of the scheme but labels, whose codes are made by `findings`."""

LONGEST_VALUE: Final = 16
LONGEST_MEANING: Final = 64
DIGITS, MAX_DIGITS = 6, 13
"""Of a name's SHA-256, where its letters are too many, or others' as well."""


def findings(statements: Sequence[Statement]) -> list[Code]:
    """The codes of what an answer's statements are about; the labels' own where the model has any.

    Labels that it states no code of never share one: names that differ in blanks, signs or capitals
    alone have a part of their digest in it, as long ones have.

    Args:
        statements: of the whole, if there is such a one, and then of all labels.
    """
    digits = [_min_digits(each.name) for each in statements]
    while True:
        made = [_code(each, number) for each, number in zip(statements, digits, strict=True)]
        if made and statements[0].name == OVERALL and not statements[0].code:
            made[0] = IMAGE
        held = Counter(code[:2] for code in made)
        shared = [
            place
            for place, code in enumerate(made)
            if held[code[:2]] > 1 and not statements[place].code and digits[place] < MAX_DIGITS
        ]
        if not shared:
            return made
        for place in shared:
            digits[place] = max(DIGITS, digits[place] + 1)


def _min_digits(name: str) -> int:
    """Of its digest, that a label's code has by itself; 0 for most."""
    plain = all(c.isascii() and (c.isalnum() or c in " _-") for c in name)
    return 0 if plain and len(_letters(name)) <= LONGEST_VALUE else DIGITS


def _code(statement: Statement, digits: int) -> Code:
    if statement.code:
        return statement.code
    value = _letters(statement.name)
    if digits:
        digest = hashlib.sha256(statement.name.encode()).hexdigest()[:digits].upper()
        value = f"{value[: LONGEST_VALUE - digits - 1]}-{digest}"
    return Code(SCHEME, value, statement.name[:LONGEST_MEANING])


def _letters(name: str) -> str:
    return "L-" + "".join(c for c in name.upper() if c.isascii() and c.isalnum())


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
