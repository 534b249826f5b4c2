"""Golden vectors, held to their tolerance whatever an output is stored as."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge_app.backends.self_test import measure


def session(stored: str, off: float) -> Any:
    """One whose map of a model with int8 logits is off by so much."""
    zeros = np.zeros((1, 1, 1, 1), np.float32)
    golden = SimpleNamespace(inputs=zeros, logits=np.zeros((1, 1)), maps=zeros)
    outputs = {"logits": {"dtype": "int8"}, "map": {"dtype": stored}}
    manifest = {"outputs": outputs, "golden": {"tolerance": 4.0}}
    return SimpleNamespace(
        model=SimpleNamespace(golden=golden, manifest=manifest, integer=True),
        run=lambda tensor: SimpleNamespace(logits=np.zeros(1), map=zeros[0] + off),
    )


@pytest.mark.parametrize(
    ("stored", "off", "passed"),
    [("int8", 4, True), ("int8", 5, False), ("float32", 0.01, True), ("float32", 0.02, False)],
)
def test_a_map_in_float32_is_held_to_as_many_steps_of_its_span(
    stored: str, off: float, passed: bool
) -> None:
    assert measure(session(stored, off)).passed == passed
