"""Training radiographs → the input check of a model file.

What is no radiograph is taught with drawn clutter alone: overlapping shapes of all sizes ("dead
leaves") and noise with the falling spectrum of photographs, which carry what pictures have in
common (Baradad et al., Learning to See by Looking at Noise, NeurIPS 2021). No photograph, document
or screenshot is learned from, so all of them can judge.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from rich.console import Console
from rich.progress import track
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from edge_app.model.input_check import (
    KINDS,
    Features,
    InputCheck,
    Weights,
    details_of,
    grid_of,
)
from edge_app.model.model_file import ModelFile
from edge_app.model.preprocess import InputSpec, resize
from train.cache import Cached
from train.console import say
from train.errors import RunError
from train.non_radiographs import NEAR_MISSES, OF_SIDE, Picture, blurred, tilted

HIDDEN: Final = 64
EPOCHS: Final = 16
FLAGGED: Final = 0.006
"""Share of the held-out radiographs that may be flagged: little more than half of the promised 1 %,
since other patients differ."""

CHANGED: Final = 0.01
"""Share of the held-out radiographs that may be flagged after small changes."""

USUAL: Final = 0.005
"""Share of the held-out radiographs above the margin that each kind's limit starts from."""

SPOILT: Final = 0.5
"""Share of the training radiographs that is spoilt in each of `NEAR_MISSES`."""

CLUTTER: Final = 2
"""Pieces of clutter for each training radiograph."""

SIGMAS: Final = (4.0, 16.0)
"""Range of the blur of a copy of each training radiograph, see `blurred`. Many of NIH's had been
reduced to half their side, so pictures as soft as those are not blurred."""

OWN_SIGMA: Final = 2.0
"""The smallest blur of such a copy, in pixels of the network: less cannot be seen at 28×28."""

DEGREES: Final = (15.0, 45.0)
"""Range of the tilt of a copy of each training radiograph, to either side."""

RADIOGRAPH: Final = 0
KIND_CODES: Final = {kind: 1 + place for place, kind in enumerate(KINDS)}


# --- what it is taught with ----------------------------------------------------------------------


def varied(picture: Picture, generator: np.random.Generator) -> Picture:
    """A radiograph as another X-ray room would have made it: moved, brighter or darker, softer."""
    height, width = picture.shape
    angle, zoom = np.deg2rad(generator.normal(0, 2.5)), 1 + generator.uniform(-0.10, 0.06)
    cos, sin = np.cos(angle) * zoom, np.sin(angle) * zoom
    x, y = width / 2, height / 2
    right, down = generator.normal(0, 0.025, 2) * (width, height)
    affine = (cos, -sin, x - cos * x + sin * y + right, sin, cos, y - sin * x - cos * y + down)
    image = Image.fromarray(picture).transform(
        (width, height), Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR
    )
    if generator.random() < 0.3:  # blurred: many of the training pictures were enlarged
        small = int(generator.integers(max(2, width // 3), width))
        image = image.resize((small, small), Image.Resampling.BILINEAR)
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    values = (np.asarray(image) / 255) ** np.exp(generator.normal(0, 0.2))
    values = values * (1 + generator.normal(0, 0.08)) + generator.normal(0, 0.03)
    if generator.random() < 0.3:
        values += generator.normal(0, generator.uniform(0, 0.03), values.shape)
    return _bytes(255 * values)


def _bytes(values: NDArray[np.floating[Any]]) -> Picture:
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


def clouds(side: int, generator: np.random.Generator) -> Picture:
    """Noise whose amplitude falls with a power of the frequency, from nearly white to smooth."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, np.newaxis], np.fft.rfftfreq(side))
    frequency[0, 0] = 1
    phase = np.exp(2j * np.pi * generator.random(frequency.shape))
    field = np.fft.irfft2(frequency ** -generator.uniform(0.3, 2.5) * phase, s=(side, side))
    field = (field - field.mean()) / field.std()
    return _bytes(generator.uniform(30, 220) + generator.uniform(5, 80) * field)


def leaves(side: int, generator: np.random.Generator) -> Picture:
    """Ellipses, boxes and polygons of scale-free sizes that cover each other."""
    canvas = 128
    image = Image.new("L", (canvas, canvas), int(generator.integers(256)))
    draw = ImageDraw.Draw(image)
    sizes = 1 / generator.uniform(1 / 70, 1 / 3, int(generator.integers(3, 150)))
    for size in np.sort(sizes)[::-1]:
        centre = generator.uniform(-20, canvas + 20, 2)
        half = size * np.array([1.0, generator.uniform(0.3, 1)])
        box = [*(centre - half), *(centre + half)]
        level, shape = int(generator.integers(256)), int(generator.integers(3))
        if shape == 0:
            draw.ellipse(box, level)
        elif shape == 1:
            draw.rectangle(box, level)
        else:
            corners = centre + size * generator.uniform(-1, 1, (int(generator.integers(3, 7)), 2))
            draw.polygon([(x, y) for x, y in corners.tolist()], level)
    return resize(np.asarray(image), InputSpec.square(side))


def shuffled(picture: Picture, generator: np.random.Generator) -> Picture:
    """A radiograph in 4 or 16 squares that changed places."""
    count = int(generator.choice([2, 4]))
    side = picture.shape[0] // count
    whole = picture[: count * side, : count * side]
    squares = whole.reshape(count, side, count, side).swapaxes(1, 2).reshape(-1, side, side)
    squares = squares[generator.permutation(count * count)].reshape(count, count, side, side)
    mixed = squares.swapaxes(1, 2).reshape(whole.shape)
    return resize(np.ascontiguousarray(mixed), InputSpec(*picture.shape))


def soft(radiograph: Picture, generator: np.random.Generator) -> Picture:
    """A radiograph blurred more than any should be; some with the noise of a sensor on it."""
    min_sigma = max(SIGMAS[0], OWN_SIGMA * OF_SIDE / radiograph.shape[0])
    sigma = np.exp(generator.uniform(np.log(min_sigma), np.log(SIGMAS[1])))
    made = blurred(radiograph, float(sigma))
    if generator.random() < 0.3:
        made = _bytes(made + generator.normal(0, generator.uniform(0, 8), made.shape))
    return made


def askew(radiograph: Picture, generator: np.random.Generator) -> Picture:
    """A radiograph that hangs to the left or to the right, before black or over all of the film."""
    degrees = generator.uniform(*DEGREES) * generator.choice([-1, 1])
    return tilted(radiograph, degrees, black=bool(generator.random() < 0.5))


def clutter(radiograph: Picture, generator: np.random.Generator) -> Picture:
    """Something that is no radiograph, of a radiograph's size; some remotely like that one."""
    kind = generator.random()
    if kind < 0.15:
        return shuffled(radiograph, generator)
    side = radiograph.shape[0]
    drawn = (clouds if generator.random() < 0.5 else leaves)(side, generator)
    if kind < 0.30:
        share = generator.uniform(0.5, 1)
        return _bytes(share * drawn + (1 - share) * radiograph)
    if kind < 0.60:  # what a frame or wrong gray levels make of it is still no radiograph
        return NEAR_MISSES[str(generator.choice(list(NEAR_MISSES)))](drawn)
    return drawn


def lessons(radiographs: Cached, seed: int) -> Iterator[tuple[Picture, int]]:
    """Every picture that the check is taught with, and its class: `RADIOGRAPH` or a kind's code."""
    generator = np.random.default_rng(seed)
    for row in radiographs.rows:
        picture = radiographs.images[row]
        yield picture, RADIOGRAPH
        yield varied(picture, generator), RADIOGRAPH
        for near_miss in NEAR_MISSES.values():
            if generator.random() < SPOILT:
                yield near_miss(varied(picture, generator)), KIND_CODES[near_miss.kind]
        yield soft(varied(picture, generator), generator), KIND_CODES["blurred"]
        yield askew(varied(picture, generator), generator), KIND_CODES["askew"]
        for _ in range(CLUTTER):
            yield clutter(picture, generator), KIND_CODES["foreign"]


# --- fitting -------------------------------------------------------------------------------------


def _taught(radiographs: Cached, features: Features, seed: int, console: Console) -> Weights:
    rows, classes = [], []
    steps = track(
        lessons(radiographs, seed),
        "Spoiling radiographs, drawing clutter",
        total=round(len(radiographs) * (4 + SPOILT * len(NEAR_MISSES) + CLUTTER)),
        console=console,
        disable=not console.is_terminal,
    )
    for picture, code in steps:
        rows.append(features(picture))
        classes.append(code)
    if len(set(classes)) < 1 + len(KINDS):
        raise RunError("too few training radiographs to teach an input check with")
    say(console, f"Fitting the input check to {len(rows)} pictures")
    network = MLPClassifier((HIDDEN,), batch_size=256, max_iter=EPOCHS, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is fixed
        network.fit(np.stack(rows), np.array(classes))
    hidden, output = (np.asarray(part, np.float32) for part in network.coefs_)
    hidden_bias, output_bias = (np.asarray(part, np.float32) for part in network.intercepts_)
    return Weights(hidden, hidden_bias, output, output_bias)


def limits_of(margins: NDArray[np.float32], changed: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each kind's limit, so that few radiographs exceed any: `FLAGGED` of them, `CHANGED` changed.

    Each limit starts from a margin that few radiographs reach, and all are raised together from
    there: an extreme quantile of one kind alone would rest on a picture or two.
    """
    start = np.quantile(np.concatenate([margins, changed]), 1 - USUAL, axis=0)
    further = max(
        np.quantile((each - start).max(axis=1), 1 - share, method="higher")
        for each, share in ((margins, FLAGGED), (changed, CHANGED))
    )
    return (start + further).astype(np.float32)


def fit(
    training: Cached, validation: Cached, seed: int, console: Console
) -> tuple[dict[str, Any], Weights]:
    """The manifest's `input_check` without its digest, and the weights.

    Args:
        training: radiographs to teach with.
        validation: radiographs of other patients, for the limits.
        seed: of all that is random.
        console: for progress.

    Raises:
        RunError: the pictures' size has no grid, or there are too few of them.
    """
    side = training.images.shape[1]
    grid = grid_of(side)
    if grid is None or training.images.shape[1] != training.images.shape[2]:
        raise RunError(f"there is no input check for a network of {side} pixels a side")
    details = details_of(side, grid)
    features = Features(side, grid, details)
    weights = _taught(training, features, seed, console)
    held_out = [np.asarray(validation.images[row]) for row in validation.rows]
    generator = np.random.default_rng([seed, 1])
    changed = (varied(picture, generator) for picture in held_out)
    margins, of_changed = (
        weights.margins(np.stack([features(picture) for picture in pictures]))
        for pictures in (held_out, changed)
    )
    limits = limits_of(margins, of_changed)
    facts = {
        "grid": grid,
        "details": details,
        "hidden": HIDDEN,
        "kinds": list(KINDS),
        "limits": [round(float(limit), 6) for limit in limits],
        "fitted_on": f"{_words(training, 'train')}, spoilt copies and drawn clutter, seed {seed}",
        "limits_from": f"{_words(validation, 'validation')}, as they are and changed a little",
        "flagged": round(float((margins > limits).any(axis=1).mean()), 6),
    }
    return facts, weights


def _words(cached: Cached, split: str) -> str:
    return f"{split}, {cached.counted}"


def attach(
    model: ModelFile,
    facts: dict[str, Any],
    weights: Weights,
    path: Path,
    tried: dict[str, Any] | None = None,
) -> ModelFile:
    """Write the model file with the check in it; see `with_check`."""
    return with_check(model, facts, weights, tried).save(path)


def with_check(
    model: ModelFile, facts: dict[str, Any], weights: Weights, tried: dict[str, Any] | None = None
) -> ModelFile:
    """The model with the check in it; everything else in it stays as it was.

    Args:
        model: the model file.
        facts, weights: see `fit`.
        tried: what the check flagged where it was tried; goes into the manifest's `training`.
    """
    training = model.manifest["training"] | ({"input_check": tried} if tried else {})
    manifest = {**model.manifest, "input_check": facts, "training": training}
    return model.replace(manifest=manifest, check_weights=weights.to_bytes())


def require_check(model: ModelFile) -> InputCheck:
    """The check of a model file.

    Raises:
        RunError: it has none.
    """
    if model.input_check is None:
        raise RunError(f"{model.path}: has no input check: python -m train input-check writes one")
    return model.input_check
