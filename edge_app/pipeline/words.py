"""The words around answers wherever they are shown: who answers, and what answers are worth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

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


def promises(point: OverallPoint | None, site: Site | None = None) -> Iterator[str]:
    """Lines on what being flagged, and not being flagged, is worth.

    Args:
        point: whose threshold flags; None if none does.
        site: of the point, if it is a site's: then its predictive values are known.
    """
    if point is None:
        return
    where = f"of normal images{' at this site' if site else ''}"
    flags, misses = percent(1 - point["specificity"]), percent(1 - point["sensitivity"])
    alarms, missed = f"; rule: {point['rule']}" if site else "", ""
    if test := point.get("test"):
        where = "of normal validation images"
        specificity, sensitivity = test["specificity"]["value"], test["sensitivity"]["value"]
        if specificity is not None:
            alarms = f", {percent(1 - specificity)} of normal test images (patients new to it)"
        if sensitivity is not None:
            missed = f" and {percent(1 - sensitivity)}"
    yield f"flags: {flags} {where}{alarms}"
    yield f"misses: {misses}{missed} of those that are not normal"
    if site:
        here = site.content["overall"]
        yield (
            f"at this site {_share(here['ppv'])} of flagged images are not normal, and "
            f"{_share(here['npv'])} of the others are normal"
        )


def _share(told: Estimate) -> str:
    return str(Share.of(told) or "an unknown share")
