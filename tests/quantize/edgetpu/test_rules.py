"""Each condition: an operator that meets it, and one that does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantize.edgetpu.rules import GENERAL, RULES, doubt, obstacle
from quantize.edgetpu.sources import DOCUMENTATION, Basis
from quantize.graph import Operator, Tensor


def image(*shape: int, dtype: str = "INT8", fixed: bool = True, scales: int = 1) -> Tensor:
    """A tensor that is computed."""
    many = np.full(scales, 0.5, np.float32)
    return Tensor("t", shape, fixed, dtype, many, np.zeros(scales, np.int64), 0, 0, None)


def constant(values: object, dtype: str = "INT8", scales: int = 1, axis: int = 0) -> Tensor:
    stored = np.asarray(
        values, {"INT8": "i1", "UINT8": "u1", "INT32": "<i4", "FLOAT32": "<f4"}[dtype]
    )
    scales = 0 if dtype in ("INT32", "FLOAT32") else scales
    return Tensor(
        "c",
        stored.shape,
        True,
        dtype,
        np.full(scales, 0.5, np.float32),
        np.zeros(scales, np.int64),
        axis,
        1,
        np.frombuffer(stored.tobytes(), np.uint8),
    )


def integers(*values: int) -> Tensor:
    return constant(values, "INT32")


def operator(
    name: str, *inputs: Tensor | None, out: Tensor | None = None, version: int = 1, **options: int
) -> Operator:
    return Operator(0, name, version, inputs, (out or image(1, 4, 4, 8),), options)


def reason(operator: Operator) -> str | None:
    found = obstacle(operator)
    return None if found is None else found.reason


def lstm(**changed: Tensor | None) -> Operator:
    """As converted from Keras and quantized: gates, biases, an 8-bit and a 16-bit state."""
    gates = {f"gate{k}": constant(np.ones((8, 8))) for k in range(8)}
    unused = dict.fromkeys(f"unused{k}" for k in range(3))
    biases = {f"bias{k}": BIAS for k in range(4)}
    rest: dict[str, Tensor | None] = dict.fromkeys(("projection", "projection_bias"))
    states = {"state": state("INT8"), "cell": state("INT16")}
    layer_norm = dict.fromkeys(f"norm{k}" for k in range(4))
    inputs = {"input": image(1, 4, 8), **gates, **unused, **biases, **rest, **states, **layer_norm}
    assert len(inputs) == 24
    return operator(
        "UNIDIRECTIONAL_SEQUENCE_LSTM", *(inputs | changed).values(), out=image(1, 4, 8)
    )


def state(dtype: str) -> Tensor:
    return replace(image(1, 8, dtype=dtype), variable=True)


FEATURES = image(1, 8, 8, 8)
VECTOR = image(1, 8)
KERNEL = constant(np.ones((8, 3, 3, 8)), scales=8)
BIAS = constant(np.ones(8), "INT32")
DEPTHWISE = constant(np.ones((1, 3, 3, 8)), scales=8, axis=3)
DENSE = constant(np.ones((8, 8)))

MAPPED = [
    operator("ADD", FEATURES, FEATURES),
    operator("ADD", FEATURES, FEATURES, FusedActivationFunction=1),
    operator("AVERAGE_POOL_2D", FEATURES),
    operator("CONCATENATION", FEATURES, constant(np.zeros((1, 8, 8, 8)))),
    operator("CONV_2D", FEATURES, KERNEL, BIAS, DilationHFactor=2, DilationWFactor=2),
    operator("CONV_2D", FEATURES, constant(np.ones((8, 3, 3, 8))), None, version=5),
    operator("CONV_2D", image(1, 8, 8, 8, dtype="UINT8"), KERNEL, BIAS),
    operator("FULLY_CONNECTED", VECTOR, DENSE, None, out=VECTOR),
    operator("MEAN", image(1, 64, 128, 3), integers(1, 2), out=image(1, 3)),
    operator("RESIZE_BILINEAR", FEATURES, integers(16, 16), out=image(1, 16, 16, 8)),
    operator("DEPTHWISE_CONV_2D", FEATURES, DEPTHWISE, BIAS, FusedActivationFunction=3),
    operator("FULLY_CONNECTED", VECTOR, DENSE, BIAS, out=VECTOR),
    operator("LOGISTIC", FEATURES),
    operator("MAX_POOL_2D", FEATURES),
    operator("MEAN", FEATURES, integers(1, 2), out=VECTOR),
    operator("MEAN", FEATURES, integers(-3, -2), out=VECTOR),
    operator("MEAN", FEATURES, integers(3), out=image(1, 8, 8)),
    operator("PACK", VECTOR, VECTOR, Axis=1, out=image(1, 2, 8)),
    operator("PAD", FEATURES, constant([[0, 0], [1, 1], [1, 1], [0, 0]], "INT32")),
    operator("PRELU", FEATURES, constant(np.ones((1, 1, 8)))),
    operator("QUANTIZE", FEATURES),
    operator("SOFTMAX", VECTOR, out=VECTOR),
    operator("SPLIT", integers(3), FEATURES),
    operator("STRIDED_SLICE", FEATURES, integers(0), integers(1), integers(1, 1, 1, 1)),
    operator("SUM", FEATURES, integers(1), out=image(1, 8, 8)),
    operator("TRANSPOSE_CONV", integers(1, 16, 16, 8), KERNEL, FEATURES, BIAS, version=3),
    lstm(),
]


@pytest.mark.parametrize("mapped", MAPPED, ids=lambda o: o.name)
def test_an_operator_that_meets_its_conditions_is_mapped(mapped: Operator) -> None:
    assert reason(mapped) is None


@pytest.mark.parametrize(
    ("unmapped", "words"),
    [
        # All operators.
        (operator("HARD_SWISH", FEATURES), "operator not supported"),
        (operator("DEQUANTIZE", FEATURES, out=image(1, 8, dtype="FLOAT32")), "not supported"),
        (replace(operator("NonMax", FEATURES), custom=True), "custom operator NonMax"),
        (operator("ADD", image(1, 8, dtype="FLOAT32"), VECTOR), "float32 activations"),
        (operator("ADD", image(1, 8, dtype="INT16"), VECTOR), "int16 activations"),
        (operator("ADD", VECTOR, VECTOR, out=image(1, 8, dtype="INT32")), "int32 activations"),
        (operator("ADD", VECTOR, constant([1.0], "FLOAT32")), "float32 parameters"),
        (operator("ADD", VECTOR, image(1, 8, scales=0)), "has no quantization"),
        (operator("ADD", FEATURES, image(1, 8, 8, 8, scales=8)), "quantized per channel"),
        (operator("ADD", VECTOR, constant(np.ones(8), scales=8)), "only convolutions' weights"),
        (operator("ADD", image(1, 8, fixed=False), VECTOR), "size is not constant"),
        (operator("ADD", image(), VECTOR), "int8 scalar: a tensor with one dimension"),
        (operator("ADD", image(1, 0), VECTOR), "int8 1x0: a tensor with one dimension"),
        (operator("ADD", VECTOR, replace(DENSE, sparse=True)), "stored sparse"),
        (operator("ADD", VECTOR, state("INT8")), "keeps a state"),
        (operator("ADD", image(2, 8, 8, 8), FEATURES), "three innermost"),
        (operator("ADD", FEATURES, FEATURES, FusedActivationFunction=4), "TANH"),
        (operator("ADD", FEATURES, FEATURES, FusedActivationFunction=77), "77"),
        (operator("ADD"), "no input"),
        # One at a time.
        (operator("CONV_2D", FEATURES, FEATURES, BIAS), "weights are not constant"),
        (operator("CONV_2D", FEATURES), "weights are not constant"),
        (operator("CONV_2D", FEATURES, KERNEL, image(8)), "bias is not constant"),
        (operator("CONV_2D", FEATURES, KERNEL, BIAS, DilationHFactor=2), "dilations 2 and 1"),
        (operator("CONV_2D", FEATURES, DEPTHWISE, BIAS), "not one an output channel"),
        (operator("DEPTHWISE_CONV_2D", FEATURES, KERNEL, BIAS), "not one an output channel"),
        (
            operator("FULLY_CONNECTED", VECTOR, constant(np.ones((8, 8)), scales=8), out=VECTOR),
            "per channel, which is newer",
        ),
        (operator("FULLY_CONNECTED", VECTOR, DENSE, WeightsFormat=1), "default format"),
        (operator("FULLY_CONNECTED", VECTOR, DENSE, out=image(4, 8)), "not one-dimensional"),
        (operator("FULLY_CONNECTED", VECTOR, DENSE, version=5, out=VECTOR), "version 5 of dense"),
        (operator("FULLY_CONNECTED", VECTOR, VECTOR, out=VECTOR), "weights are not constant"),
        (operator("MAX_POOL_2D", FEATURES, FusedActivationFunction=1), "no fused activation"),
        (operator("AVERAGE_POOL_2D", FEATURES, FusedActivationFunction=3), "no fused activation"),
        (operator("CONCATENATION", FEATURES, FEATURES, FusedActivationFunction=1), "no fused"),
        (operator("CONCATENATION", FEATURES, constant(np.eye(8))), "all zeros"),
        (operator("CONCATENATION", VECTOR, VECTOR, constant([[0]])), "all zeros"),
        (operator("MEAN", FEATURES, integers(0, 1)), "batch"),
        (operator("MEAN", FEATURES, integers(-4)), "batch"),
        (operator("MEAN", image(1, 8, 8, 15), integers(3)), "15 channels"),
        (operator("MEAN", image(1, 256, 128, 3), integers(1, 2)), "32768 elements is too large"),
        (operator("RESIZE_BILINEAR", VECTOR, out=image(1, 1024, 1024, 3)), "too large"),
        (operator("MEAN", FEATURES, image(2, dtype="INT8")), "axes are not constant"),
        (operator("MEAN", FEATURES, integers(7)), "axes are not constant"),
        (operator("SUM", FEATURES, integers(0)), "batch"),
        (operator("REDUCE_MAX", FEATURES, integers(0)), "batch"),
        (operator("PACK", VECTOR, VECTOR, Axis=0), "batch"),
        (operator("PAD", FEATURES, integers(1, 0, 0, 0, 0, 0, 0, 0)), "pads the batch"),
        (operator("PAD", FEATURES, image(4, 2)), "not constant"),
        (operator("PRELU", FEATURES, constant(np.ones((8, 8, 8)))), "alpha"),
        (operator("SOFTMAX", image(1, 16_001)), "16001 elements, at most 16000"),
        (operator("SPLIT", integers(0), FEATURES), "splits the batch"),
        (operator("STRIDED_SLICE", FEATURES, integers(0), integers(1), integers(2)), "strides"),
        (
            operator(
                *("STRIDED_SLICE", FEATURES, integers(0), integers(1), integers(1)), NewAxisMask=1
            ),
            "new axis",
        ),
        (lstm(cell=state("FLOAT32")), "float32 state"),
        (lstm(cell=state("INT8")), "int8 state"),
        (lstm(state=state("INT16")), "int16 state"),
        (lstm(cell=None), "two states"),
        (lstm(unused0=VECTOR), "an LSTM with peepholes"),
        (lstm(norm3=BIAS), "an LSTM with layer normalization"),
        (lstm(projection=DENSE), "an LSTM with a projection"),
    ],
    ids=lambda value: value.name if isinstance(value, Operator) else value,
)
def test_an_operator_that_does_not_says_why(unmapped: Operator, words: str) -> None:
    assert words in (reason(unmapped) or "mapped")


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_that_is_no_positive_number_is_not_mapped(scale: float) -> None:
    broken = replace(VECTOR, scales=np.array([scale], np.float32))
    assert reason(operator("ADD", VECTOR, broken)) == "a scale is not a positive number"


def bases() -> list[Basis]:
    found = [condition.basis for condition in GENERAL]
    for rule in RULES.values():
        doubts = () if rule.doubt is None else (rule.doubt,)
        found += [rule.basis, *(c.basis for c in (*rule.conditions, *doubts))]
    return found


def test_whatever_is_said_has_a_source() -> None:
    for basis in bases():
        assert basis.known in ("documented", "seen", "guessed")
        assert basis.source
        if basis.known == "documented":
            assert basis.source == DOCUMENTATION
        if basis.known == "seen":
            assert basis.source.startswith("https://github.com/")


@pytest.mark.parametrize(
    ("doubted", "words"),
    [
        (operator("ADD", FEATURES, FEATURES), None),
        (operator("RESHAPE", FEATURES, integers(1, 512)), "some large tensors"),
        (operator("MEAN", image(1, 64, 128, 3), integers(1, 2)), None),
        (operator("MEAN", image(1, 128, 128, 3), integers(1, 2)), "no mean of 16384 elements"),
        (operator("SOFTMAX", VECTOR, out=VECTOR), None),
        (operator("SOFTMAX", image(4, 8)), "by the documentation not where int8 4x8 is not one"),
        (lstm(), None),
        (lstm(input=image(1, 4, 1280)), "with about 1000 inputs a step it has failed, here 1280"),
    ],
)
def test_where_the_compiler_may_still_decline_is_said(doubted: Operator, words: str | None) -> None:
    assert reason(doubted) is None
    found = doubt(doubted)
    assert (found is None) if words is None else (found is not None and words in found.reason)


def test_an_unlisted_operator_is_distinguished_from_one_that_a_log_shows_on_the_cpu() -> None:
    for name, known in (("HARD_SWISH", "seen"), ("COS", "documented")):
        found = obstacle(operator(name, FEATURES))
        assert found is not None
        assert (found.reason, found.basis.known) == ("operator not supported", known)


tensors = st.one_of(
    st.none(),
    st.builds(
        image,
        *[st.integers(1, 4)] * 4,
        dtype=st.sampled_from(["INT8", "INT32", "FLOAT32"]),
        fixed=st.booleans(),
        scales=st.integers(0, 3),
    ),
    st.builds(state, st.sampled_from(["INT8", "INT16"])),
    st.builds(image),
    st.builds(integers, *[st.integers(-9, 9)] * 3),
    st.builds(constant, st.lists(st.integers(0, 9), max_size=9), scales=st.integers(0, 3)),
)


@given(
    name=st.sampled_from(sorted(RULES)),
    inputs=st.lists(tensors, max_size=5),
    outputs=st.lists(st.builds(image, st.integers(1, 9)), max_size=2),
)
def test_any_operands_get_an_answer(
    name: str, inputs: list[Tensor | None], outputs: list[Tensor]
) -> None:
    """An operator whose inputs make no sense is not mapped, or is; it never raises."""
    made = Operator(0, name, 1, tuple(inputs), tuple(outputs))
    answer = obstacle(made) or doubt(made)
    assert answer is None or (answer.reason and "\n" not in answer.reason)
