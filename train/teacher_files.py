"""Opening teachers: finished runs, model files, files of scores and published networks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from edge_app.classifier import Classifier
from edge_app.core.errors import ImageError
from edge_app.evaluation import score_files
from edge_app.evaluation.label_names import plain_name
from edge_app.evaluation.score_files import Scores, matched
from edge_app.images.array import from_array
from edge_app.images.radiograph import Picture, Radiograph
from edge_app.model.calibration import calibrated
from edge_app.model.model_file import locate, read
from edge_app.model.preprocess import STRETCH
from edge_app.pipeline.reader import ready
from edge_app.pipeline.route import score_all, unbroken
from train import published
from train.cache import Cached
from train.console import console, say
from train.data_types import DataFacts
from train.datasets.dataset import UNLABELLED
from train.datasets.registry import load
from train.errors import DatasetError, RunError
from train.finished_run import open_run
from train.labels import LabelSet
from train.options import read_data
from train.predict import logits_only, predict
from train.source import learned_alone
from train.teachers import NOT_STATED, Teacher, Teachers, Validated, ensemble

if TYPE_CHECKING:
    from edge_app.model.manifest_types import Head

Floats = NDArray[np.float32]

SCORES: Final = (".csv", ".npz", ".parquet")
MAX_OFF: Final = 0.02
"""How far from 1 the sum of exclusive labels' probabilities may be, since files round them."""


def read_teachers(
    sources: Sequence[Path | str],
    data: Path,
    cache: Path,
    limit: int | None,
    cached: Cached,
    trained_on: Sequence[str] = (),
    *,
    unlabelled: bool = False,
) -> Teachers | None:
    """An ensemble of teachers; refuses those that are known to know the validation patients.

    Args:
        sources: see `read_teacher`; with none there is no ensemble.
        data, cache, limit: see `options.read_data`; each teacher sees the images at its own size.
        cached: the student's images.
        trained_on: for each teacher that does not state it, in order, what it learned from.
        unlabelled: whether they teach the images without labels, too.

    Raises:
        RunError: one cannot be a teacher, or `trained_on` has more entries than are needed.
        DatasetError: one is known to know the student's validation patients.
    """
    words = iter(trained_on)
    student = cached.split("train", "validation")
    if unlabelled:
        student = cached.split("train", "validation", UNLABELLED)
    members = []
    for source in sources:
        member = read_teacher(source, data, cache, limit, student, words)
        member.require_unseen(cached.split("validation"))
        if not member.knows_no_more(cached):
            say(
                console,
                f"teacher {member.name}, trained on: {member.trained_on}: nothing shows that it "
                "does not know the test patients, and the model card will say so",
            )
        members.append(member)
    left = list(words)
    if left:
        raise RunError(f"--teacher-trained-on {left[0]!r}: every teacher says itself what it knows")
    return ensemble(members, cached) if members else None


def read_teacher(
    source: Path | str,
    data: Path,
    cache: Path,
    limit: int | None,
    student: Cached,
    words: Iterator[str] | None = None,
) -> Teacher:
    """A teacher.

    Args:
        source: a finished run's folder; a model file, or a shipped model's name; a file of scores,
            see `score_files`; or a published network, see `published`.
        data, cache, limit: see `options.read_data`.
        student: the images that the student may train on.
        words: the next one is taken if the teacher does not state what it learned from.

    Raises:
        RunError: it is none of these, or knows none of the student's labels.
        DatasetError: scores of some images are missing.
    """
    name, path, words = str(source), Path(source), words or iter(())
    if name.startswith(published.PREFIX):
        return _published(name.removeprefix(published.PREFIX), data, limit, student)
    if path.is_dir():
        return _run(path, data, cache, limit, student)
    if path.suffix.lower() in SCORES:
        return _scores_file(path, student, words)
    return _model(path, data, cache, limit, student, words)


def _run(source: Path, data: Path, cache: Path, limit: int | None, student: Cached) -> Teacher:
    run = open_run(source)
    known = _known(str(source), run.labels.names, student.labels, run.labels.head)
    facts, network = run.config.dataset, logits_only(run.model)

    def scores(cached: Cached) -> Floats:
        found = calibrated(predict(network, cached), run.calibration, run.labels.head)
        return _in_our_order(found, known)

    return Teacher(
        f"{run.recipe.network} {_digest(run.model)[:16]}",
        _stated(facts) or NOT_STATED,
        scores,
        run.model,
        _validated(facts, run.recipe.patients),
        _same_splits(read_data(data, run.recipe.side, cache, limit, student.labels), student),
    )


def _digest(network: keras.Model) -> str:
    """SHA-256 of a network's weights, which are the same in whatever file they lie."""
    digest = hashlib.sha256()
    for weights in network.get_weights():
        digest.update(np.asarray(weights, np.float32).tobytes())
    return digest.hexdigest()


def _same_splits(cached: Cached, student: Cached) -> Cached:
    """The images of the splits that a student may train on."""
    return cached.split(*student.table["split"].unique())


def _model(
    source: Path, data: Path, cache: Path, limit: int | None, student: Cached, words: Iterator[str]
) -> Teacher:
    model = read(locate(str(source)))
    known = _known(str(source), model.labels.names, student.labels, model.head)
    training = model.manifest.get("training", {})
    facts = training.get("dataset", {})
    spec, classifier = model.input_spec, Classifier(model)
    if spec.height == spec.width and spec.resize == STRETCH:
        cached = read_data(data, spec.height, cache, limit, student.labels)
        cached = _same_splits(cached, student)
        logits = partial(model_file_logits, classifier)
    else:  # the cache holds squares, and this network sees something else
        cached = student
        logits = partial(_of_sources, data, limit, lambda pixels: classifier.logits(pixels)[0])

    def scores(images: Cached) -> Floats:
        found = calibrated(logits(images), model.manifest["calibration"], model.head)
        return _in_our_order(found, known)

    return Teacher(
        f"{model.manifest['architecture']} {model.sha256[:16]}",
        _stated(facts) or next(words, NOT_STATED),
        scores,
        None,
        _validated(facts, training.get("recipe", {}).get("patients", 1.0)),
        cached,
    )


def _scores_file(source: Path, student: Cached, words: Iterator[str]) -> Teacher:
    found = score_files.read(source)
    known = _known(str(source), found.labels, student.labels)
    values = _probabilities(found, student.labels.head)

    def scores(cached: Cached) -> Floats:
        names = cached.table["image"].tolist()
        of_names = matched(source, found.all_images, names, cached.named)[: len(found.images)]
        places = {place: row for row, place in enumerate(of_names) if place is not None}
        missing = [name for place, name in enumerate(names) if place not in places]
        if missing:
            raise DatasetError(
                f"{source}: has no scores of {len(missing)} of the {len(names)} images that this "
                f"run may train on, such as {missing[0]}"
            )
        return _in_our_order(values[[places[place] for place in range(len(names))]], known)

    name = f"{source.stem} {found.sha256[:16]}"
    return Teacher(name, next(words, NOT_STATED), scores, None, None, student)


def _probabilities(found: Scores, head: Head) -> NDArray[np.float64]:
    """N×L scores in 0..1; those of exclusive labels add up to 1.

    Raises:
        DatasetError: they do not; names the image.
    """
    if found.scale == "logits":
        neutral = {"slope": [1.0] * len(found.labels), "intercept": [0.0] * len(found.labels)}
        return calibrated(found.values, neutral, head)
    if head != "exclusive":
        return found.values
    sums = found.values.sum(axis=1)
    wrong = np.flatnonzero(np.abs(sums - 1) > MAX_OFF)
    if len(wrong):
        raise DatasetError(
            f"{found.path}: probabilities of {found.images[wrong[0]]} add up to "
            f"{sums[wrong[0]]:.3g}: of exclusive labels they add up to 1, as a softmax gives them"
        )
    return np.asarray(found.values / sums[:, np.newaxis])


def _published(name: str, data: Path, limit: int | None, student: Cached) -> Teacher:
    network = published.load(name)
    known = _known(name, network.labels, student.labels)

    def scores(cached: Cached) -> Floats:
        return _in_our_order(_of_sources(data, limit, network.scores, cached), known)

    return Teacher(
        f"{network.name} {network.sha256[:16]}", network.trained_on, scores, None, None, student
    )


def _known(
    source: str, names: Sequence[str], requested: LabelSet, head: Head | None = None
) -> list[int | None]:
    """The place of each of the student's labels among a teacher's; None where it is missing.

    Args:
        source: begins the message of an error.
        names: the teacher's labels.
        requested: the student's labels.
        head: the teacher's; None where it is not known.

    Raises:
        RunError: the teacher knows none of them, or exclusive labels meet other labels.
    """
    places = {plain_name(name): place for place, name in enumerate(names) if name}
    known = [places.get(plain_name(name)) for name in requested.names]
    if all(place is None for place in known):
        raise RunError(
            f"{source}: knows none of this run's labels ({', '.join(requested.names[:5])}, …), but "
            f"{', '.join(list(names)[:5])}: see --labels FILE"
        )
    exclusive = requested.head == "exclusive"
    others = exclusive and (None in known or len(places) > len(known))
    if (head is not None and head != requested.head) or others:
        raise RunError(
            f"{source}: exclusive labels are taught by a teacher of the same exclusive labels, and "
            "others by one whose labels are not: see --labels FILE"
        )
    return known


def _in_our_order(scores: NDArray[Any], known: list[int | None]) -> Floats:
    """M×L in the order of the student's labels; NaN where a label is not known."""
    ours = np.full((len(scores), len(known)), np.nan, np.float32)
    for channel, place in enumerate(known):
        if place is not None:
            ours[:, channel] = scores[:, place]
    return ours


def _stated(facts: DataFacts) -> str:
    """What a run or a model file was trained on, in words; empty if it does not say."""
    trained = facts.get("train")
    if not trained:
        return ""
    words = f"{trained['name']}, {trained['split']}: {trained['images']} images"
    further = [f"{each['name']}: {each['origin']}" for each in facts.get("further", ())]
    words += f" (with {'; '.join(further)})" if further else ""
    taught = facts.get("teachers_trained_on")
    return words + (f", and from teachers trained on {'; '.join(taught)}" if taught else "")


def _validated(facts: DataFacts, share: float) -> Validated | None:
    if "validation" not in facts:
        return None
    digest = None if "refit_of" in facts else facts["validation"]["digest"]
    apart = (each["apart"] for each in facts.get("further", ()))
    alone = learned_alone(facts) and all(apart)
    return Validated(facts["validation"]["name"], digest, alone, facts, share)


def model_file_logits(classifier: Classifier, cached: Cached) -> Floats:
    """Logits M×L of a model file over cached images of its size."""
    pictures = (from_array(cached.images[row]) for row in cached.rows)

    def score(one: Classifier, source: object, image: Radiograph) -> Floats:
        return one.logits(image.picture)[0]

    return np.stack([each for _, each in unbroken(score_all(pictures, classifier, ready, score))])


def _of_sources(
    data: Path, limit: int | None, score: Callable[[Picture], NDArray[Any]], cached: Cached
) -> NDArray[Any]:
    """M×K scores of the original pictures rather than the cached ones, in the order of `cached`."""
    dataset = load(data, limit=limit, labels=cached.labels)
    places = {name: place for place, name in enumerate(cached.table["image"])}
    found: dict[int, NDArray[Any]] = {}
    for index, pixels, _ in dataset.pixels():
        place = places.get(dataset.table["image"][index])
        if place is not None and not isinstance(pixels, ImageError):
            found[place] = score(pixels)
    return np.stack([found[place] for place in range(len(places))])
