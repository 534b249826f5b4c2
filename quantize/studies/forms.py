"""Whether the form of storage changes decisions: radiographs stored again, read and scored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final, NamedTuple

import numpy as np
import typer
from rich.console import Console
from rich.progress import track

from edge_app.classifier import Classifier
from edge_app.core.errors import ImageError
from edge_app.images.radiograph import Radiograph
from edge_app.model.model_file import ModelFile
from edge_app.model.operating_points import per_label
from edge_app.pipeline.reader import read_image_source
from edge_app.pipeline.route import score_all, unbroken
from edge_app.pipeline.scorers import classified
from quantize.studies.inputs import ModelInputs
from quantize.studies.result import Result
from quantize.studies.storage import FORMS, Form, Picture, plain
from train.cache import Cached
from train.data_facts import dataset_facts

ImagesOption = Annotated[int, typer.Option(min=1, help="Test images to store anew.")]
HEADER: Final = (
    "stored as", "gray levels", "decisions", "images", "refused", "withheld", "warned", "unsaid",
)  # fmt: skip


class Seen(NamedTuple):
    """A file's picture as the network saw it, and its answer.

    Attributes:
        input: height×width uint8, the picture at the network's size.
        decisions: one a label of the model; empty if they are withheld.
        warnings: one line each.
    """

    input: Picture
    decisions: tuple[bool | None, ...]
    warnings: tuple[str, ...]


def seen(classifier: Classifier, source: object, image: Radiograph) -> Seen:
    """The scorer of the study."""
    _, findings = classified(classifier, source, image)
    resized = classifier.resized(image.picture)
    return Seen(resized, tuple(each.above for each in findings.findings), findings.warnings)


@dataclass
class Count:
    """The results of all images in one form, compared with the same images as plain files.

    Attributes:
        gray_levels: largest difference of a pixel at the network's size.
        compared: decisions that both files have.
        decisions: how many of them differ.
        images: with a decision that differs.
        refused: files that were not read.
        withheld: files whose findings the input check withheld, but not the plain file's.
        warned: files with a warning that the plain file does not have.
        unsaid: images with another decision, or withheld, without such a warning.
        said: the first refusal or warning.
    """

    gray_levels: int = 0
    compared: int = 0
    decisions: int = 0
    images: int = 0
    refused: int = 0
    withheld: int = 0
    warned: int = 0
    unsaid: int = 0
    said: str | None = None

    def add(self, answer: Seen | ImageError, reference: Seen) -> None:
        if isinstance(answer, ImageError):
            self.refused += 1
            self.said = self.said or str(answer)
            return
        difference = np.abs(answer.input.astype(int) - reference.input)
        self.gray_levels = max(self.gray_levels, int(difference.max()))
        new = [line for line in answer.warnings if line not in reference.warnings]
        self.warned += bool(new)
        self.said = self.said or (new[0] if new else None)
        if not answer.decisions or not reference.decisions:
            withheld = bool(reference.decisions)
            self.withheld += withheld
            self.unsaid += withheld and not new
            return
        pairs = zip(answer.decisions, reference.decisions, strict=True)
        different = sum(one is not other for one, other in pairs)
        self.compared += len(answer.decisions)
        self.decisions += different
        self.images += different > 0
        self.unsaid += different > 0 and not new


def forms_study(inputs: ModelInputs, images: ImagesOption = 60) -> Result:
    """The study: see `forms`."""
    return forms(inputs.model, inputs.images, images, inputs.console)


def forms(
    model: ModelFile,
    cached: Cached,
    images: int,
    console: Console,
    registered: Sequence[Form] = FORMS,
) -> Result:
    """Score test radiographs in every form, and compare them with 8-bit PNG.

    Args:
        model: scores them as shipped: what its input check flags is withheld.
        cached: test images.
        images: of them at most, evenly spread.
        console: for progress.
        registered: the forms.
    """
    # Decisions label by label: an image-level point would hide most of them.
    classifier = Classifier(model, per_label(model.manifest["default_operating_point"]))
    places = np.unique(np.linspace(0, len(cached) - 1, min(images, len(cached))).astype(int))
    pictures = [np.asarray(cached.images[cached.rows[place]]) for place in places]
    references: dict[Callable[[Picture], Picture], list[Seen]] = {}
    counts: dict[str, Count] = {}
    for form in track(registered, "Storing", console=console, disable=not console.is_terminal):
        if form.seen not in references:
            files = (plain(form.seen(picture)) for picture in pictures)
            references[form.seen] = [answer for _, answer in unbroken(_scored(files, classifier))]
        count = counts[form.name] = Count()
        answers = _scored((form.store(picture) for picture in pictures), classifier)
        for (_, answer), reference in zip(answers, references[form.seen], strict=True):
            count.add(answer, reference)
    content = {
        "model": {"name": model.name, "sha256": model.sha256},
        "dataset": {**dataset_facts(cached, "test"), "used": len(places)},
        "forms": {
            form.name: {"exact": form.exact, **vars(counts[form.name])} for form in registered
        },
    }
    wrong = [form.name for form in registered if not _is_right(form, counts[form.name])]
    return Result(
        "forms",
        "python -m quantize forms MODEL DATA",
        _caption(content),
        HEADER,
        [_row(form, counts[form.name]) for form in registered],
        content,
        f"not read as they should be: {'; '.join(wrong)}" if wrong else None,
    )


def _scored(
    files: Iterator[bytes], classifier: Classifier
) -> Iterator[tuple[bytes, Seen | ImageError]]:
    return score_all(files, classifier, partial(read_image_source, digest=False), seen)


def _is_right(form: Form, count: Count) -> bool:
    """Whether an exact form changes and refuses nothing, or any other form warns of changes."""
    if form.exact:
        return not (count.decisions or count.refused or count.withheld)
    return not count.unsaid


def _caption(content: dict[str, Any]) -> str:
    exact = sum(form["exact"] for form in content["forms"].values())
    differ = sum(form["decisions"] for form in content["forms"].values() if form["exact"])
    compared = sum(form["compared"] for form in content["forms"].values() if form["exact"])
    return (
        f"{content['dataset']['used']} test radiographs, each stored in "
        f"{len(content['forms'])} forms and scored by {content['model']['name']}, beside the same "
        f"picture as an 8-bit PNG. Gray levels: largest difference of a pixel at the network's "
        "size. Decisions: those that differ, of those taken; images: with a decision that differs; "
        "withheld: by the input check; unsaid: different or withheld, without a warning. The "
        f"{exact} forms that lose nothing: {differ} of {compared} decisions differ. Forms in "
        "parentheses do not say how they are to be shown: they may be refused, or differ with a "
        "warning."
    )


def _row(form: Form, count: Count) -> tuple[str, ...]:
    return (
        form.name if form.exact else f"({form.name})",
        str(count.gray_levels),
        f"{count.decisions} of {count.compared}",
        *map(str, (count.images, count.refused, count.withheld, count.warned, count.unsaid)),
    )
