"""Maps that follow the picture are distinguished from those that do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_app.classifier import Findings
from edge_app.model.decisions import Finding
from edge_app.model.model_file import ModelFile, locate, read
from quantize.errors import ConversionError
from quantize.studies import mirrored
from quantize.studies.mirrored import mirrored_study

SIDE = 28
Drawing = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


class Pictures:
    """As much of a `Cached` as the study asks for."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self.images, self.rows = images, np.arange(len(images))

    def __len__(self) -> int:
        return len(self.images)


def inputs(model: ModelFile) -> Any:
    """Pictures with one bright column each, in any of the seven parts but the middle one."""
    pictures = np.zeros((30, SIDE, SIDE), np.uint8)
    for number, picture in enumerate(pictures):
        picture[:, 4 * (0, 1, 2, 4, 5, 6)[number % 6] + 1] = 200
    return SimpleNamespace(model=model, images=Pictures(pictures), seed=0)


def answering(draw: Drawing) -> Callable[[ModelFile, NDArray[np.uint8]], list[Findings]]:
    """A network whose map of every label is drawn so."""

    def answers(model: ModelFile, pictures: NDArray[np.uint8]) -> list[Findings]:
        names = model.labels.names
        findings = tuple(Finding(name, 0.0, 0.1, None, None) for name in names)
        return [
            Findings(findings, np.repeat(draw(picture)[..., np.newaxis], len(names), 2), (), False)
            for picture in pictures
        ]

    return answers


def follows(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    return picture.reshape(7, 4, 7, 4).mean(axis=(1, 3)).astype(np.float32)


def stays(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    cells = np.zeros((7, 7), np.float32)
    cells[4, 1] = 1
    return cells


@pytest.mark.parametrize(("draw", "moved", "stayed"), [(follows, 1.0, 0.0), (stays, 0.0, 1.0)])
def test_a_map_that_follows_the_picture_is_distinguished_from_one_that_does_not(
    monkeypatch: pytest.MonkeyPatch, draw: Drawing, moved: float, stayed: float
) -> None:
    monkeypatch.setattr(mirrored, "_answers", answering(draw))
    content = mirrored_study(inputs(read(locate("cxr-cnn28")))).content
    assert (content["moved"], content["stayed"]) == (moved, stayed)
    assert sum(content["picture"]) == pytest.approx(1)


def test_the_network_itself_is_run() -> None:
    result = mirrored_study(inputs(read(locate("cxr-cnn28"))))
    assert result.content["images"] == 30
    assert len(result.rows) == 7


def test_a_model_without_a_map_is_refused() -> None:
    path = Path(__file__).parents[2] / "models" / "forty-labels.tflite"
    with pytest.raises(ConversionError, match="has no map"):
        mirrored_study(inputs(read(path)))
