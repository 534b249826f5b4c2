"""What is made of a radiograph on its way: the findings, with or without the picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from edge_app.classifier import Classifier, Findings
from edge_app.core.steps import Watch, unwatched
from edge_app.images.radiograph import Radiograph

Source = TypeVar("Source")
Answer = TypeVar("Answer")

Scorer = Callable[[Classifier, Source, Radiograph], Answer]
"""Makes an answer of a source's picture, with a classifier that nobody else uses meanwhile."""

Classified = tuple[Radiograph, Findings]


def classified(
    classifier: Classifier, source: object, image: Radiograph, watch: Watch = unwatched
) -> Classified:
    """A picture and its findings: the scorer where the picture is needed afterwards."""
    return image, classifier.classify(image, watch)


def classified_only(classifier: Classifier, source: object, image: Radiograph) -> Classified:
    """What is known of a picture, without its pixels, and its findings."""
    return image.without_picture(), classifier.classify(image)
