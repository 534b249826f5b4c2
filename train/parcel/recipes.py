"""The list of runs that a parcel trains, the most promising first.

A JSON list; one object a run:

    {"name": "lite0-long", "recipe": "lite0", "set": ["epochs=30"], "teachers": ["lite0-1"]}

`name` is the run's folder; `recipe` one of `train/recipes.py`, changed by `set`; `teachers`, if
any, are runs of the list that stand before it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from train.errors import RunError
from train.recipes import RECIPES, Recipe

SHIPPED: Final = Path(__file__).with_suffix(".json")


@dataclass(frozen=True)
class Entry:
    """One run of the list."""

    name: str
    recipe: Recipe
    teachers: tuple[str, ...]


def read_list(path: Path) -> list[Entry]:
    """The runs of a list, in its order.

    Raises:
        RunError: it cannot be read, or an entry of it is no recipe.
    """
    entries: list[Entry] = []
    try:
        for row in json.loads(path.read_text()):
            entries.append(_entry(row, {entry.name for entry in entries}))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{path}: is no list of recipes: {error!r}") from None
    return entries


def _entry(row: dict[str, object], before: set[str]) -> Entry:
    unknown = row.keys() - {"name", "recipe", "set", "teachers", "why"}
    if unknown:
        raise ValueError(f"{row['name']}: there is no {', '.join(sorted(unknown))}")
    recipe = RECIPES[str(row["recipe"])]
    settings, teachers = row.get("set", []), row.get("teachers", [])
    assert isinstance(settings, list)
    assert isinstance(teachers, list)
    for setting in settings:
        recipe = recipe.with_setting(setting)
    if row["name"] in before:
        raise ValueError(f"{row['name']}: there is another of this name")
    if not set(teachers) <= before or bool(teachers) != bool(recipe.distil):
        raise ValueError(
            f"{row['name']}: its teachers stand before it, and it distils where it has some"
        )
    return Entry(str(row["name"]), recipe, tuple(teachers))
