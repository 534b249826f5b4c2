"""Which patients train, validate and test: decided by their names alone, on every machine alike."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final, Literal

Split = Literal["train", "validation", "test"]
SPLITS: Final[tuple[Split, ...]] = ("train", "validation", "test")

VALIDATION_SHARE: Final = 0.18  # of the patients that are not test: 633 of the 3,519 in the subset
TEST_SHARE: Final = 0.2  # of all patients, where no official list says otherwise

NO_PATIENTS: Final = (
    "the labels tell no patients: each image counts as one, so intervals are too narrow"
)
"""Stands among the notes on a data set, wherever intervals are made from it."""


def split_by_patient(patients: Iterable[str], share: float, salt: str) -> set[str]:
    """A fixed `share` of the distinct `patients`: those whose salted hash is smallest.

    The choice depends on names alone, so it survives a reordered or extended data set as far as
    the share allows, and every recipe is judged on the same people.
    """

    def rank(patient: str) -> str:
        return hashlib.sha256(f"{salt}:{patient}".encode()).hexdigest()

    distinct = sorted(set(patients), key=rank)
    return set(distinct[: round(share * len(distinct))])


def assign(patients: Sequence[str], is_test: Sequence[bool] | None) -> list[Split]:
    """The split of each image.

    Args:
        patients: of each image.
        is_test: whether an official list says that it is test; None without such a list.
    """
    if is_test is None:
        tested = split_by_patient(patients, TEST_SHARE, "test")
        is_test = [patient in tested for patient in patients]
    pairs = list(zip(patients, is_test, strict=True))
    rest = (patient for patient, test in pairs if not test)
    validating = split_by_patient(rest, VALIDATION_SHARE, "validation")
    return [
        "test" if test else "validation" if patient in validating else "train"
        for patient, test in pairs
    ]
