"""A labelled folder → an evaluation report, on the machine whose answers count.

Answers go into a journal beside the report as they come; after a power cut or Ctrl-C the same
command goes on, and the report is the same to the byte as if nothing had happened.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_app.classifier import Classifier
from edge_app.core import machine
from edge_app.core.errors import DatasetError, ImageError, MachineError, OutputError, UsageError
from edge_app.core.plain_text import printable
from edge_app.core.shortage import blamed
from edge_app.evaluation import report
from edge_app.evaluation.image_files import RELATIVE
from edge_app.evaluation.journal import HOW_TO_GO_ON, Journal
from edge_app.evaluation.labelled import MISSING, Labelled, LabelledImage
from edge_app.evaluation.report import Evaluated, Report
from edge_app.evaluation.second_reference import SecondReference
from edge_app.evaluation.splits import NO_PATIENTS, SPLITS
from edge_app.images.perturb import PERTURBATIONS, perturbed
from edge_app.images.radiograph import Limits, Picture, Radiograph
from edge_app.images.read import DECODERS, DECODING, Decoder, read_image
from edge_app.pipeline.interrupts import interruptible
from edge_app.pipeline.route import score_all

JOURNAL_VERSION: Final = 1
ALL: Final = "all"
NAMED: Final = 10
"""How many of the images that were left out are named, on the terminal and in the report."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Part:
    """The images of a labelled folder that are to be evaluated.

    Attributes:
        name: of the data set.
        split: one of `SPLITS`, or `ALL`.
        images: in the order of their list.
        left_out: ``(image, reason)`` of those that belong to it and cannot be.
        tells_patients: whether it is known whose the images are.
        notes: what a person should know of the folder.
    """

    name: str
    split: str
    images: list[LabelledImage]
    left_out: list[tuple[str, str]]
    tells_patients: bool
    notes: Sequence[str] = ()


def part(labelled: Labelled, split: str | None, limit: int | None = None) -> Part:
    """One split of a folder, or `ALL`.

    Args:
        labelled: the folder.
        split: if None, ``test`` where an official list says what that is, otherwise `ALL`.
        limit: only so many images.

    Raises:
        UsageError: there is no such split.
        DatasetError: no image of it is there.
    """
    if split is None:
        split = "test" if labelled.has_test_list else ALL
    if split not in (*SPLITS, ALL):
        raise UsageError(f"--split {split!r}: there are {', '.join((*SPLITS, ALL))}")
    splits = SPLITS if split == ALL else (split,)
    images = [image for image in labelled.images if image.split in splits]
    left_out = [(each.name, each.reason) for each in labelled.left_out if each.split in splits]
    if not images:
        why = f"; first left out: {left_out[0][0]}, {left_out[0][1]}" if left_out else ""
        why += f"; {RELATIVE}" if any(reason == MISSING for _, reason in left_out) else ""
        raise DatasetError(f"{labelled.name}: no labelled {split} image in it{why}")
    return Part(
        labelled.name, split, images[:limit], left_out, labelled.tells_patients, labelled.notes
    )


def model_facts(classifier: Classifier) -> dict[str, Any]:
    """A report's `model`, for a model file."""
    model = classifier.model
    return {
        "name": model.name,
        "format": model.precision,
        "sha256": model.sha256,
        "scoring": model.scoring,
        "architecture": model.manifest["architecture"],
        **({"site": classifier.site.digest} if classifier.site else {}),
    }


def runtime_facts(classifier: Classifier) -> dict[str, Any]:
    """A report's `runtime`, for a model file: interpreter, delegate, threads, machine, packages."""
    return {
        **classifier.provenance()["runtime"],
        **machine.identity(),
        "packages": machine.packages(("numpy", *DECODERS, *classifier.session.backend.packages)),
    }


def build_report(
    classifier: Classifier, evaluated: Evaluated, dataset: Mapping[str, Any]
) -> Report:
    """The report of a model file's answers, at the manifest's calibration and thresholds."""
    manifest = classifier.model.manifest
    return report.build(
        evaluated,
        labels=classifier.labels,
        head=classifier.model.head,
        model=model_facts(classifier),
        dataset=dataset,
        runtime=runtime_facts(classifier),
        calibration=manifest["calibration"],
        operating_points=manifest["operating_points"],
        operating_point=classifier.points.label,
        overall=manifest.get("overall"),
    )


def logits_of(
    classifier: Classifier, picture: Picture, image: str, retest: bool
) -> tuple[Floats, dict[str, Floats]]:
    """Logits (L,) of a picture; if `retest`, also of its perturbations, by their keys.

    Args:
        classifier: who answers.
        picture: of any size.
        image: its name, on which the perturbations depend.
    """
    resized = classifier.resized(picture)
    keys = PERTURBATIONS if retest else ()
    changed = {key: classifier.logits(perturbed(resized, key, image))[0] for key in keys}
    return classifier.logits(resized)[0], changed


Stamp = tuple[int, int, int, int]


@dataclass(frozen=True)
class Answer:
    """What a model answered about one image, as it is kept in a journal.

    Attributes:
        stamp: of the file when it was read: size, modification time (ns), inode, change time (ns).
        sha256: of the file.
        logits: one a label, float32.
        retest: as `logits`, by perturbation.
    """

    image: str
    stamp: Stamp
    sha256: str
    logits: Floats
    retest: dict[str, Floats]

    def as_record(self) -> dict[str, Any]:
        return {
            "image": self.image,
            "stamp": self.stamp,
            "sha256": self.sha256,
            "logits": _to_hex(self.logits),
            "retest": {key: _to_hex(logits) for key, logits in self.retest.items()},
        }

    @classmethod
    def from_record(cls, record: dict[str, Any], labels: int) -> Answer:
        """The answer in a journal's record; ValueError, KeyError, TypeError if it holds none."""
        size, modified, file, changed = map(int, record["stamp"])
        retest = {key: _from_hex(text, labels) for key, text in record["retest"].items()}
        return cls(
            str(record["image"]),
            (size, modified, file, changed),
            str(record["sha256"]),
            _from_hex(record["logits"], labels),
            retest,
        )


def _to_hex(logits: Floats) -> str:
    return logits.astype("<f4").tobytes().hex()


def _from_hex(text: str, labels: int) -> Floats:
    logits = np.frombuffer(bytes.fromhex(text), "<f4").astype(np.float32)
    if logits.shape != (labels,) or not np.isfinite(logits).all():
        raise ValueError("no logits")
    return logits


Progress = Callable[[Iterable[LabelledImage]], Iterable[LabelledImage]]


def journal_of(out: Path) -> Path:
    """Where the answers are kept while the report `out` is not written."""
    return out.with_name(f"{out.name}.journal")


def evaluate(
    selection: Part,
    classifier: Classifier,
    out: Path,
    *,
    retest: bool = False,
    limits: Limits | None = None,
    workers: int = 1,
    decoder: Decoder | None = None,
    second: SecondReference | None = None,
    progress: Progress = iter,
    say: Callable[[str], None] = lambda line: None,
) -> Report:
    """Score a folder's images and write the report to `out`, or go on where that stopped.

    Args:
        selection: the images.
        classifier: who answers.
        out: the report's JSON; the journal stands beside it while there is work left.
        retest: also score each image under every perturbation.
        limits: what images are refused unread; the usual ones if None.
        workers: images worked on at once; their number changes no answer.
        decoder: see `read_image`; it changes no answer either.
        second: a second reference standard that judges some of the images.
        progress: shows the images go by.
        say: called with lines for a person at a terminal: images left out, going on.

    Returns:
        The report, which also tells which images were left out.

    Raises:
        DatasetError: no image could be read.
        OutputError: journal or report cannot be written, or the machine lacks memory, descriptors
            or processes to read an image; what was answered is kept.
        KeyboardInterrupt: after Ctrl-C, between two images; what was answered is kept.
    """
    if second:
        second.require(classifier.labels)
    journal_path = journal_of(out)
    with Journal(journal_path, _subject(selection, classifier, retest)) as journal:
        known = dict(_kept(journal.records, selection.images, len(classifier.labels), retest))
        if known:
            say(f"going on: {len(known)} of {len(selection.images)} images are answered already")
        scoring = partial(_answers, classifier, retest, limits or Limits(), workers, decoder)
        left_out = _complete(known, selection, journal, scoring, progress, say)
        made = _report(selection, classifier, known, left_out)
        if second:
            made = second.judging(made, classifier.model.manifest.get("overall"))
        _write(made, out, journal_path)
        journal.remove()
    return made


def _subject(selection: Part, classifier: Classifier, retest: bool) -> dict[str, Any]:
    """What a journal must be about to be gone on with: all that decides an answer or a fact."""
    images = [[i.name, i.patient, i.targets.tolist()] for i in selection.images]
    listed = hashlib.sha256(json.dumps([selection.name, selection.split, images]).encode())
    return {
        "kind": "edge-cxr evaluation journal",
        "schema_version": JOURNAL_VERSION,
        "model": model_facts(classifier),
        "data set": listed.hexdigest(),
        "operating point": classifier.points.label,
        "runtime": _who_answers(classifier),
        "decoding of images": DECODING,
        "retest": retest,
    }


def _who_answers(classifier: Classifier) -> dict[str, Any]:
    """`runtime_facts`, but for the number of threads that a machine takes of its own accord.

    It changes no answer, and may come out otherwise when it is measured again.
    """
    facts = runtime_facts(classifier)
    known = {key: value for key, value in facts.items() if key not in classifier.choice.as_dict()}
    return {**known, "threads": classifier.options.threads}


Outcome = tuple[LabelledImage, Answer | ImageError]
"""An image, and its answer or what is wrong with it."""

Scoring = Callable[[Iterable[LabelledImage]], Generator[Outcome, None, None]]


def _complete(
    known: dict[str, Answer],
    selection: Part,
    journal: Journal,
    scoring: Scoring,
    progress: Progress,
    say: Callable[[str], None],
) -> list[tuple[str, str]]:
    """Add what is not known yet to `known` and the journal; name and reason of the left out."""
    left_out = list(selection.left_out)
    for note in selection.notes:
        say(printable(note))
    _name(left_out[:NAMED], say)
    with interruptible() as interrupted:
        todo = [image for image in selection.images if image.name not in known]
        with closing(scoring(_until(interrupted, progress(todo)))) as answered:
            for image, answer in answered:
                if isinstance(answer, MachineError):
                    raise OutputError(
                        f"{printable(image.name)}: {answer}; what was answered is kept in "
                        f"{journal.path}: {HOW_TO_GO_ON}"
                    )
                if isinstance(answer, ImageError):
                    left_out.append((image.name, str(answer)))
                    _name(left_out[-1:] if len(left_out) <= NAMED else [], say)
                else:
                    known[image.name] = answer
                    journal.append(answer.as_record())
    if len(left_out) > NAMED:
        say(f"left out: {len(left_out) - NAMED} more")
    return left_out


def _until(
    interrupted: Callable[[], bool], images: Iterable[LabelledImage]
) -> Iterator[LabelledImage]:
    for image in images:
        if interrupted():
            raise KeyboardInterrupt
        yield image


def _name(left_out: Sequence[tuple[str, str]], say: Callable[[str], None]) -> None:
    for image, reason in left_out:
        say(f"left out: {printable(image)}: {reason}")


def _kept(
    records: list[dict[str, Any]], images: list[LabelledImage], labels: int, retest: bool
) -> Iterator[tuple[str, Answer]]:
    """The journal's answers to these images, but for files that have changed since."""
    paths = {image.name: image.path for image in images}
    keys = list(PERTURBATIONS) if retest else []
    for record in records:
        try:
            kept = Answer.from_record(record, labels)
            if list(kept.retest) == keys and kept.stamp == _stamp(paths[kept.image]):
                yield kept.image, kept
        except (ValueError, KeyError, TypeError, AttributeError, OSError):
            continue  # to be answered again


def _stamp(path: Path) -> Stamp:
    """What differs where another picture took a file's place, even of the same size and date."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns


def _answers(
    classifier: Classifier,
    retest: bool,
    limits: Limits,
    workers: int,
    decoder: Decoder | None,
    images: Iterable[LabelledImage],
) -> Generator[Outcome, None, None]:
    """The route, with a reader of labelled images and a scorer that keeps logits."""
    min_side = classifier.model.input_spec.min_side

    def read(image: LabelledImage, limits: Limits) -> Radiograph:
        try:
            stamp = _stamp(image.path)
        except OSError as error:
            raise blamed(error, f"cannot be read: {error.strerror}") from None
        radiograph = read_image(image.path, limits, min_side, decoder=decoder)
        radiograph.facts["stamp"] = stamp
        return radiograph

    def score(one: Classifier, image: LabelledImage, radiograph: Radiograph) -> Answer:
        logits, changed = logits_of(one, radiograph.picture, image.name, retest)
        facts = radiograph.facts
        return Answer(image.name, facts["stamp"], facts["sha256"], logits, changed)

    return score_all(images, classifier, read, score, limits, workers, light=True)


def _report(
    selection: Part,
    classifier: Classifier,
    known: dict[str, Answer],
    left_out: list[tuple[str, str]],
) -> Report:
    images = [image for image in selection.images if image.name in known]
    if not images:
        raise DatasetError(f"{selection.name}: not one of {len(left_out)} images could be read")
    answered = [known[image.name] for image in images]
    names = np.array([image.name for image in images])
    targets = np.stack([image.targets for image in images])
    keys = answered[0].retest
    evaluated = Evaluated(
        names,
        np.array([image.patient for image in images]),
        targets,
        np.stack([each.logits for each in answered]),
        {key: np.stack([each.retest[key] for each in answered]) for key in keys},
    )
    digests = [each.sha256 for each in answered]
    notes = [printable(note) for note in selection.notes]
    notes += _learned(classifier, images, digests)
    if not selection.tells_patients:
        notes.append(NO_PATIENTS)
    if left_out:
        notes.append(
            f"{len(left_out)} images of this split were left out: missing, unreadable or unlabelled"
        )
    dataset = {
        "name": selection.name,
        "split": selection.split,
        "digest": report.dataset_digest(names, digests, targets),
        "notes": notes,
        "left_out": {
            "images": len(left_out),
            "first": [{"image": name, "reason": reason} for name, reason in left_out[:NAMED]],
        },
    }
    return build_report(classifier, evaluated, dataset)


LEARNED: Final = (
    ("train", "trained the network", (("train",), ("train", "validation"))),  # the latter a refit
    ("validation", "chose the network's epoch, or thresholds", (("validation",),)),
)
"""For each role: its key in the manifest, what the images did, and the splits that they may be in
here."""


def _learned(
    classifier: Classifier, images: Sequence[LabelledImage], digests: Sequence[str]
) -> Iterator[str]:
    """A line where images are those that a network was made with, by the digest that it states."""
    stated = classifier.model.manifest["training"].get("dataset", {})
    for key, what, places in LEARNED:
        for splits in places:
            rows = [row for row, image in enumerate(images) if image.split in splits]
            if not rows or "digest" not in stated.get(key, {}):
                continue
            targets = np.stack([images[row].targets for row in rows])
            names, files = [images[row].name for row in rows], [digests[row] for row in rows]
            if report.dataset_digest(names, files, targets) == stated[key]["digest"]:
                yield f"{len(rows)} of these images {what}: what is measured on them is too good"
                break


def _write(made: Report, out: Path, journal: Path) -> None:
    try:
        report.write(made, out)
    except OSError as error:
        raise OutputError(
            f"{error.filename or out}: cannot be written: {error.strerror or error}; the answers "
            f"are kept in {journal}: make room, then {HOW_TO_GO_ON}"
        ) from None
