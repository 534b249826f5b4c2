"""Which operators stay in float32, and what that brings."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from edge_app.backends.interpreters import find_interpreter
from edge_app.model.preprocess import InputSpec
from quantize import mixed
from quantize.calibration import last_operators, operators
from quantize.int8 import Calibrated, calibrated_in_spans, logits_of, rounded
from quantize.mixed import Stretch, milder, stretches

SIDE = 16
PICTURES = np.random.default_rng(0).integers(0, 256, (40, SIDE, SIDE)).astype(np.uint8)
FAR = 4000.0


def network() -> keras.Model:
    """One channel of the tensor `far` reaches far, and what comes behind does not look at it."""
    keras.utils.set_random_seed(2)
    image = keras.Input((SIDE, SIDE, 1))
    x = layers.Conv2D(6, 3, 2, padding="same", activation="relu", name="stem")(image)
    x = layers.Activation("swish")(layers.Conv2D(6, 1, name="far")(x))
    x = layers.Conv2D(8, 3, 2, padding="same", activation="relu", name="deaf")(x)
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="last")(x)
    maps = layers.Conv2D(2, 1, name="map")(x)
    model = keras.Model(image, [layers.GlobalAveragePooling2D(name="logits")(maps), maps])
    far, deaf = model.get_layer("far"), model.get_layer("deaf")
    far.kernel.assign(far.kernel * np.float32([1, 1, 1, 1, 1, FAR]))
    deaf.kernel.assign(deaf.kernel * np.float32([1, 1, 1, 1, 1, 0])[:, np.newaxis])
    return model


@pytest.fixture(scope="module")
def made() -> Calibrated:
    model = network()
    return calibrated_in_spans(model, model, PICTURES, PICTURES, InputSpec.square(SIDE))


def error(made: Calibrated, in_float: list[str]) -> float:
    """Root mean square of the logits' error, in units of their own deviation."""
    flatbuffer, spans = rounded(made, in_float)
    off = logits_of(flatbuffer, spans, made.pictures, made.spec) - made.logits
    return float((off.std(axis=0) / made.logits.std(axis=0)).max())


def test_the_stretches_are_all_operators_in_their_order(made: Calibrated) -> None:
    for count in (3, 100):
        found = stretches(made, count)
        assert [n for each in found for n in each.names] == operators(made.flatbuffer)
        assert len(found) == min(count, len(operators(made.flatbuffer)))


def test_what_rounding_harms_is_found(made: Calibrated) -> None:
    found = stretches(made)
    worst = max(found, key=lambda each: each.harm)
    assert any(word in worst.names[0] for word in ("far", "deaf", "activation"))
    (last,) = (each for each in found if "last" in each.names[0])
    assert last.harm < worst.harm / 100


def test_each_attempt_keeps_more_and_harms_less(made: Calibrated) -> None:
    kept = list(milder(made))
    assert len(kept) >= 1
    sizes = [0, *map(len, kept)]
    assert sizes == sorted(set(sizes))  # more each time
    assert error(made, []) > 0.2  # what is helped
    assert error(made, kept[-1]) < 0.05


def test_each_attempt_aims_at_half_the_error_of_the_one_before(
    made: Calibrated, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [Stretch((f"{nth}",), 4.1**-nth) for nth in range(8)]  # the rest is a quarter of all
    answer = found[-1].harm

    def added(_: Calibrated, kept: list[str]) -> float:
        return answer + sum(x.harm for x in found if x.names[0] not in kept)

    monkeypatch.setattr(mixed, "stretches", lambda _: found)
    monkeypatch.setattr(mixed, "_error", added)
    assert [len(kept) for kept in milder(made)] == [1, 2, 3, 4, 5, 6, 7, 8]

    def joined(_: Calibrated, kept: list[str]) -> float:  # what is left of four is left of any
        return answer + 1.0 if len(kept) < 4 else answer + 0.2

    monkeypatch.setattr(mixed, "_error", joined)
    assert [len(kept) for kept in milder(made)] == [4, 8]


def test_the_last_attempt_is_the_network_itself(made: Calibrated) -> None:
    *_, kept = milder(made)
    assert sorted(kept) == sorted(operators(made.flatbuffer))
    interpreter: Any = find_interpreter().interpreter(model_content=rounded(made, kept)[0])
    assert {each["dtype"] for each in interpreter.get_output_details()} == {np.float32}
    assert error(made, kept) < 1e-4


def test_all_that_end_the_network_are_kept_or_none(made: Calibrated) -> None:
    for kept in milder(made):
        assert len(last_operators(made.flatbuffer).intersection(kept)) in (0, 2)


def test_the_rest_stays_int8(made: Calibrated) -> None:
    kept = next(milder(made))
    interpreter: Any = find_interpreter().interpreter(model_content=rounded(made, kept)[0])
    interpreter.allocate_tensors()
    assert {each["dtype"] for each in interpreter.get_input_details()} == {np.int8}
    dtypes = {each["index"]: each["dtype"] for each in interpreter.get_tensor_details()}
    convolved = [
        dtypes[op["outputs"][0]]
        for op in interpreter._get_ops_details()
        if op["op_name"] == "CONV_2D"
    ]
    assert {np.int8, np.float32} == set(convolved)
