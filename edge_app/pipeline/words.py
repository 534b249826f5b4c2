"""The words around answers wherever they are shown: who answers, and what answers are worth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from edge_app.core.plain_text import percent
from edge_app.model.decisions import Share
from edge_app.model.input_check import NO_QUALITY

if TYPE_CHECKING:
    from edge_app.classifier import Classifier
    from edge_app.model.decisions import Finding
    from edge_app.model.labels import Labels
    from edge_app.model.manifest_types import Estimate, OverallPoint
    from edge_app.model.preprocess import InputSpec
    from edge_app.model.site import Site


def known_of(labels: Labels) -> str:
    """The findings that are looked for, and that there are no others."""
    return f"knows {labels.all_findings} and nothing else"


def seen_at(spec: InputSpec) -> str:
    """The size at which the network sees a picture, and what that means."""
    return f"seen at {spec.width}x{spec.height}: small findings are missed"


def answered_by(classifier: Classifier) -> str:
    """One line: the model that answers, what it does not know, and its operating point."""
    model, point = classifier.model, classifier.image_point
    rule = f" ({point['rule']})" if point and not classifier.site else ""
    return (
        f"{model.name}, {model.precision}: {known_of(classifier.labels)}; {NO_QUALITY}; "
        f"operating point '{classifier.points.name}'{rule}"
    )


def right_above(findings: Iterable[Finding]) -> Iterator[str]:
    """A line for each finding above its threshold: what the threshold is worth at the site."""
    for each in findings:
        if each.above and each.ppv and each.threshold is not None:
            yield (
                f"of images at this site with {each.name} at {percent(each.threshold)} or more, "
                f"{each.ppv} bear it"
            )


BY_LABELS: Final = "normal, right and missed: by the labels of those images, which may be wrong"


def promises(point: OverallPoint | None, site: Site | None = None) -> Iterator[str]:
    """Lines on what being flagged, and not being flagged, is worth.

    Args:
        point: whose threshold flags; None if none does.
        site: of the point, if it is a site's: then its predictive values are known.
    """
    if point is None:
        return
    alarms, misses = 1 - point["specificity"], 1 - point["sensitivity"]
    if test := point.get("test"):
        others = test["on"].removeprefix("test, ")
        on, elsewhere = "of normal validation images", f"of normal test images (others: {others})"
        yield f"flags: {_on_both(alarms, on, test['specificity'], elsewhere)}"
        on, elsewhere = "of validation images that are not normal", "of such test images"
        yield f"misses: {_on_both(misses, on, test['sensitivity'], elsewhere)}"
        yield BY_LABELS
    else:
        where, rule = (" at this site", f"; rule: {point['rule']}") if site else ("", "")
        yield f"flags: {percent(alarms)} of normal images{where}{rule}"
        yield f"misses: {percent(misses)} of those that are not normal"
    if site:
        here = site.content["overall"]
        yield (
            f"at this site {_share(here['ppv'])} of flagged images are not normal, and "
            f"{_share(here['npv'])} of the others are normal"
        )


def _on_both(share: float, on: str, kept: Estimate, elsewhere: str) -> str:
    """A share of validation images, and what is not `kept` of test images, if that is known."""
    known = kept["value"]
    other = "" if known is None else f", {percent(1 - known)} {elsewhere}"
    return f"{percent(share)} {on}{other}"


def _share(estimate: Estimate) -> str:
    return str(Share.of(estimate) or "an unknown share")
