"""Shrinking in two steps, by whole factors with a box and then bilinearly, compared with one step.

The device stretches a radiograph to the network's square by antialiased bilinear resampling.
Pillow's `reducing_gap` first averages whole blocks of pixels, until a picture of so many times the
target side is left for the second step: less to compute, and other gray levels.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_app.classifier import Classifier
from edge_app.core.plain_text import percent
from edge_app.images.array import from_array
from edge_app.model.preprocess import STRETCH
from edge_app.pipeline.reader import ready
from edge_app.pipeline.route import score_all, unbroken
from edge_app.pipeline.scorers import classified_only
from quantize.errors import ConversionError
from quantize.studies.inputs import ModelInputs
from quantize.studies.result import Result

IMAGES: Final = 200
"""How many test images are drawn at random, at most."""

SIZES: Final = ((1024, 1024), (2500, 2000))
"""Width and height of what is shrunk."""

GAPS: Final = (None, 3.0, 2.0, 1.5)
"""How many times the target side is left for the second step, at least; None: one step."""

NOISE: Final = 6.0
"""Standard deviation, in gray levels, of the noise that is added to each enlarged picture: a
radiograph of full size has noise finer than the data set's small pictures."""

Gray = NDArray[np.uint8]


@dataclass
class Tally:
    """The results of one way of shrinking all pictures of one size."""

    seconds: float = 0.0
    differences: NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))
    logits: list[NDArray[np.float32]] = field(default_factory=list)
    above: list[list[bool | None]] = field(default_factory=list)


def resize_study(inputs: ModelInputs) -> Result:
    """The study, on enlarged test images with noise.

    Raises:
        ConversionError: the model does not stretch pictures to its input.
    """
    model, cached = inputs.model, inputs.images
    spec = model.input_spec
    if spec.resize != STRETCH:
        raise ConversionError(f"{model.name} does not stretch: its rule is {spec.resize}")
    classifier = Classifier(model, force=True)
    generator = np.random.default_rng(inputs.seed)
    count = min(IMAGES, len(cached))
    rows = cached.rows[np.sort(generator.choice(len(cached), count, replace=False))]
    found = []
    for size in SIZES:
        pictures = (_enlarged(cached.images[row], size, generator) for row in rows)
        tallies = _measured(pictures, classifier, (spec.width, spec.height))
        found += [_row(size, gap, tally, tallies[None]) for gap, tally in tallies.items()]
    return Result(
        name="resize",
        command="python -m quantize resize MODEL DATA",
        caption=(
            f"{count} test images, enlarged, with noise of {NOISE:g} gray levels a pixel, shrunk "
            f"to {spec.width}x{spec.height} for {model.name}: processor time beside one bilinear "
            "step, differences from it in gray levels of a pixel, and decisions at "
            f"'{classifier.points.name}' that stay."
        ),
        header=("from, in", "time", "mean", "99 %", "largest", "logits, rms", "decisions kept"),
        rows=[_text(row) for row in found],
        content={
            "model": {"name": model.name, "sha256": model.sha256},
            "images": count,
            "noise": NOISE,
            "rows": found,
        },
    )


def _enlarged(picture: Gray, size: tuple[int, int], generator: np.random.Generator) -> Gray:
    large = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC), np.float32)
    noise = generator.standard_normal(large.shape, np.float32) * np.float32(NOISE)
    return np.clip(np.rint(large + noise), 0, 255).astype(np.uint8)


def shrunk(picture: Image.Image, size: tuple[int, int], gap: float | None) -> Gray:
    """A picture at this width and height; see `GAPS`."""
    return np.asarray(picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=gap))


def _measured(
    pictures: Iterator[Gray], classifier: Classifier, size: tuple[int, int]
) -> dict[float | None, Tally]:
    tallies: dict[float | None, Tally] = {gap: Tally() for gap in GAPS}
    shrunken: dict[float | None, list[Gray]] = {gap: [] for gap in GAPS}
    for picture in pictures:
        image, plain = Image.fromarray(picture), None
        for gap, tally in tallies.items():
            begin = time.thread_time()
            small = shrunk(image, size, gap)
            tally.seconds += time.thread_time() - begin
            plain = small if plain is None else plain
            apart = np.abs(small.astype(np.int16) - plain)
            tally.differences += np.bincount(apart.ravel(), minlength=256)
            tally.logits.append(classifier.logits(from_array(small).picture)[0])
            shrunken[gap].append(small)
    for gap, pictures_of_gap in shrunken.items():
        scored = score_all(map(from_array, pictures_of_gap), classifier, ready, classified_only)
        tallies[gap].above = [
            [finding.above for finding in answer.findings] for _, (_, answer) in unbroken(scored)
        ]
    return tallies


def _row(size: tuple[int, int], gap: float | None, tally: Tally, plain: Tally) -> dict[str, Any]:
    pixels = tally.differences.sum()
    levels = np.arange(256)
    kept = [
        one == other
        for here, there in zip(tally.above, plain.above, strict=True)
        for one, other in zip(here, there, strict=True)
        if other is not None
    ]
    apart = np.stack(tally.logits) - np.stack(plain.logits)
    return {
        "width": size[0],
        "height": size[1],
        "gap": gap,
        "milliseconds": 1000 * tally.seconds / len(tally.logits),
        "time": tally.seconds / plain.seconds,
        "mean": float((levels * tally.differences).sum() / pixels),
        "p99": int(np.searchsorted(np.cumsum(tally.differences), 0.99 * pixels)),
        "max": int(np.flatnonzero(tally.differences).max()),
        "logit_rms": float(np.sqrt(np.square(apart).mean())),
        "decisions": len(kept),
        "decisions_kept": float(np.mean(kept)) if kept else None,
    }


def _text(row: dict[str, Any]) -> tuple[str, ...]:
    way = "one step" if row["gap"] is None else f"two steps, gap {row['gap']:g}"
    kept = row["decisions_kept"]
    return (
        f"{row['width']}x{row['height']}, {way}",
        f"{row['time']:.0%}",
        f"{row['mean']:.2f}",
        str(row["p99"]),
        str(row["max"]),
        f"{row['logit_rms']:.3f}",
        "no decisions" if kept is None else f"{percent(kept, 2, '%')} of {row['decisions']}",
    )
