"""A run's `config.json`: what decided its training."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from train.data_types import DataFacts
from train.errors import RunError
from train.labels import OF_NIH, LabelSet
from train.recipes import Recipe

FILE: Final = "config.json"


@dataclass(frozen=True)
class RunConfig:
    """The configuration of a run.

    Attributes:
        content: of the file, and of a model file's manifest; runs of earlier versions state neither
            labels nor precision.
        recipe, labels: of the content.
    """

    content: dict[str, Any]
    recipe: Recipe
    labels: LabelSet

    @property
    def dataset(self) -> DataFacts:
        """Facts of the data, the teachers and the network that training started from."""
        facts: DataFacts = self.content["dataset"]
        return facts

    @classmethod
    def from_dict(cls, stated: Mapping[str, Any]) -> RunConfig:
        """The configuration in a dict like the file's."""
        content = {key: stated[key] for key in ("recipe", "dataset", "packages")} | {
            "labels": stated.get("labels", OF_NIH.as_dict()),
            "precision": stated.get("precision", "float32"),
        }
        recipe, labels = Recipe.from_dict(content["recipe"]), LabelSet.from_dict(content["labels"])
        return cls(content, recipe, labels)

    @classmethod
    def read(cls, run: Path) -> RunConfig:
        """The configuration in a run folder.

        Raises:
            RunError: it is missing or damaged.
        """
        path = run / FILE
        try:
            return cls.from_dict(json.loads(path.read_text()))
        except FileNotFoundError:
            raise RunError(f"{run}: no {FILE}: train it to its end first") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{path}: is damaged: {error}") from None
