"""Scorers: radiograph → findings, with or without the picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from edge_app.classifier import Classifier, Findings
from edge_app.core.steps import Watch, unwatched
from edge_app.images.radiograph import Radiograph

Source = TypeVar("Source")
Answer = TypeVar("Answer")

Scorer = Callable[[Classifier, Source, Radiograph], Answer]
"""(classifier, source, radiograph) → answer; no other thread uses the classifier meanwhile."""

Classified = tuple[Radiograph, Findings]


def classified(
    classifier: Classifier, source: object, image: Radiograph, watch: Watch = unwatched
) -> Classified:
    """A radiograph with its picture, and its findings."""
    return image, classifier.classify(image, watch)


def classified_only(classifier: Classifier, source: object, image: Radiograph) -> Classified:
    """A radiograph without its picture, and its findings."""
    return image.without_picture(), classifier.classify(image)
