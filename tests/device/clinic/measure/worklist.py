"""How fast the worklist answers where very many images wait, and as many are answered."""

from __future__ import annotations

import argparse
import json
import statistics
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from edge_app.classifier import Classifier
from edge_app.clinic.box import Box
from edge_app.clinic.settings import read_settings
from edge_app.clinic.summary import CLEAR, FLAGGED, WAITING
from edge_app.images.phantom import synthetic_radiograph
from edge_app.images.radiograph import Limits
from edge_app.model.model_file import locate, read
from edge_app.pipeline.json_answer import answered, origin
from edge_app.pipeline.reader import read_image_source

from ..peers import free_port

TIMES: Final = 40
MODEL: Final = "cxr-cnn28"
MAX_MILLISECONDS: Final = 100.0
"""Milliseconds, of the slowest way to look at the list, at the median."""

QUESTIONS: Final = {
    "newest first": "/",
    "oldest first": "/?sort=oldest",
    "highest score first": "/?sort=highest",
    "next to be answered": "/?sort=next",
    "flagged, highest first": "/?state=flagged&sort=highest",
    "waiting": "/?state=waiting",
    "a name that is there": "/?q=patient+77",
    "a name that is not": "/?q=nobody",
    "from the middle": "/?after={middle}",
    "from the middle of the scores": "/?sort=highest&after=0.5_{middle}",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=int, default=100_000, help="waiting, and as many answered")


def measure(folder: Path, arguments: argparse.Namespace) -> bool:
    """Print the time to the last byte of the list, for each way to look at it."""
    images, port = arguments.images, free_port()
    (folder / "box.toml").write_text(
        f'spool = "spool"\nmodel = "{MODEL}"\nleast_free_mb = 1\n[page]\nport = {port}\n'
    )
    box = Box(read_settings(folder / "box.toml"))
    box.events.out = (folder / "log").open("w")
    _fill(box, images)
    (page,) = box._entrances
    page.start()
    print(f"{images} images wait, {images} are answered; {TIMES} times each, over HTTP")
    medians = []
    for name, path in QUESTIONS.items():
        url = f"http://127.0.0.1:{port}{path.format(middle=images)}"
        took = []
        for _ in range(TIMES):
            began = time.perf_counter()
            with urllib.request.urlopen(url) as answer:
                body = answer.read()
            took.append(1000 * (time.perf_counter() - began))
        rows = body.count(b'scope="row"')
        medians.append(statistics.median(took))
        high = statistics.quantiles(took, n=20)[-1]
        print(f"{name:30} {rows:3} rows  median {medians[-1]:6.1f} ms  95 % {high:6.1f} ms")
    print(f"slowest median: {max(medians):.1f} ms (at most {MAX_MILLISECONDS:g})")
    page.stop()
    box.store.close()
    return max(medians) <= MAX_MILLISECONDS


def _fill(box: Box, images: int) -> None:
    """Rows as they come to be, without their files: nobody answers here."""
    classifier = Classifier(read(locate(MODEL)))
    seen = read_image_source(synthetic_radiograph(64, seed=1), Limits())
    findings = classifier.classify(seen)
    answer = json.dumps(answered("image", seen, findings, origin(classifier)))
    chance, now = np.random.default_rng(1), time.time()
    columns = "entrance, identity, sha256, file, bytes, sender, differs, received, about, sought"

    def rows(state: str) -> Iterator[tuple[Any, ...]]:
        for number in range(images):
            about = f"Patient {number} · {chance.integers(1 << 40)}"
            name = f"{state}-{number}"
            shared = ("node", name, name, name, 1, "X@h", 0, now, about, about.casefold())
            if state == WAITING:
                yield (*shared, None, None, None, WAITING, None)
            else:
                score = float(chance.uniform())
                done = FLAGGED if score > 0.55 else CLEAR
                yield (*shared, now, answer, now, done, round(score, 6))

    with box.store.transaction() as database:
        for state in (CLEAR, WAITING):
            database.executemany(
                f"INSERT INTO image ({columns}, answered, answer, finished, state, score) "
                f"VALUES ({', '.join('?' * 15)})",
                rows(state),
            )
