"""Which patients train, validate and test: decided by their names alone, on every machine alike."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final, Literal

from edge_app.core.plain_text import plain

Split = Literal["train", "validation", "test"]
SPLITS: Final[tuple[Split, ...]] = ("train", "validation", "test")

VALIDATION_SHARE: Final = 0.18  # of the patients that are not test: 633 of the 3,519 in the subset
TEST_SHARE: Final = 0.2  # of all patients, where no official list says otherwise

NO_PATIENTS: Final = (
    "the labels tell no patients: each image counts as one, so intervals are too narrow"
)
"""Stands among the notes on a data set, wherever intervals are made from it."""

NOBODY: Final = frozenset(("", "nan", "NaN", "NA", "N/A", "<NA>", "NaT", "None", "null", "NULL"))
"""What programs write for a missing value, where a patient should stand."""

NUMBER: Final = re.compile(r"(\d+)(\.0)?")


def plain_patient(patient: str) -> str:
    """A name without what tables that were put together change in it: the case of letters, zeros
    before a number, and ``.0`` behind it."""
    folded = unicodedata.normalize("NFKC", patient).casefold()
    number = NUMBER.fullmatch(folded)
    return number[1].lstrip("0") or "0" if number else folded


def alike(patients: Iterable[str]) -> list[str]:
    """A line where names of several patients may be one patient's, who would then be in two splits.

    Args:
        patients: their names, in any order and number.
    """
    names: dict[str, set[str]] = {}
    for patient in patients:
        names.setdefault(plain_patient(patient), set()).add(patient)
    several = [sorted(each) for each in names.values() if len(each) > 1]
    if not several:
        return []
    first = " and ".join(plain(each) for each in several[0][:2])
    more = f" ({len(several)} such patients)" if len(several) > 1 else ""
    return [f"patients {first} count as two{more}: where they are one, write one name"]


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
