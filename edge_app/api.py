"""The Python entrance: open a model, classify, evaluate, compare. Import it as `edge_app`."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from edge_app.backends.options import AUTO, BackendOptions
from edge_app.classifier import Classifier
from edge_app.classifier import Findings as Scored
from edge_app.core.errors import ImageError, LabelError, ModelError, UsageError
from edge_app.core.plain_text import percent
from edge_app.core.resources import cores
from edge_app.core.site_place import site_place
from edge_app.images.radiograph import Limits, Radiograph
from edge_app.model.decisions import Finding
from edge_app.model.model_file import locate, read
from edge_app.model.shipped import DEFAULT_MODEL
from edge_app.pipeline.reader import ImageSource, read_image_source
from edge_app.pipeline.route import score_all, unbroken

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge_app.comparison.compare import Comparison
    from edge_app.comparison.gates import GateResult, Verdict
    from edge_app.evaluation.evaluate import Part
    from edge_app.evaluation.report import Report
    from edge_app.model.site import Site

LIMITS = Limits()
Source = TypeVar("Source", bound=ImageSource)


class Findings(Mapping[str, Finding]):
    """The answer for one radiograph: a mapping from each label to its finding, in label order.

    A finding has `label`, `score` (calibrated probability, 0 to 1), `usually` (the share of images
    that bear the label where the model was calibrated), `percentile` (share of normal images that
    score lower), `logit`, `threshold` (on the score), `above`, which is True of no finding unless
    the image is flagged, and `ppv`, what the threshold is worth where a site file knows it. Where
    the findings are withheld the mapping is empty.

    Attributes:
        withheld: why there are no findings, such as that this is no chest radiograph; None where
            there are.
        warnings: one line each, of the image and of its scoring.
        blank: the picture is (nearly) constant, so its scores mean nothing.
        image: what is known of the image: `format`, `width`, `height`, `bits`, `window`, …
    """

    def __init__(self, scored: Scored, image: Radiograph) -> None:
        self.withheld: str | None = scored.withheld
        self.warnings: tuple[str, ...] = scored.warnings
        self.blank: bool = scored.blank
        self.image: dict[str, Any] = image.facts
        self._map, self._overall, self._ranked = scored.map, scored.overall, tuple(scored.ranked)
        self._by_label = {finding.label: finding for finding in scored.findings}
        self._channels = {label: channel for channel, label in enumerate(self._by_label)}

    def __getitem__(self, label: str) -> Finding:
        """The finding of a label.

        Raises:
            LabelError: there is no such label, or the findings are withheld; a KeyError too.
        """
        try:
            return self._by_label[label]
        except KeyError:
            raise LabelError(self._why_not(label)) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_label)

    def __len__(self) -> int:
        return len(self._by_label)

    def __contains__(self, label: object) -> bool:
        return label in self._by_label

    @property
    def overall(self) -> float | None:
        """The probability that the image is not normal, 0 to 1.

        None where the model's labels say nothing of that, or the findings are withheld.
        """
        return None if self._overall is None else self._overall.probability

    @property
    def flagged(self) -> bool | None:
        """Whether `overall` reaches the threshold of the operating point.

        None where that decides label by label, or there is no `overall`.
        """
        return None if self._overall is None else self._overall.flagged

    @property
    def percentile(self) -> float | None:
        """At least this share, 0 to 1, of the model's normal reference images scores lower.

        None where the model has no reference, or there is no `overall`.
        """
        return None if self._overall is None else self._overall.percentile

    @property
    def ranked(self) -> tuple[Finding, ...]:
        """The findings, the most probable first; the normal label is not among them."""
        return self._ranked

    def heatmap(self, label: str) -> NDArray[np.float32]:
        """Where in the picture the evidence for a label lies.

        Returns:
            h×w float32, in logits; its mean is the label's logit. The cells are the network's own
            (4×4 to 16×16 in the shipped models) and cover what the network sees, which is the whole
            picture where the picture is stretched.

        Raises:
            LabelError: there is no such label, or the findings are withheld; a KeyError too.
            ModelError: the model gives no map.
        """
        if label not in self:
            raise LabelError(self._why_not(label))
        if self._map is None:
            raise ModelError("this model gives no map, so there is no heatmap: use another model")
        cells: NDArray[np.float32] = self._map[..., self._channels[label]]
        return cells

    def _why_not(self, label: str) -> str:
        if self.withheld:
            return (
                f"the findings are withheld: the picture {self.withheld}; open_model(…, "
                "force=True) scores it all the same"
            )
        return f"there is no label {label!r}; there are: {', '.join(self)}"

    def __repr__(self) -> str:
        if self.withheld:
            return f"<Findings withheld: {self.withheld}>"
        if self.flagged is None or self.overall is None:
            above = [finding.label for finding in self.values() if finding.above]
            return f"<Findings above their thresholds: {', '.join(above) or 'none'}>"
        state = "flagged" if self.flagged else "not flagged"
        whole = percent(self.overall, 1, "%")
        first = ", ".join(f"{each.label} {percent(each.score, 1, '%')}" for each in self.ranked[:3])
        return f"<Findings, {state}, overall {whole}: {first}, …>"


class Model:
    """A model ready to answer; made by `open_model`.

    Threads may share it: images are read in parallel, and the network computes for one thread at
    a time. To use several cores, call `classify_all`.

    Attributes:
        name: of the model.
        labels: in the order of the findings.
        operating_point: whose thresholds decide.
        site: digest of the site file that decides; None where the model decides as it came.
        notes: one line each for the user: which preferred backend is not used, and why; which site
            file decides that was not asked for.
    """

    def __init__(
        self,
        path: Path,
        operating_point: str | None,
        options: BackendOptions,
        limits: Limits,
        force: bool,
        site: str | None,
    ) -> None:
        self._file, self._options, self._limits, self._force = read(path), options, limits, force
        self._site, announced = _site(site)
        self._classifier = Classifier(
            self._file, operating_point, options, force=force, site=self._site
        )
        self._lock = threading.Lock()
        self.name: str = self._file.name
        self.labels: tuple[str, ...] = self._classifier.labels.names
        self.operating_point: str = self._classifier.points.name
        self.site: str | None = self._site.digest if self._site else None
        self.notes: tuple[str, ...] = (*self._classifier.notes, *announced)

    def classify(self, image: ImageSource) -> Findings:
        """Score one radiograph.

        Args:
            image: a path, a file's bytes, an open binary file, or H×W uint8 or uint16 (air dark,
                bone bright). What `edge-cxr classify` reads: PNG, JPEG, TIFF, BMP, WebP, DICOM.

        Returns:
            The findings; withheld, and why, where this does not look like a chest radiograph.

        Raises:
            ImageError: the image cannot be read; says why.
            ModelError: the runtime fails, for instance because a device was unplugged.
        """
        ((_, findings),) = unbroken(self.classify_all([image], workers=1))
        return findings

    def classify_all(
        self, images: Iterable[Source], workers: int | None = None
    ) -> Generator[tuple[Source, Findings | ImageError], None, None]:
        """Score many radiographs; memory does not grow with their number.

        Args:
            images: as of `classify`; taken from the iterable as they are needed. Open files are
                read one after the other.
            workers: images worked on at once, each with an interpreter of its own; the cores that
                this process may use if None.

        Yields:
            Each element of `images`, in order, with its findings, or with the ImageError that says
            why it cannot be read; the next images are still scored.

        Raises:
            UsageError: `workers` is less than 1.
            ModelError: the runtime fails; all answers before it have been yielded.
        """
        workers = _at_once(workers)
        classifier = self._for(workers)
        return score_all(images, classifier, self._read, self._score, self._limits, workers)

    def _evaluate(self, selection: Part, out: Path, retest: bool, workers: int) -> Report:
        from edge_app.evaluation.evaluate import evaluate as write_report

        classifier = self._for(workers, own=True)
        with self._lock if classifier is self._classifier else nullcontext():
            return write_report(
                *(selection, classifier, out), retest=retest, limits=self._limits, workers=workers
            )

    def _for(self, workers: int, *, own: bool = False) -> Classifier:
        """The shared classifier, or a new one; a device serves one only, so there it is shared."""
        if self._classifier.exclusive or (workers == 1 and not own):
            return self._classifier
        options = self._options._replace(workers=workers)
        return Classifier(
            self._file, self.operating_point, options, force=self._force, site=self._site
        )

    def _read(self, image: ImageSource, limits: Limits) -> Radiograph:
        return read_image_source(image, limits, self._file.input_spec.min_side, digest=False)

    def _score(self, classifier: Classifier, source: object, image: Radiograph) -> Findings:
        shared = classifier is self._classifier
        with self._lock if shared else nullcontext():
            return Findings(classifier.classify(image), image)

    def __repr__(self) -> str:
        return f"<Model {self.name}, operating point {self.operating_point!r}>"


def open_model(
    name: str | os.PathLike[str] = DEFAULT_MODEL,
    *,
    backend: str = AUTO,
    threads: int | None = None,
    operating_point: str | None = None,
    site: str | os.PathLike[str] | None = None,
    force: bool = False,
    max_bytes: int = LIMITS.max_bytes,
    max_pixels: int = LIMITS.max_pixels,
) -> Model:
    """Open a model; the options are those of `edge-cxr classify`.

    Args:
        name: a shipped model's name, or a model file.
        backend: what computes, as of ``--backend``; ``auto`` is the best that works here.
        threads: of the interpreter; None: the number that was fastest in a trial on this machine.
        operating_point: a name in the model's manifest; the model's default if None.
        site: a site file of `edge-cxr calibrate`, or ``none``; if None, the one that
            `edge-cxr classify` would find, and then a note says so.
        force: score what does not look like a chest radiograph, too.
        max_bytes: of a file; larger ones are refused.
        max_pixels: of an image; larger ones are refused.

    Raises:
        ModelError: there is no such model or site file, its file is damaged, or the site file is
            another model's.
        RuntimeUnavailableError: `backend` does not work here, or no backend does.
        UsageError: an argument has no valid value.
    """
    if threads is not None and threads < 1:
        raise UsageError(f"threads={threads}: give 1 or more, or None for the fastest number")
    path, options = locate(os.fspath(name)), BackendOptions(backend, threads=threads)
    limits, named = Limits(max_bytes, max_pixels), None if site is None else os.fspath(site)
    return Model(path, operating_point, options, limits, force, named)


def _site(named: str | None) -> tuple[Site | None, tuple[str, ...]]:
    """The site file that decides, and what is to be said of it where it was not asked for."""
    place = site_place(named)
    if place is None:
        return None, ()
    from edge_app.model.site import announcement, read

    site = read(place)
    return site, () if named is not None else (announcement(site),)


def evaluate(
    folder: str | os.PathLike[str],
    model: Model | str | os.PathLike[str] = DEFAULT_MODEL,
    *,
    out: str | os.PathLike[str],
    labels: str | os.PathLike[str] | None = None,
    split: str | None = None,
    retest: bool = False,
    limit: int | None = None,
    workers: int | None = None,
) -> Report:
    """Score a labelled folder and write the report, as `edge-cxr evaluate` does.

    After an interruption the same call resumes: answers are kept in a journal next to `out`.

    Args:
        folder: with images and a CSV of their labels.
        model: opened, or what `open_model` takes.
        out: the report's file, ending in ``.json``; its scores go next to it, as ``.npz``.
        labels: the CSV; the folder's own if None.
        split: ``test``, ``validation``, ``train`` or ``all``; if None, ``test`` where an official
            list says which images that is, otherwise ``all``.
        retest: also measure how steady the model is; takes five times as long.
        limit: the largest number of images to score; None: all.
        workers: images worked on at once; the cores that this process may use if None.

    Returns:
        The report: `content`, which is what the JSON holds, and `evaluated`, the logits.
        Images that could not be read are in ``content["dataset"]["left_out"]``.

    Raises:
        DatasetError: the folder, its labels or all of its images cannot be used.
        OutputError: the report cannot be written; what was answered is kept.
        UsageError: there is no such split, or `out` does not end in ``.json``.
    """
    from edge_app.evaluation.evaluate import part
    from edge_app.evaluation.labelled import load

    place = Path(out)
    if place.suffix != ".json":
        raise UsageError(f"out={place}: a report's name ends in .json")
    opened = model if isinstance(model, Model) else open_model(model)
    classifier = opened._classifier
    labelled = load(
        Path(folder),
        classifier.labels,
        None if labels is None else Path(labels),
        exclusive=classifier.model.head == "exclusive",
    )
    selection = part(labelled, split, limit)
    return opened._evaluate(selection, place, retest, _at_once(workers))


def evaluate_scores(
    scores: str | os.PathLike[str],
    labels: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    normal: str | None = None,
    scale: str = "auto",
    exclusive: bool = False,
) -> Report:
    """The report of scores that any classifier gave, as `edge-cxr evaluate --scores` makes it.

    Args:
        scores: CSV or `.npz`: image, patient if known, and one column a label.
        labels: CSV or `.npz`: image, patient if known, and which labels it bears.
        out: the report's file, ending in ``.json``; None: it is not written.
        normal: the label of no finding; ``No Finding`` or ``normal`` if None. With `exclusive` that
            of images which bear none of the table's labels, where it is not one of these.
        scale: ``probabilities``, ``logits``, or ``auto``: what they look like.
        exclusive: just one of the labels applies, and an image bears just one; every column of
            scores is a label's, since their softmax is over all of them.

    Raises:
        ReportError: scores cannot be used; names the line.
        DatasetError: labels cannot be used; names the line, or counts the images.
        UsageError: there is no such scale or label, or `out` does not end in ``.json``.
        OutputError: the report cannot be written.
    """
    from edge_app.evaluation import truth
    from edge_app.evaluation.of_scores import Options, report_of, write

    options = Options.of(scale, (), exclusive)
    made = report_of(Path(scores), truth.read(Path(labels), normal, exclusive=exclusive), options)
    if out is not None:
        write(made, Path(out))
    return made


def _at_once(workers: int | None) -> int:
    if workers is not None and workers < 1:
        raise UsageError(f"workers={workers}: give 1 or more, or None for one a core")
    return workers or cores()


class Compared(NamedTuple):
    """Two reports side by side.

    Attributes:
        content: all that differs, as `edge-cxr compare --json` prints it.
        gates: one verdict each, with the limit, the value and a `message`.
    """

    comparison: Comparison
    gates: Sequence[GateResult]

    @property
    def content(self) -> Mapping[str, Any]:
        return self.comparison.written

    @property
    def passed(self) -> bool:
        """Whether every gate was met."""
        return all(gate.passed for gate in self.gates)

    @property
    def verdict(self) -> Verdict:
        """ "passed", "not passed", or "not proven": the reference, or the data, prove nothing."""
        from edge_app.comparison.gates import verdict

        return verdict(self.gates)


def compare(
    reference: Report | str | os.PathLike[str],
    candidate: Report | str | os.PathLike[str],
    *,
    labels: str | os.PathLike[str] | None = None,
    gates: Mapping[str, float] | None = None,
    resamples: int = 2000,
) -> Compared:
    """What a candidate answers differently from its reference, and whether that is too much.

    Args:
        reference: the float network's report, its file, or a file of anybody's scores.
        candidate: the int8 network's, or other scores, on the same images.
        labels: which image bears what, where both are files of scores; see `evaluate_scores`.
        gates: limits to change, by their names in `edge-cxr compare --json`.
        resamples: bootstrap samples of patients behind each 95 % interval.

    Raises:
        ReportError: a report cannot be read, or the two are of other images.
        UsageError: there is no such gate, or its limit is out of range.
    """
    from edge_app.comparison.compare import compare as compare_reports
    from edge_app.comparison.gates import Gates, judge
    from edge_app.comparison.sides import sides
    from edge_app.evaluation.report import Report

    limits = Gates.of(f"{name}={value}" for name, value in (gates or {}).items())
    one, other = (
        each if isinstance(each, Report) else Path(each) for each in (reference, candidate)
    )
    first, second = sides(one, other, None if labels is None else Path(labels))
    comparison = compare_reports(first, second, resamples)
    return Compared(comparison, judge(comparison, limits))
