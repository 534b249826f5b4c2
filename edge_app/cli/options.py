"""Options that several commands share, and the classifier that is opened with them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from edge_app.backends.options import BackendOptions
from edge_app.images.radiograph import Limits

if TYPE_CHECKING:
    from edge_app.classifier import Classifier
    from edge_app.images.read import Decoder
    from edge_app.model.site import Site

LIMITS: Final = Limits()

ModelOption = Annotated[
    str, typer.Option("--model", "-m", help="A shipped model's name, or a model file.")
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(min=1, max=64, help="Of the interpreter; default: the fastest when tried here."),
]
WorkersOption = Annotated[
    int | None, typer.Option(min=1, max=64, help="Images worked on at once; default: cores.")
]
OperatingPointOption = Annotated[
    str | None, typer.Option(help="Which of the model's threshold sets; see 'models inspect'.")
]
SiteOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="What answers mean here, of calibrate; none: as the model came. "
        "Default: EDGE_CXR_SITE, ~/.config/edge-cxr/site.json, /etc/edge-cxr/site.json.",
    ),
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Score what does not look like a chest radiograph, too.")
]
MaxBytesOption = Annotated[int, typer.Option(min=1, help="Refuse larger files.")]
MaxPixelsOption = Annotated[int, typer.Option(min=1, help="Refuse larger images.")]
IsolateOption = Annotated[
    bool, typer.Option("--isolate", help="Decode images in processes that can do nothing else.")
]
LabelOption = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Of scores: only this label; repeatable."),
]
NormalOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Of scores: the label of no finding; default: No Finding or normal."
    ),
]
ScaleOption = Annotated[
    str, typer.Option(help="Of scores: probabilities, logits, or auto: what they look like.")
]
ExclusiveOption = Annotated[
    bool, typer.Option("--exclusive", help="Of scores: just one of the labels applies (softmax).")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def open_classifier(
    model: str,
    operating_point: str | None,
    options: BackendOptions,
    *,
    force: bool = False,
    site: str | None = None,
) -> Classifier:
    """The classifier; standard error says which preferred backend is not used, and why."""
    from edge_app.classifier import Classifier
    from edge_app.core.console import complain
    from edge_app.model.model_file import locate, read

    decides = site_file(site)
    found = read(locate(model))
    classifier = Classifier(found, operating_point, options, force=force, site=decides)
    for note in classifier.notes:
        complain(note)
    return classifier


def at_once(workers: int, isolate: bool) -> int:
    """Images in hand at once: one more where workers wait for decoders, or a core would, too."""
    return workers + 1 if isolate and workers > 1 else workers


@contextmanager
def decoding(isolate: bool, count: int, limits: Limits) -> Iterator[Decoder | None]:
    """What decodes images: so many processes of their own, or, if None, this one."""
    if not isolate:
        yield None
        return
    from edge_app.core.console import complain
    from edge_app.images.isolated import Decoders

    with Decoders(count, limits, complain) as decoders:
        yield decoders.decode


def site_file(named: str | None) -> Site | None:
    """The site file that decides, see `site_place`; one that was not asked for is announced."""
    from edge_app.core.site_place import site_place

    place = site_place(named)
    if place is None:
        return None
    from edge_app.core.console import complain
    from edge_app.model.site import announcement, read

    site = read(place)
    if named is None:
        complain(announcement(site))
    return site
