"""The manifest of a model file, version 2, as types; see ``manifest.schema.json``.

A list "of L" has one entry a label, in the order of `Manifest.labels`. This module is imported only
for type checking: making its classes would slow down every start of the application.
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
    """`activation` is the one at the graph's end, which the device undoes."""

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
    """Lists of L; None if it was not computable."""

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
    """A compiled network; `compiled_from` is the digest of the flatbuffer."""

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
    """How many `details` the input check sees; 0 if not stated, as in earlier files."""

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
    """What an image-level threshold reaches on images that it was not fitted on."""

    sensitivity: Estimate
    specificity: Estimate
    on: str


class Marks(TypedDict):
    """The mean number of findings in an image that are marked as raised.

    `right` and `wrong` ones in images that are not normal; `of_normal` in normal images.
    """

    right: float
    wrong: float
    of_normal: float


class _RaisedFacts(TypedDict):
    """What marks are worth, by a rule: `least` per cent and `times` the usual probability."""

    least: float
    times: float
    validation: Marks


class RaisedFacts(_RaisedFacts, total=False):
    """What marks are worth on validation, and on images that nothing was fitted on."""

    test: Marks


class _OverallPoint(TypedDict):
    rule: str
    threshold: float
    sensitivity: float
    specificity: float


class OverallPoint(_OverallPoint, total=False):
    """An image is flagged if its probability reaches `threshold`.

    `rule` says what that promises; `sensitivity` is the flagged share of images that are not
    normal, `specificity` the share of normal ones that are not flagged, where it was fitted.
    """

    test: Achieved


class _OverallFacts(TypedDict):
    """How images are scored as a whole; see `model.overall`.

    `slope` times the log-odds of `method` plus `intercept` are the log-odds that an image is not
    normal; `usually` is the share of such images where this was fitted.
    """

    method: Literal["normal", "noisy-or"]
    slope: float
    intercept: float
    usually: float
    fitted_on: str
    operating_points: dict[str, OverallPoint]
    default_operating_point: str


class OverallFacts(_OverallFacts, total=False):
    """How images are scored as a whole, with parts that earlier versions do not have.

    `bounded_by`: channels of the findings whose probabilities are the image's lower bound.
    `raised`: what it is worth that a finding is marked as raised.
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
    """How maps become logits, if not by their mean; see `outputs.pooled`."""

    kind: Literal["log-sum-exp"]
    r: float


class Manifest(_Manifest, total=False):
    """A model file's manifest; `prevalence` is each label's share where it was fitted."""

    spans: Affine
    pooling: Pooling
    compiled: dict[str, CompiledFacts]
    input_check: InputCheckFacts
    reference: Reference
    overall: OverallFacts
    prevalence: list[float]
