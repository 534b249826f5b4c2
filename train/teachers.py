"""Teachers, whose scores another run learns (distillation: Hinton et al., 2015)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import keras
import numpy as np
from numpy.typing import NDArray

from train.cache import Cached
from train.data_types import DataFacts
from train.datasets.joined import SOURCE
from train.errors import DatasetError, RunError
from train.source import known_patients

NOT_STATED: Final = "not stated"


@dataclass(frozen=True)
class Validated:
    """The images that a teacher was validated on, and so not trained on.

    Attributes:
        data: name of the data set.
        digest: of these images; None if it was trained on them afterwards.
        alone: whether no other patients can have taught it: through a teacher, through the network
            it was started from, or through a further data set that is not stated to be apart.
        facts: of its run's configuration: what it was trained on.
        share: of the training patients that its recipe takes.
    """

    data: str
    digest: str | None
    alone: bool
    facts: DataFacts
    share: float = 1.0


@dataclass(frozen=True)
class Teacher:
    """One member of the ensemble.

    Attributes:
        name: of its network, with the digest of its weights.
        trained_on: what it learned from, in words, or `NOT_STATED`.
        scores: its M×L scores of M images in 0..1; NaN for a label that it does not know.
        network: that a student can start from; None unless the teacher is a run.
        validated: what it was validated on; None where that is not known.
        cached: the images that a student may train on.
    """

    name: str
    trained_on: str
    scores: Callable[[Cached], NDArray[np.float32]]
    network: keras.Model | None
    validated: Validated | None
    cached: Cached

    def knows_no_more(self, cached: Cached) -> bool:
        """Whether it provably knows no validation patient and no test patient.

        The validation images must be the same, and so must the training images: a list of test
        patients that has changed since leaves the validation images as they are.

        Args:
            cached: the student's images of all splits.
        """
        validated = self.validated
        if validated is None or not validated.alone:
            return False
        if validated.digest != cached.split("validation").digest:
            return False
        own = cached.of_data_set(0) if SOURCE in cached.table else cached
        return set(known_patients(validated.facts, own, validated.share).values()) == {"not seen"}

    def require_unseen(self, validation: Cached) -> None:
        """Refuse a teacher that by its own facts may know the validation patients.

        One that was trained on other data, or of which nothing is known, may teach: whether it
        knows these patients is open, and the model card says so.

        Raises:
            RunError: it learned from the same data set, all but its test patients.
            DatasetError: it learned from the same data set, but was validated on other images.
        """
        if self.validated is None or self.validated.data != validation.name:
            return
        if self.validated.digest is None:
            raise RunError(
                f"teacher {self.name} was trained on the validation patients: it cannot teach a "
                "run that is judged by them; give it the run before its refit"
            )
        if validation.digest != self.validated.digest:
            raise DatasetError(
                f"teacher {self.name} was validated on other images than this run would be: "
                "what it knows of them would leak; train it on this data set"
            )


@dataclass(frozen=True)
class Teachers:
    """An ensemble's mean scores.

    Attributes:
        names: of the networks, with the digest of each one's weights.
        trained_on: what each learned from.
        knows_no_more: of each, see `Teacher.knows_no_more`.
        images: K image names.
        scores: K×L float32 in 0..1, of the same images; NaN for a label that no teacher knows.
        last: the last member's network, if it has one.
    """

    names: list[str]
    trained_on: list[str]
    knows_no_more: list[bool]
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


def ensemble(members: Sequence[Teacher], cached: Cached) -> Teachers:
    """The mean of the members' scores, for each label over the members that know it.

    Args:
        members: one at least.
        cached: the student's images of all splits.
    """
    shape = members[0].cached.targets.shape
    total, known = np.zeros(shape), np.zeros(shape)
    for member in members:
        scores = member.scores(member.cached)
        has_score = np.isfinite(scores)
        total += np.where(has_score, scores, 0)
        known += has_score
    with np.errstate(invalid="ignore"):
        mean = (total / known).astype(np.float32)
    images = members[0].cached.table["image"].to_numpy(str)
    return Teachers(
        [member.name for member in members],
        [member.trained_on for member in members],
        [member.knows_no_more(cached) for member in members],
        images,
        mean,
        members[-1].network,
    )
