"""What a run's `config.json` and a manifest say of what a network learned from."""

from __future__ import annotations

from typing import Literal, TypedDict

Known = Literal["seen", "not seen", "not known"]


class _Images(TypedDict):
    name: str
    split: str
    digest: str
    images: int
    patients: int


class ImageFacts(_Images, total=False):
    """The images of a split; see `data_facts.dataset_facts`."""

    notes: list[str]


class FurtherFacts(TypedDict):
    """A data set that only trains; see `datasets.dataset.Further`."""

    name: str
    origin: str
    apart: bool
    unlabelled: bool
    tells_patients: bool
    images: int
    patients: int
    digest: str


class DataFacts(TypedDict, total=False):
    """The images, the teachers, and the network that training started from.

    `own` is the digest of the training images whose data set also validates and tests; it goes with
    `further`. `auxiliary` are the targets beside the labels, where these are not all that there
    are. `refit_of` is the SHA-256 of the configuration of the run that was judged.
    """

    train: ImageFacts
    validation: ImageFacts
    own: str
    further: list[FurtherFacts]
    auxiliary: list[str]
    teachers: list[str]
    teachers_trained_on: list[str]
    teachers_know_no_more: list[bool]
    started_from: StartedFrom
    refit_of: str


class StartFacts(TypedDict):
    """A network that a run may start from, and whether its labels' channels are kept."""

    name: str
    network: str
    sha256: str
    head: Literal["kept", "new"]
    dataset: DataFacts


class StartedFrom(StartFacts):
    """The one that it did start from, and whether that knows the test patients."""

    test_patients: Known
