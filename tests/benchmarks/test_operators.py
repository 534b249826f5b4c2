"""Work and bound of a network's operators."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.bound import Peak, by_operator
from benchmarks.operators import Layer, cut, layers, times
from edge_app.model.model_file import locate, read

SMALL = read(locate("cxr-cnn28")).flatbuffer
LARGE = read(locate("cxr-lite0-128")).flatbuffer


def test_the_work_is_what_the_architecture_says() -> None:
    """Three pairs of 3×3 convolutions at 28, 14 and 7 pixels, and a 1×1 map."""
    sides, widths = (28, 14, 7), (1, 32, 32, 64, 64, 128, 128)
    expected = [sides[k // 2] ** 2 * 9 * widths[k] * widths[k + 1] for k in range(6)] + [
        7 * 7 * 128 * 15
    ]
    assert [layer.macs for layer in layers(SMALL) if layer.operator == "CONV_2D"] == expected
    assert sum(layer.macs for layer in layers(LARGE)) == pytest.approx(125.4e6, rel=0.001)


def test_a_layer_s_bytes_are_its_tensors() -> None:
    first = layers(SMALL)[0]
    assert first.output == (1, 28, 28, 32)
    assert first.weight_bytes == 9 * 32 + 4 * 32  # int8 filters, int32 biases
    assert first.activation_bytes == 28 * 28 * (1 + 32)


def test_a_cut_network_gives_the_inner_tensor() -> None:
    from ai_edge_litert.interpreter import Interpreter

    image = np.random.default_rng(0).integers(-128, 127, (1, 28, 28, 1), np.int8)

    def outputs(flatbuffer: bytes) -> dict[str, np.ndarray]:
        interpreter = Interpreter(model_content=flatbuffer)
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
        interpreter.invoke()
        details = interpreter.get_output_details()
        return {detail["name"]: interpreter.get_tensor(detail["index"]) for detail in details}

    whole = outputs(SMALL)
    (last,) = outputs(cut(SMALL, len(layers(SMALL)))).items()
    assert np.array_equal(whole[last[0]], last[1])
    (inner,) = outputs(cut(SMALL, 1)).values()
    assert inner.shape == (1, 28, 28, 32)


def test_every_operator_has_a_time_and_together_they_are_the_network_s() -> None:
    found = times(SMALL, repeats=1, seconds=0.002)
    assert len(found) == len(layers(SMALL))
    assert min(found) >= 0
    assert sum(found) > 0


def test_the_bound_is_the_larger_of_computing_and_moving() -> None:
    peak = Peak({"int8": 1e9}, 1e9)
    busy = Layer(0, "CONV_2D", (1,), macs=5_000_000, weight_bytes=100, activation_bytes=0)
    heavy = Layer(1, "ADD", (1,), macs=0, weight_bytes=0, activation_bytes=3_000_000)
    assert peak.shortest(busy, "int8") == pytest.approx(5e-3)
    assert peak.shortest(heavy, "int8") == pytest.approx(3e-3)


def test_kinds_add_up_to_the_operators() -> None:
    row = {"operator": "CONV_2D", "macs": 3, "bytes": 5, "seconds": 0.5, "least": 0.25}
    other = {**row, "operator": "ADD", "seconds": 2.0}
    found = by_operator([row, other, row])
    assert [(of["operator"], of["count"]) for of in found] == [("ADD", 1), ("CONV_2D", 2)]
    assert found[1]["seconds"] == 1.0
    assert found[1]["macs"] == 6
