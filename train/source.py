"""A finished network that another run starts from: fine-tuning, which few images need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import keras

from edge_app.evaluation.label_names import listed
from train.cache import Cached
from train.data_types import DataFacts, Known, StartedFrom, StartFacts
from train.datasets.joined import SOURCE
from train.errors import RunError
from train.labels import LabelSet
from train.recipes import Recipe

HEAD: Final = "map"
"""The layer whose output channels are the labels."""


@dataclass(frozen=True)
class Source:
    """The network that a run starts from.

    Attributes:
        network: with its weights.
        recipe: that it was trained by.
        labels: of its output channels.
        facts: what a run's configuration, a manifest and a card say of it: `name`, `network`,
            `sha256`, `head`, and the `dataset` that it was trained on.
    """

    network: keras.Model
    recipe: Recipe
    labels: LabelSet
    facts: StartFacts

    @property
    def keeps_head(self) -> bool:
        """Whether a run keeps the labels' channels, too."""
        return bool(self.facts["head"] == "kept")

    def matched(self, labels: LabelSet, *, new_head: bool = False) -> Source:
        """This source for a run with these labels: the head is kept where the labels agree.

        Args:
            labels: of the run.
            new_head: reset the labels' channels even if the labels agree.
        """
        same = (self.labels.names, self.labels.head) == (labels.names, labels.head)
        return replace(
            self, facts={**self.facts, "head": "kept" if same and not new_head else "new"}
        )

    def new_head(self, labels: LabelSet) -> list[str]:
        """A line where a run has other labels than this source, perhaps by mistake."""
        if (self.labels.names, self.labels.head) == (labels.names, labels.head):
            return []
        theirs, ours = (f"{listed(each.names)} ({each.head})" for each in (self.labels, labels))
        return [
            f"{self.facts['name']} has the labels {theirs}, this run {ours}: their channels begin "
            "anew; --labels FILE says which labels this run has"
        ]

    def knows(self, cached: Cached) -> dict[str, Known]:
        """Whether it was trained on a data set's validation and test patients, by split.

        This is known only if its training images are a part of this data set, by their digest, or
        if the same images validated it and everything else it learned from is stated to be apart.
        What its teachers and its own source may know, it may know as well.
        """
        dataset = self.facts["dataset"]
        found = known_patients(dataset, cached, self.recipe.patients)
        return found if learned_alone(dataset) else _doubted(found)


def learned_alone(dataset: DataFacts) -> bool:
    """Whether neither a network's teachers nor its source may know other patients.

    Args:
        dataset: of its run's configuration: what it was trained on.
    """
    start = dataset.get("started_from")
    taught = all(dataset.get("teachers_know_no_more", ()))
    return taught and (start is None or start.get("test_patients") == "not seen")


def _doubted(known: Mapping[str, Known]) -> dict[str, Known]:
    """The splits of `known` if something else that taught the network may know other patients."""
    return {each: "seen" if said == "seen" else "not known" for each, said in known.items()}


def known_patients(dataset: DataFacts, cached: Cached, share: float = 1.0) -> dict[str, Known]:
    """Whether a network was trained on a data set's validation and test patients; see `knows`.

    Args:
        dataset: of its run's configuration: what it was trained on.
        cached: the whole data set.
        share: of the training patients that its recipe takes.
    """
    if "further" in dataset:
        return _knows_with_further(dataset, cached, share)
    return _known_by(dataset.get("train", {}).get("digest", ""), cached, share)


def _known_by(trained: str, cached: Cached, share: float) -> dict[str, Known]:
    """`known_patients` by the digest of all training images; empty where that is not stated."""
    training = cached.split("train")
    known: dict[str, dict[str, Known]] = {
        training.digest: {"validation": "not seen", "test": "not seen"},
        cached.split("train", "validation").digest: {"validation": "seen", "test": "not seen"},
    }
    if share < 1:
        known[training.of_patients(share).digest] = known[training.digest]
    return known.get(trained, {"validation": "not known", "test": "not known"})


def _knows_with_further(dataset: DataFacts, cached: Cached, share: float) -> dict[str, Known]:
    """`known_patients` of a network trained on a list of data sets, by the images of the first."""
    if dataset.get("validation", {}).get("digest") != cached.split("validation").digest:
        return {"validation": "not known", "test": "not known"}
    own = cached.of_data_set(0) if SOURCE in cached.table else cached
    found = _known_by(dataset.get("own", ""), own, share)
    if "refit_of" in dataset:
        found["validation"] = "seen"
    return found if all(each["apart"] for each in dataset["further"]) else _doubted(found)


def describe(started_from: StartedFrom) -> str:
    """A run's `started_from` in a sentence or two, for a terminal and a card."""
    dataset = started_from["dataset"]
    trained = dataset.get("train", {})
    on = "on what is not stated"
    if trained:
        on = (
            f"on {trained['images']} images of {trained['patients']} patients "
            f"({trained['name']}, {trained['split']})"
        )
    words = f"Started from {started_from['name']}, {started_from['network']} trained {on}"
    if "further" in dataset:
        words += " and on " + "; ".join(
            f"{each['name']} (origin: {each['origin']})" for each in dataset["further"]
        )
    if "teachers" in dataset:
        words += f" with {len(dataset['teachers'])} teachers"
    if "started_from" in dataset:
        words += f", itself started from {dataset['started_from']['name']}"
    if started_from["test_patients"] == "not seen":
        return f"{words}; none of the test patients is among these."
    return (
        f"{words}. Whether test patients are among these is not known, and a test patient who is "
        "spoils the test."
    )


def fine_tuning(recipe: Recipe) -> Recipe:
    """The recipe that fine-tunes a network that was trained by `recipe`, on few images.

    Network, input and augmentation stay. The peak of the learning rate is lower, so that the
    network adapts rather than forgets, and the data need nothing but images and labels.
    """
    return replace(
        recipe,
        imagenet=False,
        early_epochs=0,
        epochs=5,
        learning_rate=2e-4,
        warmup=0.5,
        auxiliary=0.0,
        distil=0.0,
        unlabelled=0.0,
        continued=False,
        patients=1.0,
        seed=1,
    )


def write_weights(network: keras.Model, source: Source) -> None:
    """Write a source's weights into a network that was just built; its head only if it is kept.

    Raises:
        RunError: they are for another architecture.
    """
    for layer in network.layers:
        if not layer.get_weights() or (layer.name == HEAD and not source.keeps_head):
            continue
        try:
            layer.set_weights(source.network.get_layer(layer.name).get_weights())
        except ValueError:
            raise RunError(
                f"{source.facts['name']} is a {source.network.name}, or made otherwise: this run, "
                f"a {network.name}, cannot start from its weights (layer {layer.name})"
            ) from None
