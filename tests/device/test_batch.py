"""A batch: what is read beside what, and what is held meanwhile."""

from __future__ import annotations

import io
import threading
import weakref
from dataclasses import dataclass, field

import numpy as np

from edge_app.batch import HELD, classify_all
from edge_app.errors import ImageError
from edge_app.images.radiograph import Limits, Radiograph
from edge_app.inference.classifier import Classifier
from edge_app.inference.model_file import locate, read
from edge_app.output import CsvWriter
from edge_app.sources import STANDARD_INPUT

LARGE = HELD + 1


@dataclass
class Reading:
    """Pictures that claim to have so many pixels, by name; notes how they were asked for.

    Attributes:
        threads: which thread read which name; True is the main one.
        held: how many pictures were alive when each was read.
    """

    pixels: dict[str, int | None]
    threads: dict[str, bool] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    alive: list[weakref.ref[Radiograph]] = field(default_factory=list)

    def __call__(self, source: str, limits: Limits) -> Radiograph:
        self.threads[source] = threading.current_thread() is threading.main_thread()
        self.held[source] = sum(each() is not None for each in self.alive)
        size = self.pixels[source]
        if size is None:
            raise ImageError("is empty")
        gray = np.arange(28 * 28, dtype=np.uint8).reshape(28, 28)
        image = Radiograph(gray, {"width": size, "height": 1, "sha256": "0" * 64})
        self.alive.append(weakref.ref(image))
        return image


def answered(reading: Reading) -> list[str]:
    """The names in the order of their answers."""
    classifier = Classifier(read(locate("cxr-cnn28")), force=True)
    out = io.StringIO()
    names = list(reading.pixels)
    classify_all(names, classifier, CsvWriter(classifier, out), Limits(), read=reading)
    return [line.split(",")[0] for line in out.getvalue().splitlines()[1:]]


def test_the_next_picture_is_read_beside_the_network_and_answers_keep_their_order() -> None:
    reading = Reading({"a": 100, "b": None, "c": 100, "d": 100})
    assert answered(reading) == ["a", "b", "c", "d"]
    assert reading.threads == {"a": True, "b": False, "c": False, "d": False}
    assert max(reading.held.values()) <= 1


def test_a_large_picture_is_alone_in_memory() -> None:
    reading = Reading({"a": LARGE, "b": LARGE, "c": 100, "d": LARGE})
    assert answered(reading) == ["a", "b", "c", "d"]
    assert reading.threads == {"a": True, "b": True, "c": True, "d": False}
    assert (reading.held["b"], reading.held["c"]) == (0, 0)


def test_standard_input_is_read_where_it_can_be_interrupted() -> None:
    reading = Reading({"a": 100, STANDARD_INPUT: 100, "b": 100})
    assert answered(reading) == ["a", STANDARD_INPUT, "b"]
    assert reading.threads == {"a": True, STANDARD_INPUT: True, "b": False}


def test_one_picture_starts_no_thread() -> None:
    before = threading.active_count()
    assert answered(Reading({"a": 100})) == ["a"]
    assert threading.active_count() == before
