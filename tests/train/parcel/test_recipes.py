"""The list that a parcel trains."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from train.errors import RunError
from train.parcel.recipes import SHIPPED, read_list


def test_the_list_that_ships_can_be_trained() -> None:
    entries = read_list(SHIPPED)
    assert len(entries) >= 3
    assert all(bool(entry.teachers) == (entry.recipe.distil > 0) for entry in entries)
    assert all(entry.recipe.patience >= entry.recipe.epochs / 4 for entry in entries)


def test_settings_change_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    settings = ["epochs=7", "network=cnn28", "augmentation.noise=8"]
    path.write_text(json.dumps([{"name": "a", "recipe": "cnn28", "set": settings}]))
    recipe = read_list(path)[0].recipe
    assert (recipe.epochs, recipe.network, recipe.augmentation.noise) == (7, "cnn28", 8.0)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([{"name": "a", "recipe": "nothing"}], "nothing"),
        ([{"name": "a", "recipe": "cnn28", "sett": []}], "sett"),
        ([{"name": "a", "recipe": "cnn28", "set": ["epochs=0"]}], "epochs"),
        ([{"name": "a", "recipe": "cnn28"}] * 2, "another of this name"),
        ([{"name": "a", "recipe": "cxr-cnn28", "teachers": ["b"]}], "stand before it"),
        ([{"name": "a", "recipe": "cxr-cnn28"}], "distils where it has some"),
        ({"name": "a"}, "no list"),
    ],
)
def test_a_list_that_would_fail_there_is_refused_at_home(
    tmp_path: Path, rows: Any, reason: str
) -> None:
    path = tmp_path / "list.json"
    path.write_text(json.dumps(rows))
    with pytest.raises(RunError, match=reason):
        read_list(path)
