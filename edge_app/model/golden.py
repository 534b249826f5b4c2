"""The golden vectors: inputs and outputs that show whether a machine computes a model right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edge_app.core import strict_json
from edge_app.core.errors import ModelError
from edge_app.model.calibration import calibrated
from edge_app.model.decisions import Decisions
from edge_app.model.labels import Labels
from edge_app.model.operating_points import chosen
from edge_app.model.outputs import pooled, real

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_app.model.manifest_types import Manifest

DIGITS: Final = 9
"""Digits of a stored probability; exponential functions of two processors agree in more."""


class Golden(NamedTuple):
    """K input tensors and the outputs of a reference run, in the model's own dtypes.

    Attributes:
        inputs: K×height×width×channels.
        logits: K×L, of the model's L labels.
        maps: K×h×w×L; None if the model has no map.
        answers: made from these logits; None in files of earlier versions.
    """

    inputs: NDArray[Any]
    logits: NDArray[Any]
    maps: NDArray[Any] | None
    answers: tuple[GoldenAnswer, ...] | None = None


class GoldenAnswer(NamedTuple):
    """The scores and decisions of a golden vector at the default operating points.

    Attributes:
        scores: L probabilities.
        above: L decisions; None without a threshold.
        overall: the probability that the image is not normal; None if the labels give none.
        flagged: the decision on it; None without a threshold.
    """

    scores: tuple[float, ...]
    above: tuple[bool | None, ...]
    overall: float | None
    flagged: bool | None

    def as_dict(self) -> dict[str, Any]:
        return {**self._asdict()}

    def differs(self, other: GoldenAnswer) -> bool:
        """Whether another answer has other scores or decisions."""
        pairs = zip(
            (*self.scores, self.overall or 0.0), (*other.scores, other.overall or 0.0), strict=True
        )
        return (
            self._replace(scores=(), overall=None) != other._replace(scores=(), overall=None)
            or (self.overall is None) != (other.overall is None)
            or any(abs(first - second) > 10**-DIGITS for first, second in pairs)
        )


def answers(manifest: Manifest, golden: Golden) -> tuple[GoldenAnswer, ...]:
    """The answers that a manifest makes from the golden logits.

    Raises:
        ModelError: they are of other labels.
    """
    labels = Labels.of(manifest["labels"])
    if golden.logits.shape[1:] != (len(labels),):
        raise ModelError(f"its golden logits are not of its {len(labels)} labels")
    decisions = Decisions(manifest, labels, chosen(manifest, None))
    found = []
    for logits in _logits(manifest, golden):
        scores = calibrated(logits, manifest["calibration"], manifest["head"])
        findings, overall = decisions.of(logits, scores)
        found.append(
            GoldenAnswer(
                tuple(round(each.score, DIGITS) for each in findings),
                tuple(each.above for each in findings),
                round(overall.probability, DIGITS) if overall else None,
                overall.flagged if overall else None,
            )
        )
    return tuple(found)


def _logits(manifest: Manifest, golden: Golden) -> NDArray[Any]:
    """K×L, real."""
    from_map = pooled(manifest)
    if from_map is None:
        return real(manifest, "logits")(golden.logits)
    if golden.maps is None:
        raise ModelError("its logits are pooled from a map, and it has no golden ones")
    return from_map(real(manifest, "map")(golden.maps))


def read_answers(data: bytes) -> tuple[GoldenAnswer, ...]:
    """Parse the answers in a model file's ZIP.

    Raises:
        ModelError: it holds something else.
    """
    try:
        rows = strict_json.parse(data)
        return tuple(
            GoldenAnswer(
                tuple(float(score) for score in row["scores"]),
                tuple(row["above"]),
                None if row["overall"] is None else float(row["overall"]),
                row["flagged"],
            )
            for row in rows
        )
    except (ValueError, KeyError, TypeError):
        raise ModelError("the golden answers in its ZIP are damaged") from None


def check_answers(manifest: Manifest, golden: Golden) -> None:
    """Compare the answers made from the golden logits here with those in the model file.

    Raises:
        ModelError: a score or a decision differs.
    """
    if golden.answers is None:
        return
    found = answers(manifest, golden)
    if len(found) != len(golden.answers) or any(
        one.differs(stated) for one, stated in zip(found, golden.answers, strict=True)
    ):
        raise ModelError("its scores or decisions are not those that it was saved with")
