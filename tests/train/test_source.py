"""Starting from a finished network: what is kept of it, what is said of it, what is refused."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from train.augment import Augmentation
from train.cache import Cached
from train.errors import RunError
from train.finished_run import open_run
from train.fit import build
from train.labels import OF_NIH
from train.options import read_data
from train.predict import logits_only, predict
from train.run import refit, train
from train.source import Source, fine_tuning, write_weights
from train.source_files import kept_names, open_source

QUIET = Console(file=io.StringIO())


@pytest.fixture(scope="module")
def source(finished_run: Path) -> Source:
    return open_source(str(finished_run))


@pytest.fixture(scope="module")
def others(make_nih: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Cached:
    """Pictures of a hospital that the source knows nothing of."""
    folder = tmp_path_factory.mktemp("others")
    rng = np.random.default_rng(11)
    rows = [(f"own{i}.png", str(rng.choice(["Mass", "Edema", "Effusion"])), i) for i in range(60)]
    return read_data(make_nih(folder / "nih", rows, seed=4), 28, folder / "cache")


def test_kept_networks_are_there_by_name() -> None:
    assert kept_names() == [*("cxr-cnn28", "cxr-lite0-128", "cxr-lite0-fine", "lite0-5-stages")]
    shipped = open_source("cxr-cnn28")
    assert (shipped.recipe.network, shipped.recipe.side) == ("cnn28", 28)
    assert shipped.facts["name"] == "cxr-cnn28"
    assert shipped.facts["dataset"]["train"]["patients"] == 3519


def test_a_run_and_the_network_in_it_are_the_same_source(
    finished_run: Path, source: Source
) -> None:
    assert open_source(str(finished_run / "model.keras")).facts == source.facts


@pytest.mark.parametrize("name", ["cxr-lite9", "model.tflite", "nowhere/model.keras"])
def test_what_is_no_source_is_refused_with_what_there_is(name: str) -> None:
    with pytest.raises(
        RunError,
        match="give cxr-cnn28, cxr-lite0-128, cxr-lite0-fine, lite0-5-stages, a finished run",
    ):
        open_source(name)


def test_the_same_labels_keep_the_head_and_so_the_answers(source: Source, others: Cached) -> None:
    network = build(fine_tuning(source.recipe))
    write_weights(network, source)
    answers = (predict(logits_only(each), others) for each in (network, source.network))
    np.testing.assert_array_equal(*answers)


def test_a_new_head_begins_anew_on_the_same_features(finished_run: Path, others: Cached) -> None:
    source = open_source(str(finished_run)).matched(OF_NIH, new_head=True)
    network = build(fine_tuning(source.recipe))
    initial = network.get_layer("map").get_weights()
    write_weights(network, source)
    for before, after in zip(initial, network.get_layer("map").get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    kept = [layer for layer in network.layers if layer.get_weights() and layer.name != "map"]
    for layer in kept:
        for mine, theirs in zip(
            layer.get_weights(), source.network.get_layer(layer.name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(mine, theirs)
    assert source.facts["head"] == "new"


def test_another_architecture_is_named(source: Source) -> None:
    with pytest.raises(RunError, match="is a cnn28, or made otherwise"):
        write_weights(
            build(replace(fine_tuning(source.recipe), network="efficientnet-lite0")), source
        )


def test_a_fine_tuned_run_says_what_it_was_started_from(
    source: Source, others: Cached, tmp_path: Path
) -> None:
    plain = Augmentation(jpeg=0.0, resample=0.0)  # quicker to trace
    recipe = replace(fine_tuning(source.recipe), epochs=1, batch=16, augmentation=plain)
    said = io.StringIO()
    train(recipe, others, tmp_path / "run", Console(file=said, width=400), source=source)
    assert "Started from tiny, cnn28 trained on" in said.getvalue()
    assert "a test patient who is spoils the test" in said.getvalue()
    facts = open_run(tmp_path / "run").config.dataset["started_from"]
    assert facts["name"] == source.facts["name"]
    assert facts["sha256"] == source.facts["sha256"]
    assert facts["dataset"] == source.facts["dataset"]
    assert facts["test_patients"] == "not known"
    with pytest.raises(RunError, match="the start"):
        train(recipe, others, tmp_path / "run", QUIET)
    with pytest.raises(RunError, match="give it the same --from"):
        refit(tmp_path / "run", others, tmp_path / "refit", QUIET)
    assert not (tmp_path / "refit").exists()


def test_what_a_source_saw_is_known_where_the_data_are_its_own(
    finished_run: Path, small_nih: Path, source: Source
) -> None:
    cached = read_data(small_nih, 28, finished_run.parent / "cache")
    assert source.knows(cached) == {"validation": "not seen", "test": "not seen"}
    both = {"digest": cached.split("train", "validation").digest}
    refitted = replace(source, facts={**source.facts, "dataset": {"train": both}})
    assert refitted.knows(cached) == {"validation": "seen", "test": "not seen"}
    part = {"digest": cached.split("train").of_patients(0.5).digest}
    halved = replace(refitted, recipe=replace(source.recipe, patients=0.5))
    halved = replace(halved, facts={**source.facts, "dataset": {"train": part}})
    assert halved.knows(cached) == {"validation": "not seen", "test": "not seen"}


@pytest.mark.parametrize(
    ("learned", "known"),
    [
        ({"started_from": {"test_patients": "not seen"}}, "not seen"),
        ({"started_from": {"test_patients": "not known"}}, "not known"),
        ({"teachers_know_no_more": [True, True]}, "not seen"),
        ({"teachers_know_no_more": [True, False]}, "not known"),
    ],
)
def test_what_its_own_start_or_teachers_may_know_a_source_may_know(
    finished_run: Path, small_nih: Path, source: Source, learned: dict[str, Any], known: str
) -> None:
    cached = read_data(small_nih, 28, finished_run.parent / "cache")
    dataset = {**source.facts["dataset"], **learned}
    started = replace(source, facts={**source.facts, "dataset": dataset})
    assert started.knows(cached) == {"validation": known, "test": known}


def test_a_source_that_was_trained_on_the_validation_patients_is_refused(
    finished_run: Path, small_nih: Path, source: Source, tmp_path: Path
) -> None:
    cached = read_data(small_nih, 28, finished_run.parent / "cache")
    both = {"digest": cached.split("train", "validation").digest}
    refitted = replace(source, facts={**source.facts, "dataset": {"train": both}})
    with pytest.raises(RunError, match="was trained on these validation patients"):
        train(fine_tuning(source.recipe), cached, tmp_path / "run", QUIET, source=refitted)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "options", [("--size", "64"), ("--recipe", "cnn28"), ("--imagenet",), ("--set", "lowpass=true")]
)
def test_what_the_source_decides_cannot_be_set(
    options: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from train.cli import main

    line = ["train", "fit", "nowhere", "--run", "r", "--from", "cxr-cnn28", *options]
    monkeypatch.setattr(sys, "argv", line)
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 2
    assert "--from takes the network" in " ".join(capsys.readouterr().err.split())
