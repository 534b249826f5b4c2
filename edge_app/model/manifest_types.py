"""The manifest of a model file, version 2, as types; see ``manifest.schema.json``.

A list "of L" has one entry a label, in the order of `Manifest.labels`. This module is imported for
checking types alone: making its classes would cost every start of the application.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

Head = Literal["independent", "exclusive"]
Resize = Literal["stretch-bilinear", "pad-bilinear", "crop-bilinear"]
Dtype = Literal["int8", "uint8", "int16", "float32"]
Activation = Literal["sigmoid", "softmax"]


class CodeEntry(TypedDict):
    scheme: str
    value: str
    meaning: str


class _Label(TypedDict):
    name: str
    kind: Literal["finding", "normal"]


class LabelEntry(_Label, total=False):
    code: CodeEntry


class Flatbuffer(TypedDict):
    bytes: int
    sha256: str


class Quantization(TypedDict):
    """real = scale · (stored − zero_point)."""

    scale: float
    zero_point: int


class Input(TypedDict):
    """`mean` and `std` are in gray levels: one number, or one a channel."""

    height: int
    width: int
    channels: int
    resize: Resize
    mean: float | list[float]
    std: float | list[float]
    dtype: Dtype
    quantization: Quantization | None


class Output(TypedDict):
    """`tensor` is its name in the flatbuffer."""

    tensor: str
    shape: list[int]
    dtype: Dtype
    quantization: Quantization | None


class LogitsOutput(Output, total=False):
    """`activation` is what the graph ends in, and what is undone here."""

    activation: Activation


class _Outputs(TypedDict):
    logits: LogitsOutput


class Outputs(_Outputs, total=False):
    """Logits 1×L; map 1×h×w×L."""

    map: Output


class Affine(TypedDict):
    """slope · x + intercept; lists of L."""

    slope: list[float]
    intercept: list[float]


class Calibration(Affine):
    method: Literal["platt", "none"]
    fitted_on: str


class OperatingPoint(TypedDict):
    """Lists of L; None stands for what was not computable."""

    rule: str
    fitted_on: str
    thresholds: list[float | None]
    sensitivity: list[float | None]
    specificity: list[float | None]


class GoldenFacts(TypedDict):
    count: int
    source: str
    runtime: str
    tolerance: float


class Operations(TypedDict):
    accelerator: int
    cpu: int


class Memory(TypedDict):
    """Bytes of parameters."""

    on_chip: int
    on_chip_free: int
    off_chip: int


class CompiledOperator(TypedDict):
    operator: str
    count: int
    status: str


class _Compiled(TypedDict):
    bytes: int
    sha256: str
    compiled_from: str
    compiler: str


class CompiledFacts(_Compiled, total=False):
    """Of the network as one accelerator's compiler made it; `compiled_from` is the flatbuffer's."""

    operations: Operations
    memory: Memory
    operators: list[CompiledOperator]


class _InputCheck(TypedDict):
    sha256: str
    grid: int
    hidden: int
    kinds: list[str]
    limits: list[float]
    fitted_on: str
    limits_from: str
    flagged: float


class InputCheckFacts(_InputCheck, total=False):
    """Of `input_check.Weights`; no `details` are none, as in files of before."""

    details: int


class Reference(TypedDict):
    """Quantiles of the scores of normal images, for percentiles.

    `shares` are the quantiles' places, ascending in 0 to 1; `labels` holds L lists and `overall`
    one, each of as many scores as there are shares, ascending.
    """

    images: str
    shares: list[float]
    labels: list[list[float]]
    overall: list[float]


class Estimate(TypedDict):
    """A value with its 95 % interval."""

    value: float | None
    low: float | None
    high: float | None


class Metric(Estimate):
    on: str


class Achieved(TypedDict):
    """What an image-level threshold reaches on other images than it was fitted on."""

    sensitivity: Estimate
    specificity: Estimate
    on: str


class Marks(TypedDict):
    """How many findings are marked as raised an image, on average.

    `right` of images that are not normal, and borne; `wrong` of the same, and not borne;
    `of_normal` of normal images.
    """

    right: float
    wrong: float
    of_normal: float


class _RaisedFacts(TypedDict):
    """What marks are worth by the rule of `least` per cent and so many `times` the usual."""

    least: float
    times: float
    validation: Marks


class RaisedFacts(_RaisedFacts, total=False):
    """What marks are worth where they were fitted, and on images that chose nothing."""

    test: Marks


class _OverallPoint(TypedDict):
    rule: str
    threshold: float
    sensitivity: float
    specificity: float


class OverallPoint(_OverallPoint, total=False):
    """An image is flagged where its probability reaches `threshold`.

    `rule` says what that promises; `sensitivity` is the share of images that are not normal which
    are flagged, `specificity` that of normal ones which are not, where it was fitted.
    """

    test: Achieved


class _OverallFacts(TypedDict):
    """How images are scored as a whole; see `model.overall`.

    The log-odds of `method` times `slope` plus `intercept` are those that an image is not normal;
    `usually` is the share of such images where this was fitted.
    """

    method: Literal["normal", "noisy-or"]
    slope: float
    intercept: float
    usually: float
    fitted_on: str
    operating_points: dict[str, OverallPoint]
    default_operating_point: str


class OverallFacts(_OverallFacts, total=False):
    """How images are scored as a whole, and by which findings that is bounded.

    `bounded_by`: channels of the findings whose probabilities the image's is never below; none
    where it is not stated. `raised`: what it is worth that a finding is marked as raised.
    """

    bounded_by: list[int]
    raised: RaisedFacts


class _Manifest(TypedDict):
    schema_version: Literal[2]
    name: str
    architecture: str
    created: str
    licence: str
    intended_use: str
    flatbuffer: Flatbuffer
    labels: list[LabelEntry]
    head: Head
    input: Input
    outputs: Outputs
    calibration: Calibration
    operating_points: dict[str, OperatingPoint]
    default_operating_point: str
    golden: GoldenFacts
    training: dict[str, Any]
    quantization: dict[str, Any]
    metrics: dict[str, str | Metric]


class Pooling(TypedDict):
    """How a logit comes of its map where that is not the map's mean; see `outputs.pooled`."""

    kind: Literal["log-sum-exp"]
    r: float


class Manifest(_Manifest, total=False):
    """What a model file says of itself; `prevalence` is each label's share where it was fitted."""

    spans: Affine
    pooling: Pooling
    compiled: dict[str, CompiledFacts]
    input_check: InputCheckFacts
    reference: Reference
    overall: OverallFacts
    prevalence: list[float]
