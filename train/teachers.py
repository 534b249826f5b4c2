"""Finished models whose scores another run learns from (distillation: Hinton et al., 2015)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from numpy.typing import NDArray

from edge_app.classifier import Classifier
from edge_app.images.array import from_array
from edge_app.images.radiograph import Radiograph
from edge_app.model.calibration import calibrated
from edge_app.pipeline.reader import ready
from edge_app.pipeline.route import score_all, unbroken
from train.cache import Cached
from train.errors import DatasetError

if TYPE_CHECKING:
    from edge_app.model.manifest_types import Head


@dataclass(frozen=True)
class Teacher:
    """One member of the ensemble.

    Attributes:
        name: of its network, with the digest of its weights.
        logits: its M×L logits of M cached images at its size.
        calibration: what makes scores of them.
        head: of its labels, which are the student's.
        network: what a student can go on from; None of a model file, which holds no such thing.
        validation: digest of the images it was not trained on.
        cached: the images that a student may train on, at this teacher's size.
    """

    name: str
    logits: Callable[[Cached], NDArray[np.float32]]
    calibration: dict[str, Any]
    network: keras.Model | None
    validation: str
    cached: Cached
    head: Head = "independent"

    def require_unseen(self, validation: Cached) -> None:
        """Refuse a teacher that may have been trained on the student's validation patients.

        Raises:
            DatasetError: it was validated on other images, so it may know these.
        """
        if validation.digest != self.validation:
            raise DatasetError(
                f"teacher {self.name} was validated on other images than this run would be: "
                "what it knows of them would leak; train it on this data set"
            )


@dataclass(frozen=True)
class Teachers:
    """An ensemble's mean scores.

    Attributes:
        names: of the networks, with the digest of each one's weights.
        images: K image names.
        scores: K×L float32 in 0..1, of the same images.
        last: the last member's network, if it has one.
    """

    names: list[str]
    images: NDArray[np.str_]
    scores: NDArray[np.float32]
    last: keras.Model | None

    def scores_of(self, cached: Cached) -> NDArray[np.float32]:
        """M×L, in the order of `cached`.

        Raises:
            DatasetError: the teachers have not seen one of its images.
        """
        place = {name: i for i, name in enumerate(self.images)}
        try:
            rows = [place[name] for name in cached.table["image"]]
        except KeyError as error:
            raise DatasetError(f"the teachers have no score of {error}") from None
        return self.scores[rows]


def ensemble(members: Sequence[Teacher]) -> Teachers:
    """The mean of the members' calibrated scores."""
    total = np.zeros(members[0].cached.targets.shape)
    for member in members:
        total += calibrated(member.logits(member.cached), member.calibration, member.head)
    names = [member.name for member in members]
    images = members[0].cached.table["image"].to_numpy(str)
    return Teachers(names, images, (total / len(members)).astype(np.float32), members[-1].network)


def model_file_logits(classifier: Classifier, cached: Cached) -> NDArray[np.float32]:
    """Logits M×L of a model file over cached images of its size."""
    pictures = (from_array(cached.images[row]) for row in cached.rows)

    def score(one: Classifier, source: object, image: Radiograph) -> NDArray[np.float32]:
        return one.logits(image.picture)[0]

    return np.stack([each for _, each in unbroken(score_all(pictures, classifier, ready, score))])
