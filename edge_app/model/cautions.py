"""The line under a verdict that says what it is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_app.model.manifest_types import Estimate, Marks, OverallPoint, RaisedFacts
    from edge_app.model.site import Site

NOT_ILL: Final = "'flagged' does not mean ill"
NOT_NORMAL: Final = "'not flagged' does not mean normal"

PREVALENCE: Final = 0.1
"""A share of images that are not normal as where few people are ill; cautions hold for it.

Networks are tested on images of which far more are not normal than in any practice.
"""

FEW: Final = f"1 image in {1 / PREVALENCE:.0f}"


class Cautions(NamedTuple):
    """The cautions under the verdicts of flagged images, and of others.

    Attributes:
        flagged, clear: of the decision.
        raised: how many findings that are marked as raised are borne, where `PREVALENCE` of all
            images are not normal; empty if nobody knows.
    """

    flagged: str = NOT_ILL
    clear: str = NOT_NORMAL
    raised: str = ""

    @classmethod
    def of(
        cls,
        point: OverallPoint | None,
        site: Site | None = None,
        raised: RaisedFacts | None = None,
    ) -> Cautions:
        """The cautions of an image-level operating point.

        A site file tells the predictive values of the place. A model tells what it reached on
        validation and on test, whose patients its network never saw, and from the one to the other
        is how well it may do elsewhere; of one that was not tested nothing is claimed.

        Args:
            point: whose threshold flags; None if none does.
            site: of the point, if it is a site's.
            raised: what raised findings are worth, by the rule in use.
        """
        if site:
            here = site.content["overall"]
            return cls(*_at_site(here["ppv"], here["npv"]))
        test = point.get("test") if point else None
        if point is None or test is None:
            return cls()
        found = _known(point["sensitivity"], test["sensitivity"]["value"])
        normal = _known(point["specificity"], test["specificity"]["value"])
        right = [predictive_value(*each) for each in zip(found, normal, strict=False)]
        return cls(
            _said(NOT_ILL, f"where {FEW} is not normal, {{}} of 100 flags are right", right),
            _said(
                NOT_NORMAL,
                "{} of 100 that are not normal are missed",
                [1 - share for share in found],
            ),
            _of_marks(raised),
        )

    def under(self, flagged: bool, raised: bool) -> str:
        """The line under a verdict.

        Args:
            flagged: the verdict.
            raised: whether a finding is raised.
        """
        said = self.flagged if flagged else self.clear
        if not raised or not self.raised:
            return said
        if flagged and said != NOT_ILL:
            return f"{said}, and {self.raised}"
        return f"{said}; where {FEW} is not normal, {self.raised} are right"


def predictive_value(sensitivity: float, specificity: float) -> float:
    """The share of flagged images that are not normal, if `PREVALENCE` of all images are not."""
    right, wrong = PREVALENCE * sensitivity, (1 - PREVALENCE) * (1 - specificity)
    return right / (right + wrong) if right else 0.0


def _of_marks(raised: RaisedFacts | None) -> str:
    """How many raised findings are right, from validation to test; empty without a test."""
    if raised is None or "test" not in raised:
        return ""
    shares = [right_marks(raised["validation"]), right_marks(raised["test"])]
    if min(shares) <= 0 or max(shares) >= 1:
        return ""
    return f"{_of_100(min(shares), max(shares))} of 100 raised findings"


def right_marks(marks: Marks) -> float:
    """The share of raised findings that are right, if `PREVALENCE` of all images are not normal."""
    right = PREVALENCE * marks["right"]
    wrong = PREVALENCE * marks["wrong"] + (1 - PREVALENCE) * marks["of_normal"]
    return right / (right + wrong) if right else 0.0


def _at_site(ppv: Estimate, npv: Estimate) -> tuple[str, str]:
    """`flagged` and `clear` for a site, by the ends of its predictive values' intervals."""
    right, normal = (_known(each["low"], each["high"]) for each in (ppv, npv))
    return (
        _said(NOT_ILL, "at this site {} of 100 flags are right", right),
        _said(
            NOT_NORMAL,
            "at this site {} of 100 that are not flagged are not normal",
            [1 - share for share in normal],
        ),
    )


def _known(*shares: float | None) -> list[float]:
    """The shares; empty if one is not known."""
    return [share for share in shares if share is not None] if None not in shares else []


def _said(begin: str, words: str, shares: Sequence[float]) -> str:
    """With how often that is, unless nobody knows, or it was never or always so among those seen:
    none of those is not none."""
    if not shares or min(shares) <= 0 or max(shares) >= 1:
        return begin
    return f"{begin}: {words.format(_of_100(min(shares), max(shares)))}"


def _of_100(low: float, high: float) -> str:
    """A range as numbers out of 100, which no rounding makes none or all."""
    first, last = f"{100 * low:.0f}", f"{100 * high:.0f}"
    if last == "0":
        return "fewer than 1"
    if first == "100":
        return "more than 99"
    first = "fewer than 1" if first == "0" else first
    last = "more than 99" if last == "100" else last
    return first if first == last else f"{first} to {last}"


NOTHING_KNOWN: Final = Cautions()
"""The cautions if nothing is known about the worth of verdicts."""
