"""The JSON object that stands for one image's answer; see ``answer.schema.json``.

Only types: `json_answer` makes such objects, and does not import this at start-up.
"""

from __future__ import annotations

from typing import Any, TypedDict


class WithCaution(TypedDict, total=False):
    """What the decision is worth, in a line; archives do not repeat it in every row."""

    caution: str | None


class OverallAnswer(WithCaution):
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
    """A label whose threshold's positive predictive value a site file states."""

    ppv: ShareAnswer


class FindingAnswer(WithPpv):
    """One label; `score` is the older name of its probability. Null if unknown."""

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
    """The input check's result."""

    score: float
    flagged: bool
    kind: str | None
    reason: str | None


class Place(TypedDict):
    """A place in pixels of the original image."""

    x: int
    y: int


class Cell(TypedDict):
    """One square of a map in pixels of the original image, right and bottom excluded."""

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
    """The model, with digests of the network and of all parts of the model file."""

    name: str
    sha256: str
    digest: str | None
    dtype: str


class Origin(TypedDict):
    """What made an answer; `site` is the site file's digest."""

    model: ModelAnswer
    site: str | None
    operating_point: str
    label_operating_point: str
    preprocessing: dict[str, Any]
    runtime: dict[str, Any]
    disclaimer: str


class WithHeatmap(TypedDict, total=False):
    """An image with a heatmap."""

    heatmap: HeatmapAnswer


class Answer(WithHeatmap, Origin):
    """An image that was read; without findings if they are withheld."""

    file: str
    overall: OverallAnswer | None
    findings: list[FindingAnswer]
    input_check: InputCheckAnswer | None
    blank: bool
    warnings: list[str]
    image: dict[str, Any]


class Fault(TypedDict):
    """Why an image has no answer: a word, and a line."""

    kind: str
    message: str


class Refusal(Origin):
    """An image that could not be read."""

    file: str
    error: Fault
