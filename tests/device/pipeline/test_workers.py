"""Workers: what is worked on beside what, what is held meanwhile, and that nothing is lost."""

from __future__ import annotations

import io
import json
import sys
import threading
import time
import weakref
from collections import Counter
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_app.backends.options import BackendOptions
from edge_app.backends.protocol import RawOutputs
from edge_app.classifier import Classifier, Findings
from edge_app.core import native_stderr
from edge_app.core.errors import ImageError, ImageTooLargeError, ModelError
from edge_app.core.resources import cores
from edge_app.images.radiograph import Limits, Radiograph
from edge_app.model.model_file import locate, read
from edge_app.pipeline import workers as module
from edge_app.pipeline.batch import classify_all
from edge_app.pipeline.route import score_all
from edge_app.pipeline.scorers import Classified, classified_only
from edge_app.pipeline.sources import STANDARD_INPUT
from edge_app.pipeline.workers import AHEAD, DECODED
from edge_app.pipeline.writers import CsvWriter
from tests.device.conftest import Run

LARGE = 10_000
"""Pixels of a picture that may not be decoded beside others in `SMALL_MEMORY`, by 2 or more."""

SMALL_MEMORY = 4 * DECODED * 2 * (LARGE - 1)
LIMITS = Limits()
PATIENCE = 10
"""Seconds that a thread waits for what another is going to do."""


class Reading:
    """Pictures that claim to have so many pixels, by name; None is a broken one.

    Attributes:
        met: the requested number of pictures were being read at once.
        threads: which thread read which name; True is the main one.
        held: how many pictures were alive when each was read.
        large: how many large ones were.
        reads: how often each was read to its end.
    """

    def __init__(self, pixels: dict[str, int | None], meet: int = 1) -> None:
        self.pixels = pixels
        self.meet, self.met, self.reading = meet, threading.Event(), 0
        self.threads: dict[str, bool] = {}
        self.held: dict[str, int] = {}
        self.alive: list[weakref.ref[Radiograph]] = []
        self.large: dict[str, int] = {}
        self.reads: Counter[str] = Counter()
        self.lock = threading.Lock()

    def __call__(self, source: str, limits: Limits) -> Radiograph:
        size = self.pixels[source]
        if size is None:
            raise ImageError("is empty")
        if size > limits.max_pixels:
            raise ImageTooLargeError("is larger")
        with self.lock:
            self.threads[source] = threading.current_thread() is threading.main_thread()
            widths = [_width(each) for each in self.alive]
            self.held[source] = len(widths) - widths.count(None)
            self.large[source] = widths.count(LARGE)
            self.reading += 1
            if self.reading == self.meet:
                self.met.set()
        self.met.wait(PATIENCE)
        gray = np.arange(28 * 28, dtype=np.uint8).reshape(28, 28)
        image = Radiograph(gray, {"width": size, "height": 1, "sha256": "0" * 64})
        with self.lock:
            self.alive.append(weakref.ref(image))
            self.reads[source] += 1
            self.reading -= 1
        return image


def _width(held: weakref.ref[Radiograph]) -> int | None:
    image = held()
    return None if image is None else int(image.facts["width"])


def answered(reading: Reading, workers: int = 1, limits: Limits = LIMITS) -> list[str]:
    """The names in the order of their answers."""
    options = BackendOptions(workers=workers)
    classifier = Classifier(read(locate("cxr-cnn28")), options=options, force=True)
    out = io.StringIO()
    names = list(reading.pixels)
    classify_all(names, classifier, CsvWriter(classifier, out), limits, workers, reading)
    return [line.split(",")[0] for line in out.getvalue().splitlines()[1:]]


def scored_lightly(
    reading: Reading, workers: int
) -> Generator[tuple[str, Classified | ImageError], None, None]:
    """The route's own answers, one by one."""
    options = BackendOptions(workers=workers)
    classifier = Classifier(read(locate("cxr-cnn28")), options=options, force=True)
    names = list(reading.pixels)
    return score_all(names, classifier, reading, classified_only, LIMITS, workers, light=True)


@pytest.fixture(autouse=True)
def _small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "memory", lambda: SMALL_MEMORY)


def test_one_worker_starts_no_thread_and_holds_one_picture() -> None:
    before = threading.active_count()
    reading = Reading({"a": 100, "b": None, "c": LARGE, "d": 100})
    assert answered(reading) == ["a", "b", "c", "d"]
    assert all(reading.threads.values())
    assert max(reading.held.values()) == 0
    assert threading.active_count() == before


def test_so_many_workers_decode_at_once_and_answers_keep_their_order() -> None:
    names = [f"{index:02d}" for index in range(12)]
    reading = Reading(dict.fromkeys(names, 100), meet=3)
    assert answered(reading, workers=3) == names
    assert reading.met.is_set()


def test_pictures_held_are_bounded_by_the_workers() -> None:
    names = [f"{index:02d}" for index in range(60)]
    reading = Reading(dict.fromkeys(names, 100))
    assert answered(reading, workers=2) == names
    assert max(reading.held.values()) <= 2 * AHEAD + 1


def test_while_an_answer_is_written_down_others_have_more_to_do_if_no_picture_is_held() -> None:
    names = [f"{index:02d}" for index in range(60)]
    reading = Reading(dict.fromkeys(names, 100))
    with closing(scored_lightly(reading, workers=2)) as answers:
        next(answers)
        end = time.monotonic() + PATIENCE
        while len(reading.reads) <= 2 * AHEAD + 1 and time.monotonic() < end:
            time.sleep(0.01)
        assert len(reading.reads) > 2 * AHEAD + 1
        assert [name for name, _ in answers] == names[1:]
    assert set(reading.reads.values()) == {1}


def test_of_large_pictures_there_is_one_at_a_time() -> None:
    sizes = {f"{index:02d}": LARGE if index % 3 else 100 for index in range(30)}
    reading = Reading(dict(sizes))
    assert answered(reading, workers=4) == list(sizes)
    large = [name for name, size in sizes.items() if size == LARGE]
    assert {reading.large[name] for name in large} == {0}
    assert all(reading.threads[name] for name in large)


def test_the_users_own_limit_holds_as_well_as_the_memorys() -> None:
    for limit, names in ((500, {"a"}), (LARGE - 1, {"a", "c"}), (LARGE, {"a", "b", "c"})):
        reading = Reading({"a": 100, "b": LARGE, "c": 600})
        answered(reading, workers=2, limits=Limits(max_pixels=limit))
        assert set(reading.threads) == names


def test_standard_input_is_read_where_it_can_be_interrupted() -> None:
    reading = Reading({"a": 100, STANDARD_INPUT: LARGE, "b": 100})
    assert answered(reading, workers=2) == ["a", STANDARD_INPUT, "b"]
    assert reading.threads[STANDARD_INPUT]
    assert reading.reads[STANDARD_INPUT] == 1


def test_what_comes_before_standard_input_is_answered_while_it_is_waited_for() -> None:
    """Of standard input, a first attempt with the limits of all threads would leave nothing."""
    reading = Reading({"a": 100, "b": 100, STANDARD_INPUT: 100, "c": 100})
    out = io.StringIO()
    seen = []

    def read_one(source: str, limits: Limits) -> Radiograph:
        if source == STANDARD_INPUT:
            assert limits == LIMITS
            seen.extend(line.split(",")[0] for line in out.getvalue().splitlines()[1:])
        return reading(source, limits)

    classifier = Classifier(
        read(locate("cxr-cnn28")), options=BackendOptions(workers=8), force=True
    )
    classify_all(list(reading.pixels), classifier, CsvWriter(classifier, out), LIMITS, 8, read_one)
    assert seen == ["a", "b"]


def test_a_delegate_has_one_interpreter_however_many_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    classifier = Classifier(
        read(locate("cxr-cnn28")), options=BackendOptions(workers=4), force=True
    )
    monkeypatch.setattr(classifier.session.backend, "exclusive", True)
    inside = threading.Lock()
    run_one = classifier.session.run

    def alone(tensor: Any) -> RawOutputs:
        assert inside.acquire(blocking=False)  # one image at a time
        try:
            time.sleep(0.002)
            return run_one(tensor)
        finally:
            inside.release()

    monkeypatch.setattr(classifier.session, "run", alone)
    monkeypatch.setattr(Classifier, "duplicate", lambda self: pytest.fail("a second interpreter"))
    out, names = io.StringIO(), [f"{index:02d}" for index in range(20)]
    reading = Reading(dict.fromkeys(names, 100), meet=3)
    classify_all(names, classifier, CsvWriter(classifier, out), LIMITS, 4, reading)
    assert [line.split(",")[0] for line in out.getvalue().splitlines()[1:]] == names
    assert reading.met.is_set()  # pictures are decoded at once all the same


def test_no_complaint_is_lost_while_a_delegate_computes(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A delegate's own words are kept from the user, by whichever thread runs it."""
    classifier = Classifier(
        read(locate("cxr-cnn28")), options=BackendOptions(workers=3), force=True
    )
    run_one = classifier.session.run

    def silenced(tensor: Any) -> RawOutputs:
        with native_stderr.silenced():
            time.sleep(0.005)
            return run_one(tensor)

    monkeypatch.setattr(classifier.session.backend, "exclusive", True)
    monkeypatch.setattr(classifier.session, "library", object())
    monkeypatch.setattr(classifier.session, "run", silenced)
    names = [f"{index:02d}" for index in range(40)]
    reading = Reading({name: None if int(name) % 2 else 100 for name in names})
    with open(2, "w", closefd=False) as stderr:  # pytest's own does not write there
        monkeypatch.setattr(sys, "stderr", stderr)
        classify_all(names, classifier, CsvWriter(classifier, io.StringIO()), LIMITS, 3, reading)
    assert capfd.readouterr().err.count("is empty") == 20


def test_a_twin_of_a_classifier_says_the_same_of_itself(cnn28: Path) -> None:
    classifier = Classifier(read(cnn28))
    twin = classifier.duplicate()
    assert twin.session is not classifier.session
    assert twin.provenance() == classifier.provenance()
    assert twin.notes == classifier.notes


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_what_was_answered_before_the_model_failed_is_not_lost(
    workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where it fails for a later image while an earlier one is still worked on."""
    names = [f"{index:02d}" for index in range(12)]
    classifier = Classifier(
        read(locate("cxr-cnn28")), options=BackendOptions(workers=workers), force=True
    )
    classify, failed = Classifier.classify, threading.Event()

    def fails(self: Classifier, image: Radiograph) -> Findings:
        if image.facts["width"] == 666:
            failed.set()
            raise ModelError("the device was unplugged")
        if workers > 1:
            failed.wait(PATIENCE if image.facts["width"] == 99 else 0)
        return classify(self, image)

    monkeypatch.setattr(Classifier, "classify", fails)
    out = io.StringIO()
    reading = Reading({**dict.fromkeys(names, 100), "00": 99, "01": 666})
    with pytest.raises(ModelError, match="unplugged"):
        classify_all(names, classifier, CsvWriter(classifier, out), LIMITS, workers, reading)
    assert [line.split(",")[0] for line in out.getvalue().splitlines()[1:]] == ["00"]


def test_no_more_interpreters_are_made_than_there_are_pictures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Classifier] = []
    duplicate = Classifier.duplicate
    monkeypatch.setattr(
        Classifier, "duplicate", lambda self: made.append(duplicate(self)) or made[-1]
    )
    assert answered(Reading({"a": 100, "b": 100}), workers=16) == ["a", "b"]
    assert len(made) == 1


def test_a_folder_is_worked_on_by_all_cores_with_a_thread_each(
    run: Run, picture: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in "ab":
        (folder / f"{name}.png").write_bytes(picture.read_bytes())
    runtime = json.loads(run("classify", "--json", folder).stdout.splitlines()[0])["runtime"]
    if cores() > 1:
        assert runtime["threads"] == 1
        assert runtime["why"]["threads"] == "one for each worker"
    single = json.loads(run("classify", "--json", "--workers", 1, folder).stdout.splitlines()[0])
    assert single["runtime"]["why"]["threads"] != "one for each worker"
