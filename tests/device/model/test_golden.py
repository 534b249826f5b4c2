"""The golden answers of a model file, and those of earlier versions."""

from __future__ import annotations

from typing import Any

import pytest

from edge_app.core.errors import ModelError
from edge_app.model.golden import Golden, check_answers
from edge_app.model.model_file import SHIPPED, read

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


def test_an_earlier_version_let_a_finding_top_the_whole_image() -> None:
    """Its scores are held to, its probability and decision of the whole are not."""
    given = MODEL.golden.answers
    assert given
    check_answers(MODEL.manifest, stated(overall=0.001, flagged=True))
    wrong = (given[0].scores[0] + 0.01, *given[0].scores[1:])
    with pytest.raises(ModelError, match="scores or decisions"):
        check_answers(MODEL.manifest, stated(overall=0.001, scores=wrong))
