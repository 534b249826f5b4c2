"""The models that ship, side by side: their work, and that the table tells it."""

from __future__ import annotations

import pytest

from benchmarks.sizes import markdown, sizes
from edge_app.model.model_file import read, shipped_models
from train.source_files import open_source


@pytest.fixture(scope="module")
def result() -> dict:
    return sizes(shipped_models(), 1, "python -m benchmarks sizes")


def test_the_work_is_that_of_the_float_network(result: dict) -> None:
    """By Keras' layers: kernels times the places that each is applied at."""
    row = next(each for each in result["models"] if each["name"] == "cxr-cnn28")
    network = open_source("cxr-cnn28").network
    work = 0
    for layer in network.layers:
        if hasattr(layer, "kernel"):
            _, height, width, _ = layer.output.shape
            work += height * width * layer.kernel.shape.num_elements()
    assert row["macs"] == pytest.approx(work, rel=0.05)  # padded and spare channels


def test_every_model_that_ships_has_its_row(result: dict) -> None:
    text = markdown(result)
    for path in shipped_models():
        model = read(path)
        line = next(each for each in text.splitlines() if each.startswith(f"| `{model.name}` |"))
        height, width = model.manifest["outputs"]["map"]["shape"][1:3]
        assert f"| {path.stat().st_size / 1e6:.2f} MB | {height}×{width} |" in line
    default = next(each for each in result["models"] if each["name"] == "cxr-lite0-fine")
    assert default["of_default"] == 1


def test_the_times_name_the_model_that_was_the_default_then(
    result: dict,
) -> None:
    """Also of a result of before, read where another model is the default."""
    assert "| of `cxr-lite0-fine`'s |" in markdown(result)
    for each in result["models"]:
        each["of_default"] = 1 if each["name"] == "cxr-cnn28" else 10
    assert "| of `cxr-cnn28`'s |" in markdown(result)


def test_a_board_is_predicted_by_the_work_alone(result: dict) -> None:
    one, other, *_ = result["models"]
    for here, there in zip(one["boards"], other["boards"], strict=True):
        assert there["predicted"] / here["predicted"] == pytest.approx(other["macs"] / one["macs"])
