"""The golden answers of a model file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_app.core.errors import ModelError
from edge_app.model.golden import Golden, check_answers
from edge_app.model.model_file import SHIPPED, read
from edge_app.model.overall import OverallScore

MODEL = read(SHIPPED / "cxr-cnn28.tflite")


def stated(**changes: Any) -> Golden:
    """The shipped model's golden vectors with other answers to the first."""
    answers = MODEL.golden.answers
    assert answers
    return MODEL.golden._replace(answers=(answers[0]._replace(**changes), *answers[1:]))


def test_answers_are_held_to_what_they_were_saved_with() -> None:
    check_answers(MODEL.manifest, stated())
    with pytest.raises(ModelError, match="scores or decisions"):
        check_answers(MODEL.manifest, stated(overall=0.9))


def test_a_file_of_an_earlier_version_keeps_its_promises() -> None:
    """Its points and percentiles were fitted where no finding bounded the image's probability."""
    facts = {key: value for key, value in MODEL.manifest["overall"].items() if key != "bounded_by"}
    earlier = {**MODEL.manifest, "overall": facts}
    scores = np.full(len(MODEL.labels.names), 0.5)
    scores[MODEL.labels.findings[0]] = 1.0
    old, new = (OverallScore.of(each, MODEL.labels) for each in (earlier, MODEL.manifest))  # type: ignore[arg-type]
    assert old
    assert new
    assert old.probability(scores) < new.probability(scores) == 1.0
