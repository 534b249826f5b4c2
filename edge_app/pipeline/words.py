"""The words around answers wherever they are shown: who answers, and what answers are worth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from edge_app.core.plain_text import percent
from edge_app.model.decisions import Share
from edge_app.model.input_check import NO_QUALITY
from edge_app.model.usual import referred_to

if TYPE_CHECKING:
    from edge_app.classifier import Classifier
    from edge_app.model.decisions import Finding
    from edge_app.model.labels import Labels
    from edge_app.model.manifest_types import Estimate
    from edge_app.model.preprocess import InputSpec


def known_of(labels: Labels) -> str:
    """The findings that are looked for, and that there are no others."""
    return f"knows {labels.all_findings} and nothing else"


def seen_at(spec: InputSpec) -> str:
    """The size at which the network sees a picture, and what that means."""
    return f"seen at {spec.width}x{spec.height}: small findings are missed"


def answered_by(classifier: Classifier) -> str:
    """One line: the model that answers, and what it does not know."""
    model = classifier.model
    return f"{model.name}, {model.precision}: {known_of(classifier.labels)}; {NO_QUALITY}"


def under_maps(classifier: Classifier) -> list[str]:
    """The lines under a heatmap that say who answers, and by which rule."""
    point = classifier.image_point
    rule = f" ({point['rule']})" if point and not classifier.site else ""
    return [
        *referred_to(classifier.model.manifest, classifier.site),
        f"{answered_by(classifier)}; operating point '{classifier.points.name}'{rule}",
        *([BY_LABELS] if point else []),
        seen_at(classifier.spec),
    ]


def right_above(findings: Iterable[Finding]) -> Iterator[str]:
    """A line for each finding above its threshold: what the threshold is worth at the site."""
    for each in findings:
        if each.above and each.ppv and each.threshold is not None:
            yield (
                f"of images at this site with {each.name} at {percent(each.threshold)} or more, "
                f"{each.ppv} bear it"
            )


BY_LABELS: Final = (
    "normal: labelled with none of these findings; labels, and so right and missed, may be wrong"
)


def promises(classifier: Classifier) -> Iterator[str]:
    """Lines on the operating point: its name, and what being flagged, or not, is worth."""
    point, site = classifier.image_point, classifier.site
    named = f"operating point '{classifier.points.name}'"
    if point is None:
        yield named
        return
    flags = f"{named}: flags {percent(1 - point['specificity'])} of normal"
    misses = f"and misses {percent(1 - point['sensitivity'])} of the others"
    if test := point.get("test"):
        others = "other" if "patients not known" in test["on"] else "other patients'"
        yield (
            f"{flags} validation images {misses}; of {others} images ({test['on']}) "
            f"flags {_left(test['specificity'])} of normal ones and misses "
            f"{_left(test['sensitivity'])} of the others"
        )
        yield BY_LABELS
    else:
        where, rule = (" at this site", f"; rule: {point['rule']}") if site else ("", "")
        yield f"{flags} images{where} {misses}{rule}"
    if site:
        here = site.content["overall"]
        yield (
            f"at this site {_share(here['ppv'])} of flagged images are not normal, and "
            f"{_share(here['npv'])} of the others are normal"
        )


def _left(kept: Estimate) -> str:
    """What is not `kept` of test images."""
    return "an unknown share" if kept["value"] is None else percent(1 - kept["value"])


def _share(estimate: Estimate) -> str:
    return str(Share.of(estimate) or "an unknown share")
