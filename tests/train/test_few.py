"""What a start is worth with few images: how images are drawn, what is judged, what is said."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy.special import softmax
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from edge_app.model.labels import NORMAL, Label, Labels
from train import few as study
from train.augment import Augmentation
from train.cache import Cached
from train.cli import app
from train.errors import DatasetError
from train.few import drawn, few, lines, recipe_of
from train.labels import LabelSet
from train.options import read_data
from train.source import Source
from train.source_files import open_source

QUIET = Console(file=io.StringIO())


def quick(source: Source) -> Source:
    """Augmented by what is quick to trace."""
    plain = Augmentation(jpeg=0.0, resample=0.0)
    return replace(source, recipe=replace(source.recipe, augmentation=plain))


@pytest.fixture(scope="module")
def source(finished_run: Path) -> Source:
    return quick(open_source(str(finished_run)))


@pytest.fixture(scope="module")
def own(finished_run: Path, small_nih: Path) -> Cached:
    cached = read_data(small_nih, 28, finished_run.parent / "cache")
    return cached.split("train", "validation")


@pytest.fixture(scope="module")
def judges(make_nih: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Cached:
    """Images of 40 patients of elsewhere, half of whom have a mass."""
    folder = tmp_path_factory.mktemp("judges")
    rows = [(f"j{i}.png", "Mass" if i % 2 else "No Finding", 90000 + i) for i in range(40)]
    return read_data(make_nih(folder / "nih", rows, seed=5), 28, folder / "cache")


def test_images_are_drawn_by_patient_and_split_by_patient(own: Cached) -> None:
    part = drawn(own, 60, seed=0)
    assert len(part) == 60
    of = {s: set(part.split(s).table["patient"]) for s in ("train", "validation")}
    assert of["train"]
    assert of["validation"]
    assert not of["train"] & of["validation"]
    # All but the last patient's images are there: whole patients are drawn, not single images.
    whole = own.table["patient"].value_counts()
    cut = [p for p, n in part.table["patient"].value_counts().items() if n < whole[p]]
    assert len(cut) <= 1
    again, other = drawn(own, 60, seed=0), drawn(own, 60, seed=1)
    assert part.digest == again.digest != other.digest
    for row in range(60):  # pictures, labels and names still belong together
        (place,) = np.flatnonzero((own.table["image"] == part.table["image"][row]).to_numpy())
        assert own.rows[place] == part.rows[row]
        assert np.array_equal(own.targets[place], part.targets[row])


def test_more_images_than_there_are_cannot_be_drawn(own: Cached) -> None:
    with pytest.raises(DatasetError, match=f"{len(own)} images to draw from, not 100000"):
        drawn(own, 100000, seed=0)


def test_each_start_trains_the_same_network_the_source_the_least(source: Source) -> None:
    recipes = {start: recipe_of(start, source, 492) for start in study.STARTS}
    free = ("epochs", "learning_rate", "imagenet", "patience")
    fixed = [
        replace(r, **{f: getattr(recipes["source"], f) for f in free}) for r in recipes.values()
    ]
    assert fixed[0] == fixed[1] == fixed[2]
    assert recipes["source"].epochs * 3 < recipes["nothing"].epochs == recipes["imagenet"].epochs
    assert [name for name, r in recipes.items() if r.imagenet] == ["imagenet"]


def test_a_patient_is_not_drawn_and_judged(own: Cached, source: Source, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is among the judges and among those drawn from"):
        few(own, own, source, [60], ["nothing"], tmp_path, 0, QUIET)


def test_other_labels_judge_nothing(
    own: Cached, judges: Cached, source: Source, tmp_path: Path
) -> None:
    """Their columns would be compared by their places."""
    backwards = replace(judges, labels=LabelSet(Labels(reversed(judges.labels.labels))))
    with pytest.raises(DatasetError, match="has other labels than"):
        few(own, backwards, source, [60], ["nothing"], tmp_path, 0, QUIET)


def test_a_source_of_other_labels_is_not_judged_as_it_is(
    own: Cached, judges: Cached, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study, "VIEWS", 1)
    monkeypatch.setattr(study, "PASSES", 1)
    other = replace(source, labels=LabelSet(Labels(reversed(source.labels.labels))))
    found = few(own, judges, other, [60], ["nothing"], tmp_path, 0, QUIET)
    assert [(row["images"], row["start"]) for row in found["results"]] == [(60, "nothing")]


def test_a_start_of_other_labels_is_told_with_what_to_do(source: Source) -> None:
    """Else it seems to be worth nothing."""
    assert source.new_head(source.labels) == []
    other = source.labels._replace(head="exclusive")
    (line,) = source.new_head(other)
    assert "(independent), this run " in line
    assert "(exclusive): their channels begin anew; --labels FILE says which" in line


def test_a_list_of_labels_decides_what_is_drawn_and_judged(
    tmp_path: Path, small_nih: Path, finished_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "labels.txt").write_text(
        "\n".join(reversed(open_source(str(finished_run)).labels.names))
    )
    seen: list[tuple[str, ...]] = []

    def measure(own: Cached, judges: Cached, *_: object) -> dict[str, object]:
        seen.extend((own.labels.names, judges.labels.names))
        return {"source": {"name": "tiny", "drawn_images": ""}, "results": []}

    monkeypatch.setattr(study, "few", measure)
    options = ["--images", "100", "--from", str(finished_run), "--start", "nothing"]
    options += ["--labels", str(tmp_path / "labels.txt"), "--cache", str(tmp_path / "cache")]
    done = CliRunner().invoke(app, ["few", str(small_nih), *options])
    assert done.exit_code == 0, done.output
    assert {names[0] for names in seen} == {"No Finding"}


def test_exclusive_labels_are_ranked_as_in_a_report(judges: Cached) -> None:
    """Of logits the third label decides nothing here; of their shares it does."""
    three = LabelSet(Labels([Label("A"), Label("B"), Label("C", NORMAL)]), "exclusive")
    rng = np.random.default_rng(0)
    bears = rng.integers(0, 3, len(judges))
    of_three = replace(judges, labels=three, targets=np.eye(3, dtype=np.uint8)[bears])
    logits = rng.normal(size=(len(judges), 3)).astype(np.float32)
    logits[np.arange(len(judges)), bears] += 1
    logits += rng.normal(0, 5, (len(judges), 1)).astype(np.float32)  # changes no softmax
    shares = softmax(logits, axis=1)
    expected = np.mean([roc_auc_score(of_three.targets[:, i], shares[:, i]) for i in (0, 1)])
    assert study._macro(of_three, logits)[0] == pytest.approx(expected)


def test_the_study_measures_a_start_and_says_what_the_source_knows(
    own: Cached,
    judges: Cached,
    source: Source,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(study, "VIEWS", 1)
    monkeypatch.setattr(study, "PASSES", 1)
    found = few(own, judges, source, [60], ["nothing"], tmp_path, 0, QUIET)
    assert json.loads((tmp_path / "few.json").read_text()) == found
    assert found["over"] == ["Mass"]
    assert [(row["images"], row["start"]) for row in found["results"]] == [
        (0, "source"), (60, "nothing"),
    ]  # fmt: skip
    assert found["source"]["drawn_images"] == "of patients that the source was trained on"
    text = "\n".join(lines(found))
    assert "tiny as it is" in text
    assert "60 images  from nothing" in text


def test_each_start_is_compared_with_nothing_on_the_same_resamples() -> None:
    areas = {
        (0, "source"): np.array([0.7, 0.6, 0.8]),
        (60, "nothing"): np.array([0.55, 0.45, 0.65]),
        (60, "source"): np.array([0.72, 0.62, 0.82]),
    }
    as_it_is, tuned, nothing = study._measured(areas)
    assert (as_it_is["images"], tuned["start"], nothing["start"]) == (0, "source", "nothing")
    assert tuned["above_nothing"] == {"value": 0.17, "low": 0.17, "high": 0.17}
    assert "above_nothing" not in nothing
    assert "above_nothing" not in as_it_is


def test_images_that_the_source_was_trained_on_are_called_so(own: Cached, source: Source) -> None:
    pool, relation = study._pool(source, own)
    assert (pool.digest, relation) == (own.digest, "of patients that the source was trained on")
    other = replace(source, facts={**source.facts, "dataset": {}})
    assert "not known" in study._pool(other, own)[1]


def test_a_source_of_a_share_of_the_patients_leaves_the_others(own: Cached, source: Source) -> None:
    training = own.split("train")
    seen = training.of_patients(0.6)
    facts = {**source.facts, "dataset": {"train": {"digest": seen.digest}}}
    partial = replace(source, facts=facts, recipe=replace(source.recipe, patients=0.6))
    pool, relation = study._pool(partial, own)
    assert relation == "of patients that the source has not seen"
    assert len(pool) + len(seen) == len(training)
    assert not set(pool.table["patient"]) & set(seen.table["patient"])
