"""The JSON object that stands for one image's answer; see ``answer.schema.json``.

Types alone: `json_answer` makes such objects, and does not import this at start-up.
"""

from __future__ import annotations

from typing import Any, TypedDict


class OverallAnswer(TypedDict):
    """The image as a whole: the probability that it is not normal; null is what is not known."""

    probability: float
    usually: float | None
    percentile: float | None
    threshold: float | None
    flagged: bool | None


class ShareAnswer(TypedDict):
    """A share with its 95 % interval."""

    value: float
    low: float
    high: float


class WithPpv(TypedDict, total=False):
    """Of a label whose threshold's positive predictive value a site file knows."""

    ppv: ShareAnswer


class FindingAnswer(WithPpv):
    """One label; `score` is its probability by its older name. Null is what is not known."""

    label: str
    kind: str
    rank: int | None
    probability: float
    prevalence: float | None
    percentile: float | None
    score: float
    logit: float
    threshold: float | None
    above: bool | None
    raised: bool | None


class InputCheckAnswer(TypedDict):
    """What the input check made of the picture."""

    score: float
    flagged: bool
    kind: str | None
    reason: str | None


class Place(TypedDict):
    """In pixels of the image as it was given."""

    x: int
    y: int


class Cell(TypedDict):
    """One square of a map, in pixels of the image as it was given; the ends are excluded."""

    left: int
    top: int
    right: int
    bottom: int


class PeakAnswer(TypedDict):
    """Where a finding's evidence is highest; null where no place of its map stands out, and where
    the model's peaks were not shown to hit more findings than the middle of the picture does."""

    label: str
    peak: Place | None
    cell: Cell | None


class HeatmapAnswer(TypedDict):
    """The heatmap's file, the size of the radiograph in it, and what it shows."""

    file: str
    width: int
    height: int
    worth: str | None
    findings: list[PeakAnswer]


class ModelAnswer(TypedDict):
    """Whose answer it is: digests of the network, and of all parts of the model file."""

    name: str
    sha256: str
    digest: str | None
    dtype: str


class Origin(TypedDict):
    """What every answer says of who made it; `site` is the site file's digest."""

    model: ModelAnswer
    site: str | None
    operating_point: str
    label_operating_point: str
    preprocessing: dict[str, Any]
    runtime: dict[str, Any]
    disclaimer: str


class WithHeatmap(TypedDict, total=False):
    """Of an image whose heatmap was drawn."""

    heatmap: HeatmapAnswer


class Answer(WithHeatmap, Origin):
    """An image that was read; without findings where they are withheld."""

    file: str
    overall: OverallAnswer | None
    findings: list[FindingAnswer]
    input_check: InputCheckAnswer | None
    blank: bool
    warnings: list[str]
    image: dict[str, Any]


class Fault(TypedDict):
    """Why an image has no answer, in a word and in a line."""

    kind: str
    message: str


class Refusal(Origin):
    """An image that could not be read."""

    file: str
    error: Fault
