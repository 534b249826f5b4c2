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
"""A share of images that are not normal, typical where few people are ill; cautions hold for it.

Networks are tested on images of which far more are not normal than in any practice.
"""

FEW: Final = f"1 image in {1 / PREVALENCE:.0f}"


class Cautions(NamedTuple):
    """The cautions under the verdicts of flagged images, and of others.

    Attributes:
        flagged, clear: of the decision.
        raised: how many findings that are raised are right, where `PREVALENCE` of all images are
            not normal; empty if nobody knows.
        both: of the decision, where a finding is raised; empty if not both are known.
    """

    flagged: str = NOT_ILL
    clear: str = NOT_NORMAL
    raised: str = ""
    both: str = ""

    @classmethod
    def of(
        cls,
        point: OverallPoint | None,
        site: Site | None = None,
        raised: RaisedFacts | None = None,
    ) -> Cautions:
        """The cautions of an image-level operating point.

        A site file tells the predictive values of the place, as an interval. A model tells what it
        reached on validation and on test, whose patients its network never saw, each by its name:
        the two are of different patients and no interval. Nothing is claimed without a test.

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
        marks, missed = _right_marks(raised), [1 - share for share in found]
        both = _flags_and_marks(right, marks)
        where = f"where {FEW} is not normal, "
        return cls(
            _joined(NOT_ILL, where, _of_both("flags", "right", right)),
            _joined(NOT_NORMAL, "", _of_both("that are not normal", "missed", missed)),
            _of_both("raised findings", "right", marks),
            both and f"{NOT_ILL}: {where}{both}",
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
        if flagged and self.both:
            return self.both
        return f"{said}; where {FEW} is not normal, {self.raised}"


def predictive_value(sensitivity: float, specificity: float) -> float:
    """The share of flagged images that are not normal, if `PREVALENCE` of all images are not."""
    right, wrong = PREVALENCE * sensitivity, (1 - PREVALENCE) * (1 - specificity)
    return right / (right + wrong) if right else 0.0


def _right_marks(raised: RaisedFacts | None) -> list[float]:
    """Shares of raised findings that are right, on validation and test; empty without a test."""
    if raised is None or "test" not in raised:
        return []
    return [right_marks(raised["validation"]), right_marks(raised["test"])]


def right_marks(marks: Marks) -> float:
    """The share of raised findings that are right, if `PREVALENCE` of all images are not normal."""
    right = PREVALENCE * marks["right"]
    wrong = PREVALENCE * marks["wrong"] + (1 - PREVALENCE) * marks["of_normal"]
    return right / (right + wrong) if right else 0.0


def _at_site(ppv: Estimate, npv: Estimate) -> tuple[str, str]:
    """`flagged` and `clear` for a site, by the ends of its predictive values' intervals."""
    right, normal = (_known(each["low"], each["high"]) for each in (ppv, npv))
    ill = [1 - share for share in normal]
    return (
        _joined(NOT_ILL, "at this site ", _from_to("{} of flags are right", right)),
        _joined(
            NOT_NORMAL,
            "at this site ",
            _from_to("{} of images that are not flagged are not normal", ill),
        ),
    )


def _known(*shares: float | None) -> list[float]:
    """The shares; empty if one is not known."""
    return [share for share in shares if share is not None] if None not in shares else []


def _joined(begin: str, where: str, text: str) -> str:
    return f"{begin}: {where}{text}" if text else begin


def _of_both(what: str, are: str, shares: Sequence[float]) -> str:
    """How often something is so on validation and on test images; empty where nobody can tell."""
    if not _tellable(shares):
        return ""
    here, there = map(_in_per_cent, shares)
    if here == there:
        return f"of all {what} {here} are {are} on validation and on test images"
    return f"of all {what} {here} are {are} on validation images, {there} on test images"


def _flags_and_marks(flags: Sequence[float], marks: Sequence[float]) -> str:
    """How many of both are right, on validation and on test; empty where nobody can tell."""
    if not _tellable(flags) or not _tellable(marks):
        return ""
    (flag, other_flag), (raised, other_raised) = map(_in_per_cent, flags), map(_in_per_cent, marks)
    return (
        f"these are right: on validation images {flag} of all flags and {raised} of all raised "
        f"findings; on test images {other_flag} and {other_raised}"
    )


def _from_to(words: str, ends: Sequence[float]) -> str:
    """The same of an interval, with its ends in the words' braces."""
    if not _tellable(ends):
        return ""
    first, last = map(_in_per_cent, sorted(ends))
    return words.format(first if first == last else f"{first} to {last}")


def _tellable(shares: Sequence[float]) -> bool:
    """Whether they are known, and not never or always among those seen: none of those is not
    none."""
    return bool(shares) and min(shares) > 0 and max(shares) < 1


def _in_per_cent(share: float) -> str:
    """A share in whole per cent, which no rounding makes none or all."""
    number = f"{100 * share:.0f}"
    return {"0": "less than 1 %", "100": "more than 99 %"}.get(number, f"{number} %")


NOTHING_KNOWN: Final = Cautions()
"""The cautions if nothing is known about the worth of verdicts."""
