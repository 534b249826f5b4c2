"""The one route: answers to sources of any kind come in order, and each step is reported."""

from __future__ import annotations

import ast
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from edge_app.classifier import Classifier
from edge_app.core.errors import ImageError
from edge_app.core.steps import STEPS
from edge_app.images.array import from_array
from edge_app.images.radiograph import Limits, Radiograph
from edge_app.model.model_file import read
from edge_app.performance.stages import timed
from edge_app.pipeline.reader import is_stream, read_source, ready
from edge_app.pipeline.route import score_all, unbroken
from edge_app.pipeline.scorers import classified, classified_only

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def classifier(cnn28: Path) -> Classifier:
    return Classifier(read(cnn28), force=True)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_sources_may_be_anything_that_the_reader_takes(
    classifier: Classifier, phantom: np.ndarray, workers: int
) -> None:
    """Here rows of a table; what is made of a picture is the scorer's."""
    table = {row: np.roll(phantom, row, axis=0) for row in range(9)}

    def row(source: tuple[str, int], limits: Limits) -> Radiograph:
        return from_array(table[source[1]], limits)

    def score(one: Classifier, source: tuple[str, int], image: Radiograph) -> float:
        return float(one.logits(image.picture)[0][source[1]])

    sources = [("row", number) for number in table]
    found = list(unbroken(score_all(sources, classifier, row, score, workers=workers)))
    assert [source for source, _ in found] == sources
    assert [answer for _, answer in found] == [
        float(classifier.logits(picture)[0][number]) for number, picture in table.items()
    ]


def test_a_picture_is_returned_only_on_request(classifier: Classifier, phantom: np.ndarray) -> None:
    for score, size in ((classified, phantom.size), (classified_only, 0)):
        scored = score_all([from_array(phantom)], classifier, ready, score)
        ((_, (image, findings)),) = unbroken(scored)
        assert image.pixels.size == size
        assert image.facts["width"] == 256
        assert len(findings.findings) == 15


def test_the_first_broken_source_ends_what_needs_all(classifier: Classifier, picture: Path) -> None:
    sources = [str(picture), "none.png", str(picture)]
    scored = unbroken(score_all(sources, classifier, read_source, classified_only))
    assert next(scored)[0] == str(picture)
    with pytest.raises(ImageError, match="no such file"):
        next(scored)


def test_every_step_is_reported_in_order(classifier: Classifier, picture: Path) -> None:
    seen: list[str] = []
    score = partial(classified, watch=seen.append)
    scored = score_all([str(picture)], classifier, partial(read_source, watch=seen.append), score)
    list(unbroken(scored))
    assert tuple(seen) == STEPS


def test_what_is_withheld_ends_after_the_check(cnn28: Path) -> None:
    seen: list[str] = []
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    strict = Classifier(read(cnn28))
    assert strict.classify(from_array(noise), seen.append).withheld
    assert seen == ["resize", "check"]


def test_the_benchmarks_stages_add_up_to_what_the_route_takes(
    classifier: Classifier, picture: Path
) -> None:
    start = time.perf_counter_ns()
    spent = timed(classifier, str(picture))
    whole = time.perf_counter_ns() - start
    assert [*spent] == [*STEPS, "total"]
    stages = sum(spent[name] for name in STEPS)
    assert 0 < stages <= spent["total"] <= whole


def test_standard_input_and_open_files_are_read_once(picture: Path, phantom: np.ndarray) -> None:
    with picture.open("rb") as file:
        assert is_stream(file)
    assert is_stream("-")
    for other in ("a.png", picture, b"-", phantom, ("row", 1)):
        assert not is_stream(other)


def test_there_is_no_second_way_from_an_image_to_findings() -> None:
    """Only the classifier runs a session on an image; only the route has it classify one."""
    running, classifying = set(), set()
    for top in ("edge_app", "train", "quantize", "benchmarks"):
        for path in (REPOSITORY / top).rglob("*.py"):
            place = path.relative_to(REPOSITORY).as_posix()
            if place.startswith("benchmarks/peers/"):  # written as their users would
                continue
            text = path.read_text("utf-8")
            if ".run(" not in text and ".classify(" not in text:
                continue
            for node in ast.walk(ast.parse(text)):
                if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                    continue
                if node.func.attr == "run" and ast.unparse(node.func.value).endswith("session"):
                    running.add(place)
                if node.func.attr == "classify":
                    classifying.add(place)
    # Where golden vectors are run, they are tensors and no images.
    golden = ("edge_app/backends/", "quantize/", "edge_app/inspection/", "edge_app/model/")
    on_images = {place for place in running if not place.startswith(golden)}
    assert on_images == {"edge_app/classifier.py"}
    assert classifying == {"edge_app/pipeline/scorers.py", "edge_app/api.py"}
