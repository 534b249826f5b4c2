"""Which input check a model file gets: one trained on its own radiographs, or a shipped one.

A check trained on few patients may flag nothing at all and still look good, since its limits come
from its own radiographs. So training takes enough patients, and every check is tried on drawn
pictures that are no radiographs before it is written.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, cast

import numpy as np
from rich.console import Console

from edge_app.core.plain_text import percent
from edge_app.model.input_check import InputCheck, Weights, details_of, grid_of
from edge_app.model.manifest_types import InputCheckFacts
from edge_app.model.model_file import read, shipped_models
from edge_app.model.preprocess import STRETCH, InputSpec, resize
from train.cache import Cached
from train.errors import RunError
from train.input_check import fit
from train.non_radiographs import DRAWERS

MIN_PATIENTS: Final = 300
"""Training patients below which no check is taught; see docs/input-check.md."""

MIN_FLAGGED: Final = 0.9
"""Share of the drawn pictures that a check must flag to be written."""

MAX_REFUSED: Final = 0.05
"""Share of the held-out radiographs that a shipped check may flag."""

DRAWN: Final = 30
"""Drawn pictures of each kind."""


class Chosen(NamedTuple):
    """A check for a model file.

    Attributes:
        facts: the manifest's `input_check` without its digest.
        weights: of the check.
        tried: what the manifest's `training` holds of the trial.
        said: which check it is and why, in one line.
    """

    facts: dict[str, Any]
    weights: Weights
    tried: dict[str, Any]
    said: str


def chosen(training: Cached, validation: Cached, seed: int, console: Console) -> Chosen:
    """The check for a network that sees pictures of the size of these radiographs.

    Args:
        training: to train a check on, if they are of `MIN_PATIENTS` or more.
        validation: radiographs of other patients.
        seed: of all that is random.
        console: for progress.

    Raises:
        RunError: no check flags enough drawn pictures, and few enough radiographs.
    """
    side = training.images.shape[1]
    if grid_of(side) is None or training.images.shape[1] != training.images.shape[2]:
        raise RunError(f"there is no input check for a network of {side} pixels a side")
    patients = int(training.table["patient"].nunique())
    if patients >= MIN_PATIENTS:
        facts, weights = fit(training, validation, seed, console)
        tried = _tried(side, facts, weights, validation, seed)
        if tried["drawn"]["flagged"] >= MIN_FLAGGED:
            return Chosen(facts, weights, tried, "taught with these radiographs")
        flags = percent(tried["drawn"]["flagged"], 0, "%")
        why = f"taught with these, it flags {flags} of drawn pictures"
    else:
        why = f"{patients} training patients are fewer than the {MIN_PATIENTS} to teach one with"
    return shipped(InputSpec.square(side), validation, seed, why)


def shipped(spec: InputSpec, validation: Cached | None, seed: int, why: str) -> Chosen:
    """A shipped model's check; it works in front of any network of its input size.

    Args:
        spec: the network's input.
        validation: radiographs of that size to try the check on; None without any.
        seed: of the drawn pictures.
        why: the reason for not training one, for the message.

    Raises:
        RunError: no check fits the input, flags the drawn pictures and accepts the radiographs.
    """
    side = spec.height
    if spec.width != side or spec.resize != STRETCH:
        raise RunError(
            "no input check is written: there is none for pictures that are not stretched to a "
            "square"
        )
    for path in shipped_models():
        model = read(path)
        stated = model.manifest.get("input_check")
        if stated is None or model.check_weights is None or stated["grid"] != grid_of(side):
            continue
        if stated.get("details", 0) > details_of(side, stated["grid"]):
            continue
        facts: dict[str, Any] = {key: value for key, value in stated.items() if key != "sha256"}
        facts["fitted_on"] = f"as in {model.name}: {stated['fitted_on']}"[:200]
        weights = Weights.from_bytes(model.check_weights, stated)
        tried = _tried(side, facts, weights, validation, seed) | {"as_in": model.name, "why": why}
        drawn, real = tried["drawn"]["flagged"], tried.get("radiographs", {}).get("flagged", 0.0)
        if drawn < MIN_FLAGGED or real > MAX_REFUSED:
            raise RunError(
                f"no input check is written: {why}, and that of {model.name} flags "
                f"{percent(drawn, 0, '%')} of drawn pictures and {percent(real, 1, '%')} of these "
                f"radiographs: with {MIN_PATIENTS} "
                "training patients `python -m train input-check` teaches another"
            )
        return Chosen(facts, weights, tried, f"that of {model.name}, since {why}")
    raise RunError(f"no input check is written: {why}, and no shipped one fits {side} pixels")


def _tried(
    side: int, facts: dict[str, Any], weights: Weights, validation: Cached | None, seed: int
) -> dict[str, Any]:
    """The shares of drawn pictures and, if there are any, of held-out radiographs it flags."""
    check = InputCheck(side, cast(InputCheckFacts, facts), weights)
    generator, spec = np.random.default_rng(seed), InputSpec.square(side)
    drawn = [
        check.judge(resize(picture, spec), picture.shape).flagged
        for draw in DRAWERS.values()
        for picture in (draw(generator) for _ in range(DRAWN))
    ]
    found: dict[str, Any] = {
        "drawn": {"pictures": len(drawn), "flagged": round(float(np.mean(drawn)), 4)}
    }
    if validation is not None:
        real = [check.judge(validation.images[row]).flagged for row in validation.rows]
        found["radiographs"] = {
            "on": f"validation, {validation.counted}",
            "flagged": round(float(np.mean(real)), 4),
        }
    return found
