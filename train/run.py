"""A run folder: configuration, montage, training, curves."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from train.cache import Cached
from train.fit import Recipe, fit


def train(recipe: Recipe, cached: Cached, run: Path, console: Console) -> None:
    run.mkdir(parents=True, exist_ok=True)
    recipe.write(run / "config.json")
    fit(recipe, cached.split("train"), cached.split("validation"), run, console)
