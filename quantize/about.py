"""A model's licence, intended use, data and limits, as its maker states them.

They come from a small TOML or JSON file; whatever it leaves out is "not stated":

    licence = "CC-BY-NC-4.0"
    intended_use = "Research on …"
    data = "Radiographs of …, taken …, labelled by …"
    limits = ["No children are among them."]
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from train.errors import DatasetError
from train.written_file import read_written

NOT_STATED: Final = "not stated"
LONGEST: Final = {"licence": 200, "intended_use": 4000, "data": 4000}
"""The longest text of each kind, in letters."""

MAX_LIMITS: Final = 20


class About(NamedTuple):
    """The maker's statements in a model's manifest and card.

    Attributes:
        licence: an SPDX identifier, or a sentence.
        intended_use: what the model is for, and what not.
        data: where they are from, and who labelled them.
        limits: one sentence each.
    """

    licence: str = NOT_STATED
    intended_use: str = NOT_STATED
    data: str = NOT_STATED
    limits: tuple[str, ...] = ()

    def training(self) -> dict[str, Any]:
        """Its part of a manifest's `training`."""
        return {"about": {"data": self.data, "limits": [*self.limits]}}


UNSTATED: Final = About()

NIH: Final = About(
    licence="Apache-2.0",
    intended_use=(
        "Research on, and demonstration of, the scoring of frontal chest radiographs of adults on "
        "devices without a network. Not a medical device; not for diagnosis, triage or any "
        "decision about a patient. Trained and measured on text-mined labels of one hospital's "
        "radiographs (NIH Clinical Center) that had been reduced to 64x64 or 128x128 pixels "
        "beforehand."
    ),
    data="A subset of NIH ChestX-ray14 (Wang et al., ChestX-ray8, CVPR 2017).",
    limits=(
        "Labels were mined from reports of one hospital (NIH Clinical Center) by text processing, "
        "which the release estimates to be above 90 % right. Nothing was tested on other "
        "hospitals, on children apart, or on lateral views.",
        "All images had been reduced to 64×64 or 128×128 pixels before training. How the network "
        "does on full-size radiographs, which the device shrinks itself, was not measured.",
        "Most mirrored radiographs pass the input check (the network was trained on both, and "
        "scores them alike), and so do small turns, pictures a little too bright or too dark, and "
        "parts of a frame. Lateral views, other parts of the body, children and other hospitals' "
        "pictures were not there to try.",
        "By the radiologists' boxes a heatmap is for several findings no better than the middle of "
        "the picture.",
        "The official test list holds few patients with many images each: intervals resample "
        "patients, and are wide.",
    ),
)
"""The statements for the shipped models."""


def read_about(path: Path) -> About:
    """The statements in a file.

    Raises:
        DatasetError: it cannot be read, or holds unknown keys or unsuitable values.
    """
    stated = read_written(path)
    if not isinstance(stated, dict):
        raise DatasetError(f"{path}: write it as .toml or .json: {', '.join(About._fields)}")
    unknown = sorted(set(stated) - set(About._fields))
    if unknown:
        raise DatasetError(
            f"{path}: {unknown[0]!r} is unknown: there are {', '.join(About._fields)}"
        )
    for key, longest in LONGEST.items():
        text = stated.get(key, NOT_STATED)
        if not _is_text(text, longest):
            raise DatasetError(f"{path}: {key} is a text of 1 to {longest} printable letters")
    limits = stated.get("limits", [])
    if not isinstance(limits, list) or len(limits) > MAX_LIMITS:
        raise DatasetError(f"{path}: limits is a list of {MAX_LIMITS} sentences or fewer")
    if not all(_is_text(limit, 1000) for limit in limits):
        raise DatasetError(f"{path}: each of its limits is a text of 1 to 1000 printable letters")
    texts = {key: stated[key] for key in LONGEST if key in stated}
    return About(**texts, limits=tuple(limits))


def _is_text(value: object, longest: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= longest and value.isprintable()


def about_model(manifest: Mapping[str, Any]) -> About:
    """The statements in a manifest; the shipped models are known by their intended use."""
    if manifest["intended_use"] == NIH.intended_use:
        return NIH
    stated = manifest["training"].get("about", {})
    return About(
        manifest["licence"],
        manifest["intended_use"],
        stated.get("data", NOT_STATED),
        tuple(stated.get("limits", ())),
    )
