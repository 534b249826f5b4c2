"""Large JPEGs are shrunk by their decoder: how much that changes the answers."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_app.classifier import Classifier
from edge_app.evaluation.evaluate import part
from edge_app.evaluation.labelled import load
from edge_app.images.phantom import synthetic_radiograph
from edge_app.images.radiograph import Radiograph
from edge_app.images.read import read_image
from edge_app.model.model_file import read, shipped_models
from train.labels import NIH

GRAIN = 4.0
"""Gray levels, standard deviation: what a radiograph of that size has and an enlarged one lacks."""

SCORE, LOGIT_RMS = 0.12, 0.1
"""The most that a score moves, and the root mean square of the logits' moves. 200 radiographs of
1024×1024 with cxr-lite0-128 gave 0.084 and 0.060; JPEG quality 85 instead of 90 gives 0.066 and
0.060. A score moved by 0.003 on average, either way."""


def jpeg(pixels: np.ndarray, side: int, quality: int, seed: int) -> bytes:
    """A picture as a square JPEG of another size, with grain."""
    large = np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC))
    grain = np.random.default_rng(seed).normal(0, GRAIN, large.shape)
    buffer = io.BytesIO()
    grained = np.clip(large + grain, 0, 255).astype(np.uint8)
    Image.fromarray(grained).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def moved(classifier: Classifier, data: bytes) -> tuple[float, float]:
    """Largest difference of a score, mean squared one of the logits: shrunk against whole."""
    min_side = classifier.model.input_spec.min_side
    shrunk = read_image(io.BytesIO(data), min_side=min_side)
    assert shrunk.facts["shrunk"] > 1
    whole, less = (scores(classifier, image) for image in (read_image(io.BytesIO(data)), shrunk))
    squared = ((whole[1] - less[1]) ** 2).mean()
    return float(np.abs(whole[0] - less[0]).max()), float(squared)


def scores(classifier: Classifier, image: Radiograph) -> np.ndarray:
    """Scores and logits, 2×15."""
    findings = classifier.classify(image).findings
    return np.array([[f.score for f in findings], [f.logit for f in findings]])


@pytest.fixture(scope="module", params=[1024, 2048])
def real(nih: Path, request: pytest.FixtureRequest) -> list[bytes]:
    """Radiographs saved as JPEGs of a side; every model is shown the same ones."""
    pictures = (read_image(image.path).pixels for image in part(load(nih, NIH), "test", 24).images)
    return [jpeg(each, request.param, 90, seed) for seed, each in enumerate(pictures)]


@pytest.fixture(scope="module")
def synthetic() -> list[bytes]:
    return [jpeg(synthetic_radiograph(1024, seed=seed), 1024, 90, seed) for seed in range(4)]


def keeps_its_scores(path: Path, pictures: list[bytes]) -> None:
    classifier = Classifier(read(path))
    found = [moved(classifier, each) for each in pictures]
    assert max(score for score, _ in found) <= SCORE
    assert np.mean([squared for _, squared in found]) ** 0.5 <= LOGIT_RMS


@pytest.mark.parametrize("path", shipped_models(), ids=lambda path: path.stem)
def test_a_real_radiograph_saved_as_a_large_jpeg_keeps_its_scores(
    real: list[bytes], path: Path
) -> None:
    keeps_its_scores(path, real)


@pytest.mark.parametrize("path", shipped_models(), ids=lambda path: path.stem)
def test_a_synthetic_radiograph_keeps_its_scores(synthetic: list[bytes], path: Path) -> None:
    keeps_its_scores(path, synthetic)
