"""A run folder from start to end: configuration, montage, training, calibration, curves.

config.json         recipe and data set
train.png           a montage of training images with their labels
history.csv         loss and validation AUROC by epoch; curves.png draws it
kept.weights.h5     the best epoch's weights (a refit's: the last one's); model.keras the network
calibration.json    Platt scaling and operating points, from validation
reports/            what `evaluate` wrote
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from edge_app.core.files import write_whole
from edge_app.core.plain_text import printable
from edge_app.evaluation import report
from edge_app.evaluation.label_names import listed
from edge_app.evaluation.report import Evaluated, Report
from edge_app.evaluation.splits import NO_PATIENTS, Split
from edge_app.model.calibration import calibrated
from train import machines, pictures
from train.backend import versions
from train.cache import Cached
from train.calibrate import DEFAULT_POINT, MIN_IMAGES, fitted, operating_points
from train.datasets import joined
from train.datasets.dataset import UNLABELLED
from train.errors import DatasetError, RunError
from train.fit import build, fit, require_trainable, trained_part
from train.labels import OF_NIH, LabelSet
from train.overall import image_level
from train.predict import logits_only, predict
from train.recipes import Recipe
from train.resume import finished_epochs
from train.source import Source, known_patients, learned_alone, told
from train.targets import AUXILIARY, auxiliary_names, training_targets
from train.teachers import Teachers


def dataset_facts(cached: Cached, split: str) -> dict[str, Any]:
    """What a report and a manifest say of the images they rest on."""
    facts: dict[str, Any] = {
        "name": cached.name,
        "split": split,
        "digest": cached.digest,
        "images": len(cached),
        "patients": int(cached.table["patient"].nunique()),
    }
    notes = [*([] if cached.tells_patients else [NO_PATIENTS]), *cached.notes]
    return facts | {"notes": notes} if notes else facts


def part_to_train_on(recipe: Recipe, cached: Cached, *splits: Split) -> Cached:
    """The images of these splits, and the unlabelled ones if the recipe takes them.

    Raises:
        DatasetError: the recipe takes unlabelled images, and there are none.
    """
    if not recipe.unlabelled:
        return cached.split(*splits)
    if not len(cached.split(UNLABELLED)):
        raise DatasetError(
            f"{cached.name}: has no unlabelled images, which the recipe asks for: name some in a "
            "list of data sets, or --set unlabelled=0"
        )
    return cached.split(*splits, UNLABELLED)


def _further_facts(training: Cached) -> dict[str, Any]:
    """What is said of the data sets that train beside the one that validates and tests.

    `own` is the digest of that one's training images.
    """
    parts = [(each, training.of_source(i)) for i, each in enumerate(training.further, 1)]
    found = [
        {
            **each._asdict(),
            "images": len(part),
            "patients": int(part.table["patient"].nunique()),
            "digest": part.digest,
        }
        for each, part in parts
        if len(part)
    ]
    return {"own": training.of_source(0).digest, "further": found} if found else {}


FINAL_SPLIT = "train and validation"

SIDES: Final = re.compile(r"\b(left|right|dextrocardia|situs)\b", re.IGNORECASE)
"""In the name of a label that is another one in a mirror."""

TRAINED_ON: Final = "the network was trained on these patients: this says nothing of others"
NOT_SHOWN: Final = (
    "nothing shows that the network was not trained on some: its training images are not those of "
    "this data set as it is now"
)
TAUGHT_ON: Final = (
    "nothing shows that what it was started from, or taught by, was not trained on some of these "
    "patients"
)
"""Stand among the notes on images that judge a network which knows, or may know, them."""


def train(
    recipe: Recipe,
    cached: Cached,
    run: Path,
    console: Console,
    teachers: Teachers | None = None,
    precision: str = "float32",
    go_on: Callable[[], bool] = lambda: True,
    source: Source | None = None,
) -> bool:
    """Train, or go on with, `run`; then keep the best epoch, calibrated on validation.

    Args:
        recipe, cached: what decides the run.
        run: its folder.
        console: for progress.
        teachers: whose scores the recipe distils, if it does.
        precision, go_on, source: see `fit.fit`.

    Returns:
        Whether the run is finished, and not interrupted by `go_on`.

    Raises:
        DatasetError: the images cannot be trained on or validated with.
        RunError: the folder holds another run, is in use, or training diverged.
    """
    started_from = _started_from(source, cached)
    training, validation = part_to_train_on(recipe, cached, "train"), cached.split("validation")
    if recipe.patients < 1.0:
        training = training.of_patients(recipe.patients)
    # Nothing is written before the data are known to do.
    require_trainable(recipe, training, validation)
    training_targets(recipe, training, teachers.scores_of(training) if teachers else None)
    facts: dict[str, Any] = {
        "train": dataset_facts(training, "train"),
        "validation": dataset_facts(validation, "validation"),
        **_further_facts(training),
        **_auxiliary_facts(recipe, training, console),
    }
    if teachers:
        facts["teachers"] = teachers.names
        facts["teachers_trained_on"] = teachers.trained_on
        facts["teachers_know_no_more"] = teachers.knows_no_more
    if started_from:
        facts["started_from"] = started_from
        console.print(told(started_from), highlight=False, soft_wrap=True)
    for line in joined.told(facts.get("further", ())):
        console.print(line, highlight=False, soft_wrap=True)
    _say_doubts(recipe, training, validation, console)
    machines.require_same(json.dumps([asdict(recipe), facts, precision, versions()]))
    run.mkdir(parents=True, exist_ok=True)
    with machines.run_folder(run) as run, _alone(run):
        _begin(run, recipe, facts, precision, cached.labels)
        pictures.montage(training, run / "train.png")
        done = fit(recipe, training, validation, run, console, teachers, precision, go_on, source)
        if done:
            keep_best(recipe, validation, run)
            _say_undecided(run, cached.labels, console)
            _point_on(run, console)
    return done


def _say_doubts(recipe: Recipe, training: Cached, validation: Cached, console: Console) -> None:
    """Name files that train and validate, and labels that a mirrored image would bear wrongly."""
    lines = [f"validation: {line}" for line in told_twice(validation, training)]
    names = [n for n in training.labels.names if SIDES.search(n.replace("_", " "))]
    if names and recipe.augmentation.flip:
        lines.append(
            f"{listed(names)}: training mirrors images, and a side is then the other one: "
            "--set augmentation.flip=0"
        )
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)


def _say_undecided(run: Path, labels: LabelSet, console: Console) -> None:
    """Name the labels that nothing will be decided on."""
    decided = json.loads((run / "calibration.json").read_text())
    thresholds = decided["operating_points"][DEFAULT_POINT]["thresholds"]
    names = [name for name, at in zip(labels.names, thresholds, strict=True) if at is None]
    if names:
        console.print(
            f"{run}: no threshold for {listed(names)}: each takes {MIN_IMAGES} validation images "
            "that bear it and as many that do not: add images",
            highlight=False,
            soft_wrap=True,
        )


def _auxiliary_facts(recipe: Recipe, training: Cached, console: Console) -> dict[str, Any]:
    """Which auxiliary targets there are, where a recipe asks for more than that; says so."""
    names = auxiliary_names(recipe, training.table)
    missing = [name for name in AUXILIARY if name not in names]
    if not recipe.auxiliary or not missing:
        return {}
    console.print(
        f"{training.name}: tells no {', '.join(missing)}: training leaves out these auxiliary "
        "targets",
        highlight=False,
        soft_wrap=True,
    )
    return {"auxiliary": list(names)}


def _started_from(source: Source | None, cached: Cached) -> dict[str, Any] | None:
    """What a run's configuration says of its source.

    Raises:
        RunError: it was trained on the validation patients.
    """
    if source is None:
        return None
    known = source.knows(cached)
    if known["validation"] == "seen":
        raise RunError(
            f"{source.facts['name']} was trained on these validation patients: no epoch, threshold "
            "or calibration could be chosen by them; start from a run that was not"
        )
    return {**source.facts, "test_patients": known["test"]}


def keep_best(recipe: Recipe, validation: Cached, run: Path) -> None:
    """Make of `kept.weights.h5` and `history.csv` all else that a finished run holds."""
    pictures.training_curves(run / "history.csv", run / "curves.png")
    model = _keep_network(recipe, run)
    _decide(model, validation, run)


def refit(
    validated: Path,
    cached: Cached,
    run: Path,
    console: Console,
    teachers: Teachers | None = None,
    precision: str = "float32",
    source: Source | None = None,
) -> None:
    """Train a run's recipe once more, on its validation patients as well.

    Nothing is left to choose an epoch, calibrate or set thresholds by: the last epoch is kept,
    and the calibration and operating points are those of the run before. Only these need it to
    be finished; both can train side by side.

    Args:
        validated: folder of the run whose recipe is judged on validation.
        cached: the same data set.
        run: the new run's folder.
        console: for progress.
        teachers, source: the same that `validated` had.
        precision: of the arithmetic of training, see `fit.fit`.

    Raises:
        DatasetError: the images cannot be trained on.
        RunError: other data or teachers, the folder holds another run, training diverged, or
            the run before is not finished by the time that this one is.
    """
    config = read_config(validated / "config.json")
    recipe, before = Recipe.from_dict(config["recipe"]), config["dataset"]
    training = part_to_train_on(recipe, cached, "train", "validation")
    validation = cached.split("validation")
    if (teachers.names if teachers else None) != before.get("teachers"):
        raise RunError(f"{validated} was trained with other teachers: give it the same")
    if _started_from(source, cached) != before.get("started_from"):
        raise RunError(f"{validated} was started from another network: give it the same --from")
    if "refit_of" in before or before["validation"]["digest"] != validation.digest:
        raise RunError(f"{validated} was not validated on this data set's validation")
    require_trainable(recipe, training, None)
    training_targets(recipe, training, teachers.scores_of(training) if teachers else None)
    anew = ("auxiliary", "own", "further")
    facts = {
        **{key: value for key, value in before.items() if key not in anew},
        "train": dataset_facts(training, FINAL_SPLIT),
        **_further_facts(training),
        "refit_of": hashlib.sha256((validated / "config.json").read_bytes()).hexdigest(),
        **_auxiliary_facts(recipe, training, console),
    }
    run.mkdir(parents=True, exist_ok=True)
    with _alone(run):
        _begin(run, recipe, facts, precision, cached.labels)
        fit(recipe, training, None, run, console, teachers, precision, source=source)
        _keep_network(recipe, run)
        _require_finished(validated)
        shutil.copyfile(validated / "calibration.json", run / "calibration.json")
    _point_on(run, console)


def _point_on(run: Path, console: Console) -> None:
    console.print(
        f"{run}: done; next: python -m train evaluate {run} DATA", highlight=False, soft_wrap=True
    )


@contextmanager
def _alone(run: Path) -> Iterator[None]:
    with (run / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(f"{run}: another training is writing to it") from None
        yield


def _begin(
    run: Path, recipe: Recipe, facts: dict[str, Any], precision: str, labels: LabelSet
) -> None:
    """Write what the run is made of; or refuse to go on with it as something else.

    A folder in which no epoch came to its end, and no network was kept, is begun anew.
    """
    config = run / "config.json"
    empty = not finished_epochs(run / "backup") and not (run / "kept.weights.h5").exists()
    if not config.exists() or empty:
        content = {
            "recipe": asdict(recipe),
            "dataset": facts,
            "labels": labels.as_dict(),
            "packages": versions(),
            "precision": precision,
        }
        write_whole(config, (json.dumps(content, indent=2) + "\n").encode())
        return
    before = read_config(config)
    earlier = asdict(Recipe.from_dict(before["recipe"]))
    changed = [key for key, value in asdict(recipe).items() if earlier[key] != value]
    if before["dataset"] != facts:
        changed.append("the data set, the teachers or the start")
    if LabelSet.from_dict(before["labels"]) != labels:
        changed.append("list of labels")
    if changed:
        raise RunError(
            f"{config.parent} was begun with another {', '.join(changed)}: "
            "give this run another --run folder"
        )


def _keep_network(recipe: Recipe, run: Path) -> keras.Model:
    """The kept weights as a network with both outputs, without what only training needs."""
    config = read_config(run / "config.json")
    model = build(replace(recipe, imagenet=False), LabelSet.from_dict(config["labels"]))
    auxiliary = config["dataset"].get("auxiliary", AUXILIARY)
    trained_part(model, recipe, len(auxiliary)).load_weights(run / "kept.weights.h5")
    model.save(run / "model.keras")
    return model


def _decide(model: keras.Model, validation: Cached, run: Path) -> None:
    """Calibration and operating points from validation."""
    logits = predict(logits_only(model), validation)
    where = f"validation, {validation.counted}"
    labels, head, _ = validation.labels
    calibration = fitted(validation.targets, logits, where, head)
    points = operating_points(validation.targets, logits, calibration, where, head)
    scores = calibrated(logits, calibration, head)
    whole = image_level(validation.targets, scores, labels, head, where)
    decided = {"calibration": calibration, "operating_points": points, "image_level": whole}
    write_whole(run / "calibration.json", (json.dumps(decided, indent=1) + "\n").encode())


def read_config(path: Path) -> dict[str, Any]:
    """A run's `config.json`.

    Raises:
        RunError: it is missing or damaged.
    """
    try:
        content = json.loads(path.read_text())
        facts = {key: content[key] for key in ("recipe", "dataset", "packages")}
        return facts | {
            "labels": content.get("labels", OF_NIH.as_dict()),
            "precision": content.get("precision", "float32"),
        }
    except FileNotFoundError:
        raise RunError(f"{path.parent}: no {path.name}: train it to its end first") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: is damaged: {error}") from None


@dataclass(frozen=True)
class FinishedRun:
    """A trained network with what was decided on validation.

    Attributes:
        image_level: see `overall.image_level`; nothing in runs of an earlier version.
    """

    folder: Path
    recipe: Recipe
    config: dict[str, Any]
    model: keras.Model
    calibration: dict[str, Any]
    operating_points: dict[str, Any]
    image_level: dict[str, Any] = field(default_factory=dict)

    @property
    def labels(self) -> LabelSet:
        """What its outputs stand for."""
        return LabelSet.from_dict(self.config["labels"])


def open_run(folder: Path) -> FinishedRun:
    """Load a run folder.

    Raises:
        RunError: the run is not finished, or damaged.
    """
    config = read_config(folder / "config.json")
    _require_finished(folder)
    try:
        decided = json.loads((folder / "calibration.json").read_text())
        model = keras.models.load_model(folder / "model.keras", compile=False)
        recipe = Recipe.from_dict(config["recipe"])
        return FinishedRun(folder, recipe, config, model, **decided)
    except (OSError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise RunError(f"{folder}: is damaged: {reason}") from None


def _require_finished(folder: Path) -> None:
    if not (folder / "calibration.json").exists():
        raise RunError(f"{folder}: no calibration.json: train it to its end first")


def judges(run: FinishedRun, cached: Cached, split: Split) -> Cached:
    """The images of one split, with a note where the run knows, or may know, their patients.

    What it was started from or taught by may know them as well.

    Args:
        run: what they judge.
        cached: the whole data set. Its splits move when patients are added to it, and then one
            who trained may test.
        split: validation or test.

    Raises:
        DatasetError: no image is in it.
    """
    images = cached.split(split)
    if not len(images):
        raise DatasetError(f"{cached.name}: no {split} images in it")
    dataset = run.config["dataset"]
    known = known_patients(dataset, cached, run.recipe.patients)[split]
    taught = () if learned_alone(dataset) else (TAUGHT_ON,)
    notes = {"not seen": taught, "seen": (TRAINED_ON,), "not known": (NOT_SHOWN,)}[known]
    parts = [(cached.split("train"), "train")]
    if split == "test":
        parts.append((cached.split("validation"), "validate"))
    twice = [line for part, does in parts for line in told_twice(images, part, does)]
    return replace(images, notes=(*notes, *twice))


def told_twice(images: Cached, others: Cached, does: str = "train") -> list[str]:
    """A line where images that judge are, under whatever name, files of others.

    Args:
        images: that judge.
        others: of another split.
        does: what that one does.
    """
    shared = images.table["image"][images.table["sha256"].isin(others.table["sha256"])].tolist()
    if not shared:
        return []
    return [
        f"{len(shared)} of these images are files that also {does}, such as "
        f"{printable(shared[0])}: take them out, or what is measured is too good"
    ]


def build_report(
    run: FinishedRun,
    cached: Cached,
    logits: NDArray[np.float32],
    retest: dict[str, NDArray[np.float32]],
    *,
    split: str,
    model: dict[str, Any],
    runtime: dict[str, Any],
) -> Report:
    """The evaluation report of any runtime's logits over `cached`, at the run's thresholds."""
    return report.build(
        Evaluated(
            cached.table["image"].to_numpy(str),
            cached.table["patient"].to_numpy(str),
            cached.targets,
            logits,
            retest,
        ),
        labels=run.labels.labels,
        head=run.labels.head,
        model=model,
        dataset=dataset_facts(cached, split),
        runtime=runtime,
        calibration=run.calibration,
        operating_points=run.operating_points,
        operating_point=DEFAULT_POINT,
        overall=run.image_level.get("overall"),
    )
